"""Reshape: the same elements in the same order under another shape."""

import math
import operator
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import registry
from jkeras.core import InputSpec, Layer, in_building_scope
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError, ShapeError
from jkeras.typing import Array


@registry.export("keras.layers")
class Reshape(Layer):
    """Reshapes every example.

    Args:
        target_shape: the new shape without the batch axis; one dimension may be -1, and is what is left for it.

    Shapes:
        `(b, ...)` -> `(b, *target_shape)`. The dtype stays.

    Raises:
        ArgumentError: several dimensions are -1, or one is not an int.
        ShapeError: the elements of an example do not fill the shape.

    >>> import jax.numpy as jnp
    >>> Reshape((-1, 2)).stateless_call({}, {}, jnp.arange(6).reshape(1, 6))[0].tolist()
    [[[0, 1], [2, 3], [4, 5]]]
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.target_shape = _target(target_shape)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Array) -> Array:
        batch, *dims = inputs.shape
        size, known = math.prod(dims), math.prod(dim for dim in self.target_shape if dim != -1)
        is_known = all(isinstance(dim, int) for dim in dims)
        free = -1 in self.target_shape
        if is_known and (size != known if not free else known == 0 or size % known):
            elements = f"{'a multiple of ' if free else ''}{known} elements"
            rule, received = f"an example must have {elements}", f"{size} elements, shape {inputs.shape}"
            wanted, write = f"{elements} for {self.target_shape}", "layers.Reshape((-1,))   # any number of elements"
            raise ShapeError.must(rule, received, path=self._label, expected=wanted, write=write)
        shape = (batch, *(size // known if dim == -1 else dim for dim in self.target_shape))
        if not is_known and in_building_scope():  # whether they fit is known when the dimensions are
            return jnp.zeros(shape, inputs.dtype)
        return jnp.reshape(inputs, shape)


def _target(shape: Any) -> tuple[int, ...]:
    """A shape with at most one -1."""
    try:
        dims = tuple(operator.index(dim) for dim in shape)
    except TypeError:
        dims = (-2,)
    if any(dim < -1 for dim in dims) or dims.count(-1) > 1:
        raise ArgumentError(
            f"`target_shape` must be a tuple of integers with at most one -1, got {shape!r}.",
            path="Reshape",
            expected="a tuple of ints >= 0, at most one of them -1",
            received=f"target_shape={shape!r}",
            write="Reshape((-1, 8))",
        )
    return dims
