"""RandomErasing: a box of an image is overwritten."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.functional.layout import along
from jkeras.layers.augmentation.arguments import factor_range, value_bounds
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, chance, per_example, uniform
from jkeras.layers.augmentation.boxes import inside, random_box
from jkeras.typing import Array, Key, Range


@registry.export("keras.layers")
class RandomErasing(RandomImageLayer):
    """In training, overwrites a box in some images, by noise or by one colour.

    The box is `sqrt(u)` of the width times `sqrt(v)` of the height, with `u` and `v` from `scale`, anywhere.

    Args:
        factor: the range of the probability that an image gets a box, within [0, 1]; a number `p` means `(0, p)`.
        scale: the range of `u` and `v`, within [0, 1]; a number `s` means `(0, s)`.
        fill_value: a number, or a list of them, one per channel. `None` is normal noise with the deviation
            `value_range[1]`, clipped to the range.
        value_range: the values that pixels may have; what is filled in is clipped to them.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, c)` or `(h, w, c)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: an argument is not a range, or `fill_value` is not a colour.

    >>> import jax, jax.numpy as jnp
    >>> layer = RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7.0)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 1))
    >>> layer.stateless_call(*variables, jnp.ones((1, 2, 1)), training=True)[0].ravel().tolist()
    [7.0, 7.0]

    Source: Z. Zhong et al., "Random erasing data augmentation", AAAI 2020.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        scale: Range = (0.02, 0.33),
        fill_value: float | Sequence[float] | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "RandomErasing")
        self.scale = factor_range(scale, (0, 1), "RandomErasing", "scale")
        self.fill_value = _color(fill_value)
        self.value_range = value_bounds(value_range, "RandomErasing")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        width, height = shape[self.width_axis], shape[self.height_axis]
        across, down = jnp.sqrt(uniform(next(stream), (shape[0], 2), self.scale)).T
        columns, rows = random_box(stream, width, height, across, down)
        return {
            "batch_masks": inside(columns, rows, width, height, self.data_format),
            "apply_erasing": chance(stream, shape[0], self.factor),
            "fill_value": self.filling(shape, stream),
        }

    def filling(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Array:
        """What boxes are filled with, ready to broadcast to images of a shape."""
        if self.fill_value is None:
            filling = jax.random.normal(next(stream), shape, "float32") * self.value_range[1]
        else:
            filling = along(jnp.atleast_1d(jnp.asarray(self.fill_value, "float32")), 4, self.channel_axis)
        return jnp.clip(filling, *self.value_range)

    def apply(self, images: Array, transformation: Transformation) -> Array:
        erased = transformation["batch_masks"] & per_example(transformation["apply_erasing"])
        return jnp.where(erased, transformation["fill_value"].astype(images.dtype), images)


def _color(value: Any) -> Any:
    """A number, a tuple of numbers, or `None`."""
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    entries = tuple(value) if listed else (value,)
    if value is not None and not all(isinstance(each, int | float) and not isinstance(each, bool) for each in entries):
        raise ArgumentError(
            f"`fill_value` must be a number, a list of numbers or None, got {arguments.shown(value)}.",
            path="RandomErasing",
            expected="a number, a list of one per channel, or None for noise",
            received=f"fill_value={value!r}",
            write="RandomErasing(fill_value=0)",
        )
    return entries if listed else value
