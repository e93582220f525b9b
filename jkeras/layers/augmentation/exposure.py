"""How bright images are, and how far their values are spread: RandomBrightness and RandomContrast."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import registry
from jkeras.layers.augmentation.arguments import factor_range, value_bounds
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, uniform
from jkeras.layers.augmentation.options import ImageOptions
from jkeras.typing import Array, Key, Range


@registry.export("keras.layers")
class RandomBrightness(RandomImageLayer):
    """In training, adds one number to all pixels of an image: `clip(images + (high - low) * factor, low, high)`.

    Args:
        factor: the range of the factor, within [-1, 1]; a number `f` means `(-f, f)`. -1 makes every image black, 1
            white.
        value_range: `(low, high)`, the values that pixels may have.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: `factor` or `value_range` is not a range.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomBrightness((0.5, 0.5), value_range=(0, 1))
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3, 1))
    >>> images = jnp.array([0.0, 0.25, 0.75]).reshape(1, 1, 3, 1)
    >>> layer.stateless_call(*variables, images, training=True)[0].ravel().tolist()
    [0.5, 0.75, 1.0]

    Source: the definition above.
    """

    def __init__(
        self,
        factor: Range,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = factor_range(factor, (-1, 1), "RandomBrightness")
        self.value_range = value_bounds(value_range, "RandomBrightness")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        low, high = self.value_range
        return {"rgb_delta": uniform(next(stream), (shape[0], 1, 1, 1), self.factor) * (high - low)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return jnp.clip(images + transformation["rgb_delta"], *self.value_range)


@registry.export("keras.layers")
class RandomContrast(RandomImageLayer):
    """In training, scales the distance of each channel from its mean: `clip((images - mean) * factor + mean)`.

    Args:
        factor: `(lower, upper)` within [0, 1]: factors are drawn between `1 - lower` and `1 + upper`. A number `f`
            means `(f, f)`.
        value_range, seed, data_format: as in `RandomBrightness`.

    Shapes:
        As in `RandomBrightness`.

    Raises:
        ArgumentError: as in `RandomBrightness`.

    >>> import jax.numpy as jnp
    >>> layer = RandomContrast(1.0)
    >>> drawn = {"contrast_factor": jnp.full((1, 1, 1, 1), 1.5)}
    >>> layer.transform_images(jnp.array([10.0, 30.0]).reshape(1, 2, 1), drawn).ravel().tolist()
    [5.0, 35.0]

    Source: the definition above.
    """

    def __init__(
        self,
        factor: Range,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        pair = (factor, factor) if isinstance(factor, int | float) else factor
        self.factor = factor_range(pair, (0, 1), "RandomContrast")
        self.value_range = value_bounds(value_range, "RandomContrast")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        lower, upper = self.factor
        return {"contrast_factor": uniform(next(stream), (shape[0], 1, 1, 1), (1.0 - lower, 1.0 + upper))}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        wide = "float32" if images.dtype.itemsize < 4 else None
        columns = jnp.mean(images, self.height_axis, wide, keepdims=True)  # XLA's CPU compiler is faster axis by axis
        mean = jnp.mean(columns, self.width_axis, keepdims=True)
        return jnp.clip((images - mean) * transformation["contrast_factor"] + mean, *self.value_range)
