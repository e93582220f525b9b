"""What a recurrence is: a cell whose values have been read, split into the part that needs no state and the rest.

    x[t] = project(inputs[t])                        for all steps at once, before the loop
    outputs[t], states[t] = step(x[t], states[t-1])  in the loop

A cell of this package makes its recurrence from the values of its weights and from the dropout masks of one call, which
every step shares. So a loop around it reads no variables and draws nothing. A cell of a user's is called as the layer
that it is, in every step.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, keys
from jkeras.core import Layer, SeedGenerator, Variable
from jkeras.core.options import LayerOptions
from jkeras.core.variable import takes_key
from jkeras.errors import ArgumentError, BuildError, ShapeError
from jkeras.functional import dropout
from jkeras.functional.layout import along
from jkeras.functional.recurrence import Blocks, added, recur
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.recurrent.gates import is_entrywise
from jkeras.layers.weights import declare, describe, descriptions
from jkeras.typing import (
    ActivationLike,
    Array,
    ArrayTree,
    ConstraintLike,
    DTypeLike,
    Initializer,
    InitializerLike,
    Key,
    PyTree,
    RegularizerLike,
)

States = list[Any]


class Recurrence(NamedTuple):
    """A cell whose values have been read.

    Attributes:
        project: the part of a step that needs no state; takes any number of steps, `(..., b, features)`.
        step: the rest: `(projected (b, ...), states) -> (output, states)`.
        output_of: the output that goes with states; `None` where only the step knows it, as with cells of users, whose
            steps read variables.
        loop: a better loop than that of steps: `(inputs (t, b, ...), keep, states, unroll) -> (states, outputs)`, with
            the mask `keep (t, b)` or `None`.
    """

    project: Callable[[Array], PyTree]
    step: Callable[[PyTree, States], tuple[Array, States]]
    output_of: Callable[[States], Array] | None
    loop: Callable[[Array, Array | None, States, bool], tuple[States, Array]] | None = None


def summing(
    project: Callable[[Array], Blocks],
    product: Callable[[Array, Array, PyTree], Blocks],
    advance: Callable[[Blocks, States], States],
    kernel: Array,
    masks: list[Array] | None,
    *activations: Any,
) -> Recurrence:
    """The recurrence whose step is `advance(projected + product(h, kernel, masks), states)`, for the loop of
    `functional.recurrence`. Activations that are not ours may hold arrays: such loops are left to JAX."""

    def step(x: Blocks, states: States) -> tuple[Array, States]:
        states = advance(added(x, product(states[0], kernel, masks)), states)
        return states[0], states

    def loop(inputs: Array, keep: Array | None, states: States, unroll: bool) -> tuple[States, Array]:
        return recur(product, advance, unroll, project(inputs), keep, states, kernel, masks)

    ours = all(is_entrywise(activation) for activation in activations)
    return Recurrence(project, step, first, loop if ours else None)


class Cell(Layer):
    """The base of cells that can make a recurrence; a step on its own is the recurrence of one step."""

    state_size: Any
    output_size: Any

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        """The recurrence of one call for inputs whose steps have a shape, batch axis included. Needs a scope."""
        raise NotImplementedError

    def call(self, inputs: Array, states: PyTree, training: bool | None = False) -> tuple[Array, PyTree]:
        """One step: the output and the new states, in a list if they came in one."""
        check_states(states, initial_state_of(self, inputs.shape[0]), self._label)
        recurrence = self.recurrence(inputs.shape, training)
        listed = isinstance(states, list | tuple)
        output, new = recurrence.step(recurrence.project(inputs), list(states) if listed else [states])
        return output, new if listed else new[0]


class RecurrentCell(Cell):
    """The base of the cells of this package: the weights, and one mask of dropout per call.

    A subclass says in `build` which weights there are, in `recurrence` what a step computes, and its `state_size`.

    Attributes:
        gates: how many blocks the kernels have; with dropout of the states each has a mask of its own.
    """

    gates: ClassVar[int] = 1

    activation = ActivationAttribute()

    def __init__(
        self,
        activation: ActivationLike,
        use_bias: bool,
        kernel_initializer: InitializerLike,
        recurrent_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        recurrent_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        recurrent_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.activation = activation
        self.use_bias = bool(use_bias)
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        describe(self, "recurrent", recurrent_initializer, recurrent_regularizer, recurrent_constraint)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.dropout = arguments.fraction(dropout, "dropout", owner)
        self.recurrent_dropout = arguments.fraction(recurrent_dropout, "recurrent_dropout", owner)
        self.seed = keys.check_seed(seed, owner)
        self.seed_generator = SeedGenerator(seed)
        self.bias: Variable | None = None

    # -- declaring

    def declare(
        self,
        kernel: tuple[Any, ...],
        recurrent_kernel: tuple[int, ...],
        bias: tuple[int, ...],
        start: Callable[[Any], Any] | None = None,
    ) -> None:
        """Declares the weights of these shapes; `start` makes the bias's initializer of the one that was given."""
        if None in kernel:
            raise BuildError(
                "the number of features of the inputs must be known, because it is in the shape of the kernel.",
                path=self._label,
                expected="an int as the size of the features' axis",
                write="jkeras.Input((None, 8))   # any number of steps of 8 features",
            )
        self.kernel = declare(self, "kernel", kernel)
        self.recurrent_kernel = declare(self, "recurrent", recurrent_kernel, name="recurrent_kernel")
        if self.use_bias:
            given = descriptions(self, "bias")["bias_initializer"]
            self.bias = declare(self, "bias", bias, initializer=given if start is None else start(given))

    def get_initial_state(self, batch_size: int | None = None) -> States:
        """Zeros for a batch."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [jnp.zeros((batch_size, size), self.compute_dtype) for size in sizes]

    # -- dropout

    def masks(self, rate: float, shape: tuple[Any, ...], training: bool | None, *, blocks: int) -> list[Array] | None:
        """What a call in training multiplies by: 0 or `1 / (1 - rate)`, drawn again for each block of the kernel."""
        if not training or rate == 0:
            return None
        ones = jnp.ones(shape, self.compute_dtype)
        return [dropout(ones, rate, self.seed_generator.next()) for _ in range(blocks)]

    @property
    def input_blocks(self) -> int:
        """How many masks the inputs have: those of all gates are one unless states are dropped too, as in Keras."""
        return self.gates if self.recurrent_dropout else 1


def times(
    masks: list[Array] | None, values: Array, product: Callable[[Array, Array], Array], kernel: Array, axis: int = -1
) -> Array:
    """`product(mask * values, kernel)`, for each mask with its block of the kernel's last axis, joined along an axis.

    >>> masks = [jnp.array([[2.0]]), jnp.array([[0.0]])]
    >>> times(masks, jnp.array([[3.0]]), jnp.matmul, jnp.array([[1.0, 10.0]])).tolist()
    [[6.0, 0.0]]
    """
    if masks is None:
        return product(values, kernel)
    leading = tuple(range(values.ndim - masks[0].ndim))
    parts = [
        product(values * jnp.expand_dims(mask, leading), block)
        for mask, block in zip(masks, jnp.split(kernel, len(masks), axis=-1), strict=True)
    ]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=axis)


def plus(values: Array, bias: Array | None, axis: int = -1) -> Array:
    """`values + bias` along an axis, counted from the end.

    >>> plus(jnp.zeros((1, 2)), jnp.array([1.0, 2.0])).tolist()
    [[1.0, 2.0]]
    """
    return values if bias is None else values + along(bias, values.ndim, values.ndim + axis)


def value_of(bias: Variable | None) -> Array | None:
    """The value of a bias that may not be there."""
    return None if bias is None else bias.value


def first(states: States) -> Array:
    """The output of the cells here is their first state.

    >>> first([1, 2])
    1
    """
    array: Array = states[0]
    return array


class ForgetBias:
    """Initial biases of gates: ones for the forget gate, the second of four blocks, so that states last at first.

    Source: R. Jozefowicz et al., "An empirical exploration of recurrent network architectures", ICML 2015.

    >>> from jkeras import initializers
    >>> ForgetBias(initializers.Zeros())((8,), "float32", key=jax.random.key(0)).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike | None = None, *, key: Key) -> Array:
        size, (before, after) = shape[0] // 4, jax.random.split(key)
        return jnp.concatenate(
            [self.block((size,), dtype, before), jnp.ones((size,), dtype), self.block((2 * size,), dtype, after)]
        )

    def block(self, shape: tuple[int, ...], dtype: DTypeLike | None, key: Key) -> Array:
        """The values of other gates."""
        return self.initializer(shape, dtype, **({"key": key} if takes_key(self.initializer) else {}))


