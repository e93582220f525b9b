"""One update: the gradient of a batch, and what it makes of a state."""

import functools
from typing import Any

import jax
import optax

from jkeras.core import stateless
from jkeras.errors import ArgumentError
from jkeras.optimizers.transformations import widen
from jkeras.training.accumulation import accumulated
from jkeras.training.extra_arguments import offered, updates_of
from jkeras.training.scaling import all_finite, next_scale, select
from jkeras.training.state import TrainState
from jkeras.training.step import Forward, Share, run_forward
from jkeras.typing import Array, PyTree


def update(trainer: Any, state: TrainState, data: PyTree) -> tuple[TrainState, Forward, dict[str, Array]]:
    """The state after an update on `(x, y, sample_weight)`, its metrics untouched.

    Returns:
        The state, the pass through the model, and the logs of the update itself: norms, skipped steps.
    """
    if trainer.optimizer is None:
        raise ArgumentError(
            "without an optimizer there are no updates.",
            path="Trainer(optimizer=)",
            expected="an optimizer",
            received="None",
            write="Trainer(model, optimizer='adam', ...)",
        )

    def at(params: PyTree) -> tuple[PyTree, Forward]:
        def run(non_trainable: PyTree, data: PyTree) -> Forward:
            return run_forward(trainer, (params, non_trainable), data, training=True)

        gradient = functools.partial(_gradient, trainer, state.replace(trainable=params))
        if trainer.gradient_accumulation_steps > 1:
            return accumulated(trainer, gradient, run, state.replace(trainable=params), data)
        return gradient(state.non_trainable, data)

    gradients, forward = at(state.trainable)
    extra = offered(
        forward.loss, gradients, functools.partial(_value, trainer, state, data), lambda params: at(params)[0]
    )
    with jax.named_scope("optimizer"):
        updates, opt_state = updates_of(trainer.optimizer, gradients, state.opt_state, state.trainable, extra)
        trainable = optax.apply_updates(state.trainable, updates)
        trainable = stateless.constrain(trainer.model.structure(), trainable)
    new = state.replace(
        step=state.step + 1, trainable=trainable, non_trainable=forward.non_trainable, opt_state=opt_state
    )
    if state.ema is not None:
        new = new.replace(ema=optax.incremental_update(widen(trainable), state.ema, 1 - trainer.ema))
    logs: dict[str, Array] = {}
    if trainer.log_norms:
        logs = {"gradient_norm": optax.tree.norm(gradients), "update_norm": optax.tree.norm(updates)}
    if trainer.skip_nonfinite or state.loss_scale is not None:
        finite = all_finite(gradients)
        new = select(finite, new, state)
        if trainer.skip_nonfinite:
            logs["skipped"] = 1.0 - finite.astype("float32")
        if state.loss_scale is not None:
            new = new.replace(loss_scale=next_scale(state.loss_scale, finite))
    return new, forward, logs


def _value(trainer: Any, state: TrainState, data: PyTree, params: PyTree) -> Array:
    """The loss of the batch for other parameters."""
    return run_forward(trainer, (params, state.non_trainable), data, training=True).loss


def _gradient(
    trainer: Any, state: TrainState, non_trainable: PyTree, data: PyTree, share: Share | None = None
) -> tuple[PyTree, Forward]:
    """The gradient of the loss on a batch or a part of one."""
    fixed = getattr(trainer.optimizer, "loss_scale_factor", None)  # the optimizer divides by this one itself
    dynamic = None if state.loss_scale is None else state.loss_scale["scale"]

    def objective(trainable: PyTree) -> tuple[Array, Forward]:
        forward = run_forward(trainer, (trainable, non_trainable), data, training=True, share=share)
        loss = forward.loss
        for scale in (fixed, dynamic):
            loss = loss if scale is None else loss * scale
        return loss, forward

    gradients, forward = jax.grad(objective, has_aux=True)(state.trainable)
    if dynamic is not None:
        inverse = 1 / dynamic
        gradients = jax.tree.map(lambda leaf: leaf * inverse.astype(leaf.dtype), gradients)
    return gradients, forward
