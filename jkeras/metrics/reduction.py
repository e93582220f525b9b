"""Means and sums of values over batches: the states that most metrics share.

A value of rank above 1 is first reduced to one number per sample. Weights line up with the values from the first axis
on; a mean divides by the sum of the weights, and is 0 where nothing has been seen.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.losses import entries
from jkeras.losses.arrays import append_axes, as_arrays, broadcasts, divide_no_nan, match_ranks, widened
from jkeras.losses.base import FAMILY as LOSSES
from jkeras.losses.base import Loss
from jkeras.losses.entries import check_takes_labels, check_values
from jkeras.losses.weighting import apply_mask, weigh
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.typing import Array, ArrayLike, ArraySpec, Config

MetricFunction = Callable[..., Array]


def per_sample(
    values: ArrayLike, sample_weight: ArrayLike | None, reduce: Callable[..., Array], dtype: str
) -> tuple[Array, Array | None]:
    """Weighted values and weights, one number per sample each.

    Args:
        values: `(b, ...)`.
        sample_weight: of the shape of the values or of their first axes; a scalar weighs the reduced whole.
        reduce: `jnp.mean` or `jnp.sum`, over all axes but the first.
        dtype: of the results.

    Raises:
        ShapeError: the weights do not fit.

    >>> value, weight = per_sample(jnp.array([[1.0, 3.0], [5.0, 7.0]]), jnp.array([1.0, 0.5]), jnp.mean, "float32")
    >>> value.tolist(), weight.tolist()
    ([2.0, 3.0], [1.0, 0.5])
    """
    values = as_arrays(values, dtype)

    def reduced(x: Array, first: int, last: int) -> Array:
        return reduce(x, axis=tuple(range(first, last))) if first < last else x

    if sample_weight is None:
        return reduced(values, 1, values.ndim), None
    weight = as_arrays(sample_weight, dtype)
    given = values.shape, weight.shape
    if values.ndim == 0:  # one value for all samples
        values = jnp.broadcast_to(values, weight.shape)
    values, weight = match_ranks(values, weight)
    # innermost axes that have no weights of their own are reduced before they are weighed
    values = reduced(values, weight.ndim, values.ndim)
    if not broadcasts(values.shape, weight.shape) or jnp.broadcast_shapes(values.shape, weight.shape) != values.shape:
        raise ShapeError(
            "the weights must have the shape of the values, or of their first axes.",
            path="sample_weight",
            expected=f"shape {given[0]}, or its first axes",
            received=f"shape {given[1]}",
            write="metric.update(state, values, sample_weight=weights)   # weights (batch,): one for each example",
        )
    weight = jnp.broadcast_to(weight, values.shape)
    return reduced(weigh(values, weight), 1, values.ndim), reduced(weight, 1, values.ndim)


def entry_weights(sample_weight: ArrayLike | None, shape: tuple[int, ...], dtype: str) -> Array:
    """Weights of the shape of the entries that they weigh; ones where there are none.

    Args:
        sample_weight: of that shape, of its first axes, or a scalar; a further last axis of length 1 is taken off.
        shape: of the entries.
        dtype: of the result.

    Raises:
        ShapeError: the weights do not fit.

    >>> entry_weights(jnp.array([1.0, 2.0]), (2, 3), "float32").tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    if sample_weight is None:
        return jnp.ones(shape, dtype)
    given = as_arrays(sample_weight, dtype)
    weight = jnp.squeeze(given, -1) if given.ndim == len(shape) + 1 and given.shape[-1] == 1 else given
    weight = append_axes(weight, len(shape))
    fits = weight.ndim == len(shape) and all(m in (1, n) for m, n in zip(weight.shape, shape, strict=True))
    if weight.ndim and not fits:
        raise ShapeError(
            "the weights must have the shape of the entries, or of their first axes.",
            path="sample_weight",
            expected=f"shape {shape}, or its first axes",
            received=f"shape {given.shape}",
            write="metric.update(state, y_true, y_pred, weights)   # weights (batch,): one for each example",
        )
    return jnp.broadcast_to(weight, shape)


def check_outputs(y_pred: ArraySpec, owner: str) -> tuple[int, int]:
    """The shape `(b, outputs)` of predictions or their spec. Raises `ShapeError` for any other.

    >>> check_outputs(jnp.zeros((4, 3)), "R2Score")
    (4, 3)
    """
    if len(y_pred.shape) != 2 or y_pred.shape[-1] is None:
        raise ShapeError(
            "`y_pred` must have one vector for each example.",
            path=owner,
            expected="y_pred of shape (b, outputs)",
            received=f"shape {tuple(y_pred.shape)}",
            write="y_pred = y_pred.reshape(-1, 1)   # one output for each example" if len(y_pred.shape) == 1 else None,
        )
    samples, outputs = y_pred.shape
    return samples, outputs


def init_mean(dtype: str) -> State:
    """The mean of nothing: `total` and `count`, in two words each (see `jkeras.metrics.sums`).

    >>> sorted(init_mean("float32"))
    ['count', 'count_rest', 'total', 'total_rest']
    """
    return sums.zeros(("total", "count"), (), dtype)


def update_mean(state: State, values: ArrayLike, sample_weight: ArrayLike | None, dtype: str) -> State:
    """The mean of more values.

    >>> state = update_mean(init_mean("float32"), jnp.array([1.0, 5.0]), jnp.array([3.0, 1.0]), "float32")
    >>> float(state["total"]), float(state["count"])
    (8.0, 4.0)
    """
    values, weight = per_sample(values, sample_weight, jnp.mean, dtype)
    count = jnp.asarray(values.size, dtype) if weight is None else jnp.sum(weight)
    return sums.add(state, sums.single({"total": jnp.sum(values), "count": count}))


