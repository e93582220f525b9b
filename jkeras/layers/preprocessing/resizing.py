"""Resizing: images of one size."""

from typing import Unpack

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.functional.image import resize
from jkeras.layers.preprocessing.images import ImageShape
from jkeras.typing import Array

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


@registry.export("keras.layers")
class Resizing(ImageShape):
    """Images resampled at `height * width` points, which lie evenly over the image.

    Args:
        height, width: the size of the outputs.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: whether the largest centered window of the outputs' aspect ratio is resized instead of the
            whole image, which may be distorted.
        pad_to_aspect_ratio: whether the image is padded evenly to the outputs' aspect ratio first.
        fill_mode: `"constant"`.
        fill_value: what padded pixels are.
        antialias: whether pixels are averaged where images shrink.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Shapes:
        `(b, h, w, c)` -> `(b, height, width, c)`, or `(b, c, h, w)` -> `(b, c, height, width)`; without `b` for one
        image. Floats come out in the compute dtype; integers are rounded and keep their dtype. In a dict,
        `"segmentation_masks"` are resized to the nearest pixel, `"labels"` stay.

    Raises:
        ArgumentError: a size is not a positive int, an unknown interpolation or fill mode; cropping with padding.
        ShapeError: inputs that are not images.

    >>> import jax, jax.numpy as jnp
    >>> layer, image = Resizing(1, 2), jnp.arange(8, dtype="uint8").reshape(2, 4, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), image), image)[0][..., 0].tolist()
    [[2, 4]]

    Source: R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 29(6), 1981.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)
        for name, value, known in (
            ("interpolation", interpolation, INTERPOLATIONS),
            ("fill_mode", fill_mode, ("constant",)),
        ):
            arguments.one_of(value, name, "Resizing", known, f"Resizing(224, 224, {name}={known[0]!r})")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ArgumentError(
                "`crop_to_aspect_ratio` and `pad_to_aspect_ratio` cannot both be True.",
                path="Resizing",
                expected="one of them",
                received="both",
                write="Resizing(224, 224, crop_to_aspect_ratio=True)",
            )
        self.interpolation = interpolation
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, bool(antialias)

    def transform_images(self, images: Array) -> Array:
        return self._resized(images, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks: Array) -> Array:
        return self._resized(segmentation_masks, "nearest")

    def _resized(self, images: Array, interpolation: str) -> Array:
        return resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
