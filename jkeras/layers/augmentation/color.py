"""Colours: RandomSaturation, RandomHue, RandomGrayscale and RandomColorDegeneration."""

from collections.abc import Iterator
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.functional.image import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from jkeras.layers.augmentation.base import RandomFactorLayer, RandomImageLayer, Transformation, per_example, uniform
from jkeras.layers.augmentation.values import rescale
from jkeras.typing import Array, Key


class RandomColor(RandomFactorLayer):
    """The base of layers that turn images of red, green and blue into hue, saturation and value, and back."""

    def apply(self, images: Array, transformation: Transformation) -> Array:
        unit = rescale(images.astype(jnp.promote_types(images.dtype, "float32")), self.value_range, (0, 1))
        hue, saturation, value = jnp.moveaxis(rgb_to_hsv(unit, self.data_format), self.channel_axis, 0)  # (b, h, w)
        hue, saturation, value = self.shift(hue, saturation, value, per_example(transformation["factor"], 3))
        rgb = hsv_to_rgb(jnp.stack([hue, saturation, value], self.channel_axis), self.data_format)
        return rescale(jnp.clip(rgb, 0, 1), (0, 1), self.value_range)

    def shift(self, hue: Array, saturation: Array, value: Array, factor: Array) -> tuple[Array, Array, Array]:
        """Other colours, `(b, h, w)` each, by factors `(b, 1, 1)`."""
        raise NotImplementedError


@registry.export("keras.layers")
class RandomSaturation(RandomColor):
    """In training, multiplies the saturation of the colours of an image: `clip(saturation * f / (1 - f), 0, 1)`.

    Args:
        factor: the range of `f`, within [-1, 1]; a number `u` means `(0, u)`. 0 and what is below it make images grey,
            0.5 changes nothing, 1 makes colours pure.
        value_range: `(low, high)`, the values that pixels may have.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, 3)` or `(h, w, 3)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: `factor` or `value_range` is not a range.
        ShapeError: the images have not three channels.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomSaturation((0.0, 0.0))
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3))
    >>> gray, _ = layer.stateless_call(*variables, jnp.array([[[51.0, 0.0, 102.0]]]), training=True)
    >>> [round(x) for x in gray.ravel().tolist()]
    [102, 102, 102]

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.
    """

    bounds = (-1, 1)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        factor = uniform(next(stream), (shape[0],), self.factor)
        return {"factor": factor / (1 - factor + 1e-7)}  # not 0, by which 1 would divide

    def shift(self, hue: Array, saturation: Array, value: Array, factor: Array) -> tuple[Array, Array, Array]:
        return hue, jnp.clip(saturation * factor, 0, 1), value


@registry.export("keras.layers")
class RandomHue(RandomColor):
    """In training, turns the hues of an image by one angle: `(hue + f / 2) mod 1`, or `(hue - f / 2) mod 1`.

    Args:
        factor: the range of `f`, within [0, 1]; a number `u` means `(0, u)`. The sign is drawn too. With 1 the hues are
            turned by half a circle.
        value_range, seed, data_format: as in `RandomSaturation`.

    Shapes:
        As in `RandomSaturation`.

    Raises:
        ArgumentError, ShapeError: as in `RandomSaturation`.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomHue((1.0, 1.0), value_range=(0, 1))
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3))
    >>> layer.stateless_call(*variables, jnp.array([[[1.0, 0.0, 0.0]]]), training=True)[0].tolist()
    [[[0.0, 1.0, 1.0]]]

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.
    """

    bounds = (0, 1)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        sign = jnp.where(uniform(next(stream), (shape[0],)) > 0.5, -1.0, 1.0)
        return {"factor": sign * uniform(next(stream), (shape[0],), self.factor) * 0.5}

    def shift(self, hue: Array, saturation: Array, value: Array, factor: Array) -> tuple[Array, Array, Array]:
        return hue + factor, saturation, value  # a hue is an angle, which `hsv_to_rgb` takes modulo 1


@registry.export("keras.layers")
class RandomGrayscale(RandomImageLayer):
    """In training, turns some images grey: all channels become `0.2989 r + 0.5870 g + 0.1140 b`.

    Args:
        factor: the probability that an image is turned grey.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, 3)` or `(h, w, 3)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: `factor` is not a number in [0, 1].
        ShapeError: the images have not three channels.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomGrayscale(1.0)
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3))
    >>> gray, _ = layer.stateless_call(*variables, jnp.array([[[0.0, 100.0, 0.0]]]), training=True)
    >>> [round(x, 2) for x in gray.ravel().tolist()]
    [58.7, 58.7, 58.7]

    Source: Recommendation ITU-R BT.601, section 2.5.1.
    """

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = arguments.fraction(factor, "factor", "RandomGrayscale")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        return {"should_apply": uniform(next(stream), (shape[0],)) < self.factor}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        gray = rgb_to_grayscale(images, self.data_format)
        return jnp.where(per_example(transformation["should_apply"]), gray, images)


@registry.export("keras.layers")
class RandomColorDegeneration(RandomFactorLayer):
    """In training, moves the colours of an image towards grey: `clip(images + factor * (gray - images))`.

    Args:
        factor: the range of the factor, within [-1, 1]; a number `f` means `(0, f)`. 1 takes all colour away, what is
            below 0 adds some.
        value_range, seed, data_format: as in `RandomSaturation`.

    Shapes:
        As in `RandomSaturation`.

    Raises:
        ArgumentError, ShapeError: as in `RandomSaturation`.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomColorDegeneration((0.5, 0.5))
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3))
    >>> paler, _ = layer.stateless_call(*variables, jnp.array([[[0.0, 100.0, 0.0]]]), training=True)
    >>> [round(x, 2) for x in paler.ravel().tolist()]
    [29.35, 79.35, 29.35]

    Source: E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019 ("color").
    """

    bounds = (-1, 1)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        return {"factor": uniform(next(stream), (shape[0], 1, 1, 1), self.factor)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        gray = rgb_to_grayscale(images, self.data_format)
        return jnp.clip(images + transformation["factor"] * (gray - images), *self.value_range)
