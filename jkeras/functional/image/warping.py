"""Warped images: pixels read at other places, given by an affine map, a projective map or a random field."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.ndimage

from jkeras import dtypes
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.image.filters import gaussian_blur
from jkeras.functional.image.resizing import check_choice
from jkeras.functional.layout import image_axes
from jkeras.typing import Array, ArrayLike, Key

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
Sampler = Callable[[Array, Array, Array], Array]


def map_coordinates(
    inputs: Array, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Array:
    """The values of an array at places between its elements.

    Args:
        inputs: an array of rank `n`.
        coordinates: `(n, ...)`: for each axis of `inputs` the places, counted in elements.
        order: 0 takes the nearest element, 1 interpolates linearly.
        fill_mode: the values outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` (about the centre of the last
            element) or `"reflect"` (about its edge).
        fill_value: the constant.

    Returns:
        `coordinates.shape[1:]`, in the dtype of the inputs; integers are rounded.

    Raises:
        ArgumentError: order or fill mode are unknown.
        ShapeError: the coordinates do not fit the rank of the inputs.

    >>> map_coordinates(jnp.array([0.0, 10.0, 20.0]), jnp.array([[0.5, 1.25, 7.0]]), order=1).tolist()
    [5.0, 12.5, 0.0]
    """
    coordinates = jnp.asarray(coordinates)
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        rule = f"`coordinates` must have one row for each of the {inputs.ndim} axes of `inputs`"
        wanted, received = f"shape ({inputs.ndim}, ...)", f"shape {coordinates.shape}"
        write = "map_coordinates(inputs, jnp.stack([rows, columns]), order=1)   # of inputs with two axes"
        raise ShapeError.must(rule, received, path="map_coordinates", expected=wanted, write=write)
    check_choice(fill_mode, FILL_MODES, "fill_mode", "map_coordinates")
    if order not in (0, 1):
        raise ArgumentError(
            f"`order` must be 0 or 1, got {order!r}.",
            path="map_coordinates",
            expected="0 or 1",
            received=repr(order),
            write="map_coordinates(inputs, coordinates, order=1)",
        )
    warped: Array = jax.scipy.ndimage.map_coordinates(inputs, coordinates, order, fill_mode, fill_value)
    return warped


def affine_transform(
    images: Array,
    transform: ArrayLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Images moved, turned, scaled and sheared. The output at `(x, y)` is the input at

        ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k),    k = c0 x + c1 y + 1

    with `x` counted along the width, `y` along the height.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        transform: `[a0, a1, a2, b0, b1, b2, c0, c1]`, `(8,)` for all images or `(b, 8)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: the values outside of an image, as for `map_coordinates`.
        fill_value: the constant.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: interpolation or fill mode are unknown.
        ShapeError: ranks do not fit.

    >>> image = jnp.arange(3.0).reshape(1, 3, 1)
    >>> affine_transform(image, jnp.array([1.0, 0, 1, 0, 1, 0, 0, 0])).ravel().tolist()
    [1.0, 2.0, 0.0]
    """
    transform = jnp.asarray(transform)
    if transform.ndim not in (1, 2) or transform.shape[-1] != 8:
        raise ShapeError(
            f"`transform` must hold eight numbers per image, got shape {transform.shape}.",
            path="affine_transform",
            expected="shape (8,) or (b, 8)",
            received=f"shape {transform.shape}",
            write="affine_transform(images, [1, 0, 0, 0, 1, 0, 0, 0])   # the identity",
        )
    sampler = _sampler(images, interpolation, fill_mode, fill_value, data_format, "affine_transform")
    return _project(images, transform, sampler, data_format)


def perspective_transform(
    images: Array,
    start_points: ArrayLike,
    end_points: ArrayLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Images under a projective map, which moves four points and keeps straight lines straight.

    The eight numbers of the map, as in `affine_transform`, solve the eight equations which say that the output at
    `end_points` is the input at `start_points`.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        start_points, end_points: four points `(x, y)`: `(4, 2)` for all images, or `(b, 4, 2)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: the value outside.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: the interpolation is unknown.
        ShapeError: ranks or points do not fit.

    Source: R. Hartley and A. Zisserman, "Multiple View Geometry in Computer Vision", section 4.1.

    >>> image = jnp.arange(4.0).reshape(2, 2, 1)
    >>> points = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> mirrored = points * jnp.array([[-1.0, 1.0]]) + jnp.array([[1.0, 0.0]])
    >>> perspective_transform(image, points, mirrored)[..., 0].round(4).tolist()
    [[1.0, 0.0], [3.0, 2.0]]
    """
    start, end = jnp.asarray(start_points), jnp.asarray(end_points)
    if start.shape != end.shape or start.shape[-2:] != (4, 2) or start.ndim not in (2, 3):
        raise ShapeError(
            "`start_points` and `end_points` must both have shape (4, 2) or both (b, 4, 2).",
            path="perspective_transform",
            expected="shapes (4, 2), or both (b, 4, 2)",
            received=f"shapes {start.shape} and {end.shape}",
            write="start_points = [[0, 0], [width, 0], [0, height], [width, height]]   # the corners",
        )
    sampler = _sampler(images, interpolation, "constant", fill_value, data_format, "perspective_transform")
    return _project(images, homography(start, end), sampler, data_format)


