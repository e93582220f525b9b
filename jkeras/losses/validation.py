"""Looking at labels before training: what a loss cannot make sense of, said on the host, with the line to write.

Inside a compiled step a wrong label can at best become a NaN. Here it still has an index.
"""

from typing import Any, Protocol

import numpy as np

from jkeras.errors import DataError
from jkeras.jax_compat import is_traced
from jkeras.typing import Array, Shape


class Labelled(Protocol):
    """A loss with the arguments of its function."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their names."""


def written(name: str, arguments: dict[str, Any], defaults: dict[str, Any] | None = None) -> str:
    """The line that constructs a loss, arguments at their defaults left out.

    >>> written("Huber", {"delta": 2.0, "axis": -1}, {"axis": -1})
    'jkeras.losses.Huber(delta=2.0)'
    """
    defaults = defaults or {}
    given = [f"{key}={value!r}" for key, value in arguments.items() if key not in defaults or defaults[key] != value]
    return f"jkeras.losses.{name}({', '.join(given)})"


def _fit(label: Shape, prediction: Shape) -> bool:
    if len(label) == len(prediction) + 1 and label[-1] == 1:
        label = label[:-1]
    elif len(prediction) == len(label) + 1 and prediction[-1] == 1:
        prediction = prediction[:-1]
    return len(label) == len(prediction) and all(
        m == n or None in (m, n) for m, n in zip(label[1:], prediction[1:], strict=True)
    )


def check_same_shape(
    loss: object, y_true: np.ndarray, y_pred_shape: Shape, path: str, *, write: str | None = None
) -> None:
    """Raises `DataError` unless labels look like predictions, first axis and a last axis of length 1 aside.

    The loss itself would broadcast other axes of length 1, which in training is never meant.
    """
    y_true = np.asarray(y_true)
    if _fit(y_true.shape, tuple(y_pred_shape)):
        return
    raise DataError(
        f"{type(loss).__name__} needs labels of the shape of the predictions.",
        path=path,
        expected=f"shape {_batch(y_pred_shape)}",
        received=f"{y_true.dtype} labels of shape {_batch(y_true.shape)}",
        write=write or _reshape(y_true, tuple(y_pred_shape), path),
    )


def _reshape(y_true: np.ndarray, y_pred_shape: Shape, path: str) -> str | None:
    """The line that most likely brings labels and predictions to one shape."""
    if _is_class_indices(y_true, y_pred_shape):
        return (
            f"{path} = jax.nn.one_hot({path}.reshape({_lengths(y_pred_shape[:-1])}), {y_pred_shape[-1]})   # of classes"
        )
    if not 0 <= len(y_pred_shape) - y_true.ndim <= 1 or len(y_pred_shape) < 2:
        return None
    units = y_true.shape[-1] if y_true.ndim == len(y_pred_shape) else 1
    return f"Dense({units})   # a model that predicts as many numbers as there are labels"


def _lengths(shape: Shape) -> str:
    return ", ".join(["-1", *map(str, shape[1:])])


def _batch(shape: Shape) -> str:
    """`(batch, 3)` for `(32, 3)`."""
    return "(" + ", ".join(["batch", *map(str, shape[1:])]) + (",)" if len(shape) == 1 else ")")


def _is_class_indices(y_true: np.ndarray, y_pred_shape: Shape) -> bool:
    rank = len(y_pred_shape)
    return y_true.dtype.kind in "iu" and (y_true.ndim == rank - 1 or (y_true.ndim == rank and y_true.shape[-1] == 1))


def check_probabilities(loss: Labelled, y_true: np.ndarray, y_pred_shape: Shape, path: str) -> None:
    """`check_same_shape`, exactly; class indices are pointed to the loss that takes them."""
    y_true, classes = np.asarray(y_true), y_pred_shape[-1] if y_pred_shape else None
    write = None
    if _is_class_indices(y_true, y_pred_shape) and classes != 1:
        write = f"loss={written('SparseCategoricalCrossentropy', {'from_logits': loss.arguments['from_logits']})}"
    check_same_shape(loss, y_true, y_pred_shape, path, write=write)


def check_several_classes(loss: Labelled, y_pred_shape: Shape, path: str) -> None:
    """Raises `DataError` where a softmax would have one class: its loss is 0 whatever is predicted."""
    if y_pred_shape and y_pred_shape[loss.arguments["axis"]] == 1:
        raise DataError(
            f"{type(loss).__name__} needs at least 2 classes, and the model predicts one number.",
            path=path,
            expected=f"predictions of shape (..., classes) along axis {loss.arguments['axis']}",
            received=f"shape {_batch(y_pred_shape)}",
            write=f"loss={written('BinaryCrossentropy', {'from_logits': loss.arguments['from_logits']})}",
        )


def check_class_indices(loss: Labelled, y_true: np.ndarray, y_pred_shape: Shape, path: str) -> None:
    """Raises `DataError` unless labels are class indices of the predictions' shape without its class axis, in range."""
    y_true, axis = np.asarray(y_true), loss.arguments.get("axis", -1) % max(len(y_pred_shape), 1)
    classes = y_pred_shape[axis]
    labels = y_true
    if labels.ndim == len(y_pred_shape) and labels.shape[axis] == 1:
        labels = np.squeeze(labels, axis)
    expected = tuple(y_pred_shape[:axis]) + tuple(y_pred_shape[axis + 1 :])
    if not (labels.ndim == len(expected) and _fit(labels.shape, expected)):
        one_hot = y_true.ndim == len(y_pred_shape) and y_true.shape[axis] == classes
        arguments = _kept(loss)
        mended = written("CategoricalCrossentropy", arguments, {"axis": -1})
        raise DataError(
            f"{type(loss).__name__} needs one class index for each prediction.",
            path=path,
            expected=f"integers of shape {_batch(expected)}",
            received=f"{y_true.dtype} labels of shape {_batch(y_true.shape)}",
            write=f"loss={mended}   # one-hot labels" if one_hot else None,
        )
    if classes is not None and labels.size:
        _check_range(loss, labels, classes, path)


