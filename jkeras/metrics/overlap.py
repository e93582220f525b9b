"""Intersection over union of the classes of a segmentation, out of its confusion matrix.

    IoU_c = TP_c / (TP_c + FP_c + FN_c)

The state counts entries: `confusion[label, prediction]`, integers in two words unless `dtype` says otherwise, so a
count of pixels stays exact up to 2^63. Other classes than `0 ... num_classes - 1`, in label or prediction,
have no meaning: they are refused, and inside a compiled function the result is NaN.
"""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp

from jkeras import arguments, config, dtypes
from jkeras.dtypes import PolicyLike
from jkeras.errors import ArgumentError, ShapeError
from jkeras.losses.arrays import as_arrays, as_float, match_ranks, widened
from jkeras.losses.validation import check_by_hand
from jkeras.metrics import sums
from jkeras.metrics.base import FAMILY, Metric, State
from jkeras.metrics.reduction import entry_weights
from jkeras.metrics.thresholds import histogram
from jkeras.typing import Array, ArrayLike, Config

MARK = -(2**31)  # in place of the rests of counts, which are not negative: something was no class


class _Overlap(Metric):
    """The mean intersection over union of some classes; which class an entry has is up to `classes_of`."""

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None,
        dtype: PolicyLike,
        ignore_class: int | None = None,
    ) -> None:
        owner = type(self).__name__
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = arguments.positive_int(num_classes, "num_classes", owner)
        self.target_class_ids = _targets(target_class_ids, num_classes, owner)
        self.ignore_class = arguments.optional_int(ignore_class, "ignore_class", owner)

    def classes_of(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Labels and predictions as class indices."""
        raise self._missing("classes_of(self, y_true, y_pred)")

    def init(self) -> State:
        """An empty confusion matrix."""
        return sums.zeros(("confusion",), (self.num_classes, self.num_classes), self.state_dtype)

    def update(
        self, state: State, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> State:
        """Adds one batch. Weights have the shape of the class indices or of their first axes."""
        owner, size = type(self).__name__, self.num_classes
        labels, predicted = match_ranks(*self.classes_of(as_arrays(y_true), as_arrays(y_pred)))
        if labels.shape != predicted.shape:
            raise ShapeError(
                "`y_true` must have one label for each prediction.",
                path=owner,
                expected=f"labels of shape {predicted.shape}",
                received=f"shape {labels.shape}",
                write=f"{owner}(..., sparse_y_true=False)   # for one-hot labels"
                if labels.ndim > predicted.ndim
                else None,
            )
        if sample_weight is not None:
            _check_countable(as_arrays(sample_weight), self.dtype, owner)
        weight = entry_weights(sample_weight, labels.shape, self.state_dtype)
        counts = weight != 0
        if self.ignore_class is not None:
            counts &= labels != self.ignore_class
        for what, each in (("label", labels), ("prediction", predicted)):
            check_by_hand(each, size, owner, what=what, counts=counts)
        labels, predicted = labels.astype("int32"), predicted.astype("int32")
        known = (labels >= 0) & (labels < size) & (predicted >= 0) & (predicted < size)
        cells = jnp.where(counts & known, size * labels + predicted, size * size)
        confusion = jnp.reshape(histogram(cells, weight, size * size), (size, size))
        return self._poisoned(self.merge(state, sums.single({"confusion": confusion})), jnp.any(counts & ~known))

    def _poisoned(self, state: State, wrong: Array) -> State:
        """The state with no result, where something has been seen that is not a class."""
        word = "confusion" if dtypes.is_float(self.dtype) else "confusion" + sums.REST
        mark = jnp.nan if dtypes.is_float(self.dtype) else MARK
        return {**state, word: jnp.where(wrong, jnp.asarray(mark, state[word].dtype), state[word])}

    def result(self, state: State) -> Array:
        """The mean over the target classes that occur; 0 where none does; NaN where something seen was no class."""
        matrix, targets = sums.value(state, "confusion"), jnp.array(self.target_class_ids)
        matrix = (
            jnp.where(state["confusion" + sums.REST] < 0, jnp.nan, matrix) if self.state_dtype == "int32" else matrix
        )
        wrong = jnp.where(jnp.eye(self.num_classes, dtype=bool), 0, matrix)
        right = jnp.diagonal(matrix)[targets]
        union = right + (jnp.sum(wrong, axis=0) + jnp.sum(wrong, axis=1))[targets]
        occurs = union > 1e-9
        each = jnp.where(occurs, right / (union + config.epsilon()), 0)
        mean = jnp.sum(each) / (jnp.sum(occurs, dtype=matrix.dtype) + config.epsilon())
        return self._in_dtype(jnp.where(jnp.any(jnp.isnan(matrix)), jnp.nan, mean))

    def merge(self, a: State, b: State) -> State:
        """The sums of both."""
        marked = [state["confusion" + sums.REST] < 0 for state in (a, b)]
        return self._poisoned(sums.add(a, b), marked[0] | marked[1]) if self.state_dtype == "int32" else sums.add(a, b)


def _targets(given: Sequence[int] | None, num_classes: int, owner: str) -> list[int]:
    ids = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    if not ids or not all(isinstance(each, int) and 0 <= each < num_classes for each in ids):
        raise ArgumentError(
            f"`target_class_ids` must be a list of integers from 0 to {num_classes - 1}, got {arguments.shown(given)}.",
            path=owner,
            expected=f"ints from 0 to {num_classes - 1}",
            received=repr(given)[:80],
            write=f"{owner}(..., target_class_ids=[0])",
        )
    return ids


def _check_countable(weight: Array, dtype: str, owner: str) -> None:
    """Raises `ArgumentError` for fractions where the state counts in integers."""
    if jnp.issubdtype(weight.dtype, jnp.floating) and not dtypes.is_float(dtype):
        rule = "the weights must be integers, because the state counts in integers"
        wanted, received = f"weights of dtype {dtype}, or a state of floats", f"weights of dtype {weight.dtype}"
        write = f'{owner}(..., dtype="float32")'
        raise ArgumentError.must(rule, received, path=owner, expected=wanted, write=write)


class _Encoded(_Overlap):
    """Labels and predictions that are class indices, or scores of which the largest says the class."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None,
        dtype: PolicyLike,
        ignore_class: int | None,
        sparse_y_true: bool,
        sparse_y_pred: bool,
        axis: int,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class)
        owner = type(self).__name__
        self.sparse_y_true = arguments.boolean(sparse_y_true, "sparse_y_true", owner)
        self.sparse_y_pred = arguments.boolean(sparse_y_pred, "sparse_y_pred", owner)
        self.axis = arguments.axis(axis, "axis", owner)

    def classes_of(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """The class indices, or where the largest scores along the axis are."""
        labels = y_true if self.sparse_y_true else jnp.argmax(y_true, axis=self.axis)
        return labels, y_pred if self.sparse_y_pred else jnp.argmax(y_pred, axis=self.axis)

    def _config(self, *names: str) -> Config:
        own = ("num_classes", *names, "ignore_class", "sparse_y_pred", "axis")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@FAMILY.register()
class IoU(_Encoded):
    """The mean intersection over union of the target classes: `TP_c / (TP_c + FP_c + FN_c)`.

    Args:
        num_classes: how many classes there are.
        target_class_ids: over which of them the mean is.
        name, dtype: as in `Metric`; int32 by default, which takes integer weights only.
        ignore_class: a class of labels whose entries do not count.
        sparse_y_true, sparse_y_pred: whether labels and predictions are class indices, and not scores.
        axis: along which scores lie.

    Shapes:
        `y_true`, `y_pred`: `(...)`, class indices, or scores with one more axis; result `()`.

    Raises:
        ArgumentError: an argument is out of range, or weights are floats where the state counts in integers.

    Source: P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.

    >>> round(float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return self._config("target_class_ids", "sparse_y_true")


@FAMILY.register()
class MeanIoU(_Encoded):
    """The mean intersection over union of all classes that occur: `TP_c / (TP_c + FP_c + FN_c)`.

    Args:
        num_classes: how many classes there are.
        name, dtype: as in `Metric`; int32 by default, which takes integer weights only.
        ignore_class: a class of labels whose entries do not count.
        sparse_y_true, sparse_y_pred: whether labels and predictions are class indices, and not scores.
        axis: along which scores lie.

    Shapes:
        `y_true`, `y_pred`: `(...)`, class indices, or scores with one more axis; result `()`.

    Raises:
        ArgumentError: an argument is out of range, or weights are floats where the state counts in integers.

    Source: as `IoU`.

    >>> round(float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        targets = range(arguments.positive_int(num_classes, "num_classes", "MeanIoU"))
        super().__init__(num_classes, targets, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return self._config("sparse_y_true")


@FAMILY.register()
class OneHotIoU(_Encoded):
    """The mean intersection over union of the target classes, of one-hot labels: `TP_c / (TP_c + FP_c + FN_c)`.

    Args:
        num_classes: how many classes there are.
        target_class_ids: over which of them the mean is.
        name, dtype: as in `Metric`; int32 by default, which takes integer weights only.
        ignore_class: a class of labels whose entries do not count.
        sparse_y_pred: whether predictions are class indices, and not scores.
        axis: along which labels and scores lie.

    Shapes:
        `y_true`: `(..., classes)`; `y_pred`: the same, or `(...)`, class indices; result `()`.

    Raises:
        ArgumentError: an argument is out of range, or weights are floats where the state counts in integers.

    Source: as `IoU`.

    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(float(OneHotIoU(num_classes=3, target_class_ids=[0, 2])(y_true, y_pred)), 4)
    0.1667
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return self._config("target_class_ids")


@FAMILY.register()
class OneHotMeanIoU(_Encoded):
    """The mean intersection over union of all classes that occur, of one-hot labels: `TP_c / (TP_c + FP_c + FN_c)`.

    Args:
        num_classes: how many classes there are.
        name, dtype: as in `Metric`; int32 by default, which takes integer weights only.
        ignore_class: a class of labels whose entries do not count.
        sparse_y_pred: whether predictions are class indices, and not scores.
        axis: along which labels and scores lie.

    Shapes:
        `y_true`: `(..., classes)`; `y_pred`: the same, or `(...)`, class indices; result `()`.

    Raises:
        ArgumentError: an argument is out of range, or weights are floats where the state counts in integers.

    Source: as `IoU`.

    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(float(OneHotMeanIoU(num_classes=3)(y_true, y_pred)), 4)
    0.1111
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        targets = range(arguments.positive_int(num_classes, "num_classes", "OneHotMeanIoU"))
        super().__init__(num_classes, targets, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return self._config()


@FAMILY.register()
class BinaryIoU(_Overlap):
    """The mean intersection over union of class 1, where `y_pred >= threshold`, and of class 0, where not.

    `TP_c / (TP_c + FP_c + FN_c)`

    Args:
        target_class_ids: over which of the two classes the mean is.
        threshold: from which on a prediction is a 1; 0 for logits.
        name, dtype: as in `Metric`; int32 by default, which takes integer weights only.

    Shapes:
        `y_true`, `y_pred`: `(...)`; result `()`.

    Raises:
        ArgumentError: an argument is out of range, or weights are floats where the state counts in integers.

    Source: as `IoU`.

    >>> round(float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = arguments.number(threshold, "threshold", "BinaryIoU")

    def classes_of(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """The labels, and 1 where a prediction reaches the threshold."""
        return y_true, widened(as_float(y_pred)) >= self.threshold

    def get_config(self) -> Config:
        """That of `Metric`, and the arguments."""
        return {**super().get_config(), "target_class_ids": self.target_class_ids, "threshold": self.threshold}
