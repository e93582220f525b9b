"""The parts of a step: the pass through the model with its losses, and the metrics of a batch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core import Scope, stateless
from jkeras.data.batch import batch_size_of
from jkeras.errors import ArgumentError
from jkeras.losses.callables import check_values
from jkeras.training.inputs import call_arguments
from jkeras.training.objective import Objective, Terms
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree


class Forward(NamedTuple):
    """What a pass through the model gives: the total loss, the outputs and their masks, the new values.

    Attributes:
        terms: the sum and the count of each output's loss.
        rest: what is minimised beside them, weighed by examples: penalties, or all of an overridden `compute_loss`.
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


def run_forward(
    trainer: Any,
    variables: tuple[PyTree, PyTree],
    data: tuple[PyTree, PyTree, PyTree],
    *,
    training: bool,
    share: Share | None = None,
) -> Forward:
    """The model and the loss on a batch. The loss is a float32 scalar and includes the model's own penalties.

    That of a part is its summand of the whole batch's loss.
    """
    x, y, sample_weight = data
    trainable, non_trainable = variables
    objective: Objective = trainer.objective
    y_pred, non_trainable, scope, structure = trainer.model.run(
        trainable, non_trainable, call_arguments(trainer.model, x), {}, training=training
    )
    terms: Terms = {}
    rest: list[Array] = []
    with scope.open(), jax.named_scope("loss"):
        if trainer.has_own_loss:
            own = trainer.compute_loss(x, y, y_pred, sample_weight, training=training)
            rest = [as_scalar(own, f"{type(trainer).__name__}.compute_loss")]
        if not trainer.has_own_loss or objective.has_terms_logged(y_pred):
            terms = objective.terms(y, y_pred, sample_weight)
        rest += [*scope.losses.values(), *stateless.penalties(structure, scope.values).values()]
        others = sum(rest[1:], rest[0]) if rest else None
        loss = whole_loss(trainer, terms, others, y_pred, share)
    masks = [scope.mask_of(leaf) for leaf in jax.tree.leaves(y_pred)]
    return Forward(loss, y_pred, masks, non_trainable, terms, others)


def as_scalar(loss: Any, path: str) -> Array:
    """The loss that a method returned, in float32.

    Raises:
        ArgumentError: it is no number.
    """
    check_values(loss, path)
    loss = jnp.asarray(loss, "float32")
    if loss.ndim:
        raise ArgumentError(
            "the loss is not one number.",
            path=path,
            expected="a scalar",
            received=f"shape {loss.shape}",
            write="return jnp.mean(values)",
        )
    return loss


def whole_loss(trainer: Any, terms: Terms, rest: Array | None, y_pred: PyTree, share: Share | None = None) -> Array:
    """The loss of terms and of what is minimised beside them, or a part's summand of it."""
    loss = jnp.zeros((), "float32")
    if not trainer.has_own_loss:
        shared = terms if share is None else {key: (total, share.counts[key]) for key, (total, _) in terms.items()}
        loss = trainer.objective.total(shared, y_pred)
    if rest is not None:
        loss = loss + (rest if share is None else rest * share.fraction)
    return jnp.asarray(loss, "float32")


def run_metrics(
    trainer: Any, state: TrainState, data: tuple[PyTree, PyTree, PyTree], forward: Forward, *, training: bool
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The metrics' states with the batch added, and the logs of the batch.

    `compute_metrics` runs in the scope of the model's call, as `compute_loss` does: with the values before the update.
    """
    x, y, sample_weight = data
    objective, y_pred = trainer.objective, forward.y_pred
    structure = trainer.model.structure()
    bound = stateless.bind(structure, state.trainable, forward.non_trainable, trainer.model.name)
    scope = Scope(bound.values, structure.paths, context={"training": training})
    for leaf, mask in zip(jax.tree.leaves(y_pred), forward.masks, strict=True):
        scope.set_mask(leaf, mask)
    with scope.open(), jax.named_scope("metrics"):
        size, counted = batch_size_of(x), not trainer.has_own_loss
        batch = objective.measure(y, y_pred, sample_weight, forward.terms, forward.rest, size, counted=counted)
        extra = trainer.compute_metrics(x, y, y_pred, sample_weight)
        return objective.merge(state.metrics, batch, y_pred), {**objective.results(batch, y_pred), **extra}
