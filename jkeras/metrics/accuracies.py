"""Accuracies: how often a prediction is right.

The functions give 1 or 0 per entry, the classes their mean. Class indices are compared as integers, whatever the dtype
of the predictions.
"""

import jax.numpy as jnp

from jkeras import arguments, config, registry
from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.losses.arrays import as_arrays, as_float, match_ranks
from jkeras.losses.arrays import broadcasts as fit
from jkeras.losses.entries import declare
from jkeras.losses.sparse import pick
from jkeras.losses.validation import check_by_hand
from jkeras.metrics.base import FAMILY
from jkeras.metrics.reduction import FunctionMean
from jkeras.typing import Array, ArrayLike


def _pair(y_true: ArrayLike, y_pred: ArrayLike, owner: str) -> tuple[Array, Array]:
    """Labels and predictions of one rank, in their own dtypes."""
    a, b = match_ranks(as_arrays(y_true), as_arrays(y_pred))
    if not fit(a.shape, b.shape):
        raise ShapeError(
            "`y_true` must have the shape of `y_pred`.",
            path=owner,
            expected=f"y_true of shape {b.shape}",
            received=f"shape {a.shape}",
            write="metrics.SparseCategoricalAccuracy()   # takes class indices" if a.ndim < b.ndim else None,
        )
    return a, b


def _sparse(y_true: ArrayLike, y_pred: ArrayLike, owner: str) -> tuple[Array, Array]:
    """Labels `(...)` and scores `(..., classes)`; a last axis of length 1 of the labels is dropped."""
    scores, labels = as_float(y_pred), as_arrays(y_true)
    if labels.ndim == scores.ndim and labels.shape[-1] == 1:
        labels = jnp.squeeze(labels, -1)
    if labels.shape != scores.shape[:-1]:
        raise ShapeError(
            "`y_true` must have one class index for each prediction.",
            path=owner,
            expected=f"y_true of shape {scores.shape[:-1]}",
            received=f"shape {labels.shape}",
            write="metrics.CategoricalAccuracy()   # takes one-hot labels" if labels.shape == scores.shape else None,
        )
    return labels, scores


def _matches(equal: Array) -> Array:
    return equal.astype(config.floatx())


def _classes(labels: Array, scores: Array, owner: str) -> Array:
    """Where labels are classes. Raises `DataError` where one is not, outside of compiled functions."""
    check_by_hand(labels, scores.shape[-1], owner)
    return (labels >= 0) & (labels < scores.shape[-1])


@registry.export("keras.metrics")
@declare()
def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where label and prediction are equal, else 0.

    Args:
        y_true, y_pred: `(...)`.

    Returns:
        `(...)`, floats.

    Raises:
        ShapeError: the shapes do not fit.

    >>> accuracy([1, 2], [1, 3]).tolist()
    [1.0, 0.0]
    """
    labels, predicted = _pair(y_true, y_pred, "accuracy")
    return _matches(labels == predicted)


@FAMILY.register()
class Accuracy(FunctionMean):
    """How often predictions equal labels.

    For probabilities or logits see `BinaryAccuracy`, `CategoricalAccuracy`, `SparseCategoricalAccuracy`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: PolicyLike = None) -> None:
        super().__init__(accuracy, name, dtype)


@registry.export("keras.metrics")
@declare()
def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Array:
    """1 where `y_pred > threshold` is what the label says, else 0.

    Args:
        y_true: `(...)`, 0 or 1.
        y_pred: `(...)`, probabilities; logits with `threshold=0`.
        threshold: above which a prediction is a 1.

    Returns:
        `(...)`, floats.

    Raises:
        ShapeError: the shapes do not fit.

    >>> binary_accuracy([1, 1, 0], [0.75, 0.25, 0.25]).tolist()
    [1.0, 0.0, 1.0]
    """
    labels, scores = _pair(y_true, as_float(y_pred), "binary_accuracy")
    return _matches(labels == (scores > threshold).astype(labels.dtype))


@FAMILY.register()
class BinaryAccuracy(FunctionMean):
    """How often `y_pred > threshold` is what the label says.

    Args:
        name, dtype: as in `Metric`.
        threshold: above which a prediction is a 1; 0 for logits.

    Raises:
        ArgumentError: the threshold is not a number.

    >>> float(BinaryAccuracy()([[1], [1], [0], [0]], [[0.75], [1.0], [0.25], [0.75]]))
    0.75
    """

    direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: PolicyLike = None, threshold: float = 0.5) -> None:
        self.threshold = arguments.number(threshold, "threshold", "BinaryAccuracy")
        super().__init__(binary_accuracy, name, dtype, threshold=self.threshold)


