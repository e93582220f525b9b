"""Normalization: features with known statistics, to mean zero and variance one."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Unpack

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, config, registry
from jkeras.core import InputSpec, Layer, Variable, Variables
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError, BuildError, DataError
from jkeras.layers.normalization.base import sizes_along
from jkeras.layers.preprocessing.batches import batches_of
from jkeras.typing import Array, ArrayLike, Axes, DataLike, Shape


@registry.export("keras.layers")
class Normalization(Layer):
    """`outputs = (inputs - mean) / max(sqrt(variance), epsilon)`; with `invert` the inverse of this.

    The statistics are given as `mean` and `variance`, which are constants of the program; or they are non-trainable
    variables, whose values `adapt` finds in data. A layer holds no values, so `adapt` returns them, and they take the
    place of the layer's subtree in a model's:

        adapted = normalization.adapt(x)
        variables = model.init(key)
        variables.non_trainable["normalization"] = adapted.non_trainable

    Args:
        axis: the axis, or the axes, whose every index has statistics of its own; `None` for one mean of everything.
        mean, variance: the statistics, as numbers or nested lists of the sizes along `axis`; both or neither.
        invert: whether normalized inputs are turned back.

    Shapes:
        Any shape -> the same, in the compute dtype; `mean` and `variance` have the sizes along `axis`, in ascending
        order of the axes, and `count ()`, int32, says of how many values each is the mean. All is computed in float32
        at least: raw data need not fit half precision.

    Raises:
        ArgumentError: `axis` is not an int or different ints; one of `mean` and `variance` without the other, or of
            another shape.
        BuildError: the input has no such axis, or its size is not known.

    >>> import jax
    >>> layer = Normalization(axis=-1)
    >>> variables = layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> variables.non_trainable["mean"].tolist(), variables.non_trainable["variance"].tolist()
    ([1.0, 20.0], [1.0, 100.0])
    >>> layer.stateless_call(*variables, jnp.array([[3.0, 20.0]]))[0].tolist()
    [[2.0, 0.0]]

    Source: the standard score; merging of moments: T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing
    the sample variance", The American Statistician 37(3), 1983.
    """

    mean_variable: Variable | None = None
    variance_variable: Variable | None = None

    def __init__(
        self,
        axis: Axes | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis)
        self.mean, self.variance = _statistics(mean, variance, len(self.axis))
        self.invert = bool(invert)
        self.supports_masking = True
        self.autocast = False  # the year 1990 is no bfloat16
        self._epsilon = config.epsilon()

    def build(self, input_shape: Shape) -> None:
        sizes = sizes_along(input_shape, self.axis, self._label)
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)
        shape = tuple(sizes.values())
        if self.mean is not None:
            for numbers in (self.mean, self.variance):
                _laid(numbers, sizes, len(input_shape), self._label)
            return
        self.mean_variable, self.variance_variable = (
            self.add_weight(
                shape=shape,
                dtype=_wide(self.variable_dtype),
                initializer=initializer,
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, initializer in (("mean", "zeros"), ("variance", "ones"))
        )
        self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="count")

    def call(self, inputs: Array) -> Array:
        mean, variance = (statistic.astype(_wide(self.compute_dtype)) for statistic in self._values())
        inputs = inputs.astype(mean.dtype)
        deviation = jnp.maximum(jnp.sqrt(variance), self._epsilon)
        outputs = mean + inputs * deviation if self.invert else (inputs - mean) / deviation
        return outputs.astype(self.compute_dtype)

    def _values(self) -> list[Array]:
        """Mean and variance, of the rank of the inputs."""
        spec = self.input_spec
        if self.mean_variable is None or self.variance_variable is None:
            label = self._label
            return [jnp.asarray(_laid(each, spec.axes, spec.ndim, label)) for each in (self.mean, self.variance)]
        others = tuple(axis for axis in range(spec.ndim) if axis not in spec.axes)
        return [jnp.expand_dims(each.value, others) for each in (self.mean_variable, self.variance_variable)]

    def adapt(self, data: DataLike) -> Variables:
        """The layer's values for some data: its mean and variance, in float64 until they are rounded at the end.

        Builds the layer for the shape of the data.

        Args:
            data: an array, or an iterable of batches (a list, a generator, a loader, a `PyDataset`), which is read once
                and one batch at a time. The result does not depend on how the data are cut into batches, up to
                rounding.

        Raises:
            ArgumentError: the layer was given its statistics.
            DataError: there are no data, or batches whose axes differ.
        """
        if self.mean is not None:
            raise ArgumentError(
                "`adapt` cannot find statistics, because the layer was given `mean` and `variance`.",
                path=self.name,
                expected="a layer without statistics",
                write=f"Normalization(axis={self.axis})",
            )
        moments: Moments | None = None
        for batch in batches_of(data, "Normalization"):
            array = np.atleast_1d(np.asarray(batch))
            kept = tuple(sorted(axis % array.ndim for axis in self.axis))
            self.build(array.shape if 0 in kept else (None, *array.shape[1:]))
            new = moments_of(array, kept)
            moments = new if moments is None else moments.merged(new)
        assert moments is not None  # `batches_of` raises where there are no batches
        if moments.size == 0:
            raise DataError(
                "`data` must have at least one value, got none.",
                path="Normalization.adapt",
                expected="at least one value",
                received="0 values",
                write="layer = layer.adapt(np.array([[1.0], [2.0]]))",
            )
        values = {
            "mean": jnp.asarray(moments.mean, _wide(self.variable_dtype)),
            "variance": jnp.asarray(moments.variance, _wide(self.variable_dtype)),
            "count": jnp.asarray(min(moments.size, np.iinfo("int32").max), "int32"),
        }
        return Variables({}, values)


class Moments(NamedTuple):
    """Mean and population variance of `size` values, entry by entry."""

    size: int
    mean: np.ndarray
    variance: np.ndarray

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both samples together."""
        size = self.size + other.size
        if size == 0:
            return self
        share = other.size / size
        between = (other.mean - self.mean) ** 2 * share * (1 - share)
        return Moments(
            size,
            self.mean + (other.mean - self.mean) * share,
            self.variance * (1 - share) + other.variance * share + between,
        )


