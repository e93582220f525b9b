"""UpSampling1D, UpSampling2D, UpSampling3D: every element repeated along the spatial axes, or interpolated."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer, in_building_scope
from jkeras.core.options import LayerOptions
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.image import resize
from jkeras.functional.layout import spatial_axes
from jkeras.typing import Array, Sizes

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@registry.export("keras.layers")
class UpSampling1D(Layer):
    """Every step several times: `outputs[b, t, c] = inputs[b, floor(t / size), c]`.

    Args:
        size: how often each step is repeated.

    Shapes:
        `(b, t, c)` -> `(b, size t, c)`. The dtype stays.

    Raises:
        ArgumentError: `size` is not a positive int.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> UpSampling1D(2).stateless_call({}, {}, jnp.array([[[1], [2]]]))[0].ravel().tolist()
    [1, 1, 2, 2]

    Source: the definition.
    """

    def __init__(self, size: int = 2, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.size = arguments.positive_int(size, "size", "UpSampling1D", "UpSampling1D(size=2)")
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Array) -> Array:
        return repeat(inputs, {1: self.size})


@registry.export("keras.layers")
class UpSampling2D(Layer):
    """Images of `size` times the height and width.

    With `"nearest"`, `outputs[b, y, x, c] = inputs[b, floor(y / size[0]), floor(x / size[1]), c]`; the others weigh
    the pixels around, at pixel centres.

    Args:
        size: the factors of height and width, one int or two.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.

    Shapes:
        `(b, h, w, c)` -> `(b, size[0] h, size[1] w, c)`; `(b, c, h, w)` with `"channels_first"`. The dtype stays.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([0.0, 2.0]).reshape(1, 1, 2, 1)
    >>> UpSampling2D((1, 2)).stateless_call({}, {}, x)[0].ravel().tolist()
    [0.0, 0.0, 2.0, 2.0]
    >>> UpSampling2D((1, 2), interpolation="bilinear").stateless_call({}, {}, x)[0].ravel().tolist()
    [0.0, 0.5, 1.5, 2.0]

    Source: R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981; C. Duchon,
    "Lanczos filtering in one and two dimensions", 1979.
    """

    def __init__(
        self,
        size: Sizes = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.size = standardize_tuple(size, 2, "size", "UpSampling2D")
        self.data_format = standardize_data_format(data_format)
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        arguments.one_of(self.interpolation, "interpolation", "UpSampling2D", INTERPOLATIONS)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Array) -> Array:
        factors = dict(zip(spatial_axes(4, self.data_format), self.size, strict=True))
        if self.interpolation == "nearest":
            return repeat(inputs, factors)
        size = [inputs.shape[axis] * factor for axis, factor in factors.items()]
        if in_building_scope():  # the weights depend on sizes that may not be known yet; the shape does not
            shape = [n * factors.get(axis, 1) for axis, n in enumerate(inputs.shape)]
            return jnp.zeros(shape, inputs.dtype)
        return resize(inputs, size, self.interpolation, data_format=self.data_format)


@registry.export("keras.layers")
class UpSampling3D(Layer):
    """Every voxel several times: `outputs[b, z, y, x, c] = inputs[b, floor(z / s0), floor(y / s1), floor(x / s2), c]`.

    `s0`, `s1` and `s2` are the entries of `size`.

    Args:
        size: how often each element is repeated along depth, height and width, one int or three.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Shapes:
        `(b, d, h, w, c)` -> `(b, size[0] d, size[1] h, size[2] w, c)`; `(b, c, d, h, w)` with `"channels_first"`. The
        dtype stays.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([1, 2]).reshape(1, 1, 1, 2, 1)
    >>> UpSampling3D((1, 1, 2)).stateless_call({}, {}, x)[0].ravel().tolist()
    [1, 1, 2, 2]

    Source: the definition.
    """

    def __init__(self, size: Sizes = (2, 2, 2), data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.size = standardize_tuple(size, 3, "size", "UpSampling3D")
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Array) -> Array:
        return repeat(inputs, dict(zip(spatial_axes(5, self.data_format), self.size, strict=True)))


def repeat(inputs: Array, factors: dict[int, int]) -> Array:
    """Every element `factors[axis]` times along each axis: one broadcast for all axes, its gradient one sum.

    >>> repeat(jnp.array([[1, 2]]), {0: 2, 1: 2}).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    wide: list[int] = []  # only with the axes of copies that there are: XLA adds along fewer axes in less time
    copies: list[int] = []
    for axis, n in enumerate(inputs.shape):
        wide.append(n)
        if factors.get(axis, 1) > 1:
            copies.append(len(wide))
            wide.append(factors[axis])
    shape = [n * factors.get(axis, 1) for axis, n in enumerate(inputs.shape)]
    return jnp.reshape(jnp.broadcast_to(jnp.expand_dims(inputs, copies), wide), shape)
