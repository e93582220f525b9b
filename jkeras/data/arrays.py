"""Arrays: inputs, labels and weights in memory, checked once, before any work."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.data.host import host_arrays
from jkeras.errors import ArgumentError, DataError
from jkeras.typing import Array, PyTree


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Structures of arrays that share the length of their first axis; `None` for a part that there is not.

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

    def on_device(self) -> "Arrays":
        """The same arrays on the device."""
        x, y, sample_weight = jax.tree.map(jnp.asarray, self.parts)
        return Arrays(x, y, sample_weight, self.size)


def check_arrays(x: PyTree, y: PyTree = None, sample_weight: PyTree = None) -> Arrays:
    """Structures of arrays as `Arrays`.

    Arrays of other libraries become NumPy, float64 becomes `floatx`, a list of numbers is one array:
    see `jkeras.data.host`.

    Raises:
        DataError: something is no array or has no axis, lengths differ, or there are no examples.

    >>> check_arrays([1.0, 2.0, 3.0]).size
    3
    """
    if x is None:
        raise DataError(
            "there are no inputs.", path="x", expected="an array, or a structure of arrays", received="None"
        )
    parts = {name: host_arrays(value, name) for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight))}
    sizes = {tree.key_path(path): leaf.shape[0] for path, leaf in jax.tree_util.tree_leaves_with_path(parts)}
    if not any(path.startswith("x") for path in sizes):
        raise DataError("there are no inputs.", path="x", expected="at least one array", received=repr(x)[:60])
    if len(set(sizes.values())) > 1:
        raise DataError(
            "the arrays have different numbers of examples.",
            path=", ".join(sizes),
            expected="one length of all first axes",
            received=", ".join(f"{path}: {size}" for path, size in sizes.items()),
            write=f"x[:{min(sizes.values())}], y[:{min(sizes.values())}]   # if they begin with the same examples",
        )
    size = next(iter(sizes.values()))
    if size == 0:
        raise DataError(
            "the arrays are empty.",
            path=", ".join(sizes),
            expected="at least one example",
            received="0 examples",
            write="x = x[chosen]   # look at what chose the examples",
        )
    return Arrays(parts["x"], parts["y"], parts["sample_weight"], size)


def split(arrays: Arrays, fraction: float) -> tuple[Arrays, Arrays]:
    """All but the last `fraction` of the examples, and these; before any shuffling.

    Raises `DataError` where one side would be empty.

    >>> [part.size for part in split(check_arrays(np.arange(10)), 0.2)]
    [8, 2]
    """
    at = int(np.floor(arrays.size * (1.0 - fraction)))
    if at == 0 or at == arrays.size:
        raise DataError(
            "too few examples to split.",
            path="validation_split",
            expected="at least one example on each side",
            received=f"{arrays.size} examples, validation_split={fraction}",
        )
    return arrays.rows(0, at), arrays.rows(at, arrays.size)


def class_weights(y: PyTree, weights: Mapping[int, float]) -> np.ndarray:
    """A weight per example from its class; classes that the mapping lacks weigh 1.

    Args:
        y: class indices `(b,)` or `(b, 1)`, or one-hot rows `(b, c)`.
        weights: `{class: weight}`.

    >>> class_weights(np.array([0, 1, 2]), {1: 3.0}).tolist()
    [1.0, 3.0, 1.0]
    """
    classes, places = np.unique(class_indices(y), return_inverse=True)
    return np.array([weights.get(int(label), 1.0) for label in classes], "float32")[places]


def class_indices(y: PyTree) -> np.ndarray:
    """The class of each example `(b,)`, of labels as `class_weights` takes them.

    >>> class_indices(np.array([[0, 0, 1], [1, 0, 0]])).tolist()
    [2, 0]
    """
    if not hasattr(y, "ndim"):
        raise ArgumentError(
            "`class_weight` needs a model with one output.", path="class_weight", expected="one array y"
        )
    labels = np.asarray(y)
    return labels.argmax(-1) if labels.ndim > 1 and labels.shape[-1] != 1 else labels.reshape(labels.shape[0])


def take(parts: PyTree, order: Array | None, start: Array | int, size: int) -> PyTree:
    """A batch of `size` examples from position `start` of an order; without one, of the arrays as they lie.

    >>> take(jnp.arange(6), jnp.array([5, 4, 3, 2, 1, 0]), 2, 3).tolist()
    [3, 2, 1]
    """
    if order is None:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), parts)
    rows = jax.lax.dynamic_slice_in_dim(order, start, size)
    return jax.tree.map(lambda leaf: leaf.at[rows].get(mode="promise_in_bounds"), parts)
