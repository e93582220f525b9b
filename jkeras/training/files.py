"""Trainers in files: `.keras` with the compile config and the state of the training, in Keras's form and exact in ours.

Keras reads the model, the compile config and the optimizer's state, and trains on. What it has no place for is in a
group beside, which it passes over: metrics, the step, the counters of optax, states of transformations that Keras does
not know; and in the config an entry `jkeras` with all arguments of the trainer. So a file of ours comes back to the
bit, and one that Keras has written since comes back with what Keras has.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jkeras import optimizers, registry, tree
from jkeras.core import Layer
from jkeras.errors import ArgumentError, ConfigError, LeafError, StateError
from jkeras.optimizers import Optimizer
from jkeras.saving import archive, optimizer_state
from jkeras.saving.files import DIGEST, Encoded
from jkeras.saving.hdf5 import Stored
from jkeras.saving.hooks import assets_of, load_assets
from jkeras.saving.keras_weights import arrays_of, leaves_of, read_array
from jkeras.saving.model import check_path, envelope, model_of, variables_of
from jkeras.saving.state import by_path, decoded, encoded
from jkeras.training.recipe import Recipe
from jkeras.training.session import Session
from jkeras.training.state import TrainState, check_alive
from jkeras.training.trainer_states import refusal
from jkeras.typing import Config, Key, PyTree

T = TypeVar("T", bound="Recipe")

OPTIMIZER, INNER, BESIDE = "optimizer/vars", "optimizer/inner_optimizer/vars", "jkeras_state"  # groups of the file
OWN, TRAINER, COMPILE = "jkeras", "trainer", "compile_config"  # entries of the config
FOR_KERAS = ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "jit_compile")
ARGUMENTS = ("gradient_accumulation_steps", "ema", "skip_nonfinite", "log_norms")  # that Keras does not have
SCALING = "LossScaleOptimizer"
SCALE = ("loss_scale/good_steps", "loss_scale/scale")
BEFORE = 2 + len(SCALE)  # arrays of Keras's loss scaling: its own iteration and learning rate, and these
VARIABLES = ("trainable/", "non_trainable/")


class Restored(Protocol):
    """A trainer whose states are read: the two ways to a state, and the arguments that say what is in one."""

    model: Layer
    optimizer: Any
    ema: float | None

    @property
    def session(self) -> Session:
        """Knows where the leaves of a state lie."""

    def init(self, key: Key, *inputs: PyTree) -> TrainState:
        """The state before the first step."""

    def state_of(self, variables: tuple[PyTree, PyTree], *inputs: PyTree) -> TrainState:
        """A state around given values."""


def save(trainer: Recipe, path: str | os.PathLike[str], state: TrainState) -> None:
    """`Trainer.save`."""
    owner = "trainer.save"
    path = check_path(path, owner)
    if not isinstance(state, TrainState):
        raise refusal(state, "save", f"{owner}(state)")
    check_alive(state, f"{owner}(state)")
    if np.shape(state.step):
        raise StateError(
            f"`state` must be that of one network, got that of {np.shape(state.step)[0]} replicas.",
            path=f"{owner}(state)",
            expected="state.step of shape ()",
            received=f"state.step of shape {np.shape(state.step)}",
            write="trainer.replace(replicas=None).save(path, jax.tree.map(lambda leaf: leaf[0], state))",
        )
    leaves = {name: leaf for name, leaf in by_path(state).items() if not name.startswith(VARIABLES)}
    stored, kept = _in_keras_form(trainer, state, leaves)
    weights = leaves_of(trainer.model, state.variables)
    beside = {f"{BESIDE}/{name}": encoded(leaf) for name, leaf in leaves.items() if name not in kept}
    config = {**envelope(trainer.model), **_configs(trainer, state)}
    with assets_of(trainer.model) as assets:
        archive.write(path, config, {**weights, **stored, **beside}, assets)


def _in_keras_form(
    trainer: Recipe, state: TrainState, leaves: Mapping[str, Any]
) -> tuple[dict[str, Encoded], set[str]]:
    """The arrays of the optimizer as Keras keeps them, and the names of the leaves that are among them."""
    items = _plan(trainer, state)
    if items is None:
        return {}, set()
    calls = optimizer_state.calls_of(trainer.optimizer, leaves, optimizer_state.fields(state))
    arrays = optimizer_state.packed(items, leaves, calls)
    stored = {f"{OPTIMIZER}/{index}": encoded(values) for index, values in enumerate(arrays)}
    if state.loss_scale is not None:
        inner = {f"{INNER}/{index}": encoded(values) for index, values in enumerate(arrays)}
        scale = [np.asarray(leaves[name]) for name in SCALE]
        arrays = [np.zeros((), "int32"), np.zeros((), "float32"), *scale, *arrays]
        stored = {**{f"{OPTIMIZER}/{index}": encoded(values) for index, values in enumerate(arrays)}, **inner}
    return stored, optimizer_state.exact(items)


def _plan(trainer: Recipe | Restored, state: TrainState) -> list[optimizer_state.Item] | None:
    weights = [
        (declaration.path, len(declaration.variable.shape)) for declaration in trainer.model.structure().split()[0]
    ]
    average = "average" if getattr(trainer.optimizer, "use_ema", False) else "ema" if trainer.ema is not None else None
    return optimizer_state.plan(trainer.optimizer, optimizer_state.fields(state), weights, average)


def _configs(trainer: Recipe, state: TrainState) -> Config:
    """The compile config for Keras, where there is one, and that of ours."""
    written = not isinstance(trainer.optimizer, optax.GradientTransformation)
    plain = trainer if written else trainer.replace(optimizer=None)
    config = plain.get_compile_config()
    own = {**config, **{name: getattr(trainer, name) for name in ARGUMENTS}}
    if not written:
        del own["optimizer"]
    configs: Config = {OWN: {TRAINER: own}}
    if isinstance(trainer.optimizer, Optimizer):
        steps = config["steps_per_execution"]
        scales = state.loss_scale is not None
        configs[COMPILE] = {
            **{name: config[name] for name in FOR_KERAS},
            "optimizer": _optimizer_for_keras(trainer, scales),
            "steps_per_execution": 1 if steps == "auto" else steps,
            "auto_scale_loss": scales,
        }
    return configs


def _optimizer_for_keras(trainer: Recipe, scales: bool) -> Config:
    optimizer = trainer.optimizer
    if trainer.ema is not None and not optimizer.use_ema:
        optimizer = dataclasses.replace(optimizer, use_ema=True, ema_momentum=trainer.ema)
    config: Config = optimizers.serialize(dataclasses.replace(optimizer, weight_decay_exclusions=()))
    if not scales:
        return config
    wrapped = {"name": "loss_scale_optimizer", "inner_optimizer": config}
    return {"module": "keras.optimizers", "class_name": SCALING, "config": wrapped, "registered_name": None}


def load(
    cls: type[T],
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None,
    key: Key | None,
    changes: Mapping[str, Any],
) -> tuple[T, TrainState]:
    """`Trainer.load`."""
    path = os.fspath(path)
    label = f"{path}: {archive.WEIGHTS}"
    with registry.custom_object_scope(custom_objects), archive.opened(path) as file:
        with file.open(archive.WEIGHTS) as weights, arrays_of(weights, label) as found:
            model = model_of(file, found, None)
            trainer = cls.from_compile_config(model, _compile_config(cls, file.config, path, changes))
            state = state_in(cast(Restored, trainer), model, found, label, key)
        load_assets(model, file)
        return trainer, state


def _compile_config(cls: type, config: Mapping[str, Any], path: str, changes: Mapping[str, Any]) -> Config:
    """The arguments of a trainer in a config, with those that are given in their place."""
    own = config.get(OWN)
    options = own.get(TRAINER) if isinstance(own, Mapping) else config.get(COMPILE)
    if not isinstance(options, Mapping) or not options:
        if "loss" not in changes:
            raise ConfigError(
                "the model in the file was never compiled, so nothing says how to train it.",
                path=path,
                expected=f"an entry '{COMPILE}' in the config",
                write=f"trainer, state = {cls.__name__}.load(path, optimizer='adam', loss='mse')",
            )
        options = {}
    given = {**options, **changes}
    if isinstance(own, Mapping) and "optimizer" not in given:
        raise ArgumentError(
            "`optimizer` must be given, because the trainer in the file had an optax transformation.",
            path=f"{cls.__name__}.load",
            expected="the same transformation",
            write=f"trainer, state = {cls.__name__}.load(path, optimizer=optax.adam(1e-3))",
        )
    optimizer = given.get("optimizer")
    if isinstance(optimizer, Mapping) and optimizer.get("class_name") == SCALING:  # a trainer scales by itself
        given["optimizer"] = optimizer["config"]["inner_optimizer"]
        given["auto_scale_loss"] = True
    return given


def state_in(trainer: Restored, model: Layer, found: Mapping[str, Stored], path: str, key: Key | None) -> TrainState:
    """The state of a trainer in the arrays of a file."""
    initial: TrainState = trainer.state_of(variables_of(model, found, path, key))
    leaves = by_path(initial)
    values = _of_keras_form(trainer, initial, leaves, found, path)
    prefix = f"{BESIDE}/"
    for name in found:
        if name.startswith(prefix):
            place = name.removeprefix(prefix)
            attributes = {k: v for k, v in found[name].dataset.attrs.items() if k != DIGEST}
            values[place] = decoded(
                read_array(found[name], name, path), {k: v for k, v in attributes.items() if k == "key"}
            )
    problems = [f"'{name}' is unknown" for name in values if name not in leaves]
    problems += [
        f"'{name}' has shape {np.shape(value)}, expected {np.shape(leaves[name])}"
        for name, value in values.items()
        if name in leaves and np.shape(value) != np.shape(leaves[name])
    ]
    if problems:
        raise _misfit(path, problems)
    state: TrainState = tree.map_with_path(
        lambda name, leaf: _placed(values[name], leaf) if name in values else leaf, initial
    )
    return state


def _placed(value: object, leaf: jax.Array) -> jax.Array:
    return value if isinstance(value, jax.Array) else jnp.array(value, leaf.dtype)


def _of_keras_form(
    trainer: Restored, initial: TrainState, leaves: Mapping[str, Any], found: Mapping[str, Stored], path: str
) -> dict[str, Any]:
    """The leaves that follow from Keras's arrays of the optimizer."""
    items = _plan(trainer, initial)
    count = sum(name.startswith(f"{OPTIMIZER}/") for name in found)
    if items is None or not count:
        return {}
    arrays = [read_array(found[name], name, path) for name in (f"{OPTIMIZER}/{index}" for index in range(count))]
    values: dict[str, Any] = {}
    if any(name.startswith(INNER) for name in found):
        if initial.loss_scale is not None:
            values = dict(zip(SCALE, arrays[2:BEFORE], strict=True))
        arrays = arrays[BEFORE:]
    if len(arrays) != len(items):
        if not int(arrays[0]):  # compiled, never trained: Keras makes the rest later
            return {}
        expected = f"expected {len(items)} of {type(trainer.optimizer).__name__}"
        raise _misfit(path, [f"'{OPTIMIZER}' has {len(arrays)} arrays, {expected}"])
    calls = int(arrays[0])
    every = trainer.optimizer.gradient_accumulation_steps or 1
    values |= optimizer_state.counters(trainer.optimizer, leaves, calls)
    values |= optimizer_state.unpacked(items, arrays, calls % every)
    return {**values, "step": np.int32(calls)}


def _misfit(path: str, problems: list[str]) -> LeafError:
    shown = problems if len(problems) <= 4 else [*problems[:3], f"and {len(problems) - 3} more"]
    return LeafError(
        "the file does not have the state of the trainer:\n    " + "\n    ".join(shown),
        path=path,
        write="model, variables = jkeras.models.load_model(path)   # then trainer.state_of(variables)",
    )
