"""Images moved, turned, sheared and scaled: RandomRotation, RandomTranslation, RandomShear and RandomZoom.

Each draws an affine map for each example, by which the image is resampled once. The pixel `(x, y)` of the output is the
input at `(a0 x + a1 y + a2, b0 x + b1 y + b2)`. Segmentation masks get the nearest pixel.
"""

from collections.abc import Iterator
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import UnknownNameError
from jkeras.functional.image import affine_transform
from jkeras.layers.augmentation.arguments import FILL_MODES, INTERPOLATIONS, factor_range
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, uniform
from jkeras.layers.augmentation.options import RandomImageOptions
from jkeras.typing import Array, Key, Range


class RandomAffine(RandomImageLayer):
    """The base of layers that draw affine maps.

    Args:
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: the constant.
        seed, data_format: as for every random image layer.
    """

    def __init__(
        self, *, fill_mode: str, interpolation: str, fill_value: float, **kwargs: Unpack[RandomImageOptions]
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.fill_mode = arguments.one_of(fill_mode, "fill_mode", owner, FILL_MODES, error=UnknownNameError)
        self.interpolation = arguments.one_of(
            interpolation, "interpolation", owner, INTERPOLATIONS, error=UnknownNameError
        )
        self.fill_value = arguments.number(fill_value, "fill_value", owner)

    def maps(self, transformation: Transformation, height: int, width: int) -> tuple[Array | float, ...]:
        """`(a0, a1, a2, b0, b1, b2)`, one number per example each, for images of a size."""
        raise NotImplementedError

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return self.resample(images, transformation, self.interpolation)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.resample(masks, transformation, "nearest")

    def resample(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        """Images, read where the maps lead."""
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        rows = stacked(*self.maps(transformation, height, width))
        return affine_transform(images, rows, interpolation, self.fill_mode, self.fill_value, self.data_format)


def stacked(*numbers: Array | float) -> Array:
    """The six numbers of affine maps as the eight of projective ones, `(b, 8)`.

    >>> stacked(jnp.ones(1), 0.0, jnp.array([5.0]), 0.0, 1.0, 0.0).tolist()
    [[1.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    shape = next(jnp.shape(each) for each in numbers if jnp.shape(each))
    return jnp.stack([jnp.broadcast_to(jnp.asarray(each, "float32"), shape) for each in (*numbers, 0.0, 0.0)], -1)


@registry.export("keras.layers")
class RandomRotation(RandomAffine):
    """In training, turns each image about its middle, by an angle of its own.

    Args:
        factor: the range of the angle, in full turns, within [-1, 1]; a number `f` means `(-f, f)`. Positive angles are
            counterclockwise.
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.
        fill_value: the constant.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: `factor` is not a range, or a mode is unknown.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomRotation((0.25, 0.25), interpolation="nearest")
    >>> variables = layer.init(jax.random.key(0), (2, 2, 1))
    >>> image = jnp.array([[1.0, 2.0], [3.0, 4.0]])[..., None]
    >>> layer.stateless_call(*variables, image, training=True)[0][..., 0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]

    Source: the definition above.
    """

    def __init__(
        self,
        factor: Range,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(fill_mode=fill_mode, interpolation=interpolation, fill_value=fill_value, **common)
        self.factor = factor_range(factor, (-1, 1), "RandomRotation")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        lower, upper = self.factor
        return {"angle": uniform(next(stream), (shape[0],), (lower * 360.0, upper * 360.0))}

    def maps(self, transformation: Transformation, height: int, width: int) -> tuple[Array | float, ...]:
        angle = jnp.deg2rad(transformation["angle"])
        cos, sin, x, y = jnp.cos(angle), jnp.sin(angle), 0.5 * (width - 1), 0.5 * (height - 1)
        return cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos


@registry.export("keras.layers")
class RandomTranslation(RandomAffine):
    """In training, moves each image down and to the right, by fractions of its own of height and width.

    Args:
        height_factor: the range of the way down, as a fraction of the height, within [-1, 1]; a number `f` means
            `(-f, f)`.
        width_factor: the range of the way to the right, as a fraction of the width, likewise.
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.
        fill_value: the constant.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: a factor is not a range, or a mode is unknown.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")
    >>> variables = layer.init(jax.random.key(0), (1, 4, 1))
    >>> layer.stateless_call(*variables, jnp.arange(1.0, 5.0).reshape(1, 4, 1), training=True)[0].ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]

    Source: the definition above.
    """

    def __init__(
        self,
        height_factor: Range,
        width_factor: Range,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(fill_mode=fill_mode, interpolation=interpolation, fill_value=fill_value, **common)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_range = factor_range(height_factor, (-1, 1), "RandomTranslation", "height_factor")
        self.width_range = factor_range(width_factor, (-1, 1), "RandomTranslation", "width_factor")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        down = uniform(next(stream), (shape[0], 1), self.height_range) * shape[self.height_axis]
        right = uniform(next(stream), (shape[0], 1), self.width_range) * shape[self.width_axis]
        return {"translations": jnp.concatenate([right, down], 1)}

    def maps(self, transformation: Transformation, height: int, width: int) -> tuple[Array | float, ...]:
        right, down = transformation["translations"].T
        return 1.0, 0.0, -right, 0.0, 1.0, -down


@registry.export("keras.layers")
class RandomShear(RandomAffine):
    """In training, shears each image: the input is read at `(x + s_x y, y + s_y x)`.

    Args:
        x_factor: the range of `s_x`, within [0, 1]; a number `f` means `(0, f)`. The sign, one for both, is
            drawn too.
        y_factor: the range of `s_y`, likewise.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        fill_value: the constant.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: a factor is not a range, or a mode is unknown.

    >>> import jax.numpy as jnp
    >>> layer = RandomShear(1.0, fill_mode="wrap")
    >>> image = jnp.array([[1.0, 2.0], [3.0, 4.0]])[..., None]
    >>> layer.transform_images(image, {"shear_factor": jnp.array([[1.0, 0.0]])})[..., 0].tolist()
    [[1.0, 2.0], [4.0, 3.0]]

    Source: the definition above.
    """

    def __init__(
        self,
        x_factor: Range = 0.0,
        y_factor: Range = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(fill_mode=fill_mode, interpolation=interpolation, fill_value=fill_value, **common)
        # with a drawn sign, what is below 0 adds nothing; it is in configs of Keras
        self.x_factor = factor_range(x_factor, (-1, 1), "RandomShear", "x_factor", upwards=True)
        self.y_factor = factor_range(y_factor, (-1, 1), "RandomShear", "y_factor", upwards=True)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        sign = jnp.where(uniform(next(stream), (shape[0], 1)) > 0.5, -1.0, 1.0)
        of_y = uniform(next(stream), (shape[0], 1), self.y_factor)
        of_x = uniform(next(stream), (shape[0], 1), self.x_factor)
        return {"shear_factor": jnp.concatenate([of_x, of_y], 1) * sign}

    def maps(self, transformation: Transformation, height: int, width: int) -> tuple[Array | float, ...]:
        of_x, of_y = transformation["shear_factor"].T
        return 1.0, of_x, 0.0, of_y, 1.0, 0.0


@registry.export("keras.layers")
class RandomZoom(RandomAffine):
    """In training, scales what is seen of each image about its middle: `1 + factor` of height and width.

    Args:
        height_factor: the range of the factor of the height, within (-1, 1]; a number `f` means `(-f, f)`. Positive
            factors show more, smaller.
        width_factor: the same of the width; `None` keeps the ratio of both.
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.
        fill_value: the constant.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: a factor is not a range, or a mode is unknown.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomZoom((-0.5, -0.5))
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([0.0, 1.0, 2.0]).reshape(1, 3, 1), training=True)[0].ravel().tolist()
    [0.5, 1.0, 1.5]

    Source: the definition above.
    """

    def __init__(
        self,
        height_factor: Range,
        width_factor: Range | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(fill_mode=fill_mode, interpolation=interpolation, fill_value=fill_value, **common)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_range = factor_range(height_factor, (-1, 1), "RandomZoom", "height_factor")
        self.width_range = (
            None if width_factor is None else factor_range(width_factor, (-1, 1), "RandomZoom", "width_factor")
        )

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        def zoom(factor: tuple[float, float]) -> Array:
            return uniform(next(stream), (shape[0], 1), (1.0 + factor[0], 1.0 + factor[1]))

        height = zoom(self.height_range)
        return {"height_zoom": height, "width_zoom": height if self.width_range is None else zoom(self.width_range)}

    def maps(self, transformation: Transformation, height: int, width: int) -> tuple[Array | float, ...]:
        of_x, of_y = (jnp.squeeze(transformation[name], 1) for name in ("width_zoom", "height_zoom"))
        x, y = (width - 1) / 2, (height - 1) / 2
        return of_x, 0.0, x * (1.0 - of_x), 0.0, of_y, y * (1.0 - of_y)
