"""AveragePooling1D, AveragePooling2D, AveragePooling3D: the mean of every window."""

from jkeras import registry
from jkeras.functional import average_pool
from jkeras.layers.pooling.base import BasePooling
from jkeras.typing import Array


class AveragePooling(BasePooling):
    """The mean of every window, over `rank` spatial axes."""

    def call(self, inputs: Array) -> Array:
        return average_pool(
            inputs, self.pool_size, self.strides, self.padding, self.data_format, path=self._label
        )  # (b, windows..., c)


@registry.export("keras.layers")
class AveragePooling1D(AveragePooling):
    """The mean of every window of a sequence. Padding is not counted: the mean is over the elements that exist.

    Args:
        pool_size: size of a window, one int.
        strides: steps between windows, one int; the pool size by default.
        padding: `"valid"` drops what does not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        name: the address in the tree of the owner.

    Shapes:
        `(b, t, c)` -> `(b, windows, c)`; `(b, c, t)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, or is smaller than a window.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998.

    >>> import jax.numpy as jnp
    >>> layer, x = AveragePooling1D(2, padding="same"), jnp.arange(5.0).reshape(1, 5, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [0.5, 2.5, 4.0]
    """

    rank = 1


@registry.export("keras.layers")
class AveragePooling2D(AveragePooling):
    """The mean of every window of an image. Padding is not counted: the mean is over the elements that exist.

    Args:
        pool_size, strides: one int or two, as in `AveragePooling1D`.
        padding, data_format, name: as in `AveragePooling1D`.

    Shapes:
        `(b, h, w, c)` -> `(b, windows, windows, c)`; `(b, c, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AveragePooling1D`.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998.

    >>> import jax.numpy as jnp
    >>> layer, x = AveragePooling2D(2), jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> layer.stateless_call({}, {}, x)[0][0, :, :, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """

    rank = 2


@registry.export("keras.layers")
class AveragePooling3D(AveragePooling):
    """The mean of every window of a volume. Padding is not counted: the mean is over the elements that exist.

    Args:
        pool_size, strides: one int or three, as in `AveragePooling1D`.
        padding, data_format, name: as in `AveragePooling1D`.

    Shapes:
        `(b, d, h, w, c)` -> `(b, windows, windows, windows, c)`; `(b, c, d, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AveragePooling1D`.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998.

    >>> import jax.numpy as jnp
    >>> layer, x = AveragePooling3D(2), jnp.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [3.5]
    """

    rank = 3
