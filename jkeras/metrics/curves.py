"""The curves that moving a threshold draws, and the area under them.

The thresholds divide the unit interval evenly unless others are given. The state is that of
`jkeras.metrics.thresholds`.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from jkeras import arguments, config, registry
from jkeras.dtypes import PolicyLike
from jkeras.errors import ArgumentError, ShapeError
from jkeras.losses.arrays import divide_no_nan
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.metrics.thresholds import (
    HISTOGRAMS,
    Confusion,
    arranged,
    check_thresholds,
    confusion,
    decisions,
    fall_out,
    is_even,
    precision,
    recall,
    steps,
    tally,
)
from jkeras.typing import Array, ArrayLike, ArraySpec, Config, Shape

CURVES = ("ROC", "PR", "PRGAIN")
HEIGHTS: Mapping[str, Callable[[Array, Array], Array]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "majoring": jnp.maximum,
    "minoring": jnp.minimum,
}


def gains(counts: Confusion) -> tuple[Array, Array]:
    """Recall gain, at least 0, and precision gain at each threshold: how far both are above the share of positives.

    Source: P. Flach and M. Kull, "Precision-recall-gain curves: PR analysis done right", NeurIPS 2015.
    """
    right, false, missed = counts.true_positives, counts.false_positives, counts.false_negatives
    odds = divide_no_nan(right + missed, counts.true_negatives + false)
    of_recall = jnp.maximum(jnp.where(right == 0, 0, 1 - odds * divide_no_nan(missed, right)), 0)
    return of_recall, jnp.where(right == 0, 1, 1 - odds * divide_no_nan(false, right))


def interpolated_precision(counts: Confusion) -> Array:
    """The area of each piece of the precision-recall curve, along which true positives are linear in positives.

    Source: J. Davis and M. Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
    """
    right, positive = counts.true_positives, counts.true_positives + counts.false_positives
    gained = right[:-1] - right[1:]
    slope = divide_no_nan(gained, positive[:-1] - positive[1:])
    intercept = right[1:] - slope * positive[1:]
    ratio = jnp.where((positive[:-1] > 0) & (positive[1:] > 0), divide_no_nan(positive[:-1], positive[1:]), 1)
    labels = right[1:] + counts.false_negatives[1:]
    return divide_no_nan(slope * (gained + intercept * jnp.log(ratio)), labels)


def _choice(value: object, argument: str, among: tuple[str, ...]) -> str:
    """One of some words, whose case may be the other or capitalized."""
    for word in among:
        if value in (word, word.lower(), word.capitalize()):
            return word
    return arguments.one_of(value, argument, "AUC", among)


def _label_weights(given: Sequence[float] | None, num_labels: int | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    weights = tuple(float(weight) for weight in given)
    if not all(weight >= 0 for weight in weights) or (num_labels and len(weights) != num_labels):
        raise ArgumentError(
            f"`label_weights` must be {num_labels or 'some'} numbers >= 0, got {arguments.shown(given)}.",
            path="AUC",
            expected=f"{num_labels or 'some'} numbers >= 0, one for each label",
            received=repr(given)[:80],
            write=f"AUC(multi_label=True, label_weights={[1.0] * min(num_labels or 2, 8)})",
        )
    return weights


@FAMILY.register()
class AUC(Metric):
    """The area under a curve that a moving threshold draws, by Riemann sums.

    | curve | horizontal | vertical |
    |---|---|---|
    | `"ROC"` | `FP / (TN + FP)` | `TP / (TP + FN)` |
    | `"PR"` | `TP / (TP + FN)` | `TP / (TP + FP)` |
    | `"PRGAIN"` | recall gain | precision gain |

    Args:
        num_thresholds: even ones from 0 to 1, those two included.
        curve: as above.
        summation_method: the height of a piece is the mean of its ends, `"interpolation"`, the larger of them,
            `"majoring"`, or the smaller, `"minoring"`. With `"interpolation"` a piece of `"PR"` is exact: along it the
            true positives are linear in the positives.
        name, dtype: as in `Metric`.
        thresholds: numbers in [0, 1] in place of even ones; 0 and 1 are added to them.
        multi_label: whether each label has a curve of its own, and the result is the mean of the areas.
        num_labels: how many labels there are, with `multi_label`; known from the predictions otherwise.
        label_weights: one per label. They weigh the areas with `multi_label`, and otherwise the decisions.
        from_logits: whether predictions are logits, to which a sigmoid is applied.

    Shapes:
        `y_true`, `y_pred`: `(...)`, with `multi_label` `(b, labels)`; result `()`.

    Raises:
        ArgumentError: an argument is out of range.
        ShapeError: with `multi_label`, predictions are not `(b, labels)`.

    Source: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006; for `"PR"` Davis and
    Goadrich, ICML 2006; for `"PRGAIN"` Flach and Kull, NeurIPS 2015.

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: PolicyLike = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.curve = _choice(curve, "curve", CURVES)
        self.summation_method = _choice(summation_method, "summation_method", tuple(HEIGHTS))
        self.multi_label = arguments.boolean(multi_label, "multi_label", "AUC")
        self.from_logits = arguments.boolean(from_logits, "from_logits", "AUC")
        self.num_labels = None if num_labels is None else arguments.positive_int(num_labels, "num_labels", "AUC")
        if num_labels is not None and not multi_label:
            raise ArgumentError(
                "`num_labels` needs `multi_label=True`.",
                path="AUC",
                expected="num_labels=None or multi_label=True",
                received=f"num_labels={num_labels}, multi_label={multi_label}",
                write=f"AUC(multi_label=True, num_labels={num_labels})",
            )
        self.label_weights = _label_weights(label_weights, self.num_labels)
        self.own_thresholds = thresholds is not None
        if self.own_thresholds:
            inner = sorted(check_thresholds(thresholds, "AUC"))
            even = is_even([0.0, *inner, 1.0])
        elif arguments.positive_int(num_thresholds, "num_thresholds", "AUC") < 2:
            raise ArgumentError(
                "`num_thresholds` must be at least 2, got 1.",
                path="AUC",
                expected="an int >= 2",
                received="1",
                write="AUC(num_thresholds=200)",
            )
        else:
            inner, even = steps(num_thresholds), True
        self.num_thresholds = len(inner) + 2
        # every score exceeds the first and none the last
        self.arranged = arranged([-config.epsilon(), *inner, 1 + config.epsilon()], even=even)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, in ascending order."""
        return list(self.arranged.values)

    def init(self) -> State:
        """Two empty histograms; with `multi_label` of each label, and of one while their number is not known."""
        return self._empty(self._known_labels or 1)

    def init_for(self, y_pred: ArraySpec) -> State:
        """Two empty histograms; with `multi_label` of each label."""
        if self.multi_label:
            self._check_labels(y_pred.shape)
        return self._empty(y_pred.shape[-1] if self.multi_label else 1)

    def _empty(self, labels: int) -> State:
        shape = (self.num_thresholds + 1, labels)
        return sums.zeros(HISTOGRAMS, shape if self.multi_label else shape[:1], self.state_dtype)

    @property
    def _known_labels(self) -> int | None:
        return self.num_labels or (len(self.label_weights) if self.label_weights else None)

    def _check_labels(self, shape: Shape) -> None:
        """Raises `ShapeError` where predictions have other labels than are known, and with `multi_label` other axes."""
        fits = len(shape) == 2 if self.multi_label else len(shape) > 1
        if not fits or shape[-1] is None or self._known_labels not in (None, shape[-1]):
            axes, labels = "b" if self.multi_label else "...", self._known_labels or "labels"
            raise ShapeError(
                "the predictions must have one column for each label.",
                path="AUC",
                expected=f"shape ({axes}, {labels})",
                received=f"shape {shape}",
                write="AUC()   # without `multi_label`, for predictions of any shape"
                if self.multi_label and len(shape) != 2
                else None,
            )

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Weights have the shape of the predictions or of their first axes."""
        labels, scores, weight = decisions(y_true, y_pred, sample_weight, self.state_dtype, "AUC")
        if self.from_logits:
            scores = jax.nn.sigmoid(scores)
        if self.multi_label or self.label_weights is not None:
            self._check_labels(scores.shape)
        if self.label_weights is not None and not self.multi_label:
            factors = jnp.array(self.label_weights, self.state_dtype)
            weight = weight * jnp.expand_dims(factors, tuple(range(weight.ndim - 1)))
        return sums.add(state, tally(labels, scores, weight, self.arranged, by_label=self.multi_label))

    def result(self, state: State) -> Array:
        """The area; with `multi_label` the mean of the labels' areas."""
        area = jnp.sum(self._pieces(confusion(state)), axis=0)
        if self.multi_label and self.label_weights is not None:
            factors = jnp.array(self.label_weights, self.state_dtype)
            area = divide_no_nan(jnp.sum(area * factors), jnp.sum(factors))
        elif self.multi_label:
            area = jnp.mean(area)
        return self._in_dtype(area)

    def _pieces(self, counts: Confusion) -> Array:
        """The areas between neighbouring thresholds, `(thresholds - 1,)` or `(thresholds - 1, labels)`."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return interpolated_precision(counts)
        if self.curve == "PRGAIN":
            x, y = gains(counts)
        else:
            x, y = (fall_out(counts), recall(counts)) if self.curve == "ROC" else (recall(counts), precision(counts))
        return (x[:-1] - x[1:]) * HEIGHTS[self.summation_method](y[:-1], y[1:])

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments; the thresholds where they were given."""
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else list(self.label_weights),
            "from_logits": self.from_logits,
        }
        if self.own_thresholds:
            own["thresholds"] = list(self.arranged.values[1:-1])
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: Config) -> Metric:
        """The metric of a config; Keras's hold the label weights as an array."""
        return cls(**registry.deserialize(config))
