"""Connectionist temporal classification: labels in order, but at unknown times."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.jax_compat import is_traced
from jkeras.losses.arrays import as_arrays, as_float, widened
from jkeras.losses.base import FunctionLoss, public
from jkeras.losses.crossentropy import below_largest
from jkeras.losses.entries import along, declare, zeroed
from jkeras.losses.validation import check_by_hand, check_sequences
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike, Shape

IMPOSSIBLE = -1e5  # a log probability, for that of 0


def _region(rank: int, **_: Any) -> tuple[int, ...]:
    return (1, 2)


def _without(y_true: Array, y_pred: Array, counts: Array, **_: Any) -> tuple[Array, Array]:
    """Times that do not count are taken out: they are moved after the others, where they are blanks for certain."""
    of_examples = jnp.any(counts, 1) if counts.ndim > 1 else counts
    times = along(counts, y_pred.shape, (2,))
    if times is None:
        return y_true, y_pred
    times = jnp.broadcast_to(times, (*y_pred.shape[:2], 1))
    order = jnp.argsort(~times, axis=1, stable=True)
    blank = jnp.where(jnp.arange(y_pred.shape[2]) == 0, 0.0, IMPOSSIBLE)
    logits = jnp.where(times, y_pred, jnp.reshape(blank, (1, 1, -1)).astype(y_pred.dtype))
    return zeroed(y_true, along(of_examples, y_true.shape)), jnp.take_along_axis(logits, order, axis=1)


def spelling_loss(labels: Array, logits: Array, label_lengths: Array, logit_lengths: Array, blank: int) -> Array:
    """`-log` of the probability of all paths that spell the labels, in float32 at least; NaN where one is not a class.

    Args:
        labels: `(b, n)`, integers.
        logits: `(b, t, classes)`.
        label_lengths, logit_lengths: `(b,)`, how many of them count.
        blank: the class that is the blank.
    """
    logits = widened(logits)
    logits = jnp.maximum(below_largest(logits, jax.lax.stop_gradient(jnp.max(logits, -1, keepdims=True))), IMPOSSIBLE)
    after_labels, after_logits = (
        jax.lax.broadcasted_iota("int32", shape, 1) >= jnp.expand_dims(length, 1)
        for shape, length in ((labels.shape, label_lengths), (logits.shape[:2], logit_lengths))
    )
    check_by_hand(labels, logits.shape[-1], "ctc", counts=~after_labels)
    wrong = jnp.any(~after_labels & ((labels < 0) | (labels >= logits.shape[-1])), axis=1)
    ends = after_logits.astype(logits.dtype), jnp.where(after_labels, 0, labels), after_labels.astype(logits.dtype)
    return jnp.where(wrong, jnp.nan, optax.losses.ctc_loss(logits, *ends, blank_id=blank))


@public()
@declare(class_indices=True, regions=_region, replace=_without)
def ctc(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Minus the log probability that the predictions, blanks and repetitions taken out, spell the labels.

    Args:
        y_true: `(b, n)`, class indices from 1 on, padded at the end with 0 or, as `ctc_decode` does, with -1.
        y_pred: `(b, t, classes)`, logits; class 0 is the blank.

    Returns:
        `(b,)`, in the dtype of the predictions, float32 at least; inside a compiled function NaN where a label is no
        class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, or stands after the end, outside of compiled functions.

    >>> round(float(ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]])[0]), 4)  # 3 of 4 paths spell "1"
    0.2877

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006.
    """
    labels, logits = as_arrays(y_true).astype("int32"), as_float(y_pred)
    if labels.ndim != 2 or logits.ndim != 3 or labels.shape[0] != logits.shape[0]:
        raise ShapeError(
            "`y_true` must hold sequences of labels, and `y_pred` sequences of logits.",
            path="ctc",
            expected="y_true of shape (b, n) and y_pred of shape (b, t, classes)",
            received=f"shapes {labels.shape} and {logits.shape}",
            write="ctc(y_true, model_output)   # the outputs of every time step, before a softmax",
        )
    if not is_traced(labels):
        check_sequences(np.asarray(labels), logits.shape, "ctc")
    ended = (labels == 0) | (labels == -1)
    lengths = jnp.sum(~ended, axis=1), jnp.full(logits.shape[:1], logits.shape[1])
    return spelling_loss(labels, logits, *lengths, 0)


@public()
class CTC(FunctionLoss):
    """Connectionist temporal classification, for labels in order whose times are unknown.

    Labels are class indices from 1 on, padded at the end with 0 or -1. A mask may say which examples count, or which
    times of the predictions: the others are taken out.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])), 4)
    0.2877

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006.
    """

    def __init__(self, reduction: str | None = MEAN, name: str | None = "ctc", dtype: PolicyLike = None) -> None:
        super().__init__(ctc, reduction, name, dtype)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where a label is not a class, or stands after the end of its sequence."""
        check_sequences(y_true, y_pred_shape, path)
