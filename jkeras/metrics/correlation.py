"""How well predicted quantities follow the true ones: correlations, and the coefficient of determination."""

from typing import Any

import jax.numpy as jnp

from jkeras import arguments, config, registry
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import as_arrays, divide_no_nan, paired
from jkeras.losses.entries import declare, zeroed
from jkeras.losses.weighting import weigh
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.metrics.reduction import FunctionMean, check_outputs, entry_weights
from jkeras.typing import Array, ArrayLike, ArraySpec, Axes, Config

MOMENTS = ("weight", "mean", "variation", "residual")
AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


def _centred(x: Array, axis: Axes) -> tuple[Array, Array]:
    """The mean, and what the values are more than that."""
    mean = jnp.mean(x, axis=axis, keepdims=True)
    return mean, x - mean


def _axes(axis: Axes) -> Any:
    return axis if isinstance(axis, int) else tuple(axis)


@registry.export("keras.metrics")
@declare()
def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: Axes = -1) -> Array:
    """How close labels and predictions are to a line: `cov(y, p) / (std(y) std(p))`, from -1 to 1.

    Args:
        y_true, y_pred: `(...)`.
        axis: along which the values of one coefficient lie; or several axes.

    Returns:
        The shape without the axis; NaN where labels or predictions do not vary.

    Raises:
        ShapeError: the shapes do not fit.

    Source: K. Pearson, "Notes on regression and inheritance in the case of two parents", Proc. R. Soc. 58, 1895.

    >>> [round(float(r), 4) for r in pearson_correlation([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])]
    [1.0, 0.9934]
    """
    a, b = paired(y_true, y_pred, "pearson_correlation")
    axis = _axes(axis)
    (_, a), (_, b) = _centred(a, axis), _centred(b, axis)
    return jnp.mean(a / jnp.std(a, axis=axis, keepdims=True) * (b / jnp.std(b, axis=axis, keepdims=True)), axis=axis)


@registry.export("keras.metrics")
@declare()
def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: Axes = -1) -> Array:
    """How close labels and predictions are to equality, from -1 to 1.

    `2 cov(y, p) / (var(y) + var(p) + (mean(y) - mean(p))^2)`

    Args:
        y_true, y_pred: `(...)`.
        axis: along which the values of one coefficient lie; or several axes.

    Returns:
        The shape without the axis; 0 where labels and predictions do not vary.

    Raises:
        ShapeError: the shapes do not fit.

    Source: L. Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.

    >>> y_true, y_pred = [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
    >>> [round(float(c), 4) for c in concordance_correlation(y_true, y_pred)]
    [0.9756, 0.9877]
    """
    a, b = paired(y_true, y_pred, "concordance_correlation")
    axis = _axes(axis)
    (mean_a, a), (mean_b, b) = _centred(a, axis), _centred(b, axis)
    spread = jnp.var(a, axis=axis) + jnp.var(b, axis=axis) + jnp.squeeze(jnp.square(mean_a - mean_b), axis)
    return 2 * jnp.mean(a * b, axis=axis) / (spread + config.epsilon())


@FAMILY.register()
class PearsonCorrelation(FunctionMean):
    """The mean of Pearson's correlation coefficients `cov(y, p) / (std(y) std(p))`.

    Args:
        name, dtype: as in `Metric`.
        axis: along which the values of one coefficient lie; or several axes.

    Raises:
        ArgumentError: the axis is not an int, nor several.

    Source: as `pearson_correlation`.

    >>> round(float(PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])), 4)
    0.9967
    """

    direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: PolicyLike = None, axis: Axes = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=arguments.axes(axis, "axis", "PearsonCorrelation"))


@FAMILY.register()
class ConcordanceCorrelation(FunctionMean):
    """The mean of Lin's concordance correlation coefficients `2 cov(y, p) / (var(y) + var(p) + (mean(y) - mean(p))^2)`.

    Args:
        name, dtype: as in `Metric`.
        axis: along which the values of one coefficient lie; or several axes.

    Raises:
        ArgumentError: the axis is not an int, nor several.

    Source: as `concordance_correlation`.

    >>> round(float(ConcordanceCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])), 4)
    0.9816
    """

    direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: PolicyLike = None, axis: Axes = -1) -> None:
        super().__init__(
            concordance_correlation, name, dtype, axis=arguments.axes(axis, "axis", "ConcordanceCorrelation")
        )


