"""Losses of overlap between a predicted and a true region, for segmentation.

A prediction and a label per pixel are compared region by region: `axis` says which axes a region has. `None` makes one
region, and one loss, of everything. Masks may have the axes of the pixels; masked pixels are not part of a region.
"""

from typing import Any

import jax.numpy as jnp

from jkeras import arguments, config
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import in_float32, paired
from jkeras.losses.base import SameShapeLoss, public
from jkeras.losses.entries import declare
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike, Axes


def _sum(x: Array, axis: Axes | None) -> Array:
    return jnp.sum(x, axis=axis if axis is None or isinstance(axis, int) else tuple(axis))


def _region(rank: int, axis: Axes | None = None, **_: Any) -> tuple[int, ...]:
    """The axes of a region; of a single one, all but that of the examples."""
    given = range(1, rank) if axis is None else [axis] if isinstance(axis, int) else axis
    return tuple(each % max(rank, 1) for each in given)


@public()
@declare(regions=_region)
@in_float32
def dice(y_true: ArrayLike, y_pred: ArrayLike, axis: Axes | None = None) -> Array:
    """`1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + epsilon)`.

    Args:
        y_true, y_pred: of one shape, 0 to 1.
        axis: the axes of a region; `None` for all.

    Returns:
        The shape without these axes, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> dice([[1.0, 1.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 0.0]], axis=1).round(2)
    Array([0., 1.], dtype=float32)

    Source: L. R. Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 26 (1945).
    """
    y_true, y_pred = paired(y_true, y_pred, "dice")
    both = _sum(y_true * y_pred, axis)
    return 1 - 2 * both / (_sum(y_true, axis) + _sum(y_pred, axis) + config.epsilon())


@public()
class Dice(SameShapeLoss):
    """One minus the Dice coefficient of overlap.

    Args:
        reduction, name: as in `Loss`.
        axis: the axes of a region; `None` for all, which gives one value.
        dtype: as in `Loss`.

    Raises:
        ArgumentError: the axes are not ints.

    >>> round(float(Dice()([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])), 4)
    0.2

    Source: L. R. Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 26 (1945).
    """

    def __init__(
        self,
        reduction: str | None = MEAN,
        name: str | None = "dice",
        axis: Axes | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        axis = None if axis is None else arguments.axes(axis, "axis", "Dice")
        super().__init__(dice, reduction, name, dtype, axis=axis)


@public()
@declare(regions=_region)
@in_float32
def tversky(
    y_true: ArrayLike, y_pred: ArrayLike, alpha: float = 0.5, beta: float = 0.5, axis: Axes | None = None
) -> Array:
    """`1 - both / (both + alpha sum((1 - y_pred) y_true) + beta sum(y_pred (1 - y_true)) + epsilon)`.

    Here `both = sum(y_true y_pred)`. With `alpha = beta = 1/2` it is the Dice loss.

    Args:
        y_true, y_pred: of one shape, 0 to 1.
        alpha: weight of what was missed, as in Keras 3.15. The paper, and later versions of Keras, exchange `alpha` and
            `beta`: there `alpha` weighs what was wrongly found.
        beta: weight of what was wrongly found.
        axis: the axes of a region; `None` for all.

    Returns:
        The shape without these axes, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> tversky([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], alpha=1.0, axis=1).round(2)
    Array([0.5, 0. ], dtype=float32)

    Source: S. S. M. Salehi et al., "Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep
    Networks" (2017).
    """
    y_true, y_pred = paired(y_true, y_pred, "tversky")
    both = _sum(y_true * y_pred, axis)
    missed, wrong = _sum((1 - y_pred) * y_true, axis), _sum(y_pred * (1 - y_true), axis)
    return 1 - both / (both + alpha * missed + beta * wrong + config.epsilon())


@public()
class Tversky(SameShapeLoss):
    """One minus the Tversky index of overlap, which weighs what was missed and what was wrongly found differently.

    Args:
        alpha: weight of what was missed; not negative. As in Keras 3.15; the paper, and later versions of Keras,
            exchange `alpha` and `beta`.
        beta: weight of what was wrongly found; not negative.
        reduction, name: as in `Loss`.
        axis: the axes of a region; `None` for all, which gives one value.
        dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(Tversky(alpha=1.0)([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])), 4)
    0.3333

    Source: S. S. M. Salehi et al., "Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep
    Networks" (2017).
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = MEAN,
        name: str | None = "tversky",
        axis: Axes | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        kept = {
            "alpha": arguments.non_negative_number(alpha, "alpha", "Tversky"),
            "beta": arguments.non_negative_number(beta, "beta", "Tversky"),
            "axis": None if axis is None else arguments.axes(axis, "axis", "Tversky"),
        }
        super().__init__(tversky, reduction, name, dtype, **kept)
