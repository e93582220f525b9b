"""Arguments that operations cannot have are refused with the argument named, of arrays and of symbolic tensors."""

import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import KerasTensor, ops
from jkeras.errors import JKerasError

X = jnp.ones((2, 3))
IMAGE = jnp.ones((1, 2, 2, 4))
SPECTRUM = (jnp.ones((3, 3)), jnp.zeros((3, 3)))


@pytest.mark.parametrize(
    "named, call",
    [
        ("sequence_stride", lambda: ops.stft(jnp.ones(10), 4, -1, 4)),
        ("sequence_stride", lambda: ops.stft(jnp.ones(10), 4, 0, 4)),
        ("sequence_stride", lambda: ops.istft(SPECTRUM, 4, 0, 4)),
        ("sequence_stride", lambda: ops.extract_sequences(jnp.ones(10), 4, 0)),
        ("block_size", lambda: ops.depth_to_space(IMAGE, 1)),
        ("block_size", lambda: ops.space_to_depth(IMAGE, 1)),
        ("matrix", lambda: ops.matrix_rank(np.ones(3, "float32"))),
        ("newshape", lambda: ops.reshape(jnp.ones(10), (-2, 5))),
        ("newshape", lambda: ops.reshape(jnp.ones(10), (-1, -1))),
        ("repeats", lambda: ops.repeat(X, -1)),
        ("repeats", lambda: ops.repeat(X, [1, -1], axis=0)),
        ("repeats", lambda: ops.tile(X, (2, -1))),
        ("`k`", lambda: ops.top_k(X, 4)),
        ("`k`", lambda: ops.top_k(X, -1)),
        ("num_classes", lambda: ops.one_hot([0, 1], -1)),
        ("num_classes", lambda: ops.multi_hot([0, 1])),
        ("num_classes", lambda: ops.multi_hot([0, 1], num_tokens=-1)),
        ("index 5", lambda: ops.get_item(X, 5)),
        ("index -4", lambda: ops.get_item(X, (slice(None), -4))),
        ("index 17", lambda: KerasTensor((None, 5, 16))[:, 17, :]),
        ("index 17", lambda: KerasTensor((None, 5, 16))[..., 17]),
        ("index 2", lambda: KerasTensor((None, 2, 16))[None, :, np.int64(2)]),
    ],
)
def test_arguments_are_refused_by_name(named, call):
    with pytest.raises(JKerasError, match=named) as caught:
        call()
    assert isinstance(caught.value, ValueError)


def test_indices_in_range_are_taken():
    x = KerasTensor((None, 5, 16))
    assert x[70].shape == (5, 16)  # of an unknown axis
    assert x[:, -5, None, 3:99].shape == (None, 1, 13)
    assert x[..., 15].shape == (None, 5)
    assert ops.get_item(X, jnp.array([[True, False, True], [False, False, True]])).shape == (3,)
    assert ops.get_item(X, [1, -3]).shape == ()
