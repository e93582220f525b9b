"""Operations and losses in bfloat16 against Keras's: all of a table at once, and what disagrees is reported together.

Layers are in `tests/contract/test_layer_parity.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import losses, ops
from tests import tables, test_ops, test_ops_image
from tests.descriptors.losses import BESIDE_KERAS, ROWS, sample
from tests.oracle import asking_keras, keras
from tests.test_losses import THEIRS

EPS16 = float(jnp.finfo("bfloat16").eps)
# JAX transforms and factorizes float32 and float64 alone; there Keras fails as we do.
FAILS = """
    fft fft2 ifft2 rfft irfft stft istft polar cholesky eig eigh inv lstsq lu_factor matrix_rank pinv qr solve svd
"""
# What differs from Keras's, each with the reason.
OTHERWISE = {
    "affine_transform": "it rounds the places that it reads to bfloat16",
    "rearrange": "it only moves numbers, and Keras cannot trace it",
    "sparse_categorical_crossentropy": "its real result is float32, its symbolic one bfloat16",
    "sparsemax": "it computes another projection",
    "view": "other bits, which are not near each other",
}


def results(functions, arguments, dtype):
    """The leaves of each function's result. The floats of `(args, kwargs)` are numbers of bfloat16, in a dtype."""
    run, floats = tables.program(functions, arguments)
    return tables.compiled(run)(jax.tree.map(lambda array: jnp.asarray(array, "bfloat16").astype(dtype), floats))


def disagreement(ours, theirs, exact):
    """What is wrong with leaves in bfloat16, if anything is.

    The unit is `eps = 2^-7` of the largest exact value, twice what rounding one result may cost. An operation rounds a
    few times on the way, Keras's as ours but elsewhere: our error may be twice its error and one unit, which a result
    and one term inside cost. Eight units bound it in any case: a logarithm near zero magnifies what came before.
    """
    for our, their, full in zip(ours, theirs, exact, strict=True):
        if our.dtype != their.dtype:
            return f"{our.dtype}, Keras {their.dtype}"
        if our.shape != their.shape:
            return f"{our.shape}, Keras {their.shape}"
        our, their, full = (np.nan_to_num(np.asarray(leaf, "complex128")) for leaf in (our, their, full))
        unit = EPS16 * max(float(np.abs(full).max(initial=0)), 1e-30)
        error, keras_error = (float(np.abs(leaf - full).max(initial=0)) / unit for leaf in (our, their))
        if error > min(2 * keras_error + 1, 8):
            return f"{error:.2f} units, Keras {keras_error:.2f}"
    return None


def disagreements(names, ours, theirs, exact):
    """`disagreement` by name, where there is one."""
    compared = zip(names, ours, theirs, exact, strict=True)
    return {name: wrong for name, *leaves in compared if (wrong := disagreement(*leaves))}


@pytest.mark.parametrize(
    ("cases", "mine", "others"),
    [(test_ops.CASES, ops, keras.ops), (test_ops_image.CASES, ops.image, keras.ops.image)],
    ids=["ops", "images"],
)
def test_operations_are_keras_s(cases, mine, others):
    left_out = {*FAILS.split(), *OTHERWISE}
    cases = [case for case in cases if case[0] not in left_out and tables.has_floats(case[1:])]
    assert len(cases) >= 20
    functions, arguments = [getattr(mine, case[0]) for case in cases], [case[1:] for case in cases]
    ours, exact = (results(functions, arguments, dtype) for dtype in ("bfloat16", "float32"))
    with asking_keras():
        theirs = results([getattr(others, case[0]) for case in cases], arguments, "bfloat16")
    assert not disagreements(map(test_ops.identify, cases), ours, theirs, exact)


def test_losses_are_keras_s():
    rows = [row for row in ROWS if "dtype" not in row.arguments]
    arguments = [(sample(row.kind), {}) for row in rows]
    ours = results([row.make(dtype="bfloat16") for row in rows], arguments, "bfloat16")
    exact = results([row.make() for row in rows], arguments, "float32")
    with asking_keras():
        theirs = results([row.make(THEIRS, dtype="bfloat16") for row in rows], arguments, "bfloat16")
    assert {leaf.dtype.name for (leaf,) in ours} == {"bfloat16"}
    beside = {"Loss", "LinearLogits", *BESIDE_KERAS}
    assert {row.name for row in rows} == {name for name in losses.__all__ if name[0].isupper()} - beside
    assert not disagreements(map(str, rows), ours, theirs, exact)


def test_a_disagreement_is_noticed():
    exact = jnp.linspace(1, 2, 9)
    half = exact.astype("bfloat16")
    assert disagreement([half], [half], [exact]) is None
    assert "Keras bfloat16" in disagreement([exact], [half], [exact])
    assert "units" in disagreement([half * 1.03125], [half], [exact])


def test_what_differs_from_keras_is_known():
    x, labels = jnp.asarray(test_ops.U, "bfloat16"), np.array([2, 0])
    assert ops.sparse_categorical_crossentropy(labels, x).dtype == "bfloat16"
    with asking_keras():
        assert keras.ops.sparse_categorical_crossentropy(labels, x).dtype == "float32"
        symbols = keras.KerasTensor((2,), "int32"), keras.KerasTensor((2, 3), "bfloat16")
        assert keras.ops.sparse_categorical_crossentropy(*symbols).dtype == "bfloat16"
    with pytest.raises((NotImplementedError, TypeError), match="bfloat16"):
        ops.cholesky(jnp.asarray(test_ops.S, "bfloat16"))
