"""Other tones at the same places: RandomInvert, RandomPosterization and Solarization."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.layers.augmentation.arguments import factor_range, value_bounds
from jkeras.layers.augmentation.base import (
    RandomFactorLayer,
    RandomImageLayer,
    Transformation,
    chance,
    per_example,
    uniform,
)
from jkeras.layers.augmentation.options import ImageOptions
from jkeras.layers.augmentation.values import from_bytes, to_bytes
from jkeras.typing import Array, Key, Range


@registry.export("keras.layers")
class RandomInvert(RandomImageLayer):
    """In training, turns some images into their negatives, `low + high - images`.

    Args:
        factor: the range of the probability that an image is inverted, within [0, 1]; a number `p` means `(0, p)`.
        value_range, seed, data_format: as in `RandomBrightness`.

    Shapes:
        As in `RandomBrightness`.

    Raises:
        ArgumentError: as in `RandomBrightness`.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomInvert((1.0, 1.0))
    >>> variables = layer.init(jax.random.key(0), (1, 2, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[5.0], [255.0]]]), training=True)[0].tolist()
    [[[250.0], [0.0]]]

    Source: the definition above.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "RandomInvert")
        self.value_range = value_bounds(value_range, "RandomInvert")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        return {"apply_inversion": chance(stream, shape[0], self.factor)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        low, high = self.value_range
        return jnp.where(per_example(transformation["apply_inversion"]), (low + high) - images, images)


@registry.export("keras.layers")
class RandomPosterization(RandomFactorLayer):
    """In training, keeps the upper bits of each pixel, as many as are drawn for its image: `(byte >> s) << s`.

    Args:
        factor: `(lower, upper)` within [1, 8]: at least `lower` bits are kept, and fewer than `upper`, or as many as
            both where they are equal. A number `n` means `(1, n)`.
        value_range: `(low, high)`, which are the bytes 0 and 255.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Gradients are 0.

    Raises:
        ArgumentError: `factor` or `value_range` is not a range.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomPosterization((2, 2))
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[63.0], [64.0], [255.0]]]), training=True)[0].ravel().tolist()
    [0.0, 64.0, 192.0]

    Source: E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019.
    """

    bounds = (1, 8)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        lower, upper = (int(bits) for bits in self.factor)
        if lower == upper:
            return {"shift_factor": jnp.full((shape[0],), 8 - lower, "uint8")}
        return {"shift_factor": 8 - jax.random.randint(next(stream), (shape[0],), lower, upper, "uint8")}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        shift = per_example(transformation["shift_factor"])
        kept = (to_bytes(images, self.value_range).astype("uint8") >> shift) << shift
        return from_bytes(kept.astype("float32"), self.value_range)


@registry.export("keras.layers")
class Solarization(RandomImageLayer):
    """In training, adds a number to all pixels of an image, and inverts those that are not below a threshold.

    `y = clip(byte + addition, 0, 255)`, `outputs = y if y < threshold else 255 - y`

    Args:
        addition_factor: the range of `addition / 255`, within [0, 1]; a number `f` means `(0, f)`.
        threshold_factor: the range of `threshold / 255`, likewise. With 0 all pixels are inverted.
        value_range: `(low, high)`, which are the bytes 0 and 255.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: an argument is not a range.

    >>> import jax, jax.numpy as jnp
    >>> layer = Solarization(threshold_factor=(0.5, 0.5))
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[0.0], [127.0], [200.0]]]), training=True)[0].ravel().tolist()
    [0.0, 127.0, 55.0]

    Source: E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019.
    """

    def __init__(
        self,
        addition_factor: Range = 0.0,
        threshold_factor: Range = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = factor_range(addition_factor, (0, 1), "Solarization", "addition_factor")
        self.threshold_factor = factor_range(threshold_factor, (0, 1), "Solarization", "threshold_factor")
        self.value_range = value_bounds(value_range, "Solarization")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        def bytes_of(factor: tuple[float, float]) -> Array:
            return uniform(next(stream), (shape[0], 1, 1, 1), (factor[0] * 255, factor[1] * 255))

        return {"additions": bytes_of(self.addition_factor), "thresholds": bytes_of(self.threshold_factor)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        raised = jnp.clip(to_bytes(images, self.value_range) + transformation["additions"], 0, 255)
        solarized = jnp.where(raised < transformation["thresholds"], raised, 255 - raised)
        return from_bytes(solarized, self.value_range)
