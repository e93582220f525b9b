"""Counts of right and wrong decisions, and the ratios precision and recall.

A prediction is a positive decision where it exceeds a threshold. Labels are positive where they are not 0.
"""

from collections.abc import Sequence
from typing import ClassVar

from jkeras.dtypes import PolicyLike
from jkeras.metrics.base import FAMILY, State
from jkeras.metrics.thresholds import Rate, ThresholdMetric, arranged, check_thresholds, confusion, precision, recall
from jkeras.typing import Array, Config


class _Count(ThresholdMetric):
    """The weight of one kind of decision.

    Args:
        thresholds: a number in [0, 1] or a sequence of them; 0.5 by default.
        name, dtype: as in `Metric`.

    Raises:
        ArgumentError: a threshold is not a number in [0, 1].
    """

    kind: ClassVar[str]

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: PolicyLike = None
    ) -> None:
        self.init_thresholds = thresholds
        given = check_thresholds(0.5 if thresholds is None else thresholds, type(self).__name__)
        super().__init__(arranged(given), name, dtype)

    def result(self, state: State) -> Array:
        """A scalar for one threshold, `(thresholds,)` for several."""
        return self._in_dtype(self.in_given_order(getattr(confusion(state), self.kind)))

    def get_config(self) -> Config:
        """That of `Metric`, and the thresholds as they were given."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


@FAMILY.register()
class TruePositives(_Count):
    """The weight of positive labels with positive decisions: `sum(w [y_true and y_pred > threshold])`.

    Args:
        thresholds: a number in [0, 1] or a sequence of them; 0.5 by default.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(...)`; result `()`, or `(thresholds,)` for several.

    Raises:
        ArgumentError: a threshold is not a number in [0, 1].

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    kind = "true_positives"


@FAMILY.register()
class FalsePositives(_Count):
    """The weight of negative labels with positive decisions: `sum(w [not y_true and y_pred > threshold])`.

    Args:
        thresholds, name, dtype: as in `TruePositives`.

    Shapes:
        As in `TruePositives`.

    Raises:
        ArgumentError: as in `TruePositives`.

    >>> FalsePositives(thresholds=[0.2, 0.8])([0, 0, 1], [0.5, 0.9, 1]).tolist()
    [2.0, 1.0]
    """

    kind = "false_positives"


@FAMILY.register()
class TrueNegatives(_Count):
    """The weight of negative labels with negative decisions: `sum(w [not y_true and y_pred <= threshold])`.

    Args:
        thresholds, name, dtype: as in `TruePositives`.

    Shapes:
        As in `TruePositives`.

    Raises:
        ArgumentError: as in `TruePositives`.

    >>> float(TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0], sample_weight=[0, 0, 1, 0.5]))
    1.5
    """

    kind = "true_negatives"


@FAMILY.register()
class FalseNegatives(_Count):
    """The weight of positive labels with negative decisions: `sum(w [y_true and y_pred <= threshold])`.

    Args:
        thresholds, name, dtype: as in `TruePositives`.

    Shapes:
        As in `TruePositives`.

    Raises:
        ArgumentError: as in `TruePositives`.

    >>> float(FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    kind = "false_negatives"


class _Ratio(ThresholdMetric):
    """True positives among something.

    Args:
        thresholds: a number in [0, 1] or a sequence of them; by default 0.5, and with `top_k` none.
        top_k: of each example only so many of the largest predictions are positive decisions.
        class_id: the one class that is looked at.
        name, dtype: as in `Metric`.

    Raises:
        ArgumentError: an argument is out of range.
    """

    direction = "up"
    rate: ClassVar[Rate]

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        self.init_thresholds = thresholds
        if thresholds is None:
            given = [0.5 if top_k is None else float("-inf")]
        else:
            given = check_thresholds(thresholds, type(self).__name__)
        super().__init__(arranged(given), name, dtype, top_k, class_id)

    def result(self, state: State) -> Array:
        """A scalar for one threshold, `(thresholds,)` for several."""
        return self._in_dtype(self.in_given_order(type(self).rate(confusion(state))))

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments as they were given."""
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


@FAMILY.register()
class Precision(_Ratio):
    """How many of the positive decisions are right: `TP / (TP + FP)`; 0 where there are none.

    Args:
        thresholds: a number in [0, 1] or a sequence of them, above which a prediction is a positive decision; by
            default 0.5, and with `top_k` none. 0 for logits.
        top_k: of each example only so many of the largest predictions are positive decisions.
        class_id: the one class that is looked at.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(...)`, with `top_k` or `class_id` `(..., classes)`; result `()`, or `(thresholds,)` for
        several.

    Raises:
        ArgumentError: an argument is out of range.

    >>> round(float(Precision()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    >>> float(Precision(top_k=2)([[0, 0, 1, 1]], [[0.1, 0.4, 0.3, 0.2]]))
    0.5
    """

    rate = precision


@FAMILY.register()
class Recall(_Ratio):
    """How many of the positive labels are found: `TP / (TP + FN)`; 0 where there are none.

    Args:
        thresholds: a number in [0, 1] or a sequence of them, above which a prediction is a positive decision; by
            default 0.5, and with `top_k` none. 0 for logits.
        top_k: of each example only so many of the largest predictions are positive decisions.
        class_id: the one class that is looked at.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(...)`, with `top_k` or `class_id` `(..., classes)`; result `()`, or `(thresholds,)` for
        several.

    Raises:
        ArgumentError: an argument is out of range.

    >>> float(Recall()([0, 1, 1, 1, 1], [1, 0, 1, 1, 1]))
    0.75
    """

    rate = recall
