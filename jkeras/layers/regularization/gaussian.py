"""Gaussian noise, added or multiplied in training."""

import math
from typing import Unpack

import jax

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.layers.regularization.base import RandomLayer
from jkeras.typing import Array, Key


@registry.export("keras.layers")
class GaussianNoise(RandomLayer):
    """In training, `outputs = inputs + stddev * n` with `n ~ Normal(0, 1)`; otherwise `inputs`.

    Args:
        stddev: the standard deviation of the noise, in [0, 1]. With 0 the layer declares no stream.
        seed: an int, for the same stream after every `init`.

    Shapes:
        Any shape -> the same; `seed_generator/seed_generator_state (2,)`, uint32.

    Raises:
        ArgumentError: `stddev` is not a number in [0, 1].

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> layer = GaussianNoise(0.1, seed=1)
    >>> variables = layer.init(jax.random.key(0), (3,))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.ones(3), training=True)
    >>> print(np.asarray(outputs).round(3))
    [0.89  1.048 1.086]

    Source: C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 1995.
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.stddev = arguments.fraction(stddev, "stddev", "GaussianNoise")
        self.set_seed(seed, draws=stddev > 0)

    def perturb(self, inputs: Array, key: Key) -> Array:
        noise: Array = self.stddev * jax.random.normal(key, inputs.shape, self.compute_dtype)
        return inputs + noise


@registry.export("keras.layers")
class GaussianDropout(RandomLayer):
    """In training, `outputs = inputs * n` with `n ~ Normal(1, rate / (1 - rate))`; otherwise `inputs`.

    The noise has the mean and the variance that dropout of this rate has.

    Args:
        rate: a fraction in [0, 1). With 0 the layer declares no stream.
        seed: an int, for the same stream after every `init`.

    Shapes:
        Any shape -> the same; `seed_generator/seed_generator_state (2,)`, uint32.

    Raises:
        ArgumentError: `rate` is not a number in [0, 1): the variance at 1 is infinite.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> layer = GaussianDropout(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (3,))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.ones(3), training=True)
    >>> print(np.asarray(outputs).round(3))
    [-0.098  1.475  1.863]

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", section 10.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.rate = arguments.fraction(rate, "rate", "GaussianDropout", interval="[0, 1)")
        self.set_seed(seed, draws=rate > 0)

    def perturb(self, inputs: Array, key: Key) -> Array:
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return inputs * (1 + stddev * jax.random.normal(key, inputs.shape, self.compute_dtype))
