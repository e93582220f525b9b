"""Discretization: numbers to the numbers of the bins that they fall into."""

from collections.abc import Sequence
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.tensor import check_dense
from jkeras.dtypes import PolicyLike
from jkeras.errors import ArgumentError, BuildError
from jkeras.layers.preprocessing.batches import batches_of
from jkeras.layers.preprocessing.encoding import check_output_mode, encode
from jkeras.layers.preprocessing.quantiles import boundaries_of, merge, summarize
from jkeras.layers.preprocessing.search import places
from jkeras.typing import Array, Config, DataLike


@registry.export("keras.layers")
class Discretization(Layer):
    """`outputs = number of boundaries <= inputs`, in one of the encodings of `CategoryEncoding`.

    The boundaries `b1 < b2 < ...` cut the line into the bins `(-inf, b1)`, `[b1, b2)`, ..., `[bn, inf)`. They are
    given, or found in data: `adapt` returns another layer, whose boundaries are quantiles of the data.

    Args:
        bin_boundaries: the boundaries, in ascending order.
        num_bins: how many bins `adapt` is to make; instead of `bin_boundaries`.
        epsilon: how precise the quantiles are: each rank may be wrong by about this fraction. Smaller values need
            longer summaries.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: `False`.

    Shapes:
        `"int"`: any shape -> the same, int32. `"one_hot"`: `(..., t)` -> `(..., t, bins)`, without `t` where it is 1.
        `"multi_hot"`, `"count"`: `(..., t)` -> `(..., bins)`. NaN falls into the last bin.

    Raises:
        ArgumentError: not just one of `bin_boundaries` and `num_bins`, boundaries out of order, an unknown mode.
        BuildError: the layer has no boundaries yet.

    >>> import jax
    >>> layer = Discretization(num_bins=4).adapt(np.arange(100.0))
    >>> [round(boundary, 3) for boundary in layer.bin_boundaries]
    [24.0, 49.0, 74.0]
    >>> layer.stateless_call(*layer.init(jax.random.key(0), (3,)), jnp.array([-1.0, 24.0, 80.0]))[0].tolist()
    [0, 1, 3]

    Source: the definition above; the summaries are a simple form of M. Greenwald and S. Khanna, "Space-efficient online
    computation of quantile summaries", SIGMOD 2001.
    """

    converts_inputs = False  # the device would cut integers of 64 bits

    def __init__(
        self,
        bin_boundaries: Sequence[float] | np.ndarray | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: PolicyLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if (bin_boundaries is None) == (num_bins is None):
            problem = "exactly one of `bin_boundaries` and `num_bins` must be given."
            received = f"bin_boundaries={bin_boundaries}, num_bins={num_bins}"[:80]
            write = "Discretization(num_bins=10)   # then layer = layer.adapt(data)"
            raise ArgumentError(problem, path="Discretization", expected="one of them", received=received, write=write)
        if num_bins is not None:
            arguments.positive_int(num_bins, "num_bins", "Discretization", "Discretization(num_bins=10)")
        line = "Discretization(num_bins=10, epsilon=0.01)"
        arguments.fraction(epsilon, "epsilon", "Discretization", line, interval="(0, 1)")
        self.bin_boundaries = None if bin_boundaries is None else _ascending(bin_boundaries)
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = check_output_mode(output_mode, "Discretization")
        check_dense("Discretization", sparse)
        self.sparse = False
        self.autocast = False  # in half precision, boundaries would merge

    def call(self, inputs: Array) -> Array:
        if self.bin_boundaries is None:
            raise BuildError(
                "the layer must have boundaries before it is called, and it has none yet.",
                path=self._label,
                expected="`bin_boundaries`, or a layer that `adapt` returned",
                write="layer = layer.adapt(data)",
            )
        if isinstance(inputs, np.ndarray | np.generic) and inputs.dtype.itemsize == 8:
            # numbers of 64 bits, which the device would cut
            bins = jnp.asarray(np.searchsorted(np.asarray(self.bin_boundaries, "float64"), inputs, "right"), "int32")
        else:
            boundaries = jnp.asarray(np.asarray(self.bin_boundaries, "float32"))
            bins = places(boundaries, jnp.asarray(inputs), "right")
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(bins, self.output_mode, len(self.bin_boundaries) + 1, dtype)

    def adapt(self, data: DataLike, steps: int | None = None) -> Self:
        """A layer like this one whose boundaries are the quantiles of some data: `num_bins` bins of about equal counts.

        This layer stays as it is. The boundaries are those that Keras finds.

        Args:
            data: an array, or an iterable of batches, which is read once. All its values count, of any shape.
            steps: how many batches to read at most.

        Raises:
            ArgumentError: the layer was given its boundaries.
            DataError: there are no data.
        """
        if self.num_bins is None:
            problem = "`adapt` cannot find boundaries, because the layer was given `bin_boundaries`."
            wanted, write = "a layer with `num_bins`", "Discretization(num_bins=10)"
            raise ArgumentError(problem, path=self.name, expected=wanted, write=write)
        summary = np.zeros((2, 0), "float32")
        for batch in batches_of(data, "Discretization", steps):
            values = np.asarray(batch, "float32").ravel()
            if values.size:
                summary = merge(summarize(values, self.epsilon), summary, self.epsilon)
        made: Self = self.from_config({**self.get_config(), "bin_boundaries": boundaries_of(summary, self.num_bins)})
        return made

    def get_config(self) -> Config:
        return {**super().get_config(), "dtype": self.variable_dtype}

    @classmethod
    def from_config(cls, config: Config) -> Any:
        if config.get("bin_boundaries") is None or config.get("num_bins") is None:
            return super().from_config(config)
        layer: Any = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = _ascending(config["bin_boundaries"])
        return layer


def _ascending(boundaries: Sequence[float] | np.ndarray) -> list[float]:
    array = np.asarray(boundaries)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not (np.diff(array) >= 0).all():
        wanted, write = "numbers in ascending order", "Discretization(bin_boundaries=[0.0, 1.0, 2.0])"
        raise arguments.refusal(boundaries, "bin_boundaries", "Discretization", wanted, write=write)
    numbers: list[float] = array.tolist()
    return numbers
