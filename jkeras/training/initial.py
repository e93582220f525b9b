"""Initial states: what a state begins with, around values that are drawn or given."""

import jax
import jax.numpy as jnp

from jkeras import optimizers
from jkeras.core import Layer
from jkeras.optimizers.transformations import widen
from jkeras.training.state import TrainState, copied, distinct
from jkeras.training.steps import Steps
from jkeras.training.updates import init_scale, strong
from jkeras.typing import PyTree


def state_around(steps: Steps, variables: tuple[PyTree, PyTree], metrics: PyTree) -> TrainState:
    """The state around a copy of given values: step 0, a fresh optimizer, and these metrics."""
    trainable, non_trainable = copied(tuple(variables))
    state = TrainState(
        step=jnp.zeros((), "int32"),
        trainable=trainable,
        non_trainable=non_trainable,
        opt_state=() if steps.optimizer is None else strong(steps.optimizer.init(trainable)),
        metrics=metrics,
        ema=None if steps.ema is None else copied(widen(trainable)),
        loss_scale=init_scale() if steps.auto_scale_loss and _uses_float16(steps.model) else None,
    )
    return distinct(state)


def with_hyperparameters(state: TrainState, values: dict[str, jax.Array]) -> TrainState:
    """The state with other values of hyper-parameters that the optimizer keeps in it."""
    return state.replace(opt_state=optimizers.set_hyperparameters(state.opt_state, **values)) if values else state


def _uses_float16(model: Layer) -> bool:
    parts = model.structure().components
    return any(isinstance(part, Layer) and part.dtype_policy.name == "mixed_float16" for part in parts)
