"""Dot: the product of two tensors, summed over one axis of each."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from jkeras import config, dtypes, registry
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import standardize_shape
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import unit_normalize
from jkeras.functional.layout import hide
from jkeras.layers.merging.base import Computed, widen
from jkeras.typing import Array, Axes, PyTree, Shape


@registry.export("keras.layers")
class Dot(Computed):
    """`outputs[b, i..., j...] = sum over k of x[b, i..., k] * y[b, j..., k]`, for every example.

    Args:
        axes: the axis `k` of both inputs, or one for each; never the batch axis.
        normalize: whether both are divided by their norm along `k` first, so that the output is the cosine.

    Shapes:
        Two tensors of rank 2 or more -> their shapes without `k`, one after the other. Of two vectors: `(b, 1)`.

    Raises:
        ArgumentError: `axes` is neither an int nor a pair of ints, or names the batch axis.
        ShapeError: the inputs are not two, or their sizes along the axes differ.

    >>> import jax, jax.numpy as jnp
    >>> layer = Dot(axes=1)
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[11.0]]

    Source: the definition.
    """

    def __init__(self, axes: Axes, normalize: bool = False, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        pair = (axes, axes) if isinstance(axes, int) else axes
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(type(axis) is int and axis for axis in pair):
            raise ArgumentError(
                f"`axes` must be an integer or a pair of integers, none of them 0, got {axes!r}.",
                path="Dot",
                expected="an int, or a pair of ints; 0 is the batch axis, which stays",
                received=repr(axes),
                write="Dot(axes=(1, 2))",
            )
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = bool(normalize)

    def call(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array:
        shapes = [standardize_shape(x.shape) for x in self.check_two(inputs)]
        self.compute_output_shape(shapes)  # raises a lesson
        axes = self._axes(shapes)
        masks = self.masks_of(inputs, mask) or [None, None]
        wide = widen([hide(x, each) for x, each in zip(inputs, masks, strict=True)])
        x, y = (value.astype(jnp.result_type(*wide)) for value in wide)
        if self.normalize:
            x, y = (
                unit_normalize(value, epsilon=config.epsilon(), axis=axis)
                for value, axis in zip((x, y), axes, strict=True)
            )
        outputs = lax.dot_general(x, y, (((axes[0],), (axes[1],)), ((0,), (0,))))  # (b, i..., j...)
        return outputs if outputs.ndim > 1 else jnp.expand_dims(outputs, 1)

    def _axes(self, shapes: Sequence[Shape]) -> list[int]:
        """The summed axis of each input, counted from the front."""
        pair = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        fits = all(
            -len(shape) <= axis < len(shape) and axis % len(shape) for axis, shape in zip(pair, shapes, strict=True)
        )
        if not fits:
            problem = f"`axes` must be axes of the inputs, got {pair}."
            wanted = f"inputs with axes {pair} after the batch axis"
            received, write = f"shapes {shapes[0]}, {shapes[1]}", "Dot(axes=-1)   # the last axis of both inputs"
            raise ShapeError(problem, path=self._label, expected=wanted, received=received, write=write)
        return [axis % len(shape) for axis, shape in zip(pair, shapes, strict=True)]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        x, y = shapes = [tuple(shape) for shape in self.check_two(input_shape)]
        i, j = self._axes(shapes)
        if any(None not in (a, b) and a != b for a, b in ((x[i], y[j]), (x[0], y[0]))):
            rule = "the inputs must have the same batch size, and the same size along `axes`"
            wanted = f"equal batch axes, and equal sizes along the axes {i} and {j}"
            write = "Dot(axes=(1, 2))   # one axis of each input, of the same size"
            raise ShapeError.must(rule, f"shapes {x}, {y}", path=self._label, expected=wanted, write=write)
        batch = y[0] if x[0] is None else x[0]
        rest = (*x[1:i], *x[i + 1 :], *y[1:j], *y[j + 1 :])
        return (batch, *(rest or (1,)))

    def output_dtype(self, input_dtypes: Sequence[str]) -> str:
        dtype = super().output_dtype(input_dtypes)
        return dtype if dtypes.is_float(dtype) or not self.normalize else dtypes.standardize()

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> None:
        return None


def dot(inputs: Sequence[Any], axes: Axes = -1, **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Dot(axes=axes, **kwargs)(inputs)`.

    Args:
        inputs: a list of two tensors.
        axes: which axes are summed over, as in the layer.
        kwargs: the other arguments of the layer.

    Raises:
        ShapeError: the inputs are not a pair, or their axes differ in length.

    >>> from jkeras.core import Input
    >>> dot([Input((5, 3)), Input((4, 3))]).shape
    (None, 5, 4)
    """
    return Dot(axes=axes, **kwargs)(inputs)
