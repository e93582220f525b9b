"""RMSNormalization: every example divided by its root mean square."""

from typing import Unpack

from jkeras import registry
from jkeras.core import Layer, Variable
from jkeras.core.options import LayerOptions
from jkeras.functional import rms_normalize
from jkeras.layers.normalization.base import check_axes, sizes_along
from jkeras.typing import Array, Axes, Shape


@registry.export("keras.layers")
class RMSNormalization(Layer):
    """`outputs = scale * x / sqrt(mean(x^2) + epsilon)`, with the mean over `axis`.

    Args:
        axis: the axis, or the axes, of the features.
        epsilon: keeps the square root away from zero.

    Shapes:
        Any shape -> the same, in the compute dtype; `scale` has the sizes along `axis`, in the order of the axes, and
        begins as ones. Half precision is computed in float32. Masks pass through.

    Raises:
        ArgumentError: `axis` is neither an int nor a sequence of different ints.
        BuildError: the input has no such axis, or its size is not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = RMSNormalization(epsilon=0.0)
    >>> variables = layer.init(jax.random.key(0), (1, 4))
    >>> print(layer.stateless_call(*variables, jnp.array([[1.0, -1.0, 7.0, 7.0]]))[0])
    [[ 0.2 -0.2  1.4  1.4]]

    Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", arXiv:1910.07467.
    """

    scale: Variable

    def __init__(self, axis: Axes = -1, epsilon: float = 1e-6, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = check_axes(axis, "RMSNormalization")
        self.epsilon = float(epsilon)
        self.supports_masking = True
        self.autocast = False  # the mean is that of the inputs as they come

    def build(self, input_shape: Shape) -> None:
        sizes = sizes_along(input_shape, self.axis, self._label)
        self.scale = self.add_weight(tuple(sizes.values()), "ones", autocast=False, name="scale")

    def call(self, inputs: Array) -> Array:
        outputs = rms_normalize(inputs, self.scale.value, epsilon=self.epsilon, axis=self.axis)
        return outputs.astype(self.compute_dtype)
