"""Gradient accumulation: the gradient of a large batch in the memory of a small one.

The batch is cut into parts that a scan goes through. A loss is a sum divided by a count (`Loss.sum_and_count`), and the
count is that of the whole batch. So the parts' gradients add up to the gradient of the whole, whatever counts in each.
Counts that follow from shapes alone are known when the step is traced. Others, of masks, `ignore_class` and weights,
are added up in a pass of their own before; they do not depend on the outputs, so XLA leaves the model out of it.

A batch that does not divide has a smaller last part, outside of the scan. It is not padded: padding would change the
statistics of `BatchNormalization`, penalties of activities, and overridden losses.

Values that layers assign (statistics, seeds) go from part to part.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.data.arrays import Batch, batch_size_of
from jkeras.training.forward import Data, Forward, Share
from jkeras.training.objective import Terms
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree, Tree

Pass = Callable[[PyTree, PyTree], Forward]
Gradient = Callable[[PyTree, PyTree, Share], tuple[PyTree, Forward]]
Total = Callable[[Terms, Array | None, PyTree], Array]


class Parts(NamedTuple):
    """A batch in parts.

    Attributes:
        full: the parts of one size, stacked along a new first axis.
        last: the smaller last part, `None` where there is none.
        sizes: the examples of a full part, of the last part, and of the batch.
    """

    full: PyTree
    last: PyTree
    sizes: tuple[int, int, int]


def cut(data: Batch, size: int, count: int) -> Parts:
    """A batch of `size` examples in parts of `ceil(size / count)`: at most `count` of them.

    >>> parts = cut(jnp.arange(10), 10, 4)
    >>> parts.full.tolist(), parts.last.tolist()
    ([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [9])
    """
    part = -(-size // count)
    number, left = divmod(size, part)
    full = jax.tree.map(lambda leaf: jnp.reshape(leaf[: number * part], (number, part, *leaf.shape[1:])), data)
    last = jax.tree.map(lambda leaf: leaf[number * part :], data) if left else None
    return Parts(full, last, (part, left, size))


def accumulated(
    count: int, gradient: Gradient, forward_of: Pass, total: Total, state: TrainState, data: Data
) -> tuple[PyTree, Forward]:
    """The gradient and the pass of a whole batch, part by part.

    Args:
        count: into how many parts.
        gradient: `(non_trainable, data, share) -> (gradients, forward)` for a part.
        forward_of: `(non_trainable, data) -> forward` for a part.
        total: `(terms, rest, y_pred) -> loss` of the whole batch.
        state: before the batch.
        data: `(x, y, sample_weight)`.
    """
    parts = cut(data, batch_size_of(data[0]), count)
    counts = _counts(forward_of, state.non_trainable, parts)
    part, left, size = parts.sizes

    def add(carry: tuple[Any, Any], piece: object, examples: int) -> Any:
        non_trainable, sums = carry
        gradients, forward = gradient(non_trainable, piece, Share(counts, examples / size))
        sums = jax.tree.map(lambda total, each: total + each.astype(total.dtype), sums, gradients)
        rest = None if forward.rest is None else forward.rest * (examples / size)
        terms = jax.tree.map(jnp.asarray, dict(forward.terms))
        return (forward.non_trainable, sums), ((forward.y_pred, forward.masks), (terms, rest))

    # half precision is added up in float32
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.promote_types(x.dtype, "float32")), state.trainable)
    carry, seen = jax.lax.scan(lambda carry, piece: add(carry, piece, part), (state.non_trainable, zeros), parts.full)
    outputs = jax.tree.map(lambda leaf: jnp.reshape(leaf, (-1, *leaf.shape[2:])), seen[0])
    losses = jax.tree.map(lambda leaf: jnp.sum(leaf, 0), seen[1])
    if left:
        carry, last = add(carry, parts.last, left)
        outputs = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), outputs, last[0])
        losses = jax.tree.map(jnp.add, losses, last[1])
    (non_trainable, sums), (y_pred, masks), (terms, rest) = carry, outputs, losses
    gradients = jax.tree.map(lambda total, leaf: total.astype(leaf.dtype), sums, state.trainable)
    return gradients, Forward(total(terms, rest, y_pred), y_pred, masks, non_trainable, terms, rest)


def _counts(forward_of: Pass, non_trainable: Tree, parts: Parts) -> Mapping[str, Any]:
    """The counts of the whole batch, by the losses' keys."""
    part, left, size = parts.sizes
    found: dict[str, Any] = {}

    def look(non_trainable: Tree, piece: object) -> None:
        found.update({key: count for key, (_, count) in forward_of(non_trainable, piece).terms.items()})

    jax.eval_shape(look, non_trainable, jax.tree.map(lambda leaf: leaf[0], parts.full))
    if all(isinstance(count, np.floating) for count in found.values()):  # it follows from shapes, example by example
        return {key: count * np.float32(size / part) for key, count in found.items()}

    def add(carry: tuple[Any, Any], piece: object) -> Any:
        non_trainable, counts = carry
        forward = forward_of(non_trainable, piece)
        counts = {key: count + forward.terms[key][1].astype("float32") for key, count in counts.items()}
        return (forward.non_trainable, counts), None

    start = non_trainable, {key: jnp.zeros((), "float32") for key in found}
    (non_trainable, counts), _ = jax.lax.scan(add, start, parts.full)
    return add((non_trainable, counts), parts.last)[0][1] if left else counts
