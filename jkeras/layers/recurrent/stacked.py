"""StackedRNNCells: cells on top of each other, as one cell."""

from collections.abc import Sequence
from typing import Any, Self, Unpack

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.layers.recurrent.base import (
    Cell,
    Recurrence,
    States,
    check_cell,
    initial_state_of,
    recurrence_of,
)
from jkeras.typing import Array, Config, Shape


@registry.export("keras.layers")
class StackedRNNCells(Cell):
    """Cells of which each takes the outputs of the one before; together they are one cell.

    Args:
        cells: layers as `RNN` takes them.

    Shapes:
        `(b, i)`, a list with the states of each cell -> the output of the last cell, and the new list.

    Raises:
        ArgumentError: no cells.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> stack = StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(2)])
    >>> layer = layers.RNN(stack, return_state=True)
    >>> variables = layer.init(jax.random.key(0), (1, 5, 4))
    >>> output, gru, lstm = layer.stateless_call(*variables, jnp.ones((1, 5, 4)))[0]
    >>> output.shape, gru.shape, [state.shape for state in lstm]
    ((1, 2), (1, 3), [(1, 2), (1, 2)])

    Source: A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850.
    """

    def __init__(self, cells: Sequence[Layer], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        if not isinstance(cells, list | tuple) or not cells:
            raise ArgumentError(
                f"`cells` must be a list of at least one cell, got {arguments.shown(cells)}.",
                path="StackedRNNCells",
                expected="a list of cells",
                received=repr(cells),
                write="StackedRNNCells([layers.LSTMCell(32), layers.LSTMCell(32)])",
            )
        self.cells = [check_cell(cell, "StackedRNNCells") for cell in cells]

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> States:
        """The states in which each cell begins."""
        return [initial_state_of(cell, batch_size) for cell in self.cells]

    def build(self, input_shape: Shape) -> None:
        for cell in self.cells:
            if cell.overrides_build and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        """The recurrence of all cells: what needs no state is the first cell's."""
        parts: list[Recurrence] = []
        for cell in self.cells:
            parts.append(recurrence_of(cell, step_shape, training))
            step_shape = (step_shape[0], output_size_of(cell))

        def step(x: Array, states: States) -> tuple[Array, States]:
            output, new = parts[0].step(x, states[0])
            news = [new]
            for part, state in zip(parts[1:], states[1:], strict=True):
                output, new = part.step(part.project(output), state)
                news.append(new)
            return output, news

        def output_of(states: States) -> Array:
            assert parts[-1].output_of is not None
            return parts[-1].output_of(states[-1])

        def loop(inputs: Array, keep: Array | None, states: States, unroll: bool) -> tuple[States, Array]:
            news = []
            for part, state in zip(parts, states, strict=True):
                assert part.loop is not None
                new, inputs = part.loop(inputs, keep, state, unroll)
                news.append(new)
            return news, inputs

        known = all(part.output_of is not None for part in parts)
        loops = all(part.loop is not None for part in parts)
        return Recurrence(parts[0].project, step, output_of if known else None, loop if loops else None)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The stack of a config, with the cells of the configs in it."""
        return super().from_config({**config, "cells": registry.deserialize(config["cells"])})


def output_size_of(cell: Any) -> Any:
    """The size of a cell's outputs: its `output_size`, else that of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, list | tuple) else cell.state_size
    return size
