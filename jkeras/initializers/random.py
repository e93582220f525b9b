"""Initializers that draw every element from one distribution."""

from jkeras import arguments
from jkeras.initializers import draws
from jkeras.initializers.base import RandomInitializer, family
from jkeras.typing import Array, Config, Key


class _Normal(RandomInitializer):
    """Normal values, of a mean and a standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = arguments.number(mean, "mean", type(self).__name__)
        self.stddev = arguments.number(stddev, "stddev", type(self).__name__, interval="[0, inf]")

    def get_config(self) -> Config:
        """`{"seed", "mean", "stddev"}`."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@family.register("normal")
class RandomNormal(_Normal):
    """Normal values: density `exp(-(w - mean)² / (2 * stddev²)) / (stddev * sqrt(2 * pi))`.

    Args:
        mean: the mean.
        stddev: the standard deviation, >= 0.
        seed: an int to fix the key; the values are then the same on every call.

    Raises:
        ArgumentError: a mean or standard deviation that is not a number; a call without key where there is no seed.

    >>> from jkeras import initializers
    >>> values = initializers.RandomNormal(stddev=2.0, seed=0)((1000,))
    >>> f"{values.std():.1f}"
    '2.0'

    Source: `keras.initializers.RandomNormal`.
    """

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        array: Array = draws.normal(key, shape, dtype, self.mean, self.stddev)
        return array


@family.register()
class TruncatedNormal(_Normal):
    """Normal values within two standard deviations of the mean; those outside are drawn again.

    Args:
        mean: the mean.
        stddev: the standard deviation before truncation, >= 0; after it the values have 0.8796 of it.
        seed: an int to fix the key; the values are then the same on every call.

    Raises:
        ArgumentError: a mean or standard deviation that is not a number; a call without key where there is no seed.

    >>> from jkeras import initializers
    >>> values = initializers.TruncatedNormal(stddev=1.0, seed=0)((1000,))
    >>> f"{values.min():.1f} {values.max():.1f} {values.std():.2f}"
    '-2.0 2.0 0.86'

    Source: `keras.initializers.TruncatedNormal`.
    """

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        array: Array = draws.truncated_normal(key, shape, dtype, self.mean, self.stddev)
        return array


@family.register("uniform")
class RandomUniform(RandomInitializer):
    """Values uniform in `[minval, maxval)`.

    Args:
        minval: the lower bound, included.
        maxval: the upper bound, excluded.
        seed: an int to fix the key; the values are then the same on every call.

    Raises:
        ArgumentError: a bound that is not a number, or `maxval < minval`; a call without key where there is no seed.

    >>> from jkeras import initializers
    >>> values = initializers.RandomUniform(0.0, 1.0, seed=0)((1000,))
    >>> f"{values.min():.2f} {values.max():.2f} {values.mean():.1f}"
    '0.00 1.00 0.5'

    Source: `keras.initializers.RandomUniform`.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = arguments.number(minval, "minval", type(self).__name__)
        self.maxval = arguments.number(maxval, "maxval", type(self).__name__, interval=f"[{self.minval}, inf]")

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        array: Array = draws.uniform(key, shape, dtype, self.minval, self.maxval)
        return array

    def get_config(self) -> Config:
        """`{"seed", "minval", "maxval"}`."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}
