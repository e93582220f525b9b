"""CenterCrop: the middle of images."""

from typing import Unpack

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.functional.image import resize
from jkeras.functional.layout import image_axes
from jkeras.layers.preprocessing.images import ImageShape
from jkeras.typing import Array


@registry.export("keras.layers")
class CenterCrop(ImageShape):
    """`outputs = inputs[top:top + height, left:left + width]`, with `top = (h - height) // 2`, and so for `left`.

    An image that is too small is not cropped so: its largest centered window of the outputs' aspect ratio is resized
    bilinearly.

    Args:
        height, width: the size of the outputs.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Shapes:
        `(b, h, w, c)` -> `(b, height, width, c)`, or `(b, c, h, w)` -> `(b, c, height, width)`; without `b` for one
        image; in the compute dtype. In a dict, `"segmentation_masks"` keep their dtype and, where they are resized,
        their values; `"labels"` stay.

    Raises:
        ArgumentError: a size is not a positive int, or the data format is unknown.
        ShapeError: inputs that are not images.

    >>> import jax, jax.numpy as jnp
    >>> layer, image = CenterCrop(1, 2), jnp.arange(12.0).reshape(3, 4, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), image), image)[0][..., 0].tolist()
    [[5.0, 6.0]]

    Source: the definition above.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)

    def transform_images(self, images: Array) -> Array:
        return self._cropped(images.astype(self.compute_dtype), "bilinear")

    def transform_segmentation_masks(self, segmentation_masks: Array) -> Array:
        return self._cropped(segmentation_masks, "nearest")

    def _cropped(self, images: Array, interpolation: str) -> Array:
        rows, columns, _ = image_axes(images.ndim, self.data_format, self._label)
        sizes = {rows: self.height, columns: self.width}
        if any(images.shape[axis] < size for axis, size in sizes.items()):
            target = (self.height, self.width)
            return resize(images, target, interpolation, crop_to_aspect_ratio=True, data_format=self.data_format)
        window = [slice(None)] * images.ndim
        for axis, size in sizes.items():
            start = (images.shape[axis] - size) // 2
            window[axis] = slice(start, start + size)
        return images[tuple(window)]
