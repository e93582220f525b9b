"""Rectifiers with parameters, as layers."""

import warnings
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import activations, arguments, registry
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import BuildError
from jkeras.layers.weights import declare, describe
from jkeras.typing import Array, Axes, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class ReLU(Layer):
    """The rectified linear unit: `max(x, 0)` by default.

    `x` above `threshold` and at most `max_value`; `negative_slope * (x - threshold)` at and below `threshold`.

    Args:
        max_value: the largest value; `None` for none.
        negative_slope: slope below the threshold.
        threshold: below it values are damped.

    Shapes:
        Any shape -> the same.

    Raises:
        ArgumentError: an argument is negative.

    >>> import jax, jax.numpy as jnp
    >>> layer = ReLU(max_value=3.0)
    >>> variables = layer.init(jax.random.key(0), (3,))
    >>> layer.stateless_call(*variables, jnp.array([-1.0, 2.0, 5.0]))[0].tolist()
    [0.0, 2.0, 3.0]

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = (
            max_value if max_value is None else arguments.non_negative_number(max_value, "max_value", "ReLU")
        )
        self.negative_slope = arguments.non_negative_number(negative_slope, "negative_slope", "ReLU")
        self.threshold = arguments.non_negative_number(threshold, "threshold", "ReLU")
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@registry.export("keras.layers")
class LeakyReLU(Layer):
    """A rectifier that leaks: `x` where `x >= 0`, `negative_slope * x` elsewhere.

    Args:
        negative_slope: slope of the negative part.

    Shapes:
        Any shape -> the same.

    Raises:
        ArgumentError: the slope is negative.

    >>> import jax, jax.numpy as jnp
    >>> layer = LeakyReLU(0.5)
    >>> variables = layer.init(jax.random.key(0), (2,))
    >>> layer.stateless_call(*variables, jnp.array([-1.0, 2.0]))[0].tolist()
    [-0.5, 2.0]

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("LeakyReLU: `alpha` is deprecated; write `negative_slope`.", stacklevel=2)
        super().__init__(**kwargs)
        self.negative_slope = arguments.non_negative_number(negative_slope, "negative_slope", "LeakyReLU")
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        return activations.leaky_relu(inputs, self.negative_slope)


@registry.export("keras.layers")
class ELU(Layer):
    """The exponential linear unit: `x` where `x > 0`, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        alpha: what the negative part saturates at.

    Shapes:
        Any shape -> the same.

    >>> import jax, jax.numpy as jnp
    >>> layer = ELU(alpha=2.0)
    >>> variables = layer.init(jax.random.key(0), (2,))
    >>> layer.stateless_call(*variables, jnp.array([-jnp.inf, 2.0]))[0].tolist()
    [-2.0, 2.0]

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by ELUs", arXiv:1511.07289.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        return activations.elu(inputs, self.alpha)


@registry.export("keras.layers")
class PReLU(Layer):
    """A rectifier with a learned slope: `max(x, 0) - alpha * max(-x, 0)`.

    Args:
        alpha_initializer: a name, a config or an object.
        alpha_regularizer: penalty on the slopes.
        alpha_constraint: projection of the slopes applied after each update.
        shared_axes: the axes along which one slope is shared, counted with the batch axis: `[1, 2]` for one slope per
            channel of images.

    Shapes:
        `(b, ...)` -> the same; `alpha (...)`, with size 1 along the shared axes.

    Raises:
        BuildError: a dimension of the slopes is not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = PReLU(alpha_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[-1.0, 2.0]]))[0].tolist()
    [[-1.0, 2.0]]

    Source: K. He et al., "Delving deep into rectifiers", arXiv:1502.01852.
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: Axes | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        describe(self, "alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or ()
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape))[1:]
        if None in shape:
            unknown = [axis for axis, size in enumerate(input_shape) if axis and size is None]
            raise BuildError.must(
                "the dimensions of the slopes must be known",
                input_shape,
                path=self._label,
                expected="known dimensions, or one slope along the unknown ones",
                write=f"PReLU(shared_axes={unknown})",
            )
        self.alpha = declare(self, "alpha", tuple(size or 0 for size in shape))
        axes = {axis: size for axis, size in enumerate(input_shape) if axis and axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Array) -> Array:
        alpha = jnp.expand_dims(self.alpha.value, 0)
        inputs = inputs.astype(jnp.promote_types(inputs.dtype, alpha.dtype))  # minus 1 is 255 in uint8
        return jax.nn.relu(inputs) - alpha * jax.nn.relu(-inputs)
