"""SpectralNormalization: a layer whose kernel is divided by its largest singular value."""

from typing import Unpack

import jax.numpy as jnp
from jax import lax

from jkeras import arguments, initializers, registry
from jkeras.core import Layer, Variable
from jkeras.core.options import LayerOptions
from jkeras.core.scope import require
from jkeras.core.variable import Representation
from jkeras.errors import ArgumentError
from jkeras.functional import unit_normalize
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.layers.core.wrapper import Wrapper
from jkeras.typing import Array, PyTree, Shape


@registry.export("keras.layers")
class SpectralNormalization(Wrapper):
    """Runs a layer with `W / sigma` for its kernel `W`, so that no direction grows by more than about one.

    `sigma = v W u`, an estimate of the largest singular value of `W (inputs, outputs)`, with unit vectors `u`, `v` that
    each call improves by `power_iterations` steps `v <- W u / |W u|`, `u <- W^T v / |W^T v|`. In training `u` is kept
    for the next call. The values of `W` stay as they are, and gradients take `u` and `v` for constants.

    Args:
        layer: a layer with a `kernel`, such as Dense and convolutions, or an `Embedding`.
        power_iterations: steps in each call.

    Shapes:
        Those of the layer, and a non-trainable `vector_u (1, outputs)`. All axes of the kernel but the last count as
        inputs.

    Raises:
        ArgumentError: `layer` is not a layer, its kernel is missing or adapted by LoRA, or `power_iterations` is
            not a positive int.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import initializers, layers
    >>> dense = layers.Dense(2, kernel_initializer=initializers.Constant([[4.0, 0.0], [0.0, 2.0]]))
    >>> layer = SpectralNormalization(dense, power_iterations=30)
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> print(layer.stateless_call(*variables, jnp.array([[1.0, 1.0]]))[0].round(3))
    [[1.  0.5]]

    Source: T. Miyato et al., "Spectral normalization for generative adversarial networks", arXiv:1802.05957.
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = arguments.positive_int(
            power_iterations, "power_iterations", "SpectralNormalization", "SpectralNormalization(layers.Dense(8))"
        )

    def build(self, input_shape: Shape | None = None) -> None:
        super().build(input_shape)
        weight = self.normalized_weight()
        self.vector_u = self.add_weight(
            (1, weight.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            jnp.promote_types(weight.declared_dtype, "float32"),  # small steps of the iteration must add up
            trainable=False,
            autocast=False,
            name="vector_u",
        )

    def call(self, inputs: Array, training: bool | None = False) -> PyTree:
        scope, weight = (
            require("SpectralNormalization", "layer.stateless_call(*variables, x)"),
            self.normalized_weight(),
        )
        normalized, u = spectral_normalize(scope.stored(weight), self.vector_u.value, self.power_iterations)
        if training:
            self.vector_u.assign(u)
        with scope.replacing({weight: normalized}):
            return self.layer(inputs)

    def compute_mask(self, inputs: Array, previous_mask: PyTree = None) -> None:
        """The layer inside has set the mask of its outputs."""
        return

    def normalized_weight(self) -> Variable:
        """The declaration of the kernel."""
        name = self.layer.adapted if isinstance(self.layer, LowRankAdaptable) else "kernel"
        weight = getattr(self.layer, name, None)
        if isinstance(weight, Variable) and type(weight.representation) is Representation:
            return weight
        raise ArgumentError(
            "the layer must have a kernel that nothing else represents, such as LoRA.",
            path=self._label,
            expected="a layer with a `kernel`, or an Embedding",
            received=repr(self.layer),
            write="SpectralNormalization(layers.Dense(8))",
        )


def spectral_normalize(kernel: Array, u: Array, iterations: int) -> tuple[Array, Array]:
    """`kernel / sigma` and the vector `u` after some steps of the power iteration; a kernel of zeros stays.

    >>> kernel, u = spectral_normalize(jnp.array([[3.0, 4.0]]), jnp.array([[1.0, 0.0]]), 1)
    >>> print(kernel, u)
    [[0.6 0.8]] [[0.6 0.8]]
    """
    matrix = jnp.reshape(kernel, (-1, kernel.shape[-1])).astype(jnp.promote_types(kernel.dtype, "float32"))  # (i, o)
    constant, vector = lax.stop_gradient(matrix), u.astype(matrix.dtype)
    for _ in range(iterations):
        v = unit_normalize(vector @ constant.T, epsilon=1e-7, axis=None)  # (1, i)
        vector = unit_normalize(v @ constant, epsilon=1e-7, axis=None)  # (1, o)
    sigma = jnp.sum((v @ matrix) * vector)
    vanishes = sigma == 0
    normalized = kernel / jnp.where(vanishes, 1, sigma)
    return normalized.astype(kernel.dtype), jnp.where(vanishes, u, vector).astype(u.dtype)
