"""Gradient accumulation: the gradient of a large batch in the memory of a small one.

The batch is cut into `n` parts that a scan goes through. The parts' gradients are averaged, weighted by how many
entries are valid in each, so that the result is the gradient of the whole batch, masks included. Values that layers
assign (statistics, seeds) go from part to part.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.data.batch import batch_size_of
from jkeras.training.step import Forward
from jkeras.typing import Array, PyTree

Gradient = Callable[[PyTree, PyTree], tuple[PyTree, Forward]]


def accumulated(gradient: Gradient, non_trainable: PyTree, data: PyTree, steps: int) -> tuple[PyTree, Forward]:
    """The gradient and the pass of a whole batch, part by part.

    Args:
        gradient: `(non_trainable, data) -> (gradients, forward)` for a part.
        non_trainable: the values before the batch.
        data: `(x, y, sample_weight)`; a batch that `steps` does not divide is cut into fewer parts.
        steps: the number of parts.
    """
    parts = math.gcd(batch_size_of(data[0]), steps)
    pieces = jax.tree.map(lambda leaf: jnp.reshape(leaf, (parts, leaf.shape[0] // parts, *leaf.shape[1:])), data)

    def body(carry: Any, piece: PyTree) -> Any:
        non_trainable, sums, loss, count = carry
        gradients, forward = gradient(non_trainable, piece)
        valid = _valid(forward)
        sums = jax.tree.map(lambda total, each: total + each * valid.astype(each.dtype), sums, gradients)
        return (forward.non_trainable, sums, loss + forward.loss * valid, count + valid), (
            forward.y_pred,
            forward.masks,
        )

    first = jax.tree.map(lambda leaf: leaf[0], pieces)
    like = jax.eval_shape(gradient, non_trainable, first)[0]
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    start = (non_trainable, zeros, jnp.zeros((), "float32"), jnp.zeros((), "float32"))
    (non_trainable, sums, loss, count), (y_pred, masks) = jax.lax.scan(body, start, pieces)
    count = jnp.maximum(count, 1.0)
    gradients = jax.tree.map(lambda total: total / count.astype(total.dtype), sums)
    whole = jax.tree.map(lambda leaf: jnp.reshape(leaf, (-1, *leaf.shape[2:])), (y_pred, masks))
    return gradients, Forward(loss / count, whole[0], whole[1], non_trainable)


def _valid(forward: Forward) -> Array:
    """How many entries of the outputs count."""
    for leaf, mask in zip(jax.tree.leaves(forward.y_pred), forward.masks, strict=True):
        if mask is not None:
            return jnp.sum(mask.astype("float32"))
        return jnp.float32(leaf.shape[0])
    return jnp.float32(1)
