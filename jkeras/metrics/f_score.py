"""F scores: precision and recall of each class in one number."""

import jax.numpy as jnp

from jkeras import arguments, config
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import paired, widened
from jkeras.losses.entries import zeroed
from jkeras.losses.weighting import weigh
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.metrics.reduction import check_outputs, entry_weights
from jkeras.typing import Array, ArrayLike, ArraySpec, Config

AVERAGES = (None, "micro", "macro", "weighted")
COUNTS = ("true_positives", "false_positives", "false_negatives")


class _FScore(Metric):
    """The F score; see `FBetaScore`."""

    direction = "up"

    def __init__(
        self, average: str | None, beta: float, threshold: float | None, name: str | None, dtype: PolicyLike
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        arguments.one_of(average, "average", owner, AVERAGES, write=f"{owner}(average='macro')")
        if not isinstance(beta, float) or not beta > 0:
            raise arguments.refusal(beta, "beta", owner, "a float > 0", write=f"{owner}(beta=1.0)")
        if threshold is not None and (not isinstance(threshold, float) or not 0 < threshold <= 1):
            wanted = "a float in (0, 1] or None"
            raise arguments.refusal(threshold, "threshold", owner, wanted, write=f"{owner}(threshold=0.5)")
        self.average, self.beta, self.threshold = average, beta, threshold

    def init(self) -> State:
        """Counts of 0; of one class where there are several to tell apart."""
        return self._empty(1)

    def init_for(self, y_pred: ArraySpec) -> State:
        """Counts of 0, one per class unless the average is `"micro"`."""
        return self._empty(check_outputs(y_pred, type(self).__name__)[-1])

    def _empty(self, classes: int) -> State:
        return sums.zeros(COUNTS, () if self.average == "micro" else (classes,), self.state_dtype)

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Weights have the shape `(b,)`, or that of the predictions."""
        owner, axis = type(self).__name__, None if self.average == "micro" else 0
        labels, scores = paired(y_true, widened(y_pred), owner, exactly=True)
        weight = entry_weights(sample_weight, check_outputs(scores, owner), self.state_dtype)
        labels, scores = zeroed(labels, weight != 0), zeroed(scores, weight != 0)
        if self.threshold is None:
            chosen = (scores >= jnp.max(scores, axis=-1, keepdims=True)) & (jnp.abs(scores) > 1e-9)
        else:
            chosen = scores > self.threshold
        labels, chosen = labels.astype(self.state_dtype), chosen.astype(self.state_dtype)
        found = (chosen * labels, chosen * (1 - labels), (1 - chosen) * labels)
        counts = [jnp.sum(weigh(each, weight), axis=axis) for each in found]
        return sums.add(state, sums.single(dict(zip(COUNTS, counts, strict=True))))

    def result(self, state: State) -> Array:
        """A scalar, or `(classes,)` without an average."""
        right, false, missed = (sums.value(state, key) for key in COUNTS)
        epsilon, square = config.epsilon(), self.beta**2
        precision, recall = right / (right + false + epsilon), right / (right + missed + epsilon)
        score = (1 + square) * precision * recall / (square * precision + recall + epsilon)
        if self.average == "weighted":
            labels = right + missed
            score = jnp.sum(score * labels / (jnp.sum(labels) + epsilon))
        elif self.average is not None:
            score = jnp.mean(score)
        return self._in_dtype(score)

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)


@FAMILY.register()
class FBetaScore(_FScore):
    """The weighted harmonic mean of precision and recall: `(1 + beta^2) P R / (beta^2 P + R)`.

    Args:
        average: `None` for a score per class; `"micro"` for that of all decisions together; `"macro"` for the mean over
            classes; `"weighted"` for the mean in which a class counts as often as it occurs.
        beta: how much more recall matters than precision.
        threshold: above which a prediction is a positive decision; `None` for the largest of an example.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(b, classes)`, one-hot or multi-hot labels; result `()`, without an average `(classes,)`.

    Raises:
        ArgumentError: an argument is out of range.
        ShapeError: the predictions are not `(b, classes)`.

    Source: C. J. van Rijsbergen, "Information retrieval", 1979, chapter 7.

    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> scores = metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> [round(float(score), 4) for score in scores]
    [0.3846, 0.9091, 0.8333]
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(average, beta, threshold, name, dtype)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


@FAMILY.register()
class F1Score(_FScore):
    """The harmonic mean of precision and recall: `2 P R / (P + R)`.

    Args:
        average, threshold, name, dtype: as in `FBetaScore`.

    Shapes:
        As in `FBetaScore`.

    Raises:
        ArgumentError, ShapeError: as in `FBetaScore`.

    Source: C. J. van Rijsbergen, "Information retrieval", 1979, chapter 7.

    >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    >>> round(float(F1Score("macro", threshold=0.5)([[1, 1, 1], [1, 0, 0], [1, 1, 0]], y_pred)), 4)
    0.6556
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return {**super().get_config(), "average": self.average, "threshold": self.threshold}
