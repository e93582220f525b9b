"""What a pass through the model gives: the outputs, the sums of the losses, and the new values of the model."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.training.objective import Terms
from jkeras.typing import Array, PyTree

Data = tuple[PyTree, PyTree, PyTree]  # x, y, sample_weight


class Forward(NamedTuple):
    """A pass through the model on a batch, or on a part of one. A tree of arrays.

    Attributes:
        loss: what is minimised, a float32 scalar; of a part its summand of the batch's.
        y_pred: the outputs.
        masks: the mask of each output, or `None`, in the order of the leaves.
        non_trainable: the model's non-trainable values after the pass.
        terms: the sum and the count of each output's loss, by its key in the logs.
        rest: what is minimised beside them, weighed by examples: penalties, or all of an overridden `compute_loss`.

    >>> import jax, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> trainer = jkeras.Trainer(model, "sgd", "mse")
    >>> state = trainer.init(jax.random.key(0))
    >>> gradients, forward = trainer.compute_gradients(state, (jnp.ones((3, 2)), jnp.zeros((3, 1))))
    >>> forward.y_pred.shape, float(forward.loss)
    ((3, 1), 4.0)
    """

    loss: Array
    y_pred: PyTree
    masks: list[Any]
    non_trainable: PyTree
    terms: Terms
    rest: Array | None


class Share(NamedTuple):
    """What a part knows of the whole batch: the counts of the losses, and the part's fraction of the examples."""

    counts: Mapping[str, Any]
    fraction: float


def joined(parts: Forward) -> Forward:
    """The pass on a batch of equal parts, from the passes on the parts, stacked along a first axis.

    The losses' sums and counts are added, `rest` and `loss` averaged, outputs and masks laid end to end. Values that
    layers assign are those of the last part.

    Args:
        parts: what `jax.vmap` or `jax.lax.map` of `compute_gradients` over parts of one size returns.

    >>> one = Forward(jnp.ones(()), jnp.ones((1, 2)), [None], {}, {"loss": (jnp.ones(()), jnp.ones(()))}, None)
    >>> both = joined(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), one))
    >>> both.y_pred.shape, float(both.loss), float(both.terms["loss"][1])
    ((2, 2), 1.0, 2.0)
    """
    y_pred, masks = jax.tree.map(lambda leaf: jnp.reshape(leaf, (-1, *leaf.shape[2:])), (parts.y_pred, parts.masks))
    terms = jax.tree.map(lambda leaf: jnp.sum(leaf, 0), dict(parts.terms))
    non_trainable = jax.tree.map(lambda leaf: leaf[-1], parts.non_trainable)
    rest = None if parts.rest is None else jnp.mean(parts.rest, 0)
    return Forward(jnp.mean(parts.loss, 0), y_pred, masks, non_trainable, terms, rest)
