"""Crossentropies between probabilities: binary and categorical.

With `from_logits=True` the logarithms are taken of the logits (log-sigmoid, log-softmax), which is exact at any size;
prefer it. Given probabilities, they are clipped to `[epsilon, 1 - epsilon]` first, so that the loss stays finite.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import arguments, config
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import divide_no_nan, in_float32, paired
from jkeras.losses.base import FunctionLoss, public
from jkeras.losses.validation import check_probabilities, check_several_classes
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike, Axes, Shape


def clip_probabilities(p: Array) -> Array:
    """`p` within `[epsilon, 1 - epsilon]`, as far as its dtype can tell these from 0 and 1.

    >>> clip_probabilities(jnp.array([0.0, 1.0], "float16")).tolist()
    [6.10...e-05, 0.9995...]
    """
    info = jnp.finfo(p.dtype)
    low, high = max(config.epsilon(), float(info.tiny)), 1 - max(config.epsilon(), float(info.epsneg))
    return jnp.clip(p, low, high)


def times(weight: Array, x: Array) -> Array:
    """`weight * x`, and 0 where the weight is 0 and `x` infinite, in value and gradient.

    >>> times(jnp.array([0.0, 1.0]), jnp.array([-jnp.inf, 2.0])).tolist()
    [0.0, 2.0]
    """
    return weight * jnp.where((weight == 0) & jnp.isinf(x), 0, x)


def below_largest(x: Array, largest: Array) -> Array:
    """`x - largest`; where the largest is infinite the limit: 0 for the entries that equal it, -inf for others.

    >>> below_largest(jnp.array([1.0, jnp.inf, -jnp.inf]), jnp.array(jnp.inf)).tolist()
    [-inf, 0.0, -inf]
    """
    infinite = jnp.isinf(largest)
    limit = jnp.where(x == largest, 0, jnp.where(jnp.isnan(x), x, -jnp.inf))
    return jnp.where(infinite, limit, x - jnp.where(infinite, 0, largest))


def log_softmax(x: Array, axis: int) -> Array:
    """The logarithms of the probabilities of logits, with the limits of infinite ones.

    >>> log_softmax(jnp.array([jnp.inf, 0.0, -jnp.inf]), -1).tolist()
    [0.0, -inf, -inf]
    """
    shifted = below_largest(x, jax.lax.stop_gradient(jnp.max(x, axis=axis, keepdims=True)))
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=axis, keepdims=True))


def power(x: Array, exponent: float) -> Array:
    """`x ** exponent` of non-negative numbers; below 1e-12 its derivatives, which grow beyond all bounds, are 0.

    >>> float(jax.grad(power)(jnp.array(0.0), 0.5)), float(power(jnp.array(4.0), 0.5))
    (0.0, 2.0)
    """
    if exponent >= 2 or exponent == 0:
        return x**exponent if exponent else jnp.ones_like(x)
    small = x < 1e-12
    return jnp.where(small, jax.lax.stop_gradient(x) ** exponent, jnp.where(small, 1, x) ** exponent)


def normalized(p: Array, axis: int) -> Array:
    """Non-negative numbers scaled to sum to 1 along an axis, then clipped; zeros stay zeros before they are clipped.

    >>> normalized(jnp.array([1.0, 3.0]), -1).tolist()
    [0.25, 0.75]
    """
    return clip_probabilities(divide_no_nan(p, jnp.sum(p, axis=axis, keepdims=True)))


def smoothed(y_true: Array, label_smoothing: float, classes: int) -> Array:
    """`(1 - s) y_true + s / classes`: labels mixed with the uniform distribution.

    >>> smoothed(jnp.array([1.0, 0.0]), 0.5, 2).tolist()
    [0.75, 0.25]
    """
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes if label_smoothing else y_true


def binary_elements(y_true: Array, y_pred: Array, from_logits: bool) -> Array:
    """`-y log p - (1 - y) log(1 - p)` of each prediction.

    Of logits `x` that is `(1 - y) max(x, 0) + y max(-x, 0) + log(1 + exp(-|x|))`, which neither overflows nor cancels,
    and takes one exponential where a log-sigmoid of `x` and one of `-x` take two.

    >>> binary_elements(jnp.array([1.0, 0.0]), jnp.array([0.0, -1000.0]), True).round(4)
    Array([0.6931, 0.    ], dtype=float32)
    """
    if from_logits:
        # -|x| as min(x, -x), because the derivative at 0 has to be 0: with that of `abs`, 1, it would be off by 1/2
        tail = jnp.log1p(jnp.exp(jnp.minimum(y_pred, -y_pred)))
        return times(1.0 - y_true, jnp.maximum(y_pred, 0)) + times(y_true, jnp.maximum(-y_pred, 0)) + tail
    p = clip_probabilities(y_pred)
    return -y_true * jnp.log(p) - (1.0 - y_true) * jnp.log1p(-p)


def mean_over(x: Array, axis: Axes) -> Array:
    """The mean over one axis or several.

    >>> float(mean_over(jnp.ones((2, 3)), [0, 1]))
    1.0
    """
    return jnp.mean(x, axis=axis if isinstance(axis, int) else tuple(axis))


CHECKS: dict[str, Callable[[Any, str, str], Any]] = {
    "apply_class_balancing": arguments.boolean,
    "alpha": arguments.fraction,
    "gamma": arguments.non_negative_number,
    "from_logits": arguments.boolean,
    "label_smoothing": arguments.fraction,
    "ignore_class": arguments.optional_int,
}


def checked(owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a crossentropy, each checked as its name says. Binary ones may have several axes.

    >>> checked("BinaryCrossentropy", {"from_logits": True, "axis": (1, 2)})
    {'from_logits': True, 'axis': [1, 2]}
    """
    axis = arguments.axes if owner.startswith("Binary") else arguments.axis
    checks = {**CHECKS, "axis": axis}
    return {name: checks[name](value, name, owner) for name, value in given.items()}


