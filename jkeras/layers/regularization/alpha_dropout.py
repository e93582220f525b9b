"""Alpha dropout: dropout that keeps mean and variance of self-normalizing networks."""

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.dtypes import is_float
from jkeras.functional.dropout import noise_dimensions
from jkeras.layers.regularization.base import RandomLayer
from jkeras.layers.regularization.dropout import standardize_noise_shape
from jkeras.typing import Array, Key

# alpha and scale of SELU; -alpha * scale is what a unit saturates at (Klambauer et al., equation 14)
SATURATION = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946


@registry.export("keras.layers")
class AlphaDropout(RandomLayer):
    """In training, sets entries to the negative saturation value of SELU; otherwise returns `inputs`.

    `outputs = a * (keep * inputs + (1 - keep) * s) + b` with `keep ~ Bernoulli(1 - rate)`, `s = -1.7581`,
    `a = ((1 - rate) (1 + rate s^2))^(-1/2)`, `b = -a s rate`: for inputs of mean 0 and variance 1 so are the outputs.

    Args:
        rate: the fraction of entries that are dropped, in [0, 1). With 0 the layer declares no stream.
        noise_shape: the shape of `keep`, which is broadcast to that of the inputs; `None` entries are theirs.
        seed: an int, for the same stream after every `init`.

    Shapes:
        Any shape -> the same; `seed_generator/seed_generator_state (2,)`, uint32.

    Raises:
        ArgumentError: `rate` is not a number in [0, 1), or `noise_shape` is not a sequence of positive ints and `None`.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> layer = AlphaDropout(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (3,))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.ones(3), training=True)
    >>> print(np.asarray(outputs).round(3))
    [-0.779  1.666  1.666]

    Source: G. Klambauer et al., "Self-normalizing neural networks", arXiv:1706.02515.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.rate = arguments.fraction(rate, "rate", "AlphaDropout", interval="[0, 1)")
        self.noise_shape = standardize_noise_shape(noise_shape, "AlphaDropout")
        self.set_seed(seed, draws=rate > 0)

    def perturb(self, inputs: Array, key: Key) -> Array:
        inputs = inputs if is_float(inputs.dtype) else inputs.astype(self.compute_dtype)
        keep = jax.random.uniform(key, noise_dimensions(inputs.shape, self.noise_shape)) >= self.rate
        kept = jnp.where(jnp.broadcast_to(keep, inputs.shape), inputs, jnp.asarray(SATURATION, inputs.dtype))
        a = ((1 - self.rate) * (1 + self.rate * SATURATION**2)) ** -0.5
        array: Array = a * kept - a * SATURATION * self.rate
        return array
