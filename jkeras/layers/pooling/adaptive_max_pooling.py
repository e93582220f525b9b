"""AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D: the maximum of so many windows."""

from jkeras import registry
from jkeras.functional import adaptive_max_pool
from jkeras.layers.pooling.base import BaseAdaptivePooling
from jkeras.typing import Array


class AdaptiveMaxPooling(BaseAdaptivePooling):
    """The maximum of every window, over `rank` spatial axes."""

    def call(self, inputs: Array) -> Array:
        return adaptive_max_pool(inputs, self.output_size, self.data_format, path=self._label)


@registry.export("keras.layers")
class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """The maximum of every window of a sequence, as many windows as asked for.

    `outputs[b, i, c] = maximum over t in window i of inputs[b, t, c]`.
    Window `i` of `m` on an axis of `n` elements is `[floor(i n / m), ceil((i + 1) n / m))`.

    Args:
        output_size, data_format: as in `AdaptiveAveragePooling1D`.

    Shapes:
        `(b, t, c)` -> `(b, output_size, c)`; `(b, c, t)` with `"channels_first"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AdaptiveAveragePooling1D`.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> layer, x = AdaptiveMaxPooling1D(3), jnp.arange(5.0).reshape(1, 5, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [1.0, 3.0, 4.0]
    """

    rank = 1


@registry.export("keras.layers")
class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """The maximum of every window of an image, as many windows as asked for.

    `outputs[b, i, j, c] = maximum over y in window i, x in window j of inputs[b, y, x, c]`.
    Window `i` of `m` on an axis of `n` elements is `[floor(i n / m), ceil((i + 1) n / m))`.

    Args:
        output_size, data_format: as in `AdaptiveMaxPooling1D`, with one int or two.

    Shapes:
        `(b, h, w, c)` -> `(b, *output_size, c)`; `(b, c, h, w)` with `"channels_first"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AdaptiveMaxPooling1D`.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> layer, x = AdaptiveMaxPooling2D((1, 2)), jnp.arange(6.0).reshape(1, 2, 3, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [4.0, 5.0]
    """

    rank = 2


@registry.export("keras.layers")
class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """The maximum of every window of a volume, as many windows as asked for.

    `outputs[b, i, j, k, c] = maximum over z in window i, y in j, x in k of inputs[b, z, y, x, c]`.
    Window `i` of `m` on an axis of `n` elements is `[floor(i n / m), ceil((i + 1) n / m))`.

    Args:
        output_size, data_format: as in `AdaptiveMaxPooling1D`, with one int or three.

    Shapes:
        `(b, d, h, w, c)` -> `(b, *output_size, c)`; `(b, c, d, h, w)` with `"channels_first"`. The dtype stays.

    Raises:
        ArgumentError, ShapeError: as in `AdaptiveMaxPooling1D`.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> layer, x = AdaptiveMaxPooling3D((1, 1, 2)), jnp.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> layer.stateless_call({}, {}, x)[0].ravel().tolist()
    [6.0, 7.0]
    """

    rank = 3
