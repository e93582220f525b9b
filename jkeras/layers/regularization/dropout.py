"""Dropout: entries are set to zero at random in training."""

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.functional.dropout import dropout
from jkeras.layers.regularization.base import RandomLayer
from jkeras.typing import Array, Key


@registry.export("keras.layers")
class Dropout(RandomLayer):
    """In training, `outputs = keep * inputs / (1 - rate)` with `keep ~ Bernoulli(1 - rate)`; otherwise `inputs`.

    Each call in training draws one tensor of bits and advances the layer's stream, a `uint32[2]` leaf `[seed, counter]`
    of the non-trainable tree, by one. The same state gives the masks that Keras draws on JAX.

    Args:
        rate: the fraction of entries that are dropped. With 0 the layer declares no stream.
        noise_shape: the shape of `keep`, which is broadcast to that of the inputs; `None` entries are the dimensions of
            the inputs. `(None, 1, None)` drops whole sequences of a feature.
        seed: an int, for the same stream after every `init`; by default it is drawn from the key given to `init`.

    Shapes:
        Any shape -> the same; `seed_generator/seed_generator_state (2,)`, uint32.

    Raises:
        ArgumentError: `rate` is not a number in [0, 1], or `noise_shape` is not a sequence of positive ints and `None`.

    >>> import jax, jax.numpy as jnp
    >>> layer = Dropout(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (6,))
    >>> outputs, state = layer.stateless_call(*variables, jnp.ones(6), training=True)
    >>> outputs.tolist(), state["seed_generator"]["seed_generator_state"].tolist()
    ([2.0, 0.0, 0.0, 2.0, 0.0, 2.0], [1, 1])

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.rate = arguments.fraction(rate, "rate", type(self).__name__)
        self.noise_shape = standardize_noise_shape(noise_shape, type(self).__name__)
        self.set_seed(seed, draws=rate > 0)

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        if self.rate == 1:  # nothing is left to chance, and the stream stays
            return jnp.zeros_like(inputs) if training else inputs
        return super().call(inputs, training)

    def perturb(self, inputs: Array, key: Key) -> Array:
        return dropout(inputs, self.rate, key, self.noise_shape_for(inputs))

    def noise_shape_for(self, inputs: Array) -> tuple[Any, ...] | None:
        """The shape of the noise for some inputs, `None` entries for theirs."""
        return self.noise_shape


def standardize_noise_shape(noise_shape: Sequence[int | None], owner: str) -> tuple[int | None, ...] | None:
    """A noise shape as a tuple.

    >>> standardize_noise_shape([None, 1], "Dropout")
    (None, 1)
    """
    if noise_shape is None:
        return None
    entries = tuple(noise_shape) if isinstance(noise_shape, Iterable) and not isinstance(noise_shape, str) else ("",)
    if any(size is not None and (not isinstance(size, int) or size <= 0) for size in entries):
        wanted, write = "a tuple of positive integers and None", f"{owner}(..., noise_shape=(None, 1, None))"
        raise arguments.refusal(noise_shape, "noise_shape", owner, wanted, write=write)
    return entries
