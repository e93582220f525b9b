"""Focal crossentropies: examples that are classified well already weigh less.

The crossentropy of an example whose true class has probability `p_t` is multiplied by `(1 - p_t)^gamma`.

Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import in_float32, paired
from jkeras.losses.base import FunctionLoss, public
from jkeras.losses.crossentropy import (
    binary_elements,
    checked,
    log_softmax,
    mean_over,
    normalized,
    power,
    smoothed,
    times,
)
from jkeras.losses.validation import check_probabilities, check_several_classes
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike, Axes, Shape


@public()
@in_float32
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axes = -1,
) -> Array:
    """`mean((1 - p_t)^gamma bce)` over an axis, with `p_t = y p + (1 - y) (1 - p)`.

    Args:
        y_true: `(..., n)`, probabilities of the positive class: mostly 0 or 1.
        y_pred: `(..., n)`, probabilities or logits.
        apply_class_balancing: multiply by `y alpha + (1 - y) (1 - alpha)`.
        alpha: weight of the positive class.
        gamma: how much easy examples are discounted.
        from_logits: whether `y_pred` are logits.
        label_smoothing: `s` in `y (1 - s) + s / 2`, which replaces the labels.
        axis: over which the mean is taken.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes differ.

    >>> round(float(binary_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.25]])[0]), 4)
    0.0956

    Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """
    y_true, y_pred = paired(y_true, y_pred, "binary_focal_crossentropy", exactly=True)
    y_true = smoothed(y_true, label_smoothing, 2)
    p, other = (jax.nn.sigmoid(y_pred), jax.nn.sigmoid(-y_pred)) if from_logits else (y_pred, 1 - y_pred)
    crossentropy = binary_elements(y_true, y_pred, from_logits)
    missed = y_true * other + (1 - y_true) * p  # 1 - p_t, without the cancellation near 0
    focal = power(missed, gamma) * crossentropy
    if apply_class_balancing:
        focal = (y_true * alpha + (1 - y_true) * (1 - alpha)) * focal
    return mean_over(focal, axis)


@public()
class BinaryFocalCrossentropy(FunctionLoss):
    """`(1 - p_t)^gamma` times the binary crossentropy.

    Args:
        apply_class_balancing: weigh the positive class by `alpha` and the negative one by `1 - alpha`.
        alpha: 0 to 1.
        gamma: not negative; 0 gives the binary crossentropy.
        from_logits, label_smoothing, axis: as in `BinaryCrossentropy`.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(BinaryFocalCrossentropy(from_logits=True)([[1.0], [0.0]], [[0.0], [-100.0]])), 4)
    0.0866

    Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = MEAN,
        name: str | None = "binary_focal_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        given = {"alpha": alpha, "gamma": gamma, "from_logits": from_logits, "label_smoothing": label_smoothing}
        balanced = {"apply_class_balancing": apply_class_balancing, **given}
        kept = checked("BinaryFocalCrossentropy", {**balanced, "axis": axis})
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **kept)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels do not have the predictions' shape."""
        check_probabilities(self, y_true, y_pred_shape, path)


@public()
@in_float32
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`-sum(alpha (1 - p)^gamma y log p)` over the classes.

    Args:
        y_true: `(..., classes)`, one-hot labels or other distributions.
        y_pred: `(..., classes)`, probabilities (scaled to sum to 1) or logits.
        alpha: a factor.
        gamma: how much easy examples are discounted.
        from_logits: whether `y_pred` are logits.
        label_smoothing: `s` in `y (1 - s) + s / classes`, which replaces the labels.
        axis: where the classes are.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes differ.

    >>> round(float(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
    0.0433

    Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """
    y_true, y_pred = paired(y_true, y_pred, "categorical_focal_crossentropy", exactly=True)
    y_true = smoothed(y_true, label_smoothing, y_true.shape[axis])
    logarithms = log_softmax(y_pred, axis) if from_logits else None
    p = normalized(y_pred if logarithms is None else jnp.exp(logarithms), axis)
    log_p = jnp.log(p) if logarithms is None else logarithms
    return -jnp.sum(times(alpha * power(1 - p, gamma) * y_true, log_p), axis=axis)


@public()
class CategoricalFocalCrossentropy(FunctionLoss):
    """`alpha (1 - p)^gamma` times the categorical crossentropy, class by class.

    Args:
        alpha: a factor, 0 to 1.
        gamma: not negative.
        from_logits, label_smoothing, axis: as in `CategoricalCrossentropy`.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433

    Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = "categorical_focal_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        given = {"alpha": alpha, "gamma": gamma, "from_logits": from_logits, "label_smoothing": label_smoothing}
        kept = checked("CategoricalFocalCrossentropy", {**given, "axis": axis})
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **kept)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels do not have the predictions' shape, or there is one class only."""
        check_several_classes(self, y_pred_shape, path)
        check_probabilities(self, y_true, y_pred_shape, path)
