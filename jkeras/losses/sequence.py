"""Connectionist temporal classification: labels in order, but at unknown times."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jkeras.errors import ShapeError
from jkeras.losses.arrays import as_arrays, as_float
from jkeras.losses.base import FunctionLoss, of_class_indices, public
from jkeras.typing import Array, ArrayLike


def _all_count(y_true: Any, y_pred: Any) -> None:
    return None


@public()
@of_class_indices(_all_count)
def ctc(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Minus the log probability that the predictions, blanks and repetitions taken out, spell the labels.

    Args:
        y_true: `(b, n)`, class indices from 1 on, padded with 0 at the end.
        y_pred: `(b, t, classes)`, logits; class 0 is the blank.

    Returns:
        `(b,)`, in the dtype of the predictions, float32 at least.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]])[0]), 4)  # 3 of 4 paths spell "1"
    0.2877

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006.
    """
    labels, logits = as_arrays(y_true, "int32"), as_float(y_pred)
    if labels.ndim != 2 or logits.ndim != 3 or labels.shape[0] != logits.shape[0]:
        raise ShapeError(
            "these are no sequences of labels and of logits.",
            path="ctc",
            expected="y_true of shape (b, n) and y_pred of shape (b, t, classes)",
            received=f"shapes {labels.shape} and {logits.shape}",
        )
    logits = logits.astype(jnp.promote_types(logits.dtype, "float32"))
    length = jnp.sum(labels != 0, axis=1, keepdims=True)  # (b, 1)
    after_end = (jax.lax.broadcasted_iota("int32", labels.shape, 1) >= length).astype(logits.dtype)
    return optax.losses.ctc_loss(logits, jnp.zeros(logits.shape[:2], logits.dtype), labels, after_end)


@public()
class CTC(FunctionLoss):
    """Connectionist temporal classification, for labels in order whose times are unknown.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])), 4)
    0.2877

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006.
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