def result_mean(state: State) -> Array:
    """`total / count`, and 0 of nothing.

    >>> float(result_mean(init_mean("float32")))
    0.0
    """
    return divide_no_nan(sums.value(state, "total"), sums.value(state, "count"))


@FAMILY.register()
class Sum(Metric):
    """The weighted sum of values: `sum(w v)`.

    Args:
        name, dtype: as in `Metric`.

    State: `total` `()`, in two words.

    >>> metric = Sum()
    >>> state = metric.update(metric.init(), [1.0, 3.0, 5.0], sample_weight=[1.0, 1.0, 0.0])
    >>> float(metric.result(state))
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def init(self) -> State:
        """A total of 0."""
        return sums.zeros(("total",), (), self.state_dtype)

    def update(self, state: State, values: ArrayLike, sample_weight: ArrayLike | None = None) -> State:
        """Adds `(b, ...)` values, weighted."""
        weighted, _ = per_sample(values, sample_weight, jnp.sum, self.state_dtype)
        return sums.add(state, sums.single({"total": jnp.sum(weighted)}))

    def result(self, state: State) -> Array:
        """The total."""
        floating = jnp.issubdtype(state["total"].dtype, jnp.floating)
        return self._in_dtype(sums.value(state, "total") if floating else state["total"])

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)


class _MeanState(Metric):
    """A metric that is a mean; what it is the mean of is up to `update`."""

    def init(self) -> State:
        """A total and a count of 0."""
        return init_mean(self.state_dtype)

    def result(self, state: State) -> Array:
        """`total / count`; 0 before any update."""
        return self._in_dtype(result_mean(state))

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)


@FAMILY.register()
class Mean(_MeanState):
    """The weighted mean of values: `sum(w v) / sum(w)`.

    Args:
        name, dtype: as in `Metric`.

    State: `total` and `count` `()`, in two words each.

    >>> metric = Mean()
    >>> state = metric.update(metric.init(), [1.0, 3.0])
    >>> state = metric.update(state, [5.0], sample_weight=[2.0])
    >>> float(metric.result(state))
    3.5
    """

    def __init__(self, name: str | None = "mean", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update(self, state: State, values: ArrayLike, sample_weight: ArrayLike | None = None) -> State:
        """Adds `(b, ...)` values, weighted."""
        return update_mean(state, values, sample_weight, self.state_dtype)


class FunctionMean(_MeanState):
    """The mean of what a function makes of labels and predictions, with fixed arguments."""

    unwritten: ClassVar[Mapping[str, Any]] = {}
    """Arguments that Keras's configs leave out: they are written where they differ from these values."""

    def __init__(self, fn: MetricFunction, name: str | None, dtype: PolicyLike, **arguments: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.fn, self.arguments = fn, arguments

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Entries that the function itself does not count (`ignore_class`) are left out.

        Half precision predictions are cast to float32. Entries of weight 0 may hold anything, NaN included.
        """
        y_true, y_pred = as_arrays(y_true), widened(y_pred)
        counts = entries.counting(sample_weight, None)
        y_true, y_pred = entries.without(self.fn, y_true, y_pred, counts, self.arguments)
        values = self.fn(y_true, y_pred, **self.arguments)
        check_values(values, self.name)
        valid = entries.valid_entries(self.fn, y_true, y_pred, **self.arguments)
        if sample_weight is not None or valid is not None:
            mask = entries.mask_of_values(self.fn, sample_weight, y_pred, self.arguments)
            sample_weight = apply_mask(mask, valid, dtype=self.state_dtype)
        return update_mean(state, values, sample_weight, self.state_dtype)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        skipped = [key for key, value in self.unwritten.items() if self.arguments[key] == value]
        kept = {key: value for key, value in self.arguments.items() if key not in skipped}
        return {**super().get_config(), **registry.serialize(kept)}


class LossMean(FunctionMean):
    """The mean of a loss function."""

    direction = "down"


@FAMILY.register()
class MeanMetricWrapper(FunctionMean):
    """The mean of a function's values.

    Args:
        fn: `fn(y_true, y_pred, **kwargs) -> values`, one value per sample or entry.
        name, dtype: as in `Metric`.
        **kwargs: further arguments of `fn`.

    State: `total` and `count` `()`, in two words each.

    >>> from jkeras import losses
    >>> metric = MeanMetricWrapper(losses.huber, delta=0.5)
    >>> float(metric([[0.0], [0.0]], [[1.0], [0.5]]))
    0.25
    """

    def __init__(self, fn: MetricFunction, name: str | None = None, dtype: PolicyLike = None, **kwargs: Any) -> None:
        write = "MeanMetricWrapper(lambda y_true, y_pred: ...)   # a value for each example"
        arguments.function(fn, "fn", "MeanMetricWrapper", write, expected="a function of (y_true, y_pred)")
        check_takes_labels(fn, str(name or getattr(fn, "__name__", "MeanMetricWrapper")), kwargs)
        super().__init__(fn, name, dtype, **kwargs)
        if isinstance(fn, Loss) or any(fn is each for each in LOSSES.table.values()):
            self.direction = "down"

    def get_config(self) -> Config:
        """That of `Metric`, the function and its arguments."""
        return {**super().get_config(), "fn": registry.serialize(self.fn)}

    @classmethod
    def from_config(cls, config: Config) -> "Metric":
        """The metric of a config."""
        return cls(**registry.deserialize(config))