@FAMILY.register()
class R2Score(Metric):
    """The coefficient of determination: how much of the labels' variation predictions explain, at most 1.

    `R2 = 1 - sum(w (y - p)^2) / sum(w (y - mean(y))^2)`, 0 where the labels of an output do not vary.

    The state holds weight, mean and variation of the labels, which merge without the cancellation that a sum of squares
    suffers.

    Args:
        class_aggregation: `"uniform_average"` for the mean over the outputs; `"variance_weighted_average"` for the mean
            in which an output counts as much as its labels vary; `None` for a score per output.
        num_regressors: how many predictors the model has, for the adjusted score
            `1 - (1 - R2) (n - 1) / (n - num_regressors - 1)` of `n` labels; where there are not more labels than
            `num_regressors + 1` the score is not adjusted.
        name, dtype: as in `Metric`.

    Shapes:
        `y_true`, `y_pred`: `(b, outputs)`; result `()`, or `(outputs,)` without an aggregation.

    Raises:
        ArgumentError: an argument is out of range.
        ShapeError: the predictions are not `(b, outputs)`.

    Source: S. Wright, "Correlation and causation", J. Agric. Res. 20, 1921; the merging of T. Chan, G. Golub and
    R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        line = "R2Score(class_aggregation='uniform_average')"
        arguments.one_of(class_aggregation, "class_aggregation", "R2Score", AGGREGATIONS, write=line)
        arguments.non_negative_int(num_regressors, "num_regressors", "R2Score")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def init(self) -> State:
        """Nothing seen, of one output."""
        return self._empty(1)

    def init_for(self, y_pred: ArraySpec) -> State:
        """Nothing seen, of each output."""
        return self._empty(check_outputs(y_pred, "R2Score")[-1])

    def _empty(self, outputs: int) -> State:
        one = sums.zeros(("labels",), (), self.state_dtype)
        return {**sums.zeros(MOMENTS, (outputs,), self.state_dtype), **one}

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Weights have the shape `(b,)`, or that of the predictions."""
        y_true, y_pred = paired(y_true, as_arrays(y_pred, self.state_dtype), "R2Score", exactly=True)
        shape = check_outputs(y_pred, "R2Score")
        weight = entry_weights(sample_weight, shape, self.state_dtype)
        y_true, y_pred = zeroed(y_true, weight != 0), zeroed(y_pred, weight != 0)
        total = jnp.sum(weight, axis=0)
        mean = divide_no_nan(jnp.sum(weigh(y_true, weight), axis=0), total)
        squares = {"variation": y_true - jnp.expand_dims(mean, 0), "residual": y_true - y_pred}
        found = {key: jnp.sum(weigh(jnp.square(each), weight), axis=0) for key, each in squares.items()}
        labels = jnp.sum(weight != 0, dtype="int32").astype(self.state_dtype)
        return self.merge(state, sums.single({"weight": total, "mean": mean, "labels": labels, **found}))

    def merge(self, a: State, b: State) -> State:
        """Weight, mean and variation of the labels of both, and the sums of the rest."""
        weights, total = sums.value(a, "weight"), sums.add(a, b)
        step = (b["mean"] - a["mean"]) + (b["mean_rest"] - a["mean_rest"])
        fraction = divide_no_nan(sums.value(b, "weight"), sums.value(total, "weight"))
        between = {"mean": step * fraction, "variation": jnp.square(step) * weights * fraction}
        moved = sums.add({**sums.pick(a, "mean"), **sums.pick(total, "variation")}, sums.single(between))
        first = {name: jnp.where(weights == 0, b[name], moved[name]) for name in sums.pick(a, "mean")}
        return {**total, **moved, **first}

    def result(self, state: State) -> Array:
        """A scalar, or `(outputs,)` without an aggregation."""
        found = sums.values(state)
        varied, labels = found["variation"], found["labels"]
        score = jnp.where(varied == 0, 0, 1 - divide_no_nan(found["residual"], varied))
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = divide_no_nan(jnp.sum(varied * score), jnp.sum(varied))
        free = labels - self.num_regressors - 1
        if self.num_regressors:
            score = jnp.where(free > 0, 1 - (1 - score) * divide_no_nan(labels - 1, free), score)
        return self._in_dtype(score)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
