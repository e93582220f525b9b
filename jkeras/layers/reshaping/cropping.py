"""Cropping1D, Cropping2D, Cropping3D: the ends of the spatial axes cut off."""

from typing import Any, ClassVar, Unpack

from jkeras import registry
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.functional import crop
from jkeras.functional.arguments import standardize_pairs
from jkeras.typing import Array, Pairs


class Cropping(Layer):
    """Cuts off the ends of `rank` spatial axes."""

    rank: ClassVar[int]

    def _configure(self, cropping: Pairs, data_format: str | None) -> None:
        pairs = standardize_pairs(cropping, self.rank, "cropping", type(self).__name__)
        self.cropping: Any = pairs[0] if self.rank == 1 else pairs  # one axis has one pair, in configs too
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Array) -> Array:
        return crop(inputs, self.cropping, self.data_format, path=self._label)


@registry.export("keras.layers")
class Cropping1D(Cropping):
    """Cuts off the ends of a sequence.

    Args:
        cropping: an int for both ends, or a pair (before, after).

    Shapes:
        `(b, t, c)` -> `(b, t - before - after, c)`. The dtype stays.

    Raises:
        ArgumentError: `cropping` has a value that it cannot have.
        ShapeError: the input has another rank, or nothing of it would be left.

    >>> import jax.numpy as jnp
    >>> Cropping1D((1, 2)).stateless_call({}, {}, jnp.arange(5.0).reshape(1, 5, 1))[0].ravel().tolist()
    [1.0, 2.0]
    """

    rank = 1

    def __init__(self, cropping: Pairs = (1, 1), **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self._configure(cropping, "channels_last")


@registry.export("keras.layers")
class Cropping2D(Cropping):
    """Cuts off the ends of an image.

    Args:
        cropping: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Shapes:
        `(b, h, w, c)`, or `(b, c, h, w)` with `"channels_first"`; height and width shrink. The dtype stays.

    Raises:
        ArgumentError: `cropping` has a value that it cannot have.
        ShapeError: the input has another rank, or nothing of it would be left.

    >>> import jax.numpy as jnp
    >>> Cropping2D(((1, 0), (0, 1))).stateless_call({}, {}, jnp.arange(6.0).reshape(1, 2, 3, 1))[0][0, :, :, 0].tolist()
    [[3.0, 4.0]]
    """

    rank = 2

    def __init__(
        self, cropping: Pairs = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self._configure(cropping, data_format)


@registry.export("keras.layers")
class Cropping3D(Cropping):
    """Cuts off the ends of a volume.

    Args:
        cropping, data_format: as in `Cropping2D`.

    Shapes:
        `(b, d, h, w, c)`, or `(b, c, d, h, w)` with `"channels_first"`; the spatial axes shrink. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `Cropping2D`.

    >>> import jax.numpy as jnp
    >>> layer, x = Cropping3D(((1, 0), (0, 0), (0, 1))), jnp.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> layer.stateless_call({}, {}, x)[0][0, ..., 0].tolist()
    [[[4.0], [6.0]]]
    """

    rank = 3

    def __init__(
        self, cropping: Pairs = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self._configure(cropping, data_format)
