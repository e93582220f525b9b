"""Values spread over their whole range: AutoContrast, Equalization and ContrastLimitedAdaptiveHistogramEqualization.

None of them draws anything. Each looks at one channel of one image at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.functional.arguments import standardize_tuple
from jkeras.layers.augmentation.arguments import value_bounds
from jkeras.layers.augmentation.base import ImageLayer, Transformation
from jkeras.layers.augmentation.options import ImageOptions
from jkeras.layers.augmentation.values import from_bytes, to_bytes
from jkeras.typing import Array


@registry.export("keras.layers")
class AutoContrast(ImageLayer):
    """Stretches each channel of an image to the whole range of values, in training and otherwise.

    `outputs = low + (high - low) * (images - min) / (max - min)`, with the least and the greatest value of the channel.
    A channel of one value stays.

    Args:
        value_range: `(low, high)`, the values that pixels may have.
        data_format: as for every image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: `value_range` is not a range.

    >>> import jax, jax.numpy as jnp
    >>> layer = AutoContrast(value_range=(0, 1))
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[0.25], [0.5], [0.75]]]))[0].ravel().tolist()
    [0.0, 0.5, 1.0]

    Source: E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019.
    """

    def __init__(self, value_range: Sequence[float] = (0, 255), **kwargs: Unpack[ImageOptions]) -> None:
        super().__init__(**kwargs)
        self.value_range = value_bounds(value_range, "AutoContrast")

    def apply(self, images: Array, transformation: Transformation) -> Array:
        axes, (low, high) = (self.height_axis, self.width_axis), self.value_range
        least = jnp.min(images, axes, keepdims=True)
        spread = jnp.max(images, axes, keepdims=True) - least
        stretched = (images - least) / jnp.where(spread > 0, spread, 1) * (high - low) + low
        return jnp.where(spread > 0, jnp.clip(stretched, low, high), images)

    def rest(self, images: Array) -> Array:
        return self.apply(images, {})


@registry.export("keras.layers")
class Equalization(ImageLayer):
    """In training, gives every value about as many pixels as any other, in each channel of an image.

    `outputs = round(255 * (cdf[bin] - cdf_min) / (n - cdf_min))`, where `cdf` counts the pixels up to a bin and
    `cdf_min` those of the first bin that has any. A channel within one bin stays.

    Args:
        value_range: `(low, high)`, which are the bytes 0 and 255.
        bins: how many bins the range has.
        data_format: as for every image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Gradients are 0.

    Raises:
        ArgumentError: `value_range` is not a range, or `bins` is not a positive int.

    >>> import jax, jax.numpy as jnp
    >>> layer = Equalization()
    >>> variables = layer.init(jax.random.key(0), (1, 4, 1))
    >>> image = jnp.array([10.0, 11.0, 12.0, 200.0]).reshape(1, 4, 1)
    >>> layer.stateless_call(*variables, image, training=True)[0].ravel().tolist()
    [0.0, 85.0, 170.0, 255.0]

    Source: R. C. Gonzalez and R. E. Woods, "Digital image processing", section 3.3.1.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.bins = arguments.positive_int(bins, "bins", "Equalization", "Equalization(bins=256)")
        self.value_range = value_bounds(value_range, "Equalization")

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return per_plane(lambda plane: equalize(plane, self.bins), self, images)


@registry.export("keras.layers")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Equalizes each channel by the histograms of the tiles around a pixel, in training and otherwise.

    The image is cut into tiles, padded by its mirror image where they do not fit. What a histogram has above the limit
    is spread evenly over its 256 bins. A pixel gets the mean of what the four nearest tiles make of it, weighted by
    how near their middles are.

    Args:
        value_range: `(low, high)`, which are the bytes 0 and 255.
        clip_limit: how many times the mean of a histogram its bins may reach; not limited with 0 or less.
        tile_grid_size: `(rows, columns)` of tiles.
        data_format: as for every image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype. Gradients are 0.

    Raises:
        ArgumentError: `value_range` is not a range, `clip_limit` not a number, `tile_grid_size` not two positive ints.

    >>> import jax, jax.numpy as jnp
    >>> layer = ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))
    >>> variables = layer.init(jax.random.key(0), (1, 4, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[0.0], [11.0], [12.0], [200.0]]]))[0].ravel().tolist()
    [0.0, 85.0, 170.0, 255.0]

    Source: K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_bounds(value_range, "ContrastLimitedAdaptiveHistogramEqualization")
        self.clip_limit = arguments.number(clip_limit, "clip_limit", "ContrastLimitedAdaptiveHistogramEqualization")
        self.tile_grid_size = standardize_tuple(tile_grid_size, 2, "tile_grid_size", type(self).__name__)

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return per_plane(lambda plane: equalize_tiles(plane, self.tile_grid_size, self.clip_limit), self, images)

    def rest(self, images: Array) -> Array:
        return self.apply(images, {})