def recurrence_of(cell: Layer, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
    """The recurrence of any cell; one of a user's, or with a `call` of a user's, is called in each step."""
    if isinstance(cell, Cell) and type(cell).call is Cell.call:
        return cell.recurrence(step_shape, training)

    def step(inputs: Array, states: States) -> tuple[Array, States]:
        output, new = cell(inputs, states)
        return output, list(new) if isinstance(new, list | tuple) else [new]

    return Recurrence(lambda inputs: inputs, step, None)


def check_cell(cell: object, owner: str) -> Any:
    """The cell, if it is a layer that has a `state_size`."""
    if not isinstance(cell, Layer) or getattr(cell, "state_size", None) is None:
        rule, received = "the cell must be a layer with `state_size`", arguments.shown(cell)
        wanted = "a layer with `state_size` and `call(inputs, states) -> (output, states)`"
        write = f"{owner}({'[layers.LSTMCell(32)]' if owner == 'StackedRNNCells' else 'layers.LSTMCell(32)'})"
        raise ArgumentError.must(rule, received, path=owner, expected=wanted, write=write)
    return cell


def initial_state_of(cell: Any, batch_size: int) -> States:
    """The states in which a cell begins: its own `get_initial_state`, else zeros of its `state_size`."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    shapes = [tuple(size) if isinstance(size, list | tuple) else (size,) for size in sizes]
    return [jnp.zeros((batch_size, *shape), cell.compute_dtype) for shape in shapes]


def check_step_mask(mask: Array, inputs: Array, layer: Layer) -> None:
    """Raises `ShapeError` unless a mask has one entry for each step of the inputs `(b, t, ...)`."""
    if mask.ndim < 2 or mask.shape[:2] != inputs.shape[:2]:
        rule, wanted = "the mask must have one entry for each step of each sequence", f"shape {tuple(inputs.shape[:2])}"
        write = f"{layer.name}(x, mask=mask)   # mask.shape == x.shape[:2]"
        raise ShapeError.must(rule, f"shape {tuple(mask.shape)}", path=layer._label, expected=wanted, write=write)


def check_states(given: ArrayTree, usual: States, path: str) -> None:
    """Raises `ShapeError` unless states have the shapes of those in which the cell begins."""
    expected, received = ([jnp.shape(leaf) for leaf in jax.tree.leaves(each)] for each in (usual, given))
    if expected != received:
        raise ShapeError(
            "the states must have the shapes that the cell has for this batch.",
            path=path,
            expected=f"{len(expected)} states of shapes {expected}",
            received=f"{len(received)} states of shapes {received}",
            write="states = cell.get_initial_state(batch_size=32)   # the states in which the cell begins",
        )


def renamed(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The envelope of a layer's config with another name in it.

    >>> renamed({"class_name": "LSTM", "config": {"name": "lstm", "units": 2}}, "forward_lstm")["config"]
    {'name': 'forward_lstm', 'units': 2}
    """
    return {**config, "config": {**config["config"], "name": name}}