def _check_range(loss: Labelled, labels: np.ndarray, classes: int, path: str) -> None:
    ignored = loss.arguments.get("ignore_class")
    wrong = no_class(labels, classes, ignored)
    if wrong.any():
        raise refusal(labels, wrong, classes, path, ignored, write=_mend(loss, labels, wrong, classes, path))


def no_class(labels: np.ndarray, classes: int, ignored: int | None = None) -> np.ndarray:
    """Where labels are neither classes nor what is ignored.

    >>> no_class(np.array([0, 2, -1, 255]), 2, 255).tolist()
    [False, True, True, False]
    """
    wrong = ~((labels >= 0) & (labels < classes) & (labels == np.trunc(labels)))
    array: np.ndarray = wrong if ignored is None else wrong & (labels != ignored)
    return array


def refusal(
    labels: np.ndarray,
    wrong: np.ndarray,
    classes: int,
    path: str,
    ignored: int | None = None,
    *,
    what: str = "label",
    also: str = "",
    write: str | None = None,
) -> DataError:
    """The error that shows the first wrong label and where it is."""
    index = tuple(int(i) for i in np.unravel_index(np.argmax(wrong), labels.shape))
    also += "" if ignored is None else f" or {ignored}, which is ignored"
    place = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    return DataError(
        f"every {what} must be one of the {classes} classes.",
        path=path,
        expected=f"integers 0 <= {what} < {classes}{also}",
        received=f"{labels.dtype} {what} {labels[index]!s}{place}; {wrong.sum()} of {wrong.size} are out of range",
        write=write,
    )


def check_by_hand(
    labels: Any,
    classes: int,
    path: str,
    ignored: int | None = None,
    *,
    what: str = "label",
    counts: Array | None = None,
) -> None:
    """Raises `DataError` for a label that is not a class, where labels are arrays with values, not those of a trace.

    Args:
        labels: class indices.
        classes: how many classes there are.
        path: who asks.
        ignored: a label that is not looked at.
        what: what the indices are.
        counts: of the shape of the labels; where it is false, labels are not looked at. Traced, it hides them all.
    """
    if any(is_traced(each) for each in (labels, counts)):
        return
    labels = np.asarray(labels)
    wrong = no_class(labels, classes, ignored)
    wrong = wrong if counts is None else wrong & np.asarray(counts)
    if wrong.any():
        raise refusal(labels, wrong, classes, path, ignored, what=what)


def check_sequences(y_true: np.ndarray, y_pred_shape: Shape, path: str) -> None:
    """Raises `DataError` unless labels are classes from 1 on, with 0 or -1 after their ends.

    >>> check_sequences(np.array([[1, 2, 0], [1, -1, -1]]), (2, 9, 3), "y")
    """
    y_true = np.asarray(y_true)
    if y_true.ndim != 2 or len(y_pred_shape) != 3:
        raise DataError(
            "CTC needs a sequence of labels for each sequence of predictions.",
            path=path,
            expected="labels (batch, n) and predictions (batch, times, classes)",
            received=f"shapes {_batch(y_true.shape)} and {_batch(y_pred_shape)}",
            write="layers.LSTM(64, return_sequences=True)   # a prediction for every time step",
        )
    classes, padding = y_pred_shape[-1], np.isin(y_true, (0, -1))
    wrong = np.zeros(y_true.shape, bool) if classes is None else no_class(y_true, classes) & ~padding
    if classes is not None and wrong.any():
        also = "; 0, the blank, and -1 only after the end"
        raise refusal(y_true, wrong, classes, path, also=also)
    early = padding[:, :-1] & ~padding[:, 1:]
    if early.any():
        row, column = (int(i) for i in np.unravel_index(np.argmax(early), early.shape))
        raise DataError(
            "labels must come before the end of their sequence, which 0, the blank, or -1 marks.",
            path=path,
            expected="labels from 1 on, then 0 or -1",
            received=f"{y_true[row, column]:g} at index {(row, column)}, before {y_true[row, column + 1]:g}",
            write=f"{path} = np.array([[3, 1, 2, 0, 0]])   # padding after the labels only",
        )


def _kept(loss: Labelled) -> dict[str, Any]:
    """The arguments that a crossentropy proposed in place of a loss keeps."""
    return {key: loss.arguments[key] for key in ("from_logits", "axis") if key in loss.arguments}


def _mend(loss: Labelled, labels: np.ndarray, wrong: np.ndarray, classes: int, path: str) -> str | None:
    """The line that most likely mends labels out of range."""
    offending = np.unique(labels[wrong])
    if labels[wrong].dtype.kind == "f" and not np.array_equal(offending, np.trunc(offending)):
        return 'loss="mse"   # if these are quantities, not classes'
    good = (
        labels[~wrong] if loss.arguments["ignore_class"] is None else labels[labels != loss.arguments["ignore_class"]]
    )
    if offending.size == 1 and offending[0] == classes and good.size and good.min() >= 1:
        return f"{path} = {path} - 1   # labels count from 0"
    if offending.size == 1 and (offending[0] < 0 or offending[0] == 255):
        line = written(
            "SparseCategoricalCrossentropy", {**_kept(loss), "ignore_class": int(offending[0])}, {"axis": -1}
        )
        return f"loss={line}   # if these entries do not count"
    if offending[0] < 0:
        return None
    return f"Dense({int(offending[-1]) + 1})   # a model with one output per class"
