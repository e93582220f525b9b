"""Classes as vectors, in the table."""

import jax
import jax.numpy as jnp

from jkeras import dtypes
from jkeras.core.lift import listed
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError
from jkeras.functional.arguments import standardize_tuple
from jkeras.typing import Array, DTypeLike


@listed
def one_hot(x: Array, num_classes: int, axis: int = -1, dtype: DTypeLike | None = None, sparse: bool = False) -> Array:
    """Class indices as vectors: one at the index, zeros elsewhere.

    `outputs[..., c] = 1 where x[...] == c, else 0`; an index that is not a class, negative ones included, gives zeros.

    Args:
        x: integers of any shape, class indices from 0.
        num_classes: the number of classes, which is the length of the vectors.
        axis: where the new axis stands among those of the output.
        dtype: of the output; `jkeras.config.floatx()` by default.
        sparse: must be false, for JAX has no sparse tensors of this kind.

    Returns:
        The shape of `x` with `num_classes` inserted at `axis`.

    Raises:
        ArgumentError: `sparse` is true, or `num_classes` is negative.

    >>> one_hot(jnp.array([2, 0, -1]), 3, dtype="int32").tolist()
    [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    """
    check_dense("one_hot", sparse)
    standardize_tuple(num_classes, 1, "num_classes", "one_hot", minimum=0)
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtypes.standardize(dtype))


@listed
def multi_hot(
    inputs: Array,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
    *,
    num_tokens: int | None = None,
) -> Array:
    """Sets of class indices as vectors: one where a class occurs, zeros elsewhere.

    `outputs[b, c] = 1 where any inputs[b, :] == c, else 0`: the maximum of the one-hot codes of an example's labels. An
    index that is not a class, negative ones included, is ignored.

    Args:
        inputs: integers `(b, n)`, the `n` labels of each example; or `(n,)`, those of one example.
        num_classes: the number of classes, which is the length of the vectors.
        axis: where the classes stand in the one-hot codes, whose axis 1 (or 0, of one example) the maximum is taken
            over; no other than the last makes sets of labels.
        dtype: of the output; `jkeras.config.floatx()` by default.
        sparse: must be false, for JAX has no sparse tensors of this kind.
        num_tokens: the old name of `num_classes`.

    Returns:
        `(b, num_classes)`, or `(num_classes,)`.

    Raises:
        ArgumentError: `sparse` is true, or the number of classes is missing.

    >>> multi_hot(jnp.array([[0, 2], [1, 1]]), 4, dtype="int32").tolist()
    [[1, 0, 1, 0], [0, 1, 0, 0]]
    """
    check_dense("multi_hot", sparse)
    num_classes = num_tokens if num_classes is None else num_classes
    if num_classes is None:
        raise ArgumentError(
            "`num_classes` must be given.",
            path="multi_hot",
            expected="an int >= 1",
            received="None",
            write="ops.multi_hot(inputs, num_classes=10)",
        )
    return jnp.max(one_hot(inputs, num_classes, axis, dtype), axis=1 if jnp.ndim(inputs) > 1 else 0)


__all__ = [
    "multi_hot",
    "one_hot",
]
