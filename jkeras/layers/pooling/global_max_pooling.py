"""GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D: the maximum of every channel."""

from jkeras import registry
from jkeras.functional import global_max_pool
from jkeras.layers.pooling.base import BaseGlobalPooling
from jkeras.typing import Array


class GlobalMaxPooling(BaseGlobalPooling):
    """The maximum of every channel, over `rank` spatial axes."""

    def call(self, inputs: Array) -> Array:
        return global_max_pool(inputs, keepdims=self.keepdims, data_format=self.data_format)  # (b, c)


@registry.export("keras.layers")
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The maximum of every channel of a sequence.

    `outputs[b, c] = max over t of inputs[b, t, c]`

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        keepdims: whether the spatial axes stay, with length 1.

    Shapes:
        `(b, t, c)` -> `(b, c)`, with `keepdims` `(b, 1, c)`; `(b, c, t)` with `"channels_first"`. The dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Oquab et al., "Is object localization for free?", CVPR 2015.

    >>> import jax.numpy as jnp
    >>> GlobalMaxPooling1D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 2, 2)))[0].tolist()
    [[2.0, 3.0]]
    """

    rank = 1


@registry.export("keras.layers")
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The maximum of every channel of an image.

    `outputs[b, c] = max over h, w of inputs[b, h, w, c]`

    Args:
        data_format, keepdims: as in `GlobalMaxPooling1D`.

    Shapes:
        `(b, h, w, c)` -> `(b, c)`, with `keepdims` `(b, 1, 1, c)`; `(b, c, h, w)` with `"channels_first"`. The
        dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Oquab et al., "Is object localization for free?", CVPR 2015.

    >>> import jax.numpy as jnp
    >>> GlobalMaxPooling2D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 2, 1, 2)))[0].tolist()
    [[2.0, 3.0]]
    """

    rank = 2


@registry.export("keras.layers")
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The maximum of every channel of a volume.

    `outputs[b, c] = max over d, h, w of inputs[b, d, h, w, c]`

    Args:
        data_format, keepdims: as in `GlobalMaxPooling1D`.

    Shapes:
        `(b, d, h, w, c)` -> `(b, c)`, with `keepdims` `(b, 1, 1, 1, c)`; `(b, c, d, h, w)` with
        `"channels_first"`. The dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Oquab et al., "Is object localization for free?", CVPR 2015.

    >>> import jax.numpy as jnp
    >>> GlobalMaxPooling3D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 1, 2, 1, 2)))[0].tolist()
    [[2.0, 3.0]]
    """

    rank = 3
