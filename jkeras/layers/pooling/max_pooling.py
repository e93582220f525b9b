"""MaxPooling1D, MaxPooling2D, MaxPooling3D: the maximum of every window."""

from jkeras import registry
from jkeras.functional import max_pool
from jkeras.layers.pooling.base import BasePooling
from jkeras.typing import Array


class MaxPooling(BasePooling):
    """The maximum of every window, over `rank` spatial axes."""

    def call(self, inputs: Array) -> Array:
        return max_pool(
            inputs, self.pool_size, self.strides, self.padding, self.data_format, path=self._label
        )  # (b, windows..., c)


@registry.export("keras.layers")
class MaxPooling1D(MaxPooling):
    """The maximum of every window of a sequence. Padding is never the maximum.

    Args:
        pool_size, strides, padding, data_format, name: as in `AveragePooling1D`.

    Shapes:
        `(b, t, c)` -> `(b, windows, c)`; `(b, c, t)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AveragePooling1D`.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> layer, x = MaxPooling1D(2, padding="same"), jnp.array([1.0, 5.0, 2.0, 4.0, 3.0]).reshape(1, 5, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [5.0, 4.0, 3.0]
    """

    rank = 1


@registry.export("keras.layers")
class MaxPooling2D(MaxPooling):
    """The maximum of every window of an image. Padding is never the maximum.

    Args:
        pool_size, strides: one int or two, as in `MaxPooling1D`.
        padding, data_format, name: as in `MaxPooling1D`.

    Shapes:
        `(b, h, w, c)` -> `(b, windows, windows, c)`; `(b, c, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling1D`.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> layer, x = MaxPooling2D(2), jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> layer.stateless_call({}, {}, x)[0][0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """

    rank = 2


@registry.export("keras.layers")
class MaxPooling3D(MaxPooling):
    """The maximum of every window of a volume. Padding is never the maximum.

    Args:
        pool_size, strides: one int or three, as in `MaxPooling1D`.
        padding, data_format, name: as in `MaxPooling1D`.

    Shapes:
        `(b, d, h, w, c)` -> `(b, windows, windows, windows, c)`; `(b, c, d, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling1D`.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> layer, x = MaxPooling3D(2), jnp.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [7.0]
    """

    rank = 3
