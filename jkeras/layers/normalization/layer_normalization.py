"""LayerNormalization: every example to mean zero and variance one over its features."""

from typing import Unpack

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.functional import layer_normalize
from jkeras.layers.normalization.base import AffineNormalization, check_axes, sizes_along
from jkeras.typing import Array, Axes, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class LayerNormalization(AffineNormalization):
    """`outputs = gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with mean and variance over `axis`.

    Args:
        axis: the axis, or the axes, of the features.
        epsilon: keeps the square root away from zero.
        center: whether `beta` is added.
        scale: whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer: names, configs or objects.
        beta_regularizer, gamma_regularizer: penalties on the weights.
        beta_constraint, gamma_constraint: projections applied after each update.
        rms_scaling: `gamma * x / sqrt(variance + epsilon)` instead, without `beta`. Kept for old models; it divides by
            the standard deviation, not by the root mean square.

    Shapes:
        Any shape -> the same, in the compute dtype; `gamma` and `beta` have the sizes along `axis`, in the order of the
        axes. Half precision is computed in float32.

    Raises:
        ArgumentError: `axis` is neither an int nor a sequence of different ints.
        BuildError: the input has no such axis, or its size is not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = LayerNormalization(epsilon=0.0)
    >>> variables = layer.init(jax.random.key(0), (2, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 3.0], [10.0, 30.0]]))[0].tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450.
    """

    def __init__(
        self,
        axis: Axes = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        rms_scaling: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = check_axes(axis, "LayerNormalization")
        self.epsilon = float(epsilon)
        self.rms_scaling = bool(rms_scaling)
        self.set_affine(
            center,
            scale,
            beta=(beta_initializer, beta_regularizer, beta_constraint),
            gamma=(gamma_initializer, gamma_regularizer, gamma_constraint),
        )
        self.autocast = False  # the statistics are those of the inputs as they come

    def build(self, input_shape: Shape) -> None:
        sizes = sizes_along(input_shape, self.axis, self._label)
        self.declare_affine(
            tuple(sizes.values()),
            center=self.center and not self.rms_scaling,
            scale=self.scale or self.rms_scaling,
        )

    def call(self, inputs: Array) -> Array:
        gamma, beta = self.affine()
        outputs = layer_normalize(
            inputs, gamma, beta, epsilon=self.epsilon, axis=self.axis, rms_scaling=self.rms_scaling
        )
        return outputs.astype(self.compute_dtype)
