"""The crossentropy of class indices.

Only one number per prediction is needed of the labels, so nothing one-hot is ever made on the way forward: the loss is
`logsumexp(logits) - logits[label]`. Labels stay integers throughout. Inside a compiled step a label that is not a class
gives NaN rather than some class's loss; `validate` finds it beforehand and says where it is.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.jax_compat import target_platforms
from jkeras.losses.arrays import as_arrays, as_float, divide_no_nan, in_float32
from jkeras.losses.base import FunctionLoss, public
from jkeras.losses.crossentropy import below_largest, checked, clip_probabilities, power
from jkeras.losses.entries import along, declare, zeroed
from jkeras.losses.validation import check_by_hand, check_class_indices, check_several_classes
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike, Shape


def class_indices(
    y_true: ArrayLike, y_pred_shape: tuple[int, ...], axis: int, ignore_class: int | None = None
) -> Array:
    """Labels as int32 of the predictions' shape without its class axis. Raises `DataError` where one is not a class.

    >>> class_indices([[1.0], [2.0]], (2, 5), -1)
    Array([1, 2], dtype=int32)
    """
    labels, position = as_arrays(y_true), axis % len(y_pred_shape)
    expected = y_pred_shape[:position] + y_pred_shape[position + 1 :]
    if labels.ndim == len(y_pred_shape) and labels.shape[position] == 1:
        labels = jnp.squeeze(labels, position)
    if labels.shape != expected:
        raise ShapeError(
            "`y_true` must have one class index for each prediction.",
            path="sparse_categorical_crossentropy",
            expected=f"y_true of shape {expected}",
            received=f"shape {labels.shape}",
            write="jkeras.losses.CategoricalCrossentropy()   # one-hot labels"
            if labels.shape == y_pred_shape
            else "y_true = y_true.reshape(y_pred.shape[:-1])   # one label for each prediction",
        )
    check_by_hand(labels, y_pred_shape[position], "sparse_categorical_crossentropy", ignore_class)
    indices: Array = labels.astype("int32")
    return indices


@jax.custom_jvp
def pick(x: Array, labels: Array) -> Array:
    """`x[..., label]` along the last axis; NaN where the label is out of range, a negative one included.

    For accelerators it is a comparison with the positions and a sum, exact because all but one of the summands are 0:
    XLA makes it part of the loop that computes `x`, which a gather would first have stored in memory. XLA's CPU
    compiler adds up one number after the other, so a CPU gathers (512 rows of 32,768: half the time).

    The derivative is written as a masked sum: its transpose is one fused select, where that of a gather is a scatter.

    Args:
        x: `(..., classes)`.
        labels: `(...)`, integers.

    >>> pick(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1, -1])).tolist()
    [2.0, nan]
    """
    if target_platforms() == ("cpu",):
        picked = jnp.squeeze(jnp.take_along_axis(x, jnp.expand_dims(labels, -1), axis=-1, mode="clip"), -1)
    else:
        picked = _sum_of_chosen(x, labels)
    return jnp.where((labels >= 0) & (labels < x.shape[-1]), picked, jnp.nan)


def _sum_of_chosen(x: Array, labels: Array) -> Array:
    classes = jax.lax.broadcasted_iota("int32", x.shape, x.ndim - 1)
    return jnp.sum(jnp.where(classes == jnp.expand_dims(labels, -1), x, 0), axis=-1)


@pick.defjvp
def _pick_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    (x, labels), (dx, _) = primals, tangents
    return pick(x, labels), _sum_of_chosen(dx, labels)


def of_logits(x: Array, labels: Array) -> Array:
    """`logsumexp(x) - x[label]` along the last axis, with the limits of infinite logits.

    >>> of_logits(jnp.array([[0.0, 0.0], [jnp.inf, 0.0]]), jnp.array([1, 0])).round(4).tolist()
    [0.69..., 0.0]
    """
    largest = jax.lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    sums = jnp.sum(jnp.exp(below_largest(x, largest)), axis=-1)
    return jnp.log(sums) - below_largest(pick(x, labels), jnp.squeeze(largest, -1))


def _valid(
    y_true: ArrayLike, y_pred: ArrayLike, ignore_class: int | None = None, axis: int = -1, **_: Any
) -> Array | None:
    if ignore_class is None:
        return None
    return class_indices(y_true, jnp.shape(y_pred), axis, ignore_class) != ignore_class


def _without(
    y_true: Array, y_pred: Array, counts: Array, ignore_class: int | None = None, axis: int = -1, **_: Any
) -> tuple[Array, Array]:
    """Label 0 and predictions 0 in place of entries that do not count; an ignored label stays one."""
    reduced = (axis % y_pred.ndim,)
    of_labels = along(counts, y_true.shape, reduced if y_true.ndim == y_pred.ndim else ())
    if of_labels is not None and ignore_class is not None:
        of_labels |= y_true == ignore_class
    return zeroed(y_true, of_labels), zeroed(y_pred, along(counts, y_pred.shape, reduced))


@public()
@declare(class_indices=True, valid=_valid, replace=_without)
@in_float32
def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """`-log p[label]`.

    Args:
        y_true: `(...)` or `(..., 1)`, class indices.
        y_pred: `(..., classes)`, probabilities (scaled to sum to 1) or logits.
        from_logits: whether `y_pred` are logits, `p = softmax(y_pred)`.
        ignore_class: a label whose entries have loss 0 and gradient 0, whatever is predicted there.
        axis: where the classes are.

    Returns:
        `(...)`, in the dtype of the predictions; inside a compiled function NaN where a label is not a class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, outside of compiled functions.

    >>> sparse_categorical_crossentropy([1, 0], [[0.5, 0.5], [0.75, 0.25]]).round(4)
    Array([0.6931, 0.2877], dtype=float32)
    """
    y_pred = as_float(y_pred)
    labels = class_indices(y_true, y_pred.shape, axis, ignore_class)
    y_pred = jnp.moveaxis(y_pred, axis, -1)  # (..., classes)
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = jnp.where(valid, labels, 0)
        # before the logarithm, so that what is ignored may be NaN without a NaN in the gradient
        y_pred = jnp.where(jnp.expand_dims(valid, -1), y_pred, 1)
    if from_logits:
        losses = of_logits(y_pred, labels)
    else:
        losses = -jnp.log(clip_probabilities(divide_no_nan(pick(y_pred, labels), jnp.sum(y_pred, axis=-1))))
    return losses if ignore_class is None else jnp.where(valid, losses, 0)


@public()
class SparseCategoricalCrossentropy(FunctionLoss):
    """The crossentropy of class indices: `-log p[label]`.

    One-hot labels go with `CategoricalCrossentropy`.

    Args:
        from_logits: whether predictions are logits; otherwise they are probabilities.
        ignore_class: a label that does not count: neither its loss nor, in a mean, its entry.
        reduction: as in `Loss`.
        axis: where the classes are.
        name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    >>> round(float(loss([1, 0, -1], [[0.0, 0.0], [100.0, 0.0], [5.0, 6.0]])), 4)
    0.3466
    """

    unwritten: ClassVar[Mapping[str, Any]] = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = MEAN,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        given = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        kept = checked("SparseCategoricalCrossentropy", given)
        self.from_logits, self.ignore_class, self.axis = kept.values()
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **kept)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels are not class indices, or one is not a class of the model."""
        check_several_classes(self, y_pred_shape, path)
        check_class_indices(self, y_true, y_pred_shape, path)


