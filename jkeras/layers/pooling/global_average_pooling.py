"""GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D: the mean of every channel."""

from typing import Unpack

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.functional import global_average_pool
from jkeras.layers.pooling.base import BaseGlobalPooling
from jkeras.typing import Array


class GlobalAveragePooling(BaseGlobalPooling):
    """The mean of every channel, over `rank` spatial axes."""

    def call(self, inputs: Array) -> Array:
        return global_average_pool(inputs, keepdims=self.keepdims, data_format=self.data_format)  # (b, c)


@registry.export("keras.layers")
class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean of every channel of a sequence, over the steps that a mask keeps.

    `outputs[b, c] = sum over t of mask[b, t] inputs[b, t, c] / sum over t of mask[b, t]`, and zero where the mask keeps
    nothing. The mask ends here.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        keepdims: whether the spatial axes stay, with length 1.

    Shapes:
        `(b, t, c)` -> `(b, c)`, with `keepdims` `(b, 1, c)`; `(b, c, t)` with `"channels_first"`. The dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Lin et al., "Network in network", arXiv:1312.4400, section 3.2.

    >>> import jax.numpy as jnp
    >>> GlobalAveragePooling1D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 2, 2)))[0].tolist()
    [[1.0, 2.0]]
    """

    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Array, mask: Array | None = None) -> Array:
        return global_average_pool(inputs, mask=mask, keepdims=self.keepdims, data_format=self.data_format)

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> None:
        """The steps are gone, and their mask with them."""
        return


@registry.export("keras.layers")
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean of every channel of an image.

    `outputs[b, c] = mean over h, w of inputs[b, h, w, c]`

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    Shapes:
        `(b, h, w, c)` -> `(b, c)`, with `keepdims` `(b, 1, 1, c)`; `(b, c, h, w)` with `"channels_first"`. The
        dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Lin et al., "Network in network", arXiv:1312.4400, section 3.2.

    >>> import jax.numpy as jnp
    >>> GlobalAveragePooling2D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 2, 1, 2)))[0].tolist()
    [[1.0, 2.0]]
    """

    rank = 2


@registry.export("keras.layers")
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of every channel of a volume.

    `outputs[b, c] = mean over d, h, w of inputs[b, d, h, w, c]`

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    Shapes:
        `(b, d, h, w, c)` -> `(b, c)`, with `keepdims` `(b, 1, 1, 1, c)`; `(b, c, d, h, w)` with
        `"channels_first"`. The dtype stays.

    Raises:
        ShapeError: the input has another rank.

    Source: M. Lin et al., "Network in network", arXiv:1312.4400, section 3.2.

    >>> import jax.numpy as jnp
    >>> GlobalAveragePooling3D().stateless_call({}, {}, jnp.arange(4.0).reshape((1, 1, 2, 1, 2)))[0].tolist()
    [[1.0, 2.0]]
    """

    rank = 3
