"""The parts of a step: the pass through the model with its losses, and the metrics of a batch."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core import Scope, stateless
from jkeras.data.batch import batch_size_of
from jkeras.training.objective import LOSS
from jkeras.typing import Array, PyTree


class Forward(NamedTuple):
    """What a pass through the model gives: the total loss, the outputs and their masks, the new values."""

    loss: Array
    y_pred: PyTree
    masks: list[Any]
    non_trainable: PyTree


def run_forward(
    trainer: Any, variables: tuple[PyTree, PyTree], data: tuple[PyTree, PyTree, PyTree], *, training: bool
) -> Forward:
    """The model and the loss on a batch. The loss is a float32 scalar and includes the model's own penalties."""
    x, y, sample_weight = data
    trainable, non_trainable = variables
    y_pred, non_trainable, scope, structure = trainer.model.run(trainable, non_trainable, (x,), {}, training=training)
    with scope.open():
        loss = trainer.compute_loss(x, y, y_pred, sample_weight, training=training)
    penalties = {**scope.losses, **stateless.penalties(structure, scope.values)}
    for penalty in penalties.values():
        loss = loss + penalty
    masks = [scope.mask_of(leaf) for leaf in jax.tree.leaves(y_pred)]
    return Forward(jnp.asarray(loss, "float32"), y_pred, masks, non_trainable)


def run_metrics(
    trainer: Any, state: dict[str, Any], data: tuple[PyTree, PyTree, PyTree], forward: Forward
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The metrics' states with the batch added, and the logs of the batch."""
    x, y, sample_weight = data
    objective, y_pred = trainer.objective, forward.y_pred
    scope = Scope()
    for leaf, mask in zip(jax.tree.leaves(y_pred), forward.masks, strict=True):
        scope.set_mask(leaf, mask)
    with scope.open():
        losses = {LOSS: forward.loss, **objective.each_loss(y, y_pred, sample_weight)}
        batch = objective.measure(y, y_pred, sample_weight, losses, batch_size_of(x))
        extra = trainer.compute_metrics(x, y, y_pred, sample_weight)
    return objective.merge(state, batch, y_pred), {**objective.results(batch, y_pred), **extra}
