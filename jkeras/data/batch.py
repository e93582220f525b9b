"""A batch: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. A list counts as a tuple; a dict or an array is `x`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax

from jkeras.errors import DataError
from jkeras.typing import ArrayTree

Batch: TypeAlias = ArrayTree | Sequence[ArrayTree | None]
"""`x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`; what there is not is `None`."""


def unpack_x_y_sample_weight(data: Batch) -> tuple[Any, Any, Any]:
    """The three parts of a batch, `None` for those that it does not have.

    >>> unpack_x_y_sample_weight((1, 2)), unpack_x_y_sample_weight({"a": 1})
    ((1, 2, None), ({'a': 1}, None, None))
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise DataError(
            f"a batch must have one to three parts, got {len(data)}.",
            path="batch",
            expected="x, (x,), (x, y) or (x, y, sample_weight)",
            received=f"a {type(data).__name__} of {len(data)}",
            write="yield x, y, sample_weight   # several inputs or outputs: yield (x1, x2), y",
        )
    return (*data, None, None, None)[:3]


def pack_x_y_sample_weight(x: ArrayTree, y: ArrayTree | None = None, sample_weight: ArrayTree | None = None) -> Any:
    """The shortest form of a batch.

    >>> pack_x_y_sample_weight(1), pack_x_y_sample_weight(1, 2), pack_x_y_sample_weight([1], None)
    (1, (1, 2), ([1],))
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, tuple | list) else x


def batch_size_of(x: ArrayTree) -> int:
    """The length of the first axis of the first array."""
    size: int = jax.tree.leaves(x)[0].shape[0]
    return size