@public("bce", "BCE")
@in_float32
def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: Axes = -1
) -> Array:
    """`mean(-y log p - (1 - y) log(1 - p))` over an axis.

    Args:
        y_true: `(..., n)`, probabilities of the positive class: mostly 0 or 1.
        y_pred: `(..., n)`, probabilities or logits.
        from_logits: whether `y_pred` are logits, `p = sigmoid(y_pred)`.
        label_smoothing: `s` in `y (1 - s) + s / 2`, which replaces the labels.
        axis: over which the mean is taken.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes differ.

    >>> round(float(binary_crossentropy([[1.0, 0.0]], [[0.5, 0.25]])[0]), 4)
    0.4904
    """
    y_true, y_pred = paired(y_true, y_pred, "binary_crossentropy", exactly=True)
    y_true = smoothed(y_true, label_smoothing, 2)
    return mean_over(binary_elements(y_true, y_pred, from_logits), axis)


@public()
class BinaryCrossentropy(FunctionLoss):
    """The crossentropy of yes-or-no labels: `mean(-y log p - (1 - y) log(1 - p))`.

    Args:
        from_logits: whether predictions are logits; otherwise they are probabilities.
        label_smoothing: 0 to 1: how far labels are drawn towards 1/2.
        axis: over which the mean of one sample is taken.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0], [0.0]], [[0.0], [-100.0]])), 4)
    0.3466
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = MEAN,
        name: str | None = "binary_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        given = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        kept = checked("BinaryCrossentropy", given)
        self.from_logits, self.label_smoothing, self.axis = kept.values()
        super().__init__(binary_crossentropy, reduction, name, dtype, **kept)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels do not have the predictions' shape."""
        check_probabilities(self, y_true, y_pred_shape, path)


@public()
@in_float32
def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`-sum(y log p)` over the classes.

    Args:
        y_true: `(..., classes)`, one-hot labels or other distributions.
        y_pred: `(..., classes)`, probabilities (scaled to sum to 1) or logits.
        from_logits: whether `y_pred` are logits, `p = softmax(y_pred)`.
        label_smoothing: `s` in `y (1 - s) + s / classes`, which replaces the labels.
        axis: where the classes are.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes differ.

    >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
    0.6931
    """
    y_true, y_pred = paired(y_true, y_pred, "categorical_crossentropy", exactly=True)
    y_true = smoothed(y_true, label_smoothing, y_true.shape[axis])
    if from_logits:
        return -jnp.sum(times(y_true, log_softmax(y_pred, axis)), axis=axis)
    return -jnp.sum(y_true * jnp.log(normalized(y_pred, axis)), axis=axis)


@public()
class CategoricalCrossentropy(FunctionLoss):
    """The crossentropy of distributions over classes, such as one-hot labels: `-sum(y log p)`.

    Labels that are class indices go with `SparseCategoricalCrossentropy`.

    Args:
        from_logits: whether predictions are logits; otherwise they are probabilities.
        label_smoothing: 0 to 1: how far labels are drawn towards the uniform distribution.
        axis: where the classes are.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]])), 4)
    0.3466
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = "categorical_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        given = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        kept = checked("CategoricalCrossentropy", given)
        self.from_logits, self.label_smoothing, self.axis = kept.values()
        super().__init__(categorical_crossentropy, reduction, name, dtype, **kept)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels do not have the predictions' shape, or there is one class only."""
        check_several_classes(self, y_pred_shape, path)
        check_probabilities(self, y_true, y_pred_shape, path)
