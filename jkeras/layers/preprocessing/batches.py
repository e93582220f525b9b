"""What `adapt` reads: an array, or anything that yields batches. Nothing is kept."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from jkeras.errors import DataError
from jkeras.typing import DataLike


def batches_of(data: DataLike, owner: str, steps: int | None = None) -> Iterator[Any]:
    """The batches in some data. Of `(x, y)` and `(x, y, sample_weight)`, which loaders yield, `x`.

    Args:
        data: an array (NumPy, JAX, pandas, ...) is one batch; a `PyDataset` and any iterable of batches yield theirs.
        owner: who reads, for messages.
        steps: how many batches to read at most.

    Raises `DataError` where there are no batches.

    >>> import numpy as np
    >>> [batch.tolist() for batch in batches_of([(np.ones(2), "labels"), np.zeros(1)], "Normalization")]
    [[1.0, 1.0], [0.0]]
    """
    found = False
    for batch in itertools.islice(_iterate(data, owner), steps):
        found = True
        yield batch[0] if isinstance(batch, tuple) else batch
    if not found:
        raise DataError(
            "`data` must have at least one batch, got none.",
            path=f"{owner}.adapt",
            expected="an array, or an iterable of batches",
            received="an empty one",
            write=f"layer = {owner}(...).adapt(np.array(values))",
        )


def _iterate(data: Any, owner: str) -> Iterable[Any]:
    if is_array(data):
        return [data]
    if hasattr(data, "__iter__") and not isinstance(data, str | bytes):
        result: Iterable[Any] = iter(data)
        return result
    if hasattr(data, "__getitem__") and not isinstance(data, str | bytes):  # a PyDataset
        return (data[index] for index in range(len(data)))
    raise DataError(
        f"`data` must be an array or an iterable of batches, got a {type(data).__name__}.",
        path=f"{owner}.adapt",
        expected="an array, or an iterable of batches",
        received=type(data).__name__,
        write=f"layer = {owner}(...).adapt(np.array(values))",
    )


def is_array(data: DataLike) -> bool:
    """Whether something is an array of any library.

    >>> import numpy as np
    >>> is_array(np.ones(2)), is_array([np.ones(2)])
    (True, False)
    """
    return hasattr(data, "shape") and hasattr(data, "__array__")
