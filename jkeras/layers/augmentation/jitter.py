"""RandomColorJitter: brightness, contrast, saturation and hue, one after the other."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.layers.augmentation.arguments import value_bounds
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation
from jkeras.layers.augmentation.color import RandomHue, RandomSaturation
from jkeras.layers.augmentation.exposure import RandomBrightness, RandomContrast
from jkeras.typing import Array, Key, Range

PARTS = {
    "random_brightness": RandomBrightness,
    "random_contrast": RandomContrast,
    "random_saturation": RandomSaturation,
    "random_hue": RandomHue,
}


@registry.export("keras.layers")
class RandomColorJitter(RandomImageLayer):
    """In training, what `RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue` do, in this order.

    All four draw from the stream of this layer.

    Args:
        value_range: `(low, high)`, the values that pixels may have.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: what the four layers take; `None` leaves one
            out.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, 3)` or `(h, w, 3)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: an argument is not a range.
        ShapeError: the images have not three channels, and saturation or hue are to be changed.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomColorJitter(value_range=(0, 1), brightness_factor=(0.25, 0.25), saturation_factor=(0.0, 0.0))
    >>> variables = layer.init(jax.random.key(0), (1, 1, 3))
    >>> layer.stateless_call(*variables, jnp.array([[[0.0, 0.5, 0.25]]]), training=True)[0].tolist()
    [[[0.75, 0.75, 0.75]]]

    Source: the definitions of the four layers.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: Range | None = None,
        contrast_factor: Range | None = None,
        saturation_factor: Range | None = None,
        hue_factor: Range | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = value_bounds(value_range, "RandomColorJitter")
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        for name, cls in PARTS.items():
            factor = getattr(self, f"{name.removeprefix('random_')}_factor")
            common: dict[str, Any] = {"value_range": value_range, "seed": seed, "data_format": data_format}
            setattr(self, name, None if factor is None else cls(factor, **common))

    @property
    def parts(self) -> dict[str, RandomImageLayer]:
        """The layers that are not left out."""
        return {name: getattr(self, name) for name in PARTS if getattr(self, name) is not None}

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        return {name: part.draw(shape, stream) for name, part in self.parts.items()}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        for name, part in self.parts.items():
            images = part.apply(images, transformation[name])
        return images