@public()
@declare(class_indices=True, valid=_valid, replace=_without)
@in_float32
def categorical_generalized_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, q: float) -> Array:
    """`(1 - p[label]^q) / q`: near 0 it is the crossentropy, near 1 the absolute error.

    Args:
        y_true: `(...)` or `(..., 1)`, class indices.
        y_pred: `(..., classes)`, probabilities.
        q: between 0 and 1.

    Returns:
        `(...)`, in the dtype of the predictions; inside a compiled function NaN where a label is not a class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, outside of compiled functions.

    >>> categorical_generalized_cross_entropy([1, 0], [[0.75, 0.25], [1.0, 0.0]], q=0.5)
    Array([1., 0.], dtype=float32)

    Source: Z. Zhang, M. R. Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels", NeurIPS 2018.
    """
    y_pred = as_float(y_pred)
    return (1 - power(pick(y_pred, class_indices(y_true, y_pred.shape, -1)), q)) / q


@public()
class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """`(1 - p[label]^q) / q`, which wrong labels disturb less than they do the crossentropy.

    Args:
        q: between 0 and 1, both excluded.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: `q` is out of range.

    >>> float(CategoricalGeneralizedCrossEntropy()([1, 0], [[0.75, 0.25], [1.0, 0.0]]))
    0.5

    Source: Z. Zhang, M. R. Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels", NeurIPS 2018.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = MEAN,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: PolicyLike = None,
    ) -> None:
        owner = "CategoricalGeneralizedCrossEntropy"
        self.q = arguments.fraction(q, "q", owner, interval="(0, 1)")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where labels are not class indices, or one is not a class of the model."""
        check_class_indices(self, y_true, y_pred_shape, path)
