"""Which way images lie, and which part of them is seen: RandomFlip and RandomCrop."""

from collections.abc import Iterator
from typing import Any, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import UnknownNameError
from jkeras.functional.image import resize
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, uniform
from jkeras.typing import Array, Key

MODES = ("horizontal", "vertical", "horizontal_and_vertical")


@registry.export("keras.layers")
class RandomFlip(RandomImageLayer):
    """In training, mirrors each image with probability 1/2.

    Args:
        mode: `"horizontal"` exchanges left and right, `"vertical"` top and bottom, `"horizontal_and_vertical"` does the
            one or the other, both or nothing.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Segmentation masks are mirrored too.

    Raises:
        UnknownNameError: there is no such mode.

    >>> import jax.numpy as jnp
    >>> layer = RandomFlip("horizontal")
    >>> images = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 1, 2, 1)
    >>> layer.transform_images(images, {"flips": jnp.array([True, False]).reshape(2, 1, 1, 1)}).ravel().tolist()
    [2.0, 1.0, 3.0, 4.0]

    Source: the definition above.
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = arguments.one_of(mode, "mode", "RandomFlip", MODES, error=UnknownNameError)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        names = ("flips", "vertical_flips") if self.mode == "horizontal_and_vertical" else ("flips",)
        coins = uniform(next(stream), (len(names), shape[0], 1, 1, 1)) <= 0.5
        return dict(zip(names, coins, strict=True))

    def apply(self, images: Array, transformation: Transformation) -> Array:
        if self.mode != "vertical":
            images = jnp.where(transformation["flips"], jnp.flip(images, self.width_axis), images)
        if self.mode != "horizontal":
            which = "vertical_flips" if "vertical_flips" in transformation else "flips"
            images = jnp.where(transformation[which], jnp.flip(images, self.height_axis), images)
        return images

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.apply(masks, transformation)


@registry.export("keras.layers")
class RandomCrop(RandomImageLayer):
    """In training, cuts a window out of each image, anywhere in it.

    Outside training, and where an image is smaller than the window, the largest window in its middle that has the same
    ratio of height and width is resized bilinearly.

    Args:
        height, width: the size of the window.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same with `height` and `width`, in the compute dtype. Masks are cut at
        the same place.

    Raises:
        ArgumentError: `height` or `width` is not a positive int.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomCrop(1, 2)
    >>> image = jnp.arange(4.0).reshape(1, 4, 1)
    >>> layer.transform_images(image, {"top": jnp.array([0]), "left": jnp.array([1])}).ravel().tolist()
    [1.0, 2.0]
    >>> layer.transform_images(image, None, training=False).ravel().tolist()
    [1.0, 2.0]

    Source: the definition above.
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.height = arguments.positive_int(height, "height", "RandomCrop", "RandomCrop(24, 24)")
        self.width = arguments.positive_int(width, "width", "RandomCrop", "RandomCrop(24, 24)")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation | None:
        above, before = shape[self.height_axis] - self.height, shape[self.width_axis] - self.width
        if above < 0 or before < 0:
            return None

        def start(room: int) -> Array:
            return uniform(next(stream), (shape[0],), (0.0, float(room + 1))).astype("int32")

        return {"top": start(above), "left": start(before)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        def cut(image: Array, top: Array, left: Array) -> Array:
            image = lax.dynamic_slice_in_dim(image, top, self.height, self.height_axis - 1)
            return lax.dynamic_slice_in_dim(image, left, self.width, self.width_axis - 1)

        return jax.vmap(cut)(images, transformation["top"], transformation["left"])

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.apply(masks, transformation)

    def rest(self, images: Array) -> Array:
        return self._resized(images, "bilinear")

    def rest_of_masks(self, masks: Array) -> Array:
        return self._resized(masks, "nearest")

    def _resized(self, images: Array, interpolation: str) -> Array:
        size = (self.height, self.width)
        return resize(images, size, interpolation, crop_to_aspect_ratio=True, data_format=self.data_format)
