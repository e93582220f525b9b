"""The states of a trainer: what a state begins with, and whether a given state is one of this trainer's."""

import jax
import jax.numpy as jnp

from jkeras import tree
from jkeras.core import Layer, Variables
from jkeras.errors import StateError
from jkeras.optimizers.transformations import widen
from jkeras.training.state import TrainState, copied, distinct
from jkeras.training.steps import Steps
from jkeras.training.updates import init_scale, strong
from jkeras.typing import PyTree

NEW_STATE = "state = trainer.init(jax.random.key(0), x)"


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


def _uses_float16(model: Layer) -> bool:
    policies = (part.dtype_policy for part in model.structure().components if isinstance(part, Layer))
    return any(policy.compute_dtype == "float16" != policy.variable_dtype for policy in policies)


def refusal(given: object, method: str, path: str) -> StateError:
    """The error for something that is not a state."""
    kind = type(given).__name__
    if isinstance(given, Variables) or (type(given) is tuple and len(given) == 2 and all(map(_is_tree, given))):
        write = f"trainer.{method}(trainer.state_of(variables), x, y)"
        return StateError(
            "`state` must be a TrainState, got the variables of a model.",
            path=path,
            expected="a TrainState: variables with the states of optimizer and metrics",
            received=kind,
            write=write if method != "predict" else write.replace(", y", ""),
        )
    received = f"{kind} of shape {tuple(given.shape)}" if hasattr(given, "shape") else kind
    returns = {"fit": "state, history = ", "train_on_batch": "state, logs = "}.get(method, "")
    return StateError(
        f"the first argument of `{method}` must be the state, got {received}: the data comes after it.",
        path=path,
        expected="a TrainState, which `trainer.init` makes",
        received=received,
        write=f"{NEW_STATE}\n            {returns}trainer.{method}(state, x{'' if 'predict' in method else ', y'})",
    )


def _is_tree(value: object) -> bool:
    return isinstance(value, dict | list)


def check_replicas(steps: Steps, state: TrainState, path: str) -> None:
    """Raises `StateError` for a state of another number of replicas."""
    shape, replicas = tuple(getattr(state.step, "shape", ())), steps.replicas
    if shape == (() if replicas is None else (replicas,)):
        return

    def networks(count: int | None) -> str:
        return "one network" if count is None else f"{count} replicas"

    count = shape[0] if shape else None
    raise StateError(
        f"`state` must be that of {networks(replicas)}, got that of {networks(count)}.",
        path=path,
        expected=f"state.step of shape {() if replicas is None else (replicas,)}",
        received=f"state.step of shape {shape}",
        write=NEW_STATE
        if count is None or replicas is not None
        else "state = jax.tree.map(lambda leaf: leaf[0], state)   # the first of them alone",
    )


def check_optimizer(steps: Steps, state: TrainState, path: str) -> None:
    """Compares the optimizer's state with what the optimizer makes for these parameters, by paths and shapes."""
    make = steps.optimizer.init if steps.replicas is None else jax.vmap(steps.optimizer.init)
    expected, given = _shapes(jax.eval_shape(make, state.trainable)), _shapes(state.opt_state)
    missing = [name for name in expected if name not in given]
    unknown = [name for name in given if name not in expected]
    misshaped = [name for name in expected if name in given and expected[name] != given[name]]
    if not (missing or unknown or misshaped):
        return
    lines = [f"{text} {', '.join(names[:3])}" for text, names in (("no", missing), ("unknown", unknown)) if names]
    lines += [f"{name} of shape {given[name]}, not {expected[name]}" for name in misshaped[:3]]
    kind = type(steps.optimizer).__name__
    raise StateError(
        f"`state.opt_state` must be that of the trainer's optimizer ({kind}), got another one's.",
        path=path,
        expected=f"what `trainer.optimizer.init(state.trainable)` returns, {len(expected)} leaves",
        received="; ".join(lines)[:240],
        write="state = trainer.state_of(state.variables)   # the same weights, a fresh optimizer",
    )


def _shapes(values: object) -> dict[str, tuple[int, ...]]:
    return {
        tree.key_path(path): tuple(getattr(leaf, "shape", ()))
        for path, leaf in jax.tree_util.tree_leaves_with_path(values)
    }


def check_metrics(steps: Steps, state: TrainState, keys: list[str], method: str) -> None:
    """Raises `StateError` where the state has other metrics than these, those of the trainer."""
    if not steps.overrides("train_step") and sorted(keys) != sorted(state.metrics):
        raise StateError(
            "`state.metrics` must be those of the trainer's metrics.",
            path=f"Trainer.{method}(state)",
            expected=", ".join(sorted(keys)),
            received=", ".join(sorted(state.metrics)),
            write="state = trainer.reset_metrics(state)",
        )
