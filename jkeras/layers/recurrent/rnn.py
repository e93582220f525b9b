"""RNN: a cell in a loop over time."""

from collections.abc import Iterator, Sequence
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp

from jkeras import core, registry
from jkeras.core import Layer, Variable, Variables, get_mask
from jkeras.core.options import LayerOptions
from jkeras.core.structure import Component
from jkeras.errors import ArgumentError, BuildError, elsewhere
from jkeras.functional.recurrence import selected, widened
from jkeras.layers.recurrent.base import (
    Recurrence,
    States,
    check_cell,
    check_states,
    check_step_mask,
    initial_state_of,
    recurrence_of,
)
from jkeras.layers.recurrent.stacked import StackedRNNCells
from jkeras.typing import Array, ArrayTree, Config, PyTree, Shape


class CarriedStates(Component):
    """The states that a stateful layer carries from call to call: zeros at first, in the order of the cell's states."""

    is_random_stream = True  # like a stream's, its values are not weights

    def __init__(self, specs: list[Any], dtype: str) -> None:
        self.variables = [Variable("zeros", spec.shape, dtype, trainable=False) for spec in specs]

    def components(self) -> Iterator[tuple[str, Variable]]:
        yield from ((str(index), variable) for index, variable in enumerate(self.variables))


@elsewhere(
    "reset_states",
    expected="the states of a stateful layer, in its values",
    write="variables = layer.reset_state(variables)",
)
@registry.export("keras.layers")
class RNN(Layer):
    """A cell applied to each step of a sequence: `outputs[t], states[t] = cell(inputs[t], states[t-1])`.

    The cells of this package read their weights, draw their dropout masks and multiply all inputs by their kernels
    before the loop, which is one `jax.lax.scan`. Any other cell is called in each step of a `jkeras.scan`, so it may
    assign variables, draw random numbers and add losses. It is a layer with

        state_size      the size of its state, or a list of sizes
        call            `(inputs (b, i), states) -> (output (b, o), new states)`, lists of states
        output_size     optional: `o`; by default the first state's size
        get_initial_state   optional: `(batch_size) -> states`; by default zeros

    A mask `(b, t)` says which steps count. A step that does not leaves the states as they are and repeats the output
    before it; what its inputs are, NaN included, reaches neither outputs nor gradients.

    Args:
        cell: a layer as above, or a list of them, which are stacked.
        return_sequences: whether to return all outputs, and not only the last.
        return_state: whether to return the last states too.
        go_backwards: whether to begin at the end; outputs come in the order of the loop.
        stateful: whether each call begins with the states in which the one before has ended. The states are then
            variables of the non-trainable tree: `stateless_call` returns the new ones, `reset_state` sets them to zero.
            The batch size must be known.
        unroll: whether the compiled program repeats the step and has no loop. The number of steps must be known.
        zero_output_for_mask: whether the outputs of steps that do not count are 0.

    Call arguments:
        sequences: `(b, t, ...)`.
        initial_state: the states to begin with, one array or a list; by default the cell's.
        mask: booleans `(b, t)`; by default the one that travels with `sequences`.

    Shapes:
        `(b, t, i)` -> `(b, o)`, with `return_sequences` `(b, t, o)`, with `return_state` a tuple of that and the
        states.

    Raises:
        ArgumentError: no cell.
        BuildError: a stateful layer for an unknown batch size.
        ShapeError: initial states, mask or batch do not fit.

    >>> import jax, jax.numpy as jnp
    >>> class Sum(Layer):
    ...     state_size = 1
    ...     def call(self, inputs, states):
    ...         total = states[0] + inputs
    ...         return total, [total]
    >>> layer = RNN(Sum(), return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> mask = jnp.array([[True, False, True]])
    >>> layer.stateless_call(*variables, jnp.array([[[1.0], [2.0], [3.0]]]), mask=mask)[0].ravel().tolist()
    [1.0, 1.0, 4.0]

    Source: `keras.layers.RNN`.
    """

    def __init__(
        self,
        cell: Layer | Sequence[Layer],
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.cell: Any = check_cell(
            StackedRNNCells(cell) if isinstance(cell, list | tuple) else cell, type(self).__name__
        )
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.states: CarriedStates | None = None
        self.supports_masking = True

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cell's states."""
        size: Any = self.cell.state_size
        return list(size) if isinstance(size, list | tuple) else [size]

    # -- building

    def build(self, sequences_shape: Any, initial_state_shape: Shape | None = None) -> None:
        if self.cell.overrides_build and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            if sequences_shape[0] is None:
                raise BuildError(
                    "the batch size must be known, because a stateful layer keeps states for each sequence.",
                    path=self._label,
                    expected="a batch of known size",
                    received=sequences_shape,
                    write="jkeras.Input(batch_shape=(32, None, 8))",
                )
            specs = jax.eval_shape(lambda: self.get_initial_state(sequences_shape[0]))
            self.states = CarriedStates(jax.tree.leaves(specs), self.variable_dtype)

    def get_initial_state(self, batch_size: int) -> States:
        """The states in which the cell begins."""
        return initial_state_of(self.cell, batch_size)

    def reset_state(self, variables: tuple[Any, Any]) -> Variables:
        """The layer's values with the states of a stateful layer set to zero.

        Args:
            variables: the layer's own two trees: in a model, its subtrees.

        Raises:
            ArgumentError: the layer is not stateful.
        """
        if self.states is None:
            problem, wanted = "`reset_state` needs states, and this layer has none.", "a stateful layer that is built"
            received = f"stateful={self.stateful}, built={self.built}"
            write = f"{type(self).__name__}(..., stateful=True)"
            raise ArgumentError(problem, path=self._label, expected=wanted, received=received, write=write)
        trainable, non_trainable = variables
        zeros = jax.tree.map(jnp.zeros_like, non_trainable["states"])
        return Variables(trainable, {**non_trainable, "states": zeros})

    # -- running

    def call(
        self,
        sequences: Array,
        initial_state: PyTree = None,
        mask: Array | None = None,
        training: bool | None = False,
    ) -> PyTree:
        """The loop: see the class."""
        keep = self.kept_steps(sequences, mask)  # (t, b)
        states = self.first_states(sequences, initial_state)
        step_shape = (sequences.shape[0], *sequences.shape[2:])
        recurrence = recurrence_of(self.cell, step_shape, training)
        steps = jnp.swapaxes(sequences, 0, 1)  # (t, b, ...)
        if self.go_backwards:
            steps = jnp.flip(steps, axis=0)
            keep = None if keep is None else jnp.flip(keep, axis=0)
        if keep is not None:  # a NaN in padding would reach the gradients of the kernel, as 0 * NaN
            steps = jnp.where(widened(keep, steps.ndim), steps, jnp.zeros((), steps.dtype))
        outputs, last, states = self.loop(recurrence, steps, keep, states)
        if self.states is not None:
            for variable, state in zip(self.states.variables, jax.tree.leaves(states), strict=True):
                variable.assign(state)
        output = last if outputs is None else jnp.swapaxes(outputs, 0, 1)
        output, states = jax.tree.map(lambda value: value.astype(self.compute_dtype), (output, states))
        return (output, *map(alone, states)) if self.return_state else output

    def loop(
        self, recurrence: Recurrence, steps: Array, keep: Array | None, states: States
    ) -> tuple[Array | None, Array, States]:
        """The outputs of all steps where they are wanted `(t, b, ...)`, the last one, and the last states."""
        structure, output_of = jax.tree.structure(states), recurrence.output_of
        emits = self.return_sequences or output_of is None

        def body(states: States, at: tuple[Array, Array | None]) -> tuple[States, Array | None]:
            x, kept = at
            output, new = recurrence.step(x, states)
            new = jax.tree.unflatten(structure, jax.tree.leaves(new))
            new = jax.tree.map(lambda state, old: selected(kept, state.astype(old.dtype), old), new, states)
            return new, (output if output_of is None else output_of(new)) if emits else None

        scan: Any = core.scan if output_of is None else jax.lax.scan
        if recurrence.loop is not None:
            states, outputs = recurrence.loop(steps, keep, states, self.unroll)
        else:
            states, outputs = scan(body, states, (recurrence.project(steps), keep), unroll=self.unroll or 1)
        if output_of is None and keep is not None:
            outputs = repeated(outputs, keep)
        last = outputs[-1] if output_of is None else output_of(states)
        if keep is not None and self.zero_output_for_mask:
            last = selected(keep[-1], last, jnp.zeros_like(last))
            outputs = None if outputs is None else selected(keep, outputs, jnp.zeros_like(outputs))
        return (outputs if self.return_sequences else None), last, states

    def first_states(self, sequences: Array, given: ArrayTree) -> States:
        """The states to begin with: the given ones, else the carried ones, else the cell's."""
        usual = self.get_initial_state(sequences.shape[0])
        if given is None and self.states is not None:
            given = [variable.value for variable in self.states.variables]
        states = usual if given is None else given
        check_states(states, usual, self._label)
        dtype = self.cell.compute_dtype
        leaves = [jnp.asarray(leaf, dtype) for leaf in jax.tree.leaves(states)]
        result: States = jax.tree.unflatten(jax.tree.structure(usual), leaves)
        return result

    def kept_steps(self, sequences: Array, mask: Array | None) -> Array | None:
        """The mask as `(t, b)`: a step counts if any of its entries does."""
        leaves = jax.tree.leaves(get_mask(sequences) if mask is None else mask)
        if not leaves:
            return None
        keep = jnp.asarray(leaves[0]).astype(bool)
        check_step_mask(keep, sequences, self)
        return jnp.swapaxes(jnp.any(keep, axis=tuple(range(2, keep.ndim))), 0, 1)

    def compute_mask(self, inputs: ArrayTree, mask: Array | None = None) -> PyTree:
        mask = next(iter(jax.tree.leaves(mask)), None) if self.return_sequences else None
        if mask is not None and self.go_backwards:
            mask = jnp.flip(mask, axis=1)  # in the order of the outputs
        return [mask, *[None for _ in self.state_size]] if self.return_state else mask

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The layer of a config, around the cell of the config in it."""
        if "cell" in config:
            config = {**config, "cell": registry.deserialize(config["cell"])}
        return super().from_config(config)


def alone(states: ArrayTree) -> PyTree:
    """The state of a cell of a stack that has one, the list of those of one that has several.

    >>> alone([1]), alone([1, 2]), alone(1)
    (1, [1, 2], 1)
    """
    return states[0] if isinstance(states, list) and len(states) == 1 else states


def repeated(outputs: Array, keep: Array) -> Array:
    """`(t, b, ...)` outputs, each that does not count replaced by the last before it that does, zeros if none does.

    >>> repeated(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([[False], [True], [False]])).tolist()
    [[0.0], [2.0], [2.0]]
    """
    steps = jnp.expand_dims(jnp.arange(keep.shape[0]), 1)  # (t, 1)
    source = jax.lax.cummax(jnp.where(keep, steps, -1))  # (t, b)
    found = jnp.take_along_axis(outputs, widened(jnp.maximum(source, 0), outputs.ndim), axis=0)
    return selected(source >= 0, found, jnp.zeros_like(found))