def per_plane(function: Callable[[Array], Array], layer: Any, images: Array) -> Array:
    """A function of one channel of one image, `(h, w)` on the scale of bytes, over all of a batch."""
    over_channels = jax.vmap(function, layer.channel_axis - 1, layer.channel_axis - 1)
    planes = to_bytes(images.astype(jnp.promote_types(images.dtype, "float32")), layer.value_range)
    return from_bytes(jax.vmap(over_channels)(planes), layer.value_range)


def equalize(plane: Array, bins: int) -> Array:
    """A plane of bytes, equalized.

    >>> equalize(jnp.array([[7.0, 7.0, 8.0]]), 256).tolist()
    [[0.0, 0.0, 255.0]]
    """
    index = jnp.clip(plane * (bins - 1) / 255, 0, bins - 1).astype("int32")
    cdf = jnp.cumsum(jnp.bincount(jnp.ravel(index), length=bins))  # (bins,)
    first = jnp.min(jnp.where(cdf > 0, cdf, cdf[-1]))
    others = cdf[-1] - first
    table = jnp.round((cdf - first) * 255 / jnp.maximum(others, 1)).astype(plane.dtype)
    return jnp.where(others > 0, table[index], plane)


def equalize_tiles(plane: Array, grid: tuple[int, ...], clip_limit: float) -> Array:
    """A plane of bytes, equalized by the histograms of tiles.

    >>> equalize_tiles(jnp.array([[0.0, 9.0, 0.0, 9.0]]), (1, 2), 0.0).tolist()
    [[0.0, 255.0, 0.0, 255.0]]
    """
    height, width = plane.shape
    rows, columns = -(-height // grid[0]), -(-width // grid[1])  # the size of a tile
    padding = ((0, rows * grid[0] - height), (0, columns * grid[1] - width))
    pixels = jnp.clip(jnp.pad(plane, padding, "symmetric").astype("int32"), 0, 255)
    tiles = jnp.swapaxes(pixels.reshape(grid[0], rows, grid[1], columns), 1, 2)  # (grid rows, grid columns, h, w)
    counts = jax.vmap(lambda tile: jnp.bincount(tile, length=256))(tiles.reshape(grid[0] * grid[1], -1))
    tables = _tables(counts.astype(plane.dtype), rows * columns, clip_limit).reshape(*grid, 256)
    (above, below, down), (left, right, across) = _nearest(grid[0], rows), _nearest(grid[1], columns)

    def read(row: Array, column: Array) -> Array:
        return tables[row[:, None], column[None, :], pixels]

    down, across = down[:, None], across[None, :]
    upper = read(above, left) * (1 - across) + read(above, right) * across
    lower = read(below, left) * (1 - across) + read(below, right) * across
    return (upper * (1 - down) + lower * down)[:height, :width]


def _tables(counts: Array, area: int, clip_limit: float) -> Array:
    """What becomes of each byte in each tile, from the histograms `(tiles, 256)`."""
    if clip_limit > 0:
        clipped = jnp.minimum(counts, clip_limit * area / 256)
        counts = clipped + jnp.sum(counts - clipped, -1, keepdims=True) / 256
    cdf = jnp.cumsum(counts, -1)
    others = area - cdf[:, :1]
    return jnp.clip((cdf - cdf[:, :1]) * 255 / jnp.where(others == 0, 1, others), 0, 255)


def _nearest(tiles: int, size: int) -> tuple[Array, Array, Array]:
    """For each pixel along an axis of tiles, the tile whose middle is before it, the next one, and how near that is."""
    place = (jnp.arange(tiles * size) - size / 2) / size
    before = jnp.floor(place)
    index = before.astype("int32")
    return jnp.clip(index, 0, tiles - 1), jnp.clip(index + 1, 0, tiles - 1), place - before
