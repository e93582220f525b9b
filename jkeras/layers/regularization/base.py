"""The layers that act at random in training and do nothing otherwise."""

from typing import Unpack

from jkeras.core import Layer, SeedGenerator
from jkeras.core.options import LayerOptions
from jkeras.typing import Array, Key


class RandomLayer(Layer):
    """The base of layers whose `perturb` is applied in training, with a key of their own stream.

    The stream is a `SeedGenerator` named `seed_generator`; `set_seed` declares it unless there is nothing to draw.
    """

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def set_seed(self, seed: int | None, *, draws: bool) -> None:
        """Keeps the constructor's seed, and declares the stream where the layer draws at all."""
        self.seed = seed
        self.draws = draws
        if draws:
            self.seed_generator = SeedGenerator(seed)

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        return self.perturb(inputs, self.seed_generator.next()) if training and self.draws else inputs

    def perturb(self, inputs: Array, key: Key) -> Array:
        """The outputs in training."""
        raise NotImplementedError
