"""ZeroPadding1D, ZeroPadding2D, ZeroPadding3D: zeros around the spatial axes."""

from typing import Any, ClassVar, Unpack

from jkeras import registry
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.functional import zero_pad
from jkeras.functional.arguments import standardize_pairs
from jkeras.typing import Array, Pairs


class ZeroPadding(Layer):
    """Zeros around `rank` spatial axes."""

    rank: ClassVar[int]

    def __init__(self, padding: Pairs = 1, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        pairs = standardize_pairs(padding, self.rank, "padding", type(self).__name__)
        self.padding: Any = pairs[0] if self.rank == 1 else pairs  # one axis has one pair, in configs too
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Array) -> Array:
        return zero_pad(inputs, self.padding, self.data_format)


@registry.export("keras.layers")
class ZeroPadding1D(ZeroPadding):
    """Zeros around a sequence.

    Args:
        padding: an int for both ends, or a pair (before, after).
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Shapes:
        `(b, t, c)` -> `(b, before + t + after, c)`; `(b, c, t)` with `"channels_first"`. The dtype stays.

    Raises:
        ArgumentError: `padding` has a value that it cannot have.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> ZeroPadding1D((1, 2)).stateless_call({}, {}, jnp.ones((1, 2, 1)))[0].ravel().tolist()
    [0.0, 1.0, 1.0, 0.0, 0.0]
    """

    rank = 1


@registry.export("keras.layers")
class ZeroPadding2D(ZeroPadding):
    """Zeros around an image.

    Args:
        padding: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Shapes:
        `(b, h, w, c)`, or `(b, c, h, w)` with `"channels_first"`; height and width grow. The dtype stays.

    Raises:
        ArgumentError: `padding` has a value that it cannot have.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> ZeroPadding2D(((1, 0), (0, 1))).stateless_call({}, {}, jnp.ones((1, 1, 2, 1)))[0][0, :, :, 0].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """

    rank = 2


@registry.export("keras.layers")
class ZeroPadding3D(ZeroPadding):
    """Zeros around a volume.

    Args:
        padding, data_format: as in `ZeroPadding2D`.

    Shapes:
        `(b, d, h, w, c)`, or `(b, c, d, h, w)` with `"channels_first"`; the spatial axes grow. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `ZeroPadding2D`.

    >>> import jax.numpy as jnp
    >>> ZeroPadding3D(((1, 0), (0, 0), (0, 1))).stateless_call({}, {}, jnp.ones((1, 1, 1, 1, 1)))[0][0, ..., 0].tolist()
    [[[0.0, 0.0]], [[1.0, 0.0]]]
    """

    rank = 3
