"""Images bent: RandomPerspective and RandomElasticTransform."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import UnknownNameError
from jkeras.functional.image import map_coordinates, perspective_transform
from jkeras.layers.augmentation.arguments import FILL_MODES, INTERPOLATIONS, factor_range, value_bounds
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, chance, per_example, uniform
from jkeras.typing import Array, Key, Range


@registry.export("keras.layers")
class RandomPerspective(RandomImageLayer):
    """In training, shows some images from elsewhere: the corners move, straight lines stay straight.

    Each coordinate of a corner is multiplied by `1 + u`, with `u` uniform in `[-scale / 2, scale / 2]`, so the corner
    at the origin stays.

    Args:
        factor: the range of the probability that an image is transformed, within [0, 1]; a number `p` means `(0, p)`.
        scale: how far corners move, a number in [0, 1].
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: what is taken for pixels outside the image.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Segmentation masks are transformed too.

    Raises:
        ArgumentError: `factor` is not a range, `scale` is not a fraction, or the interpolation is unknown.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomPerspective((1.0, 1.0), scale=0.0)
    >>> variables = layer.init(jax.random.key(0), (2, 2, 1))
    >>> image = jnp.array([[1.0, 2.0], [3.0, 4.0]])[..., None]
    >>> layer.stateless_call(*variables, image, training=True)[0].round(4).ravel().tolist()
    [1.0, 2.0, 3.0, 4.0]

    Source: R. Hartley and A. Zisserman, "Multiple view geometry in computer vision", section 4.1.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "RandomPerspective")
        self.scale = arguments.fraction(scale, "scale", "RandomPerspective")
        self.interpolation = arguments.one_of(
            interpolation, "interpolation", "RandomPerspective", INTERPOLATIONS, error=UnknownNameError
        )
        self.fill_value = arguments.number(fill_value, "fill_value", "RandomPerspective")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        right, bottom = shape[self.width_axis] - 1, shape[self.height_axis] - 1
        chosen = chance(stream, shape[0], self.factor)
        moves = uniform(next(stream), (shape[0], 4, 2), (-0.5 * self.scale, 0.5 * self.scale))
        corners = jnp.array([[[0, 0], [right, 0], [0, bottom], [right, bottom]]], "float32")
        corners = jnp.broadcast_to(corners, moves.shape)  # (b, 4, 2)
        return {"apply_perspective": chosen, "start_points": corners, "end_points": corners + corners * moves}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return self.project(images, transformation, self.interpolation)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.project(masks, transformation, "nearest")

    def project(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        """Images, those that were chosen with other corners."""
        start, end = transformation["start_points"], transformation["end_points"]
        seen = perspective_transform(images, start, end, interpolation, self.fill_value, self.data_format)
        return jnp.where(per_example(transformation["apply_perspective"]), seen, images)


@registry.export("keras.layers")
class RandomElasticTransform(RandomImageLayer):
    """In training, distorts some images like rubber: every pixel is read at a smooth random distance.

    The distances along height and width are `alpha * blur(sigma * noise, sigma)`, where `noise` is normal, `blur` a
    Gaussian with zeros around the image, `alpha = s * max(h, w) / 10`, `sigma = s * min(h, w) / 20`, and `s` is drawn.

    Args:
        factor: the range of the probability that an image is distorted, within [0, 1]; a number `p` means `(0, p)`.
        scale: the range of `s`, within [0, 1]; a number `u` means `(0, u)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what is taken for pixels outside the image: `"reflect"`, `"wrap"`, `"mirror"`, `"constant"` or
            `"nearest"`.
        fill_value: the constant.
        value_range: the values that pixels may have.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Segmentation masks are distorted too.

    Raises:
        ArgumentError: an argument is not a range, or a mode is unknown.

    >>> import jax.numpy as jnp
    >>> layer = RandomElasticTransform()
    >>> right = jnp.array([0.0, 1.0]).reshape(1, 2, 1, 1)
    >>> drawn = {"apply_transform": jnp.array([True]), "distances": right}
    >>> layer.transform_images(jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), drawn).ravel().tolist()
    [2.0, 3.0, 3.0]

    Source: P. Simard, D. Steinkraus and J. Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        scale: Range = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "RandomElasticTransform")
        self.scale = factor_range(scale, (0, 1), "RandomElasticTransform", "scale")
        self.interpolation = arguments.one_of(
            interpolation, "interpolation", "RandomElasticTransform", INTERPOLATIONS, error=UnknownNameError
        )
        self.fill_mode = arguments.one_of(
            fill_mode, "fill_mode", "RandomElasticTransform", (*FILL_MODES, "mirror"), error=UnknownNameError
        )
        self.fill_value = arguments.number(fill_value, "fill_value", "RandomElasticTransform")
        self.value_range = value_bounds(value_range, "RandomElasticTransform")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation | None:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        batch, height, width = shape[0], shape[self.height_axis], shape[self.width_axis]
        chosen = chance(stream, batch, self.factor)
        scale = uniform(next(stream), (batch,), self.scale)
        noise = jax.random.normal(next(stream), (batch, 2, height, width), "float32")
        alpha, sigma = scale * (max(height, width) * 0.1), scale * (min(height, width) * 0.05)
        smooth = jnp.einsum("byj,bajk,bxk->bayx", blurring(height, sigma), noise, blurring(width, sigma))
        return {"apply_transform": chosen, "distances": per_example(alpha * sigma) * smooth}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return jnp.clip(self.displace(images, transformation, self.interpolation), *self.value_range)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.displace(masks, transformation, "nearest")

    def displace(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        """Images, those that were chosen read at a distance `(b, 2, h, w)` from each place."""
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        order, channels = INTERPOLATIONS.index(interpolation), self.channel_axis - 1
        here = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij"))  # (2, h, w)

        def read(image: Array, distances: Array) -> Array:
            def plane(values: Array) -> Array:
                return map_coordinates(values, here + distances, order, self.fill_mode, self.fill_value)

            return jax.vmap(plane, channels, channels)(image)

        distorted = jax.vmap(read)(images, transformation["distances"])
        return jnp.where(per_example(transformation["apply_transform"]), distorted, images)


def blurring(size: int, sigma: Array) -> Array:
    """Matrices `(b, size, size)` that blur a vector by Gaussians of sum 1, one per standard deviation; around it is 0.

    A product with a matrix serves any deviation, known before the program is compiled or not.

    >>> blurring(2, jnp.array([1e-3])).tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    # a Gaussian of no width divides 0 by 0; at a thousandth of a pixel it is as narrow
    x = jnp.arange(1 - size, size)[None, :] / jnp.maximum(sigma, 1e-3)[:, None]  # (b, 2 size - 1)
    bells = jnp.exp(-0.5 * x**2)
    bells = bells / jnp.sum(bells, 1, keepdims=True)
    apart = jnp.arange(size)[:, None] - jnp.arange(size)[None, :] + size - 1
    return bells[:, apart]
