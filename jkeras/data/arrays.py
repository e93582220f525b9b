"""Batches, and arrays in memory to cut them from, checked once, before any work.

A batch is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. A list counts as a tuple; a dict or an array is `x`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from jkeras import tree
from jkeras.data.host import host_arrays
from jkeras.errors import ArgumentError, DataError
from jkeras.typing import Array, ArrayTree, PyTree

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


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Structures of arrays that share the length of their first axis; `None` for a missing part.

    >>> check_arrays(np.arange(6), np.arange(6)).rows(2, 4).y.tolist()
    [2, 3]
    """

    x: PyTree
    y: PyTree
    sample_weight: PyTree
    size: int

    @property
    def parts(self) -> tuple[PyTree, PyTree, PyTree]:
        """`(x, y, sample_weight)`."""
        return self.x, self.y, self.sample_weight

    @property
    def nbytes(self) -> int:
        """The memory that all arrays take."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.parts))

    def rows(self, start: int, stop: int) -> "Arrays":
        """The examples from `start` to `stop`."""
        x, y, sample_weight = jax.tree.map(lambda leaf: leaf[start:stop], self.parts)
        return Arrays(x, y, sample_weight, max(0, stop - start))


def check_arrays(x: ArrayTree, y: ArrayTree | None = None, sample_weight: ArrayTree | None = None) -> Arrays:
    """Structures of arrays as `Arrays`.

    Arrays of other libraries become NumPy, float64 becomes `floatx`, a list of numbers is one array:
    see `jkeras.data.host`.

    Raises:
        DataError: a part is not an array or has no axis, lengths differ, or there are no examples.

    >>> check_arrays([1.0, 2.0, 3.0]).size
    3
    """
    if x is None:
        raise DataError(
            "`x` must be an array or a structure of arrays, got None.",
            path="x",
            expected="an array, or a structure of arrays",
            received="None",
            write="trainer.fit(state, x, y)",
        )
    parts = {name: host_arrays(value, name) for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight))}
    if not jax.tree.leaves(parts["x"]):
        raise DataError.must(
            "`x` must contain at least one array",
            repr(x)[:60],
            path="x",
            expected="at least one array",
            write="trainer.fit(state, {'image': images, 'age': ages}, y)",
        )
    size, *others = {leaf.shape[0] for leaf in jax.tree.leaves(parts)}
    if others:
        sizes = _sizes(parts)
        raise DataError(
            "all arrays must have the same number of examples.",
            path=", ".join(sizes),
            expected="one length of all first axes",
            received=", ".join(f"{path}: {size}" for path, size in sizes.items()),
            write=f"x[:{min(sizes.values())}], y[:{min(sizes.values())}]   # if they begin with the same examples",
        )
    if size == 0:
        raise DataError(
            "the arrays must have at least one example, got 0.",
            path=", ".join(_sizes(parts)),
            expected="at least one example",
            received="0 examples",
            write="print(x.shape, y.shape)   # after each step that selects examples",
        )
    return Arrays(parts["x"], parts["y"], parts["sample_weight"], size)


def _sizes(parts: Mapping[str, PyTree]) -> dict[str, int]:
    """The number of examples of each array, by its path."""
    return {tree.key_path(path): leaf.shape[0] for path, leaf in jax.tree_util.tree_leaves_with_path(parts)}


def split(arrays: Arrays, fraction: float) -> tuple[Arrays, Arrays]:
    """All but the last `fraction` of the examples, and these; before any shuffling.

    Raises `DataError` where one side would be empty.

    >>> [part.size for part in split(check_arrays(np.arange(10)), 0.2)]
    [8, 2]
    """
    at = int(np.floor(arrays.size * (1.0 - fraction)))
    if at == 0 or at == arrays.size:
        raise DataError(
            f"`validation_split` must leave an example on each side, got {fraction} of {arrays.size} examples.",
            path="validation_split",
            expected="at least one example on each side",
            received=f"{arrays.size} examples, validation_split={fraction}",
            write="trainer.fit(state, x, y, validation_data=(x_val, y_val))",
        )
    return arrays.rows(0, at), arrays.rows(at, arrays.size)


def class_weights(y: ArrayTree | None, weights: Mapping[int, float]) -> np.ndarray:
    """A weight for each label from its class; the weight of classes that the mapping lacks is 1.

    Args:
        y: labels as `class_indices` takes them.
        weights: `{class: weight}`.

    Returns:
        float32, of the shape of the class indices: `(b,)`, or `(b, ...)` where each position has a class.

    >>> class_weights(np.array([0, 1, 2]), {1: 3.0}).tolist()
    [1.0, 3.0, 1.0]
    >>> class_weights(np.array([[0, 1], [2, 2]]), {1: 3.0}).tolist()
    [[1.0, 3.0], [1.0, 1.0]]
    """
    labels = class_indices(y)
    classes, places = np.unique(labels, return_inverse=True)
    found = np.array([weights.get(int(label), 1.0) for label in classes], "float32")
    return found[np.reshape(places, labels.shape)]


def class_indices(y: ArrayTree | None) -> np.ndarray:
    """The classes of labels.

    Args:
        y: class indices of any shape `(b, ...)` or `(b, ..., 1)`, or probabilities of classes, such as one-hot rows,
            `(b, ..., c)`. Rows of two or more numbers >= 0 whose sum is 1 are probabilities, if all rows are.

    Returns:
        Class indices `(b, ...)`.

    Raises:
        ArgumentError: `y` is not one array of labels.
        DataError: a label is neither an index nor a row of probabilities.

    >>> class_indices(np.array([[0, 0, 1], [1, 0, 0]])).tolist(), class_indices(np.array([[2], [1]])).tolist()
    ([2, 0], [2, 1])
    """
    if not hasattr(y, "ndim"):
        several = y is not None
        raise ArgumentError(
            "`class_weight` must come with one array of labels.",
            path="class_weight",
            expected="one array `y` of classes",
            received=f"a {type(y).__name__}" if several else "no labels",
            write="sample_weight={'name of an output': weights}" if several else "trainer.fit(state, x, y)",
        )
    labels = np.asarray(y)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = np.squeeze(labels, -1)
    elif labels.ndim > 1 and (labels >= 0).all() and (np.abs(labels.sum(-1, dtype="float64") - 1) < 1e-3).all():
        classes: np.ndarray = labels.argmax(-1)
        return classes
    wrong = labels != np.floor(labels) if labels.dtype.kind not in "iub" else np.zeros(labels.shape, bool)
    if wrong.any():
        first = tuple(int(each) for each in np.unravel_index(int(wrong.argmax()), wrong.shape))
        raise DataError(
            "`y` must hold classes where `class_weight` is given.",
            path="y",
            expected="class indices, or rows of probabilities whose sum is 1",
            received=f"{labels[first]:g} at {list(first)}",
            write="trainer.fit(state, x, y, sample_weight=weights)   # for labels that are not classes",
        )
    return labels


def take(parts: Batch, order: Array | None, start: Array | int, size: int) -> PyTree:
    """A batch of `size` examples from position `start` of an order; without one, of the arrays in their own order.

    >>> import jax.numpy as jnp
    >>> take(jnp.arange(6), jnp.array([5, 4, 3, 2, 1, 0]), 2, 3).tolist()
    [3, 2, 1]
    """
    if order is None:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), parts)
    rows = jax.lax.dynamic_slice_in_dim(order, start, size)
    return jax.tree.map(lambda leaf: leaf.at[rows].get(mode="promise_in_bounds"), parts)
