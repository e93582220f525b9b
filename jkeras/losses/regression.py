"""Losses of predicted quantities: squared, absolute, relative and robust errors, and cosine similarity.

Each is a function, which gives one value per sample (the mean over the last axis), and a class, which adds weights and
a reduction.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax

from jkeras import arguments, config
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import in_float32, paired
from jkeras.losses.base import SameShapeLoss, public
from jkeras.losses.entries import declare
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike


@public("mse", "MSE")
@in_float32
def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean((y_true - y_pred)^2)` over the last axis.

    Args:
        y_true, y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
    [2.5]
    """
    y_true, y_pred = paired(y_true, y_pred, "mean_squared_error")
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@public()
class MeanSquaredError(SameShapeLoss):
    """`mean((y_true - y_pred)^2)`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]))
    0.5
    """

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = "mean_squared_error", dtype: PolicyLike = None
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@public("mae", "MAE")
@in_float32
def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean(|y_true - y_pred|)` over the last axis.

    Args:
        y_true, y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = paired(y_true, y_pred, "mean_absolute_error")
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@public()
class MeanAbsoluteError(SameShapeLoss):
    """`mean(|y_true - y_pred|)`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = "mean_absolute_error", dtype: PolicyLike = None
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@public("mape", "MAPE")
@in_float32
def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`100 mean(|y_true - y_pred| / max(|y_true|, epsilon))` over the last axis.

    Args:
        y_true, y_pred: `(..., n)`.

    Returns:
        `(...)`, in percent, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 5.0]]).tolist()
    [37.5]
    """
    y_true, y_pred = paired(y_true, y_pred, "mean_absolute_percentage_error")
    relative = jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon()))
    return 100.0 * jnp.mean(relative, axis=-1)


@public()
class MeanAbsolutePercentageError(SameShapeLoss):
    """`100 mean(|y_true - y_pred| / max(|y_true|, epsilon))`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]))
    37.5
    """

    def __init__(
        self,
        reduction: str | None = MEAN,
        name: str | None = "mean_absolute_percentage_error",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@public("msle", "MSLE")
@in_float32
def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean((log(1 + y_true) - log(1 + y_pred))^2)` over the last axis; values below epsilon count as epsilon.

    Args:
        y_true, y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(mean_squared_logarithmic_error([[0.0, 1.0]], [[1.0, 0.0]])[0]), 4)
    0.4805
    """
    y_true, y_pred = paired(y_true, y_pred, "mean_squared_logarithmic_error")
    log_pred, log_true = (jnp.log1p(jnp.maximum(y, config.epsilon())) for y in (y_pred, y_true))
    return jnp.mean(jnp.square(log_pred - log_true), axis=-1)


@public()
class MeanSquaredLogarithmicError(SameShapeLoss):
    """`mean((log(1 + y_true) - log(1 + y_pred))^2)`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 0.0]])), 4)
    0.4805
    """

    def __init__(
        self,
        reduction: str | None = MEAN,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@public()
@in_float32
def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """The mean over the last axis of `e^2 / 2` where `|e| <= delta`, else `delta |e| - delta^2 / 2`.

    Args:
        y_true, y_pred: `(..., n)`; `e` is their difference.
        delta: where the parabola ends and the line begins.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [1.5]

    Source: P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35 (1964).
    """
    y_true, y_pred = paired(y_true, y_pred, "huber")
    return jnp.mean(optax.losses.huber_loss(y_pred, y_true, delta=delta), axis=-1)


@public()
class Huber(SameShapeLoss):
    """`e^2 / 2` where `|e| <= delta`, else `delta |e| - delta^2 / 2`, in the mean.

    Args:
        delta: where the parabola ends and the line begins; not negative.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: negative `delta`.

    >>> float(Huber(delta=2.0)([[0.0, 0.0]], [[1.0, 3.0]]))
    2.25

    Source: P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35 (1964).
    """

    unwritten: ClassVar[Mapping[str, Any]] = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = MEAN,
        name: str | None = "huber_loss",
        dtype: PolicyLike = None,
    ) -> None:
        delta = arguments.non_negative_number(delta, "delta", "Huber")
        super().__init__(huber, reduction, name, dtype, delta=delta)


@public()
@in_float32
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean(log cosh(y_pred - y_true))` over the last axis.

    Args:
        y_true, y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(log_cosh([[0.0, 0.0]], [[0.0, 1.0]])[0]), 4)
    0.2169
    """
    y_true, y_pred = paired(y_true, y_pred, "log_cosh")
    return jnp.mean(optax.losses.log_cosh(y_pred, y_true), axis=-1)


@public()
class LogCosh(SameShapeLoss):
    """`mean(log cosh(y_pred - y_true))`: squared for small errors, absolute for large ones.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(LogCosh()([[0.0, 0.0]], [[0.0, 1.0]])), 4)
    0.2169
    """

    def __init__(self, reduction: str | None = MEAN, name: str | None = "log_cosh", dtype: PolicyLike = None) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


@declare()
@in_float32
def cosine(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """The cosine of the angle between labels and predictions along an axis; 0 where one of them is 0.

    >>> round(float(cosine([[3.0, 4.0]], [[4.0, 3.0]])[0]), 2)
    0.96
    """
    y_true, y_pred = paired(y_true, y_pred, "cosine_similarity")
    return jnp.sum(_direction(y_true, axis) * _direction(y_pred, axis), axis=axis)


def _direction(x: Array, axis: int) -> Array:
    """`x` at length 1, with a bound on 1 / length. A vector of zeros has no direction: it stays, with gradient 0."""
    square = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    zero = square == 0
    bound = 1 / max(config.epsilon(), float(jnp.finfo(x.dtype).tiny))
    return x * jnp.where(zero, 0, jnp.minimum(jax.lax.rsqrt(jnp.where(zero, 1, square)), bound))


@public()
@in_float32
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Minus the cosine of the angle between labels and predictions: -1 where they point the same way.

    Args:
        y_true, y_pred: `(..., n)`.
        axis: along which the vectors lie.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(cosine_similarity([[3.0, 4.0]], [[4.0, 3.0]])[0]), 2)
    -0.96
    """
    return -cosine(y_true, y_pred, axis)


@public()
class CosineSimilarity(SameShapeLoss):
    """Minus the cosine of the angle between labels and predictions.

    Args:
        axis: along which the vectors lie.
        reduction, name, dtype: as in `Loss`.

    >>> round(float(CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]])), 2)
    -0.96
    """

    unwritten: ClassVar[Mapping[str, Any]] = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = "cosine_similarity",
        dtype: PolicyLike = None,
    ) -> None:
        axis = arguments.axis(axis, "axis", "CosineSimilarity")
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
