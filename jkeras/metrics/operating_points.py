"""Single points on the curves that moving a threshold draws: the best of one rate where another is good enough.

The thresholds divide the unit interval evenly. The state is that of `jkeras.metrics.thresholds`.
"""

from typing import ClassVar

import jax.numpy as jnp

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.metrics.base import FAMILY, State
from jkeras.metrics.thresholds import (
    Rate,
    ThresholdMetric,
    arranged,
    confusion,
    precision,
    recall,
    specificity,
    steps,
)
from jkeras.typing import Array, Config


class _OperatingPoint(ThresholdMetric):
    """The largest value of one rate among the thresholds at which another is at least a bound."""

    direction = "up"
    bounded: ClassVar[Rate]
    wanted: ClassVar[Rate]
    bound_name: ClassVar[str]

    def __init__(
        self, bound: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: PolicyLike
    ) -> None:
        owner = type(self).__name__
        self.value = arguments.fraction(bound, self.bound_name, owner)
        self.num_thresholds = arguments.positive_int(num_thresholds, "num_thresholds", owner)
        if num_thresholds == 1:
            thresholds = arranged([0.5], even=False)
        else:
            thresholds = arranged([0.0, *steps(num_thresholds), 1.0], even=True)
        super().__init__(thresholds, name, dtype, class_id=class_id)

    def result(self, state: State) -> Array:
        """A scalar; 0 where no threshold reaches the bound."""
        counts = confusion(state)
        enough = type(self).bounded(counts) >= self.value
        return self._in_dtype(jnp.max(jnp.where(enough, type(self).wanted(counts), 0)))

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        own = {"class_id": self.class_id, "num_thresholds": self.num_thresholds, self.bound_name: self.value}
        return {**super().get_config(), **own}


@FAMILY.register()
class SensitivityAtSpecificity(_OperatingPoint):
    """The largest sensitivity `TP / (TP + FN)` among thresholds whose specificity `TN / (TN + FP)` is enough.

    Args:
        specificity: how much is enough, in [0, 1].
        num_thresholds: even ones from 0 to 1; 1 means 0.5.
        class_id: the one class that is looked at.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(...)`, with `class_id` `(..., classes)`; result `()`.

    Raises:
        ArgumentError: an argument is out of range.

    >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    bounded, wanted, bound_name = specificity, recall, "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


@FAMILY.register()
class SpecificityAtSensitivity(_OperatingPoint):
    """The largest specificity `TN / (TN + FP)` among thresholds whose sensitivity `TP / (TP + FN)` is enough.

    Args:
        sensitivity: how much is enough, in [0, 1].
        num_thresholds, class_id, name, dtype: as in `SensitivityAtSpecificity`.

    Shapes:
        As in `SensitivityAtSpecificity`.

    Raises:
        ArgumentError: an argument is out of range.

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    bounded, wanted, bound_name = recall, specificity, "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


@FAMILY.register()
class PrecisionAtRecall(_OperatingPoint):
    """The largest precision `TP / (TP + FP)` among thresholds whose recall `TP / (TP + FN)` is enough.

    Args:
        recall: how much is enough, in [0, 1].
        num_thresholds, class_id, name, dtype: as in `SensitivityAtSpecificity`.

    Shapes:
        As in `SensitivityAtSpecificity`.

    Raises:
        ArgumentError: an argument is out of range.

    >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    bounded, wanted, bound_name = recall, precision, "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)


@FAMILY.register()
class RecallAtPrecision(_OperatingPoint):
    """The largest recall `TP / (TP + FN)` among thresholds whose precision `TP / (TP + FP)` is enough.

    Args:
        precision: how much is enough, in [0, 1].
        num_thresholds, class_id, name, dtype: as in `SensitivityAtSpecificity`.

    Shapes:
        As in `SensitivityAtSpecificity`.

    Raises:
        ArgumentError: an argument is out of range.

    >>> float(RecallAtPrecision(0.75)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    bounded, wanted, bound_name = precision, recall, "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