def homography(start_points: Array, end_points: Array) -> Array:
    """The eight numbers of the projective map that takes `end_points` to `start_points`, `(..., 4, 2)` both.

    >>> points = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    >>> homography(points + 3.0, points).round(4).tolist()[:6]
    [1.0, 0.0, 3.0, 0.0, 1.0, 3.0]
    """
    start, end = (points.astype(jnp.promote_types(points.dtype, "float32")) for points in (start_points, end_points))
    (u, v), (x, y) = (jnp.moveaxis(points, -1, 0) for points in (start, end))  # (..., 4) each
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    of_u = jnp.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    of_v = jnp.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    equations, values = jnp.concatenate([of_u, of_v], -2), jnp.concatenate([u, v], -1)  # (..., 8, 8), (..., 8)
    return jnp.squeeze(jnp.linalg.solve(equations, jnp.expand_dims(values, -1)), -1)


def _project(images: Array, transform: Array, sampler: Sampler, data_format: str | None) -> Array:
    """Images read where the projective map `(8,)` or `(b, 8)` leads."""
    height, width, _ = image_axes(images.ndim, data_format)
    rows, columns = images.shape[height], images.shape[width]
    y, x = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")  # (h, w) each

    def one(image: Array, numbers: Array) -> Array:
        a0, a1, a2, b0, b1, b2, c0, c1 = numbers.astype(jnp.promote_types(numbers.dtype, jnp.float32))
        scale = c0 * x + c1 * y + 1
        return sampler(image, (b0 * x + b1 * y + b2) / scale, (a0 * x + a1 * y + a2) / scale)

    return _per_image(one, images, transform, 1)


def elastic_transform(
    images: Array,
    key: Key,
    alpha: float | Array = 20.0,
    sigma: float | Array = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    data_format: str | None = None,
    *,
    kernel_size: int | None = None,
) -> Array:
    """Images distorted like rubber: every pixel is read at a smooth random distance.

    The distances along height and width are normal noise of deviation `sigma`, blurred with the same `sigma`,
    times `alpha`.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`, of a floating dtype.
        key: where the noise comes from; each image has its own.
        alpha: the strength of the distortion.
        sigma: the smoothness of the distances, in pixels.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: the values outside of an image, as for `map_coordinates`.
        fill_value: the constant.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        kernel_size: pixels over which the noise is blurred, an odd int. By default `6 sigma`, for which `sigma`
            must be a number and no traced array.

    Raises:
        ArgumentError: interpolation or fill mode are unknown.
        ShapeError: the rank is neither 3 nor 4.

    Source: P. Simard, D. Steinkraus and J. Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", ICDAR 2003.

    >>> image = jnp.arange(16.0).reshape(4, 4, 1)
    >>> still = elastic_transform(image, jax.random.key(0), alpha=0.0)
    >>> moved = elastic_transform(image, jax.random.key(0))
    >>> bool((still == image).all()), bool((moved == image).all()), moved.shape
    (True, False, (4, 4, 1))
    """
    sampler = _sampler(images, interpolation, fill_mode, fill_value, data_format, "elastic_transform")
    height, width, _ = image_axes(images.ndim, data_format)
    size = (int(6 * sigma) | 1) if kernel_size is None else kernel_size
    rows, columns = images.shape[height], images.shape[width]
    shape = (*images.shape[:-3], rows, columns, 1)

    def distance(key: Key) -> Array:
        dtype = images.dtype if dtypes.is_float(images.dtype) else jnp.float32
        noise = jax.random.normal(key, shape, dtype) * jnp.asarray(sigma, dtype)
        blurred = gaussian_blur(noise, (size, size), (sigma, sigma), "channels_last")  # type: ignore[arg-type]
        return jnp.squeeze(blurred, -1) * jnp.asarray(alpha, dtype)  # (b, h, w)

    dx, dy = (distance(each) for each in jax.random.split(key))
    y, x = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
    moves = jnp.stack([dy, dx], -1)  # (b, h, w, 2)
    return _per_image(lambda image, move: sampler(image, y + move[..., 0], x + move[..., 1]), images, moves, 3)


def _per_image(function: Callable[[Array, Array], Array], images: Array, argument: Array, rank: int) -> Array:
    """A function of one image and an argument of this rank, over a batch of both or with one argument for all."""
    if images.ndim == 3:
        return function(images, jnp.squeeze(argument, 0) if argument.ndim > rank else argument)
    return jax.vmap(function, (0, 0 if argument.ndim > rank else None))(images, argument)


def _sampler(
    images: Array, interpolation: str, fill_mode: str, fill_value: float, data_format: str | None, path: str
) -> Sampler:
    """`(image, y, x) -> image`: every channel of one image, read at the same places."""
    channels = image_axes(images.ndim, data_format, path)[2] % 3
    check_choice(interpolation, tuple(ORDERS), "interpolation", path)
    check_choice(fill_mode, FILL_MODES, "fill_mode", path)
    read = partial(jax.scipy.ndimage.map_coordinates, order=ORDERS[interpolation], mode=fill_mode, cval=fill_value)

    def sample(image: Array, y: Array, x: Array) -> Array:
        def plane(values: Array) -> Array:
            array: Array = read(values, [y, x])
            return array

        return jax.vmap(plane, channels, channels)(image)

    return sample
