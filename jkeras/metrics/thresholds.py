"""Decisions at thresholds, counted once for all of them.

A score decides for "positive" at every threshold that it exceeds. Of ascending thresholds those are the first `n`, for
some `n`, so `n` says it all. The state is two histograms over `n`: the weight of the entries whose label is positive,
and of those whose label is negative. What a confusion matrix holds at threshold `i` are their tails and heads:

    TP_i = sum of positives_n over n > i      FN_i = sum of positives_n over n <= i
    FP_i = sum of negatives_n over n > i      TN_i = sum of negatives_n over n <= i

So an update looks at each entry once, however many thresholds there are, and no array of (thresholds, entries) exists;
merging is adding; and a count never is the difference of two others.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import arguments, config
from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.losses.arrays import as_float, divide_no_nan, paired, widened
from jkeras.metrics import sums
from jkeras.metrics.base import Metric, State
from jkeras.metrics.reduction import entry_weights
from jkeras.typing import Array, ArrayLike

HISTOGRAMS = ("positives", "negatives")
PART = 2**22  # so many weights of 1 are added exactly, one after the other, and parts pairwise
FEW = 8  # so many comparisons per entry, fused into one sum, are cheaper than a search or a scatter


class Thresholds(NamedTuple):
    """Thresholds in ascending order, and the order in which they were given.

    Attributes:
        values: ascending.
        places: where each threshold, in the order given, stands among the values.
        even: whether they divide the unit interval into equal parts; the first and the last may lie just outside.
    """

    values: tuple[float, ...]
    places: tuple[int, ...]
    even: bool


class Confusion(NamedTuple):
    """Weights of the four kinds of decisions, `(thresholds,)` or `(thresholds, labels)` each."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


Rate: TypeAlias = Callable[[Confusion], Array]


def arranged(given: Sequence[float], *, even: bool | None = None) -> Thresholds:
    """Thresholds of any order; whether they are even is found out unless it is known.

    >>> arranged([0.9, 0.1])
    Thresholds(values=(0.1, 0.9), places=(1, 0), even=False)
    >>> arranged([0.0, 0.5, 1.0]).even
    True
    """
    order = sorted(range(len(given)), key=given.__getitem__)
    places = tuple(order.index(index) for index in range(len(given)))
    return Thresholds(tuple(given[index] for index in order), places, is_even(given) if even is None else even)


def is_even(given: Sequence[float]) -> bool:
    """Whether at least three thresholds are `0, 1 / n, 2 / n, ..., 1`, up to rounding.

    >>> is_even([0.0, 0.5, 1.0]), is_even([0.0, 1.0])
    (True, False)
    """
    size = len(given)
    return size >= 3 and bool(np.allclose(given, np.arange(size) / (size - 1), atol=config.epsilon()))


def steps(size: int) -> list[float]:
    """The thresholds strictly between 0 and 1 of `size` even ones.

    >>> steps(5)
    [0.25, 0.5, 0.75]
    """
    return [(index + 1) / (size - 1) for index in range(size - 2)]


def check_thresholds(given: Any, owner: str) -> list[float]:
    """A list of numbers in [0, 1], of one such number or several.

    >>> check_thresholds(0.5, "Precision")
    [0.5]
    """
    values = list(given) if isinstance(given, list | tuple) else [given]
    if not values or not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        wanted, write = "numbers in [0, 1]", f"{owner}(thresholds=[0.25, 0.5, 0.75])"
        raise arguments.refusal(given, "thresholds", owner, wanted, write=write)
    return values


def check_class_id(class_id: object, owner: str) -> int | None:
    """A class index or `None`.

    >>> check_class_id(2, "Precision")
    2
    """
    found = arguments.optional_int(class_id, "class_id", owner)
    if found is not None and found < 0:
        wanted, write = "a non-negative integer or None", f"{owner}(class_id=0)"
        raise arguments.refusal(class_id, "class_id", owner, wanted, expected="an int >= 0 or None", write=write)
    return found