def moments_of(array: np.ndarray, kept: tuple[int, ...]) -> Moments:
    """The moments over all axes but the kept ones, in float64.

    >>> moments_of(np.array([[1.0, 5.0], [3.0, 5.0]]), (1,))
    Moments(size=2, mean=array([2., 5.]), variance=array([1., 0.]))
    """
    others = tuple(axis for axis in range(array.ndim) if axis not in kept)
    size = math.prod(array.shape[axis] for axis in others)
    if size == 0:
        empty = np.zeros([array.shape[axis] for axis in kept])
        return Moments(0, empty, empty)
    array = array.astype("float64")
    return Moments(size, np.mean(array, axis=others), np.var(array, axis=others))


def _wide(dtype: str) -> str:
    """A dtype, float32 at least."""
    return jnp.promote_types(dtype, "float32").name


def _axes(axis: Axes | None) -> tuple[int, ...]:
    axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if any(type(each) is not int for each in axes) or len({*axes}) != len(axes):
        wanted = "an integer, a sequence of different integers or None"
        raise arguments.refusal(axis, "axis", "Normalization", wanted, write="Normalization(axis=-1)")
    return axes


def _statistics(mean: ArrayLike | Sequence[Any], variance: ArrayLike | Sequence[Any], axes: int) -> tuple[Any, Any]:
    """Mean and variance as numbers or nested lists: a layer holds no arrays."""
    if (mean is None) != (variance is None):
        problem, received = "`mean` and `variance` must be given together.", f"mean={mean}, variance={variance}"[:80]
        write = "Normalization(mean=3.0, variance=2.0)"
        raise ArgumentError(problem, path="Normalization", expected="both or neither", received=received, write=write)
    if mean is None:
        return None, None
    shapes = np.shape(mean), np.shape(variance)
    if shapes[0] != shapes[1] or len(shapes[0]) > axes:
        raise ArgumentError(
            "`mean` and `variance` must have equal shapes, along the normalized axes.",
            path="Normalization",
            expected=f"equal shapes of at most {axes} axes",
            received=f"{shapes[0]} and {shapes[1]}",
            write="Normalization(axis=-1, mean=[3.0, 4.0], variance=[2.0, 1.0])",
        )
    return np.asarray(mean).tolist(), np.asarray(variance).tolist()


def _laid(numbers: ArrayLike, sizes: Any, rank: int, path: str) -> np.ndarray:
    """Numbers, their axes laid along the last of the normalized axes of inputs of a rank."""
    array = np.asarray(numbers, "float64")
    axes = list(sizes)[len(sizes) - array.ndim :]
    if any(size not in (1, sizes[axis]) for axis, size in zip(axes, array.shape, strict=True)):
        known = tuple(sizes.values())
        rule = "`mean` and `variance` must broadcast to the normalized axes of the input"
        wanted = f"statistics that broadcast to {known}"
        write = f"Normalization(mean=np.zeros({known}), variance=np.ones({known}))"
        raise BuildError.must(rule, f"shape {array.shape}", path=path, expected=wanted, write=write)
    shape = [1] * rank
    for axis, size in zip(axes, array.shape, strict=True):
        shape[axis] = size
    return array.reshape(shape)