@registry.export("keras.metrics")
@declare()
def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where label and prediction have their largest entry at the same class, else 0.

    Args:
        y_true: `(..., classes)`, one-hot.
        y_pred: `(..., classes)`, probabilities or logits.

    Returns:
        `(...)`, floats.

    Raises:
        ShapeError: the shapes do not fit.

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.25, 0.75], [0.25, 0.75]]).tolist()
    [1.0, 0.0]
    """
    return sparse_categorical_accuracy(jnp.argmax(as_arrays(y_true), axis=-1), y_pred)


@FAMILY.register()
class CategoricalAccuracy(FunctionMean):
    """How often the largest prediction is at the class of a one-hot label.

    Args:
        name, dtype: as in `Metric`.

    >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.25, 0.75], [0.25, 0.75]]))
    0.5
    """

    direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: PolicyLike = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@registry.export("keras.metrics")
@declare()
def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where the largest prediction is at the label's class, else 0.

    Args:
        y_true: `(...)` or `(..., 1)`, class indices.
        y_pred: `(..., classes)`, probabilities or logits.

    Returns:
        `(...)`, floats; inside a compiled function NaN where a label is not a class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, outside of compiled functions.

    >>> sparse_categorical_accuracy([1, 0], [[0.25, 0.75], [0.25, 0.75]]).tolist()
    [1.0, 0.0]
    """
    labels, scores = _sparse(y_true, y_pred, "sparse_categorical_accuracy")
    right = _matches(labels == jnp.argmax(scores, axis=-1).astype(labels.dtype))
    return jnp.where(_classes(labels, scores, "sparse_categorical_accuracy"), right, jnp.nan)


@FAMILY.register()
class SparseCategoricalAccuracy(FunctionMean):
    """How often the largest prediction is at the label's class.

    Args:
        name, dtype: as in `Metric`.

    >>> float(SparseCategoricalAccuracy()([1, 0], [[0.25, 0.75], [0.25, 0.75]]))
    0.5
    """

    direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: PolicyLike = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@registry.export("keras.metrics")
@declare()
def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """1 where the label's class is among the `k` largest predictions, else 0.

    Args:
        y_true: `(..., classes)`, one-hot.
        y_pred: `(..., classes)`, probabilities or logits.
        k: how many predictions count. Ties at the border are in.

    Returns:
        `(...)`, floats.

    Raises:
        ShapeError: the shapes do not fit.

    >>> top_k_categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.0, 0.8]], k=2).tolist()
    [1.0, 0.0]
    """
    return sparse_top_k_categorical_accuracy(jnp.argmax(as_arrays(y_true), axis=-1), y_pred, k)


@FAMILY.register()
class TopKCategoricalAccuracy(FunctionMean):
    """How often the class of a one-hot label is among the `k` largest predictions.

    Args:
        k: how many predictions count.
        name, dtype: as in `Metric`.

    Raises:
        ArgumentError: `k` is not at least 1.

    >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.0, 0.8]]))
    0.5
    """

    direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: PolicyLike = None) -> None:
        self.k = arguments.positive_int(k, "k", "TopKCategoricalAccuracy")
        super().__init__(top_k_categorical_accuracy, name, dtype, k=self.k)


@registry.export("keras.metrics")
@declare()
def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """1 where the label is among the `k` largest predictions, else 0.

    Args:
        y_true: `(...)` or `(..., 1)`, class indices.
        y_pred: `(..., classes)`, probabilities or logits; with `from_sorted_ids`, class indices, the best first.
        k: how many predictions count. Ties at the border are in.
        from_sorted_ids: whether `y_pred` are class indices.

    Returns:
        `(...)`, floats; inside a compiled function NaN where a label is not a class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, outside of compiled functions.

    >>> sparse_top_k_categorical_accuracy([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.0, 0.8]], k=2).tolist()
    [1.0, 0.0]
    """
    if from_sorted_ids:
        best = as_arrays(y_pred)[..., :k]
        labels, _ = _sparse(y_true, y_pred, "sparse_top_k_categorical_accuracy")
        return _matches(jnp.any(jnp.expand_dims(labels, -1).astype(best.dtype) == best, axis=-1))
    labels, scores = _sparse(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    score = pick(scores, labels.astype("int32"))
    ahead = jnp.sum(scores > jnp.expand_dims(score, -1), axis=-1)
    found = _matches((ahead < k) & ~jnp.isnan(score))
    return jnp.where(_classes(labels, scores, "sparse_top_k_categorical_accuracy"), found, jnp.nan)


@FAMILY.register()
class SparseTopKCategoricalAccuracy(FunctionMean):
    """How often the label is among the `k` largest predictions.

    Args:
        k: how many predictions count.
        name, dtype: as in `Metric`.
        from_sorted_ids: whether predictions are class indices, the best first, in place of scores.

    Raises:
        ArgumentError: `k` is not at least 1.

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.0, 0.8]]))
    0.5
    """

    direction = "up"
    unwritten = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: PolicyLike = None,
        from_sorted_ids: bool = False,
    ) -> None:
        owner = "SparseTopKCategoricalAccuracy"
        self.k = arguments.positive_int(k, "k", owner)
        self.from_sorted_ids = arguments.boolean(from_sorted_ids, "from_sorted_ids", owner)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
