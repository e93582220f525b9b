"""What Resizing and CenterCrop share: images alone, or with their labels and segmentation masks."""

from collections.abc import Mapping
from typing import Unpack

from jkeras import arguments
from jkeras.config import standardize_data_format
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.layers.arguments import check_image_names
from jkeras.typing import Array, PyTree


class ImageShape(Layer):
    """The base of layers that bring images `(b, h, w, c)` or `(h, w, c)` to one size. Subclasses write the methods
    `transform_images` and `transform_segmentation_masks`.

    Inputs are images, or a dict with `"images"` and perhaps `"labels"`, which stay, and `"segmentation_masks"`.

    Args:
        height, width: the size of the outputs.
        data_format: `"channels_last"` or `"channels_first"`; by default `jkeras.config.image_data_format()`.
    """

    def __init__(self, height: int, width: int, *, data_format: str | None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        for argument, size in (("height", height), ("width", width)):
            owner = type(self).__name__
            arguments.positive_int(size, argument, owner, f"{owner}(height=224, width=224)")
        self.height, self.width = height, width
        self.data_format = standardize_data_format(data_format)

    def transform_images(self, images: Array) -> Array:
        """Images of the layer's size."""
        raise NotImplementedError

    def transform_segmentation_masks(self, segmentation_masks: Array) -> Array:
        """Masks of the layer's size, where every pixel has the class of a pixel of the input."""
        raise NotImplementedError

    def call(self, data: PyTree) -> PyTree:
        if not isinstance(data, Mapping):
            return self.transform_images(data)
        check_image_names(data, self._label)
        outputs = dict(data, images=self.transform_images(data["images"]))
        if "segmentation_masks" in data:
            outputs["segmentation_masks"] = self.transform_segmentation_masks(data["segmentation_masks"])
        return outputs
