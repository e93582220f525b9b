"""What deep residual networks do to their branches: scale each channel, scale all of them, or leave a branch out."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, initializers, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ShapeError
from jkeras.functional.layout import along
from jkeras.layers.regularization.base import RandomLayer
from jkeras.typing import Array, Key, Shape

CONVNEXT = "keras.src.applications.convnext"  # where Keras has these classes, whose configs are read and written
INCEPTION = "keras.src.applications.inception_resnet_v2"


@registry.export(CONVNEXT, "jkeras.layers")
class LayerScale(Layer):
    """Multiplies each channel by a weight: `outputs[..., c] = gamma[c] * inputs[..., c]`.

    Args:
        init_values: the initial value of all weights, a small one for deep networks.
        projection_dim: the number of channels.

    Shapes:
        `(..., c)` -> the same, of `gamma (c,)`.

    Raises:
        ArgumentError: `projection_dim` is not a positive int.

    >>> import jax, jax.numpy as jnp
    >>> layer = LayerScale(0.5, 2)
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[0.5, 1.0]]

    Source: H. Touvron et al., "Going deeper with image transformers", arXiv:2103.17239.
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = arguments.positive_int(
            projection_dim, "projection_dim", "LayerScale", "LayerScale(1e-6, 96)"
        )
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.gamma = self.add_weight((self.projection_dim,), initializers.Constant(self.init_values), name="gamma")

    def call(self, inputs: Array) -> Array:
        return inputs * along(self.gamma.value, inputs.ndim, -1)


@registry.export(CONVNEXT, "jkeras.layers")
class StochasticDepth(RandomLayer):
    """In training, leaves out the branch of some examples: `outputs[b] = keep[b] * inputs[b] / (1 - rate)`.

    `keep[b]` is 1 with the probability `1 - rate`, and 0 otherwise. Outside of training the outputs are the inputs.

    Args:
        drop_path_rate: the fraction of examples whose branch is left out.
        seed: an int, for the same stream after every `init`.

    Shapes:
        `(b, ...)` -> the same.

    Raises:
        ArgumentError: the rate is not a number in [0, 1).

    >>> import jax, jax.numpy as jnp
    >>> layer = StochasticDepth(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (4, 1))
    >>> layer.stateless_call(*variables, jnp.ones((4, 1)), training=True)[0].ravel().tolist()
    [2.0, 0.0, 0.0, 2.0]

    Source: G. Huang et al., "Deep networks with stochastic depth", arXiv:1603.09382.
    """

    def __init__(self, drop_path_rate: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.drop_path_rate = arguments.fraction(drop_path_rate, "drop_path_rate", "StochasticDepth", interval="[0, 1)")
        self.set_seed(seed, draws=self.drop_path_rate > 0)

    def perturb(self, inputs: Array, key: Key) -> Array:
        rate = self.drop_path_rate
        keep = jax.random.bernoulli(key, 1 - rate, (inputs.shape[0], *(1,) * (inputs.ndim - 1)))
        return jnp.where(keep, inputs / (1 - rate), jnp.zeros((), inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.seed is None:  # Keras's class has no seed
            del config["seed"]
        return config


@registry.export(INCEPTION, "jkeras.layers")
class CustomScaleLayer(Layer):
    """Adds a scaled branch: `outputs = inputs[0] + scale * inputs[1]`.

    Args:
        scale: a number, such as 0.1, which keeps the sums of a deep residual network small.

    Shapes:
        Two arrays of one shape -> that shape.

    Raises:
        ShapeError: the inputs are not a list of two.

    >>> import jax.numpy as jnp
    >>> CustomScaleLayer(0.5).stateless_call({}, {}, [jnp.ones((1, 2)), jnp.ones((1, 2))])[0].tolist()
    [[1.5, 1.5]]

    Source: C. Szegedy et al., "Inception-v4, Inception-ResNet and the impact of residual connections on learning",
    arXiv:1602.07261, section 3.3.
    """

    def __init__(self, scale: float, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Sequence[Array]) -> Array:
        if not isinstance(inputs, list | tuple) or len(inputs) != 2:
            received = f"a list of {len(inputs)}" if isinstance(inputs, list | tuple) else type(inputs).__name__
            rule, write = "the inputs must be a list of two", f"{self.name}([shortcut, branch])"
            raise ShapeError.must(rule, received, path=self._label, expected="[shortcut, branch]", write=write)
        return inputs[0] + self.scale * inputs[1]
