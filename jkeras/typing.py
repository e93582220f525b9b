"""The vocabulary of types: one name for each kind of thing that passes between functions.

Dimension letters used in shape comments everywhere: `b` batch, `t` time, `h` `w` `d` height, width, depth,
`c` channels, `k` kernel size, `n` heads, `i` `o` input and output features.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.typing.ArrayLike
ArraySpec: TypeAlias = Array | np.ndarray | jax.ShapeDtypeStruct
"""What has a shape and a dtype."""
Key: TypeAlias = jax.Array
"""A typed PRNG key, as `jax.random.key` makes it."""

Shape: TypeAlias = tuple[int | None, ...]
"""A shape in a declaration or a graph: `None` stands for a dimension that is not known yet."""

DType: TypeAlias = str
"""The name of a dtype, such as `"float32"`."""
DTypeLike: TypeAlias = str | np.dtype | type


class SupportsArray(Protocol):
    """What NumPy makes an array of: a column or table of pandas, a tensor of another library.

    >>> column: SupportsArray = np.arange(3)
    >>> np.asarray(column).tolist()
    [0, 1, 2]
    """

    def __array__(self) -> Any:
        """The array."""


class SupportsGetItem(Protocol):
    """What gives its batches by their numbers.

    >>> batches: SupportsGetItem = [np.zeros(2), np.ones(2)]
    >>> batches[1].tolist()
    [1.0, 1.0]
    """

    def __getitem__(self, index: int, /) -> Any:
        """One batch."""


PyTree: TypeAlias = Any
Tree: TypeAlias = Mapping[str, Any]
"""Nested dicts whose leaves are arrays."""
ArrayTree: TypeAlias = ArrayLike | SupportsArray | Sequence["ArrayTree"] | Mapping[str, "ArrayTree"]
"""An array, or arrays in lists, tuples and dicts: labels, predictions, their weights and masks."""
SpecTree: TypeAlias = ArraySpec | Sequence["SpecTree"] | Mapping[str, "SpecTree"]
"""The shapes and dtypes of outputs."""
ShapeTree: TypeAlias = Sequence[int | None] | Sequence["ShapeTree"] | Mapping[str, "ShapeTree"]
"""A shape, or shapes in lists, tuples and dicts."""
DataLike: TypeAlias = ArrayTree | Iterable[Any] | SupportsGetItem
"""What is trained on: arrays, or something that yields batches or gives them by their numbers."""
Config: TypeAlias = dict[str, Any]
"""A JSON-able description of an object, with Keras's keys."""

Initializer: TypeAlias = Callable[..., Array]
Activation: TypeAlias = Callable[[Array], Array]

Axes: TypeAlias = int | Sequence[int]
Sizes: TypeAlias = int | Sequence[int]
"""One size for all axes, or one per axis."""
Pairs: TypeAlias = int | Sequence[int | Sequence[int]]
"""What is put or taken on both sides of each axis: one number for all, one per axis, or one pair per axis."""
Range: TypeAlias = float | Sequence[float]
"""A number, which stands for a range around zero or from it, or both its ends."""

Identifier: TypeAlias = str | Mapping[str, Any] | Callable[..., Any] | None
"""What a family's `get` takes: a name, a config, a class, an instance or a function."""
InitializerLike: TypeAlias = Identifier | Array | np.ndarray | np.generic
RegularizerLike: TypeAlias = Identifier
ConstraintLike: TypeAlias = Identifier
ActivationLike: TypeAlias = Identifier
LossLike: TypeAlias = Identifier

__all__ = [
    "Activation",
    "ActivationLike",
    "Array",
    "ArrayLike",
    "ArraySpec",
    "ArrayTree",
    "Axes",
    "Config",
    "ConstraintLike",
    "DType",
    "DTypeLike",
    "DataLike",
    "Identifier",
    "Initializer",
    "InitializerLike",
    "Key",
    "LossLike",
    "Pairs",
    "PyTree",
    "Range",
    "RegularizerLike",
    "Shape",
    "ShapeTree",
    "Sizes",
    "SpecTree",
    "SupportsArray",
    "SupportsGetItem",
    "Tree",
]
