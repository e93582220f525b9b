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
        pool_size: size of a window, one int or two.
        strides: steps between windows, one int or two; the pool size by default.
        padding: `"valid"` drops what does not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        name: the address in the tree of the owner.

    Shapes:
        `(b, h, w, c)` -> `(b, windows, windows, c)`; `(b, c, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, or is smaller than a window.

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
        pool_size: size of a window, one int or three.
        strides: steps between windows, one int or three; the pool size by default.
        padding: `"valid"` drops what does not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        name: the address in the tree of the owner.

    Shapes:
        `(b, d, h, w, c)` -> `(b, windows, windows, windows, c)`; `(b, c, d, h, w)` with `"channels_first"`.
        `floor((n - size) / stride) + 1` windows with `"valid"`. The dtype stays.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, or is smaller than a window.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> layer, x = MaxPooling3D(2), jnp.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [7.0]
    """

    rank = 3
