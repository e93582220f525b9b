"""UnitNormalization: every example to length one."""

from typing import Unpack

from jkeras import registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.functional import unit_normalize
from jkeras.layers.normalization.base import check_axes
from jkeras.typing import Array, Axes


@registry.export("keras.layers")
class UnitNormalization(Layer):
    """`outputs = x / max(|x|, 1e-12)`, with the Euclidean norm over `axis`.

    Args:
        axis: the axis, or the axes, over which the squares are summed.

    Shapes:
        Any shape -> the same, in the compute dtype. Half precision is computed in float32. Masks pass through.

    Raises:
        ArgumentError: `axis` is neither an int nor a sequence of different ints.
        ShapeError: the input has no such axis.

    >>> import jax.numpy as jnp
    >>> print(UnitNormalization().stateless_call({}, {}, jnp.array([[3.0, 4.0], [0.0, 0.0]]))[0])
    [[0.6 0.8]
     [0.  0. ]]

    Source: the definition of a unit vector.
    """

    def __init__(self, axis: Axes = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = check_axes(axis, "UnitNormalization")
        self.supports_masking = True
        self.autocast = False  # the norm is that of the inputs as they come

    def call(self, inputs: Array) -> Array:
        return unit_normalize(inputs, epsilon=1e-12, axis=self.axis).astype(self.compute_dtype)
