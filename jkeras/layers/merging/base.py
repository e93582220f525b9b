"""Merging: several tensors to one.

Inputs of different ranks are brought to the largest by axes of size 1 after the batch axis; sizes of 1 are then
broadcast:

    (b, c)  and  (b, t, c)     ->     (b, 1, c)  and  (b, t, c)     ->     (b, t, c)
"""

import functools
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import dtypes
from jkeras.core import KerasTensor, Layer
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import is_shape, standardize_shape
from jkeras.errors import ShapeError
from jkeras.functional.layout import hide
from jkeras.typing import Array, DTypeLike, Shape


class Merge(Layer):
    """The base of layers whose input is a list of tensors. A subclass describes `merge` on tensors of one rank."""

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array:
        self.compute_output_shape([standardize_shape(x.shape) for x in self.check_list(inputs)])  # raises a lesson
        masks = self.masks_of(inputs, mask) or [None] * len(inputs)
        inputs = [hide(x, each) for x, each in zip(inputs, masks, strict=True)]
        lengthened = self.align(inputs, [x.ndim for x in inputs])
        return self.merge(lengthened, self.align(masks, [x.ndim for x in inputs]))

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        """The merged tensor; the inputs have one rank, and a mask of positions or `None` each."""
        raise NotImplementedError

    @staticmethod
    def align(things: Sequence[Any], ranks: Sequence[int]) -> list[Any]:
        """The things of tensors of some ranks, with axes of size 1 after the batch axis as for the largest rank."""
        rank = max(ranks)
        return [
            None if thing is None else jnp.expand_dims(thing, tuple(range(1, 1 + rank - own)))
            for thing, own in zip(things, ranks, strict=True)
        ]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """The broadcast shape. Raises `ShapeError` where the shapes do not fit together."""
        return broadcast_shapes(self.check_list(input_shape), self._label)

    def compute_output_spec(
        self, inputs: Sequence[KerasTensor], mask: Sequence[Array | None] | None = None
    ) -> KerasTensor:
        shape = super().compute_output_spec(self.check_list(inputs)).shape
        return KerasTensor(shape, self.output_dtype([x.dtype for x in inputs]))

    def output_dtype(self, input_dtypes: Sequence[str]) -> str:
        """The dtype of the output: that of the inputs, floats in the compute dtype."""
        cast = [self.compute_dtype if self.autocast and dtypes.is_float(dtype) else dtype for dtype in input_dtypes]
        return jnp.result_type(*cast).name

    def check_list(self, inputs: Sequence[Any]) -> Any:
        """The inputs, or their shapes, if they are a list of one or more."""
        if isinstance(inputs, list | tuple) and len(inputs) > 0 and not is_shape(inputs):
            return inputs
        rule, write = "the input must be a list of tensors", f"{self.name}([x, y])"
        raise ShapeError.must(rule, type(inputs).__name__, path=self._label, write=write)

    def check_two(self, inputs: Sequence[Array]) -> Any:
        """The inputs, or their shapes, if they are exactly two."""
        if len(self.check_list(inputs)) == 2:
            return inputs
        rule, write = f"{type(self).__name__} must have two inputs", f"{self.name}([x, y])"
        raise ShapeError.must(rule, f"{len(inputs)} inputs", path=self._label, expected="2 inputs", write=write)

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        """The union of the inputs' masks; none where an input has none."""
        masks = self.masks_of(inputs, mask)
        if masks is None or any(each is None for each in masks):
            return None
        array: Array | None = functools.reduce(jnp.logical_or, self.align(masks, [x.ndim for x in inputs]))
        return array

    def masks_of(self, inputs: Sequence[Array], masks: Sequence[Array | None] | None) -> list[Any] | None:
        """One mask or `None` per input, or `None` where nothing is masked."""
        if masks is None:
            return None
        if not isinstance(masks, list | tuple) or len(masks) != len(inputs):
            raise ShapeError(
                "the mask must be a list of one mask or None for each input, as the inputs are a list.",
                path=self._label,
                expected=f"a list of {len(inputs)} masks, or None for some",
                received=type(masks).__name__,
                write=f"{self.name}([x, y], mask=[x_mask, None])",
            )
        return list(masks)


class Computed(Merge):
    """The base of layers that compute with their inputs: integers of less than 32 bits are computed as int32."""

    def output_dtype(self, input_dtypes: Sequence[str]) -> str:
        return super().output_dtype([wide_dtype(dtype) for dtype in input_dtypes])


def wide_dtype(dtype: DTypeLike) -> str:
    """A dtype in which sums and products of a few numbers fit: int32 for narrower integers, which would wrap around.

    >>> wide_dtype("uint8"), wide_dtype("int32"), wide_dtype("float16")
    ('int32', 'int32', 'float16')
    """
    narrow = jnp.issubdtype(dtype, jnp.integer) and jnp.dtype(dtype).itemsize < 4
    return "int32" if narrow else jnp.dtype(dtype).name


def widen(inputs: Sequence[Array]) -> list[Array]:
    """The inputs, each in its `wide_dtype`."""
    return [x.astype(wide_dtype(x.dtype)) for x in inputs]


def broadcast_shapes(shapes: Sequence[Shape], path: str) -> Shape:
    """The shape of the broadcast tensors: batch axes agree, the others are aligned at the end.

    >>> broadcast_shapes([(None, 3), (8, None, 1)], "add")
    (8, None, 3)
    """
    rank = max(map(len, shapes))
    aligned = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
    merged: list[int | None] = []
    for axis, sizes in enumerate(zip(*aligned, strict=True)):
        known = {size for size in sizes if size is not None and (size != 1 or axis == 0)}
        if len(known) > 1:
            raise ShapeError(
                "the inputs must have shapes that broadcast.",
                path=path,
                expected="equal batch axes, and equal sizes or 1 on the others" if axis else "equal batch axes",
                received=f"shapes {', '.join(map(str, shapes))}",
                write="layers.Reshape((1, 8))(y)   # 1 on the axes along which an input is repeated",
            )
        merged.append(known.pop() if known else None if None in sizes else 1)
    return tuple(merged)


def full_mask(mask: Array, x: Array) -> Array:
    """A mask of positions in the shape of the tensor: `(b, t)` for `(b, t, c)`."""
    return jnp.broadcast_to(jnp.expand_dims(mask, tuple(range(mask.ndim, x.ndim))).astype(bool), x.shape)
