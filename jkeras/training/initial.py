"""Initial states: one compiled program draws everything that a state begins with.

The program is traced for every call, since what is trainable may have changed, and compiled only where it differs from
that of the call before.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import optimizers
from jkeras.core import Layer, stateless
from jkeras.core.tensor import is_shape
from jkeras.errors import NeverCalledError
from jkeras.optimizers.transformations import widen
from jkeras.training.buffers import copied, distinct
from jkeras.training.extra_arguments import strong
from jkeras.training.inputs import spread
from jkeras.training.scaling import init_scale
from jkeras.training.state import TrainState
from jkeras.typing import Array, Key, PyTree


def init(trainer: Any, key: Key, inputs: tuple[PyTree, ...]) -> TrainState:
    """`Trainer.init`."""
    inputs = spread(trainer.model, inputs)

    def initial(key: Key) -> TrainState:
        if trainer.replicas is None:
            return trainer.state_of(trainer.model.init(key, *inputs), *inputs)
        values = {name: jnp.asarray(each, "float32") for name, each in trainer.hyperparameters.items()}
        return jax.vmap(member)(jax.random.split(key, trainer.replicas), values)

    def member(key: Key, values: dict[str, Array]) -> TrainState:
        state = trainer.state_of(trainer.model.init(key, *inputs), *inputs)
        return state.replace(opt_state=optimizers.set_hyperparameters(state.opt_state, **values)) if values else state

    stateless.as_key(key, "trainer")
    knows_shapes = bool(inputs) or trainer.model.built
    if isinstance(key, jax.core.Tracer) or not trainer.jit_compile or not knows_shapes:
        return initial(key)
    trainer.output_spec(*inputs)  # builds the model outside of a trace
    return trainer.found.run(initial, key)


class Found:
    """What a trainer found out about the inputs that it was asked for last.

    Attributes:
        output_spec: a description of the inputs, and the specs of the outputs.
        program: the text of the program that draws initial states, and the program.
        checked: the structure of the last state whose optimizer's part was looked at.
        metrics: the names of the metrics' states.
    """

    def __init__(self) -> None:
        self.output_spec: tuple[Any, PyTree] | None = None
        self.program: tuple[str, Any] = ("", None)
        self.checked: Any = None
        self.metrics: list[str] | None = None

    def run(self, function: Callable[[Key], TrainState], key: Key) -> TrainState:
        """`function(key)`, compiled as one program."""
        lowered = jax.jit(function).lower(key)
        text = f"{jax.tree.structure(lowered.out_info)}\n{lowered.as_text()}"
        if text != self.program[0]:
            self.program = text, lowered.compile()
        return self.program[1](key)


def state_of(trainer: Any, variables: tuple[PyTree, PyTree], inputs: tuple[PyTree, ...]) -> TrainState:
    """`Trainer.state_of`."""
    trainable, non_trainable = copied(tuple(variables))
    state = TrainState(
        step=jnp.zeros((), "int32"),
        trainable=trainable,
        non_trainable=non_trainable,
        opt_state=() if trainer.optimizer is None else strong(trainer.optimizer.init(trainable)),
        metrics=trainer.objective.init(trainer.output_spec(*inputs)),
        ema=None if trainer.ema is None else copied(widen(trainable)),
        loss_scale=init_scale() if trainer.auto_scale_loss and _uses_float16(trainer.model) else None,
    )
    return distinct(state)


def _uses_float16(model: Layer) -> bool:
    parts = model.structure().components
    return any(isinstance(part, Layer) and part.dtype_policy.name == "mixed_float16" for part in parts)


def output_spec(trainer: Any, inputs: tuple[PyTree, ...]) -> PyTree:
    """`Trainer.output_spec`."""
    model: Layer = trainer.model
    inputs = spread(model, inputs) or _known_inputs(model)
    leaves, treedef = jax.tree.flatten(inputs, is_leaf=is_shape)
    described = tuple((tuple(leaf.shape), str(leaf.dtype)) if hasattr(leaf, "shape") else leaf for leaf in leaves)
    key = treedef, described, tuple(map(id, model.structure().components))
    if trainer.found.output_spec is None or trainer.found.output_spec[0] != key:  # the last one is enough
        trainer.found.output_spec = key, model.infer_build(*inputs)
    return trainer.found.output_spec[1]


def _known_inputs(model: Any) -> tuple[PyTree, ...]:
    """Symbolic inputs of a model that knows its own, or the shapes for which it was built."""
    try:
        return (model.input,)
    except NeverCalledError:
        shapes = model.get_build_config() or {}
        return tuple(shapes.get("shapes_dict", shapes).values())
