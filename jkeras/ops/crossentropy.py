"""The crossentropies of the table, one number per prediction: those of `jkeras.losses`, without means or smoothing; and
connectionist temporal classification, with lengths in place of padding."""

from typing import Any

import jax.numpy as jnp
import optax
from jax import lax

from jkeras import functional, losses
from jkeras.core.lift import lift
from jkeras.errors import ShapeError
from jkeras.losses.arrays import paired
from jkeras.losses.crossentropy import binary_elements
from jkeras.typing import Array, ArrayLike


def _binary_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> Array:
    return binary_elements(*paired(target, output, "binary_crossentropy", exactly=True), from_logits)


def _categorical_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1) -> Array:
    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


def _sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


def _ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Array:
    labels, logits = jnp.asarray(target, "int32"), jnp.asarray(output)
    lengths = jnp.asarray(target_length), jnp.asarray(output_length)
    if labels.ndim != 2 or logits.ndim != 3 or any(n.shape != labels.shape[:1] for n in (logits[:, 0, 0], *lengths)):
        raise ShapeError(
            "these are no sequences of labels and of logits with their lengths.",
            path="ctc_loss",
            expected="target (b, n), output (b, t, classes), target_length (b,), output_length (b,)",
            received=f"shapes {labels.shape}, {logits.shape}, {lengths[0].shape}, {lengths[1].shape}",
        )
    logits = logits.astype(jnp.promote_types(logits.dtype, "float32"))
    after_labels, after_logits = (
        (lax.broadcasted_iota("int32", shape, 1) >= jnp.expand_dims(length, 1)).astype(logits.dtype)
        for shape, length in zip((labels.shape, logits.shape[:2]), lengths, strict=True)
    )
    return optax.losses.ctc_loss(logits, after_logits, labels, after_labels, blank_id=mask_index)


binary_crossentropy = lift(_binary_crossentropy, "binary_crossentropy")
categorical_crossentropy = lift(_categorical_crossentropy, "categorical_crossentropy")
sparse_categorical_crossentropy = lift(_sparse_categorical_crossentropy, "sparse_categorical_crossentropy")
ctc_decode = lift(functional.ctc_decode, "ctc_decode")
ctc_loss = lift(_ctc_loss, "ctc_loss")

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "ctc_decode",
    "ctc_loss",
    "sparse_categorical_crossentropy",
]
