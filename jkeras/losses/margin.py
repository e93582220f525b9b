"""Hinge losses: zero beyond a margin of 1, linear or squared before it."""

import jax.numpy as jnp

from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import in_float32, paired
from jkeras.losses.base import SameShapeLoss, public
from jkeras.losses.crossentropy import times
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike


def signs(y_true: Array) -> Array:
    """Labels as -1 and 1: where all of them are 0 or 1, `2 y - 1`, else as they are.

    >>> signs(jnp.array([0.0, 1.0])).tolist(), signs(jnp.array([-1.0, 1.0])).tolist()
    ([-1.0, 1.0], [-1.0, 1.0])
    """
    return jnp.where(jnp.all((y_true == 0) | (y_true == 1)), 2 * y_true - 1, y_true)


@public()
@in_float32
def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean(max(1 - y_true y_pred, 0))` over the last axis.

    Args:
        y_true: `(..., n)`, -1 or 1; labels that are all 0 or 1 are converted.
        y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> hinge([[-1.0, 1.0]], [[0.5, 0.5]]).tolist()
    [1.0]
    """
    y_true, y_pred = paired(y_true, y_pred, "hinge")
    return jnp.mean(jnp.maximum(1.0 - signs(y_true) * y_pred, 0.0), axis=-1)


@public()
class Hinge(SameShapeLoss):
    """`mean(max(1 - y_true y_pred, 0))`, for labels -1 and 1 (or 0 and 1).

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.0
    """

    def __init__(self, reduction: str | None = MEAN, name: str | None = "hinge", dtype: PolicyLike = None) -> None:
        super().__init__(hinge, reduction, name, dtype)


@public()
@in_float32
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean(max(1 - y_true y_pred, 0)^2)` over the last axis.

    Args:
        y_true: `(..., n)`, -1 or 1; labels that are all 0 or 1 are converted.
        y_pred: `(..., n)`.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> squared_hinge([[-1.0, 1.0]], [[0.5, 0.5]]).tolist()
    [1.25]
    """
    y_true, y_pred = paired(y_true, y_pred, "squared_hinge")
    return jnp.mean(jnp.square(jnp.maximum(1.0 - signs(y_true) * y_pred, 0.0)), axis=-1)


@public()
class SquaredHinge(SameShapeLoss):
    """`mean(max(1 - y_true y_pred, 0)^2)`, for labels -1 and 1 (or 0 and 1).

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.25
    """

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = "squared_hinge", dtype: PolicyLike = None
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@public()
@in_float32
def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`max(neg - pos + 1, 0)` with `pos = sum(y_true y_pred)` and `neg = max((1 - y_true) y_pred)` over the last axis.

    Args:
        y_true: `(..., classes)`, one-hot.
        y_pred: `(..., classes)`, scores.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> categorical_hinge([[0.0, 1.0]], [[0.25, 0.75]]).tolist()
    [0.5]

    Source: K. Crammer, Y. Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
    JMLR 2 (2001).
    """
    y_true, y_pred = paired(y_true, y_pred, "categorical_hinge")
    positive = jnp.sum(times(y_true, y_pred), axis=-1)
    negative = jnp.max(times(1.0 - y_true, y_pred), axis=-1)
    return jnp.maximum(negative - positive + 1.0, 0.0)


@public()
class CategoricalHinge(SameShapeLoss):
    """`max(neg - pos + 1, 0)`: the true class's score should lead by 1.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.25, 0.75]]))
    0.5

    Source: K. Crammer, Y. Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
    JMLR 2 (2001).
    """

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = "categorical_hinge", dtype: PolicyLike = None
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
