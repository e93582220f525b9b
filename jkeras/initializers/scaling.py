"""Initializers whose spread follows the shape, so that signals keep their size from layer to layer.

With `n` the fan-in, the fan-out or their mean, all of them have variance `scale / n`.

| class           | scale | mode      | distribution       |
|-----------------|-------|-----------|--------------------|
| `GlorotUniform` | 1     | `fan_avg` | `uniform`          |
| `GlorotNormal`  | 1     | `fan_avg` | `truncated_normal` |
| `HeUniform`     | 2     | `fan_in`  | `uniform`          |
| `HeNormal`      | 2     | `fan_in`  | `truncated_normal` |
| `LecunUniform`  | 1     | `fan_in`  | `uniform`          |
| `LecunNormal`   | 1     | `fan_in`  | `truncated_normal` |
"""

import math
from collections.abc import Sequence

from jkeras import arguments
from jkeras.errors import ArgumentError
from jkeras.initializers import draws
from jkeras.initializers.base import RandomInitializer, compute_fans, family
from jkeras.typing import Array, Config, Key

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
# Standard deviation of a standard normal given that it lies within (-2, 2).
TRUNCATED_STDDEV = 0.87962566103423978


@family.register()
class VarianceScaling(RandomInitializer):
    """Zero mean, variance `scale / n`, with `n` counted from the shape of the weight.

    Args:
        scale: a number > 0.
        mode: what `n` is: `"fan_in"`, `"fan_out"`, or `"fan_avg"`, their mean.
        distribution: `"truncated_normal"` (also called `"normal"`: within two standard deviations of the normal that is
            truncated), `"untruncated_normal"`, or `"uniform"` in `[-limit, limit)` with `limit = sqrt(3 * scale / n)`.
        seed: an int to fix the key; the values are then the same on every call.
        input_axes, output_axes: the axes of inputs and of outputs, where they are not the last two. Both or neither.

    Raises:
        ArgumentError: an argument that is not one of these; a call without key where there is no seed.

    >>> from jkeras import initializers
    >>> values = initializers.VarianceScaling(scale=2.0, mode="fan_out", seed=0)((50, 200))
    >>> f"{values.var() * 200:.2f}"
    '2.04'

    Source: He et al., https://arxiv.org/abs/1502.01852; Glorot and Bengio,
    http://proceedings.mlr.press/v9/glorot10a.html.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        owner = type(self).__name__
        self.scale = arguments.positive_number(scale, "scale", owner)
        self.mode = arguments.one_of(mode, "mode", owner, MODES)
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        distribution = "truncated_normal" if distribution == "normal" else distribution
        self.distribution = arguments.one_of(distribution, "distribution", owner, DISTRIBUTIONS)
        if (input_axes is None) != (output_axes is None):
            raise ArgumentError(
                "`input_axes` and `output_axes` must be given together.",
                path=owner,
                expected="both or neither",
                received=f"input_axes={input_axes}, output_axes={output_axes}",
                write=f"{owner}(input_axes=0, output_axes=1)",
            )
        self.input_axes = None if input_axes is None else tuple(input_axes)
        self.output_axes = None if output_axes is None else tuple(output_axes)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        array: Array
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            array = draws.uniform(key, shape, dtype, -limit, limit)
            return array
        if self.distribution == "untruncated_normal":
            array = draws.normal(key, shape, dtype, 0.0, math.sqrt(variance))
            return array
        array = draws.truncated_normal(key, shape, dtype, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV)
        return array

    def get_config(self) -> Config:
        """`{"seed", "scale", "mode", "distribution", "input_axes", "output_axes"}`."""
        shown = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {"seed": self.seed, **shown, **self._axes()}

    def _axes(self) -> Config:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {name: None if value is None else list(value) for name, value in axes.items()}


class _Preset(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are settled by its class.

    Args:
        seed: an int to fix the key; the values are then the same on every call.
        input_axes, output_axes: the axes of inputs and of outputs, where they are not the last two. Both or neither.
    """

    _settled: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._settled, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> Config:
        """`{"seed", "input_axes", "output_axes"}`."""
        return {"seed": self.seed, **self._axes()}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({shown})"


@family.register()
class GlorotUniform(_Preset):
    """Uniform in `[-limit, limit)` with `limit = sqrt(6 / (fan_in + fan_out))`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.GlorotUniform(seed=0)((10, 50))  # limit = sqrt(6 / 60) = 0.316
    >>> f"{values.min():.2f} {values.max():.2f}"
    '-0.32 0.31'

    Source: Glorot and Bengio, http://proceedings.mlr.press/v9/glorot10a.html.
    """

    _settled = (1.0, "fan_avg", "uniform")


@family.register()
class GlorotNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(2 / (fan_in + fan_out))`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.GlorotNormal(seed=0)((40, 160))  # sqrt(2 / 200) = 0.1
    >>> f"{values.std():.2f}"
    '0.10'

    Source: Glorot and Bengio, http://proceedings.mlr.press/v9/glorot10a.html.
    """

    _settled = (1.0, "fan_avg", "truncated_normal")


@family.register()
class HeUniform(_Preset):
    """Uniform in `[-limit, limit)` with `limit = sqrt(6 / fan_in)`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.HeUniform(seed=0)((6, 100))  # limit = 1
    >>> f"{values.min():.2f} {values.max():.2f}"
    '-1.00 0.99'

    Source: He et al., https://arxiv.org/abs/1502.01852.
    """

    _settled = (2.0, "fan_in", "uniform")


@family.register()
class HeNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(2 / fan_in)`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.HeNormal(seed=0)((200, 30))  # sqrt(2 / 200) = 0.1
    >>> f"{values.std():.2f}"
    '0.10'

    Source: He et al., https://arxiv.org/abs/1502.01852.
    """

    _settled = (2.0, "fan_in", "truncated_normal")


@family.register()
class LecunUniform(_Preset):
    """Uniform in `[-limit, limit)` with `limit = sqrt(3 / fan_in)`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.LecunUniform(seed=0)((3, 100))  # limit = 1
    >>> f"{values.min():.2f} {values.max():.2f}"
    '-1.00 0.99'

    Source: LeCun et al., "Efficient BackProp", 1998, section 4.6.
    """

    _settled = (1.0, "fan_in", "uniform")


@family.register()
class LecunNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(1 / fan_in)`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> from jkeras import initializers
    >>> values = initializers.LecunNormal(seed=0)((100, 30))  # sqrt(1 / 100) = 0.1
    >>> f"{values.std():.2f}"
    '0.10'

    Source: LeCun et al., "Efficient BackProp", 1998, section 4.6.
    """

    _settled = (1.0, "fan_in", "truncated_normal")
