"""Spatial dropout: whole channels are set to zero at random in training."""

from typing import Any

from jkeras import config, registry
from jkeras.core import InputSpec
from jkeras.dtypes import DTypePolicy, PolicyLike
from jkeras.functional.layout import arrange, channel_axis
from jkeras.layers.regularization.dropout import Dropout
from jkeras.typing import Array, Config


class SpatialDropout(Dropout):
    """Dropout whose noise is the same at all positions of a channel. A subclass sets `spatial_rank`."""

    spatial_rank: int
    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: PolicyLike = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=self.spatial_rank + 2)

    def noise_shape_for(self, inputs: Array) -> tuple[Any, ...]:
        channels = inputs.shape[channel_axis(inputs.ndim, self.data_format)]
        return arrange(None, (1,) * self.spatial_rank, channels, self.data_format)

    def get_config(self) -> Config:
        config, policy = super().get_config(), self.declared_dtype_policy
        return {**config, "dtype": policy.name} if isinstance(policy, DTypePolicy) else config


@registry.export("keras.layers")
class SpatialDropout1D(SpatialDropout):
    """In training, drops whole channels of sequences: `outputs[b, :, c] = keep[b, c] * inputs[b, :, c] / (1 - rate)`.

    Args:
        rate: the fraction of channels that are dropped.
        seed: an int, for the same stream after every `init`.
        name, dtype: as for any layer.

    Shapes:
        `(b, t, c)` -> the same.

    Raises:
        ArgumentError: `rate` is not a number in [0, 1].
        ShapeError: the input has another rank than 3.

    >>> import jax, jax.numpy as jnp
    >>> layer = SpatialDropout1D(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 3))
    >>> layer.stateless_call(*variables, jnp.ones((1, 2, 3)), training=True)[0].tolist()
    [[[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]]

    Source: J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    spatial_rank = 1


class SpatialDropoutOfFormat(SpatialDropout):
    """A `SpatialDropout` whose channels are the first axis or the last one."""

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)


@registry.export("keras.layers")
class SpatialDropout2D(SpatialDropoutOfFormat):
    """In training, drops whole channels of images.

    `outputs[b, :, :, c] = keep[b, c] * inputs[b, :, :, c] / (1 - rate)`

    Args:
        rate: the fraction of channels that are dropped.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        seed: an int, for the same stream after every `init`.
        name, dtype: as for any layer.

    Shapes:
        `(b, h, w, c)`, or `(b, c, h, w)` with `"channels_first"` -> the same.

    Raises:
        ArgumentError: `rate` is not a number in [0, 1], or the data format is unknown.
        ShapeError: the input has another rank than 4.

    >>> import jax, jax.numpy as jnp
    >>> layer = SpatialDropout2D(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (1, 1, 2, 3))
    >>> layer.stateless_call(*variables, jnp.ones((1, 1, 2, 3)), training=True)[0].tolist()
    [[[[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]]]

    Source: J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    spatial_rank = 2


@registry.export("keras.layers")
class SpatialDropout3D(SpatialDropoutOfFormat):
    """In training, drops whole channels of volumes.

    `outputs[b, :, :, :, c] = keep[b, c] * inputs[b, :, :, :, c] / (1 - rate)`

    Args:
        rate, data_format, seed, name, dtype: as in `SpatialDropout2D`.

    Shapes:
        `(b, d, h, w, c)`, or `(b, c, d, h, w)` with `"channels_first"` -> the same.

    Raises:
        ArgumentError, ShapeError: as in `SpatialDropout2D`, of rank 5.

    >>> import jax, jax.numpy as jnp
    >>> layer = SpatialDropout3D(0.5, seed=1)
    >>> variables = layer.init(jax.random.key(0), (1, 1, 1, 2, 3))
    >>> layer.stateless_call(*variables, jnp.ones((1, 1, 1, 2, 3)), training=True)[0].tolist()
    [[[[[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]]]]

    Source: J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    spatial_rank = 3
