"""How much detail images have: RandomSharpness and RandomGaussianBlur."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.functional.image.filters import gaussian_kernel
from jkeras.layers.augmentation.arguments import factor_range, value_bounds
from jkeras.layers.augmentation.base import (
    RandomFactorLayer,
    RandomImageLayer,
    Transformation,
    chance,
    per_example,
    uniform,
)
from jkeras.typing import Array, Key, Range, Sizes


@registry.export("keras.layers")
class RandomSharpness(RandomFactorLayer):
    """In training, smooths or sharpens images: `clip(smooth + 2 * factor * (images - smooth))`.

    `smooth` is the mean over 3 x 3 pixels in which the middle counts five times; around the image it is 0.

    Args:
        factor: the range of the factor, within [0, 1]; a number `f` means `(0, f)`. 0 smooths, 0.5 changes nothing, 1
            sharpens.
        value_range, seed, data_format: as in `RandomBrightness`.

    Shapes:
        As in `RandomBrightness`.

    Raises:
        ArgumentError: as in `RandomBrightness`.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomSharpness((0.0, 0.0))
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> smooth, _ = layer.stateless_call(*variables, jnp.array([[[13.0], [26.0], [13.0]]]), training=True)
    >>> [round(x, 3) for x in smooth.ravel().tolist()]
    [7.0, 12.0, 7.0]

    Source: E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019.
    """

    bounds = (0, 1)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        return {"factor": uniform(next(stream), (shape[0],), self.factor)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        factor = per_example(transformation["factor"]) * 2
        ones = jnp.ones((1, 3), factor.dtype)
        box = taps(taps(images, ones, self.height_axis), ones, self.width_axis)
        smooth = (box + 4 * images) / 13
        return jnp.clip(smooth + factor * (images - smooth), *self.value_range)


@registry.export("keras.layers")
class RandomGaussianBlur(RandomImageLayer):
    """In training, convolves some images with Gaussians whose widths are drawn for each of them.

    `kernel[i, j] ~ exp(-j^2 / (2 sigma_x^2) - i^2 / (2 sigma_y^2))`, of sum 1; around the image it is 0.

    Args:
        factor: the range of the probability that an image is blurred, within [0, 1]; a number `p` means `(0, p)`.
        kernel_size: the size of the kernel, odd: a number, or `(width, height)`.
        sigma: the range of both standard deviations, in pixels, within [0, 1]; a number `s` means `(0, s)`.
        value_range: the values that pixels may have.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: an argument is not a range, or `kernel_size` is not odd.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomGaussianBlur(value_range=(0, 1))
    >>> transformation = {"should_apply_blur": jnp.array([True]), "blur_factor": jnp.array([[1.0, 1e-6]])}
    >>> blurred = layer.transform_images(jnp.array([0.0, 1.0, 0.0]).reshape(1, 3, 1), transformation)
    >>> [round(x, 3) for x in blurred.ravel().tolist()]
    [0.274, 0.452, 0.274]

    Source: the definition above.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        kernel_size: Sizes = 3,
        sigma: Range = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "RandomGaussianBlur")
        self.kernel_size = _odd_pair(kernel_size)
        self.sigma = factor_range(sigma, (0, 1), "RandomGaussianBlur", "sigma")
        self.value_range = value_bounds(value_range, "RandomGaussianBlur")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        blurred = chance(stream, shape[0], self.factor)
        # not 0, by which the exponent divides
        return {"should_apply_blur": blurred, "blur_factor": uniform(next(stream), (shape[0], 2), self.sigma) + 1e-6}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        blurred, axes = images, (self.width_axis, self.height_axis)
        for axis, size, sigma in zip(axes, self.kernel_size, transformation["blur_factor"].T, strict=True):
            blurred = taps(blurred, jax.vmap(gaussian_kernel, (None, 0))(size, sigma), axis)
        outputs = jnp.where(per_example(transformation["should_apply_blur"]), blurred, images)
        return jnp.clip(outputs, *self.value_range)


def taps(images: Array, kernels: Array, axis: int) -> Array:
    """Images correlated along one axis with a kernel each, of odd size, around them 0.

    A sum of shifted copies, which is one loop when compiled; a convolution with kernels of their own would be one
    group per image and channel, for which there are no fast programs.

    Args:
        images: `(b, ...)`, floats.
        kernels: `(b, k)`, or `(1, k)` for all.
        axis: which axis.

    >>> taps(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[0.0, 1.0, 10.0]]), 1).tolist()
    [[21.0, 32.0, 3.0]]
    """
    radius, size = kernels.shape[1] // 2, images.shape[axis]
    width = [(radius, radius) if each == axis else (0, 0) for each in range(images.ndim)]
    padded = jnp.pad(images, width)
    total = jnp.zeros((), kernels.dtype)
    for tap in range(kernels.shape[1]):
        shifted = lax.slice_in_dim(padded, tap, tap + size, axis=axis)
        total = total + per_example(kernels[:, tap], images.ndim) * shifted
    return total


def _odd_pair(value: object) -> tuple[int, int]:
    entries = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    odd = all(isinstance(entry, int) and entry > 0 and entry % 2 == 1 for entry in entries)
    if len(entries) != 2 or not odd:
        raise ArgumentError(
            f"`kernel_size` must be an odd integer or a pair of them, got {value!r}.",
            path="RandomGaussianBlur",
            expected="an odd int, or two of them",
            received=f"kernel_size={value!r}",
            write="RandomGaussianBlur(kernel_size=3)",
        )
    return entries