def exceeded(scores: Array, thresholds: Thresholds) -> Array:
    """How many thresholds each score exceeds; NaN exceeds none.

    >>> exceeded(jnp.array([0.0, 0.3, 0.5, 1.0]), arranged([0.0, 0.5, 1.0])).tolist()
    [0, 1, 1, 2]
    """
    size = len(thresholds.values)
    if thresholds.even:
        found = jnp.ceil(jnp.clip(scores, 0, 1) * (size - 1))
        found = jnp.maximum(found, float(thresholds.values[0] < 0))  # every score exceeds what lies below 0
    else:
        values = jnp.asarray(thresholds.values, scores.dtype)
        if size <= FEW:
            above = jnp.expand_dims(scores, -1) > jnp.reshape(values, (1,) * scores.ndim + (size,))
            return jnp.sum(above, axis=-1, dtype="int32")
        found = jnp.searchsorted(values, scores, side="left")
    return jnp.where(jnp.isnan(scores), 0, found).astype("int32")


def histogram(entries: Array, weights: Array, length: int) -> Array:
    """The sum of the weights of each entry value from 0 to `length - 1`; other values are left out.

    >>> histogram(jnp.array([0, 2, 2, 5]), jnp.ones(4), 3).tolist()
    [1.0, 0.0, 2.0]
    """
    entries, weights = jnp.ravel(entries), jnp.ravel(weights)
    if length > FEW:
        parts = -(-entries.size // PART)
        if parts > 1:
            part = jax.lax.broadcasted_iota("int32", entries.shape, 0) // PART
            inside = (entries >= 0) & (entries < length)
            entries = jnp.where(inside, entries + length * part, length * parts)
        found = jax.ops.segment_sum(weights, entries, length * max(parts, 1))
        return jnp.sum(jnp.reshape(found, (-1, length)), axis=0, dtype=weights.dtype)
    found = jnp.expand_dims(entries, 0) == jnp.expand_dims(jnp.arange(length, dtype=entries.dtype), 1)
    return jnp.sum(jnp.where(found, jnp.expand_dims(weights, 0), 0), axis=1, dtype=weights.dtype)


def tally(labels: Array, scores: Array, weight: Array, thresholds: Thresholds, *, by_label: bool = False) -> State:
    """The state of one batch: histograms `(thresholds + 1,)`, or `(thresholds + 1, labels)`.

    Args:
        labels, scores, weight: `(...)`, booleans and floats; with `by_label` the last axis is that of the labels.
        thresholds: the thresholds.
        by_label: whether each label has histograms of its own.

    >>> state = tally(jnp.array([True, True]), jnp.array([0.2, 0.8]), jnp.ones(2), arranged([0.5]))
    >>> state["positives"].tolist(), state["negatives"].tolist()
    ([1.0, 1.0], [0.0, 0.0])
    """
    entries, columns = 2 * exceeded(scores, thresholds) + labels, 1
    if by_label:
        columns = scores.shape[-1]
        entries = columns * entries + jnp.expand_dims(jnp.arange(columns), tuple(range(scores.ndim - 1)))
    size = len(thresholds.values) + 1
    found = jnp.reshape(histogram(entries, weight, 2 * size * columns), (size, 2, columns))
    if not by_label:
        found = jnp.squeeze(found, 2)
    return sums.single({"positives": found[:, 1], "negatives": found[:, 0]})


def confusion(state: State) -> Confusion:
    """What a confusion matrix holds at each of the ascending thresholds.

    >>> state = sums.single({"positives": jnp.array([1.0, 3.0]), "negatives": jnp.array([5.0, 2.0])})
    >>> [count.tolist() for count in confusion(state)]
    [[3.0], [2.0], [5.0], [1.0]]
    """
    found = sums.values(state)
    tails = {key: jax.lax.cumsum(value, axis=0, reverse=True)[1:] for key, value in found.items()}
    heads = {key: jax.lax.cumsum(value, axis=0)[:-1] for key, value in found.items()}
    return Confusion(tails["positives"], tails["negatives"], heads["negatives"], heads["positives"])


def precision(counts: Confusion) -> Array:
    """`TP / (TP + FP)` at each threshold; 0 where that is 0 / 0, here and below."""
    return divide_no_nan(counts.true_positives, counts.true_positives + counts.false_positives)


def recall(counts: Confusion) -> Array:
    """`TP / (TP + FN)` at each threshold: the sensitivity."""
    return divide_no_nan(counts.true_positives, counts.true_positives + counts.false_negatives)


def specificity(counts: Confusion) -> Array:
    """`TN / (TN + FP)` at each threshold."""
    return divide_no_nan(counts.true_negatives, counts.true_negatives + counts.false_positives)


def fall_out(counts: Confusion) -> Array:
    """`FP / (TN + FP)` at each threshold."""
    return divide_no_nan(counts.false_positives, counts.true_negatives + counts.false_positives)


def decisions(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, dtype: str, owner: str
) -> tuple[Array, Array, Array]:
    """Labels as booleans, scores of at least float32, and weights, all of the shape of the predictions.

    Raises `ShapeError` where the shapes do not fit.
    """
    y_true, scores = paired(y_true, widened(as_float(y_pred)), owner, exactly=True)
    scores = scores.astype(jnp.promote_types(dtype, "float32"))
    return y_true.astype(bool), scores, entry_weights(sample_weight, scores.shape, dtype)


def keep_top(scores: Array, k: int, owner: str) -> Array:
    """The `k` largest scores along the last axis, the first of equal ones; -inf in place of the others.

    >>> keep_top(jnp.array([0.2, 0.5, 0.5]), 1, "Precision").tolist()
    [-inf, 0.5, -inf]
    """
    if not scores.ndim or scores.shape[-1] < k:
        raise ShapeError(
            f"`top_k` must be at most the number of classes, got {k}.",
            path=owner,
            expected=f"at least top_k={k} classes on the last axis",
            received=f"shape {scores.shape}",
            write=f"{owner}(top_k={scores.shape[-1] if scores.ndim else 1})",
        )
    _, best = jax.lax.top_k(scores, k)
    kept = jnp.put_along_axis(jnp.zeros(scores.shape, bool), best, True, axis=-1, inplace=False)
    return jnp.where(kept, scores, -jnp.inf)


def check_classes(scores: Array, class_id: int, owner: str) -> None:
    """Raises `ShapeError` where the last axis has no such class."""
    if scores.ndim < 2 or scores.shape[-1] <= class_id:
        raise ShapeError(
            f"`class_id` must be the index of a predicted class, got {class_id}.",
            path=owner,
            expected=f"shape (..., classes) with classes > class_id={class_id}",
            received=f"shape {scores.shape}",
            write=f"{owner}(class_id={scores.shape[-1] - 1})" if scores.ndim > 1 and scores.shape[-1] else None,
        )


class ThresholdMetric(Metric):
    """A metric of decisions at thresholds; what it makes of their confusion matrices is up to `result`.

    Args:
        thresholds: in any order.
        top_k: only so many of the largest scores of an example can be positive decisions.
        class_id: the one class that is looked at.
        name, dtype: as in `Metric`.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        name: str | None,
        dtype: PolicyLike,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        self.arranged = thresholds
        self.top_k = None if top_k is None else arguments.positive_int(top_k, "top_k", owner)
        self.class_id = check_class_id(class_id, owner)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, in the order in which they were given."""
        return [self.arranged.values[place] for place in self.arranged.places]

    def init(self) -> State:
        """Two empty histograms."""
        return sums.zeros(HISTOGRAMS, (len(self.arranged.values) + 1,), self.state_dtype)

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Weights have the shape of the predictions or of their first axes."""
        owner = type(self).__name__
        labels, scores, weight = decisions(y_true, y_pred, sample_weight, self.state_dtype, owner)
        if self.top_k is not None:
            scores = keep_top(scores, self.top_k, owner)
        if self.class_id is not None:
            check_classes(scores, self.class_id, owner)
            labels, scores, weight = (each[..., self.class_id] for each in (labels, scores, weight))
        return sums.add(state, tally(labels, scores, weight, self.arranged))

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)

    def in_given_order(self, values: Array) -> Array:
        """Values per ascending threshold as values per given threshold; the one value of a single threshold."""
        places = self.arranged.places
        if len(places) == 1:
            return values[0]
        return values if places == tuple(sorted(places)) else values[jnp.array(places)]
