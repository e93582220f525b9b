"""Errors of predicted quantities, averaged over all samples seen."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import as_arrays, paired
from jkeras.losses.entries import along, counting, zeroed
from jkeras.losses.regression import (
    cosine,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.metrics.reduction import FunctionMean, LossMean, init_mean, result_mean, update_mean
from jkeras.typing import Array, ArrayLike


@FAMILY.register("mse", "MSE")
class MeanSquaredError(LossMean):
    """The mean of `(y_true - y_pred)^2`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: PolicyLike = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


@FAMILY.register()
class RootMeanSquaredError(Metric):
    """The root of the mean of `(y_true - y_pred)^2` over everything seen.

    Args:
        name, dtype: as in `Metric`.

    State: `total` and `count` `()` of the squares, in two words each.

    >>> float(RootMeanSquaredError()([[0.0, 0.0]], [[3.0, 3.0]]))
    3.0
    """

    direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def init(self) -> State:
        """A total and a count of 0."""
        return init_mean(self.state_dtype)

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch."""
        y_true, y_pred = paired(y_true, as_arrays(y_pred, self.state_dtype), "RootMeanSquaredError")
        errors = y_pred - y_true
        errors = zeroed(errors, along(counting(sample_weight, None), errors.shape))
        return update_mean(state, jnp.square(errors), sample_weight, self.state_dtype)

    def result(self, state: State) -> Array:
        """`sqrt(total / count)`; 0 before any update."""
        mean = result_mean(state)
        zero = mean == 0  # where the derivative of the root is infinite
        return self._in_dtype(jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, mean))))

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        return sums.add(a, b)


@FAMILY.register("mae", "MAE")
class MeanAbsoluteError(LossMean):
    """The mean of `|y_true - y_pred|`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: PolicyLike = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)


@FAMILY.register("mape", "MAPE")
class MeanAbsolutePercentageError(LossMean):
    """The mean of `100 |y_true - y_pred| / |y_true|`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]))
    37.5
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: PolicyLike = None) -> None:
        super().__init__(mean_absolute_percentage_error, name, dtype)


@FAMILY.register("msle", "MSLE")
class MeanSquaredLogarithmicError(LossMean):
    """The mean of `(log(1 + y_true) - log(1 + y_pred))^2`.

    Args:
        name, dtype: as in `Metric`.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 0.0]])), 4)
    0.4805
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: PolicyLike = None) -> None:
        super().__init__(mean_squared_logarithmic_error, name, dtype)


@FAMILY.register()
class LogCoshError(LossMean):
    """The mean of `log cosh(y_pred - y_true)`.

    Args:
        name, dtype: as in `Metric`.

    >>> round(float(LogCoshError()([[0.0, 0.0]], [[0.0, 1.0]])), 4)
    0.2169
    """

    def __init__(self, name: str | None = "logcosh", dtype: PolicyLike = None) -> None:
        super().__init__(log_cosh, name, dtype)


@FAMILY.register()
class CosineSimilarity(FunctionMean):
    """The mean cosine of the angle between labels and predictions. The loss of the same name is minus that.

    Args:
        name, dtype: as in `Metric`.
        axis: along which the vectors lie.

    Raises:
        ArgumentError: the axis is not an int.

    >>> round(float(CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]])), 2)
    0.96
    """

    direction = "up"
    unwritten: ClassVar[Mapping[str, Any]] = {"axis": -1}

    def __init__(self, name: str | None = "cosine_similarity", dtype: PolicyLike = None, axis: int = -1) -> None:
        super().__init__(cosine, name, dtype, axis=arguments.axis(axis, "axis", "CosineSimilarity"))
