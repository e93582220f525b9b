"""Agreement: what must be equal on all processes of a training before one of them computes.

A difference would be a hang: a process that makes other calls than the rest waits for them for ever.
"""

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jkeras import tree
from jkeras.data import Arrays, Source, pack_x_y_sample_weight
from jkeras.data.source import Plan
from jkeras.errors import ArgumentError
from jkeras.placement.processes import Channel
from jkeras.training.feed import DEFAULT_BATCH_SIZE, ExampleOrder
from jkeras.training.session import Session
from jkeras.training.state import TrainState
from jkeras.typing import PyTree


@contextlib.contextmanager
def agreeing(session: Session, what: str, state: TrainState) -> Iterator[dict[str, Any]]:
    """A block that all processes run, whose facts must be equal on all; for one process just the block.

    Args:
        session: of the trainer.
        what: the method, for messages.
        state: whose form must be the same.
    """
    if not session.spans:
        yield {}
        return
    with Channel(what).agreeing(what) as facts:
        facts["model"] = _digest(str(jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), state.variables)))
        facts["optimizer"] = _digest(str(jax.tree.structure(state.opt_state)))
        yield facts


def note_data(facts: dict[str, Any], name: str, data: Arrays | Source | None) -> None:
    """Adds to facts what must be the same of data: of arrays that all processes have, their contents.

    >>> from jkeras.data import check_arrays
    >>> facts = {}
    >>> note_data(facts, "x", check_arrays(np.zeros((2, 3), "float32")))
    >>> facts["x"][:23]
    '2 examples, 0: float32['
    """
    if isinstance(data, Source):
        facts[f"number of batches of {name}"] = data.steps
    elif data is not None:
        leaves = jax.tree_util.tree_leaves_with_path(data.parts)
        facts[name] = f"{data.size} examples, " + ", ".join(
            f"{tree.key_path(path)}: {leaf.dtype}{list(leaf.shape)} {_checksum(leaf)}".rstrip() for path, leaf in leaves
        )


def _checksum(leaf: Any) -> str:
    """Of the values, where this process has all of them."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return ""
    return f"crc32 {zlib.crc32(np.ascontiguousarray(leaf).tobytes()):08x}"


def _digest(text: str) -> str:
    return f"crc32 {zlib.crc32(text.encode()):08x}"


def _share(batch_size: int) -> int:
    """The share of this process in a batch.

    Raises:
        ArgumentError: the processes cannot have equal shares.
    """
    count: int = jax.process_count()
    if batch_size % count:
        raise ArgumentError.must(
            f"`batch_size` must be divisible by the {count} processes",
            f"{batch_size}",
            path="Trainer.fit(batch_size=, data='local')",
            write=f"trainer.fit(..., batch_size={-(-batch_size // count) * count}, data='local')",
        )
    return batch_size // count


class LocalArrays(Source):
    """The arrays of which this process has a part, batch by batch.

    Args:
        arrays: the part.
        batch_size: examples of this process in a batch.
        order: of the examples, by the index of an epoch.
    """

    def __init__(self, arrays: Arrays, batch_size: int, order: ExampleOrder) -> None:
        super().__init__(steps=-(-arrays.size // batch_size), batch_size=batch_size)
        self.arrays, self.order = arrays, order

    def read(self, epoch: int) -> Iterator[PyTree]:
        """The batches of an epoch."""
        drawn, size = self.order.of(epoch), self.batch_size or 1
        rows = np.arange(self.arrays.size) if drawn is None else drawn
        for start in range(0, self.arrays.size, size):
            some = rows[start : start + size]
            yield pack_x_y_sample_weight(*jax.tree.map(lambda leaf, some=some: leaf[some], self.arrays.parts))


def as_parts(
    session: Session, data: Arrays | Source, batch_size: int | None, plan: Plan, order: ExampleOrder
) -> Arrays | Source:
    """Arrays of which each process has a part, as batches of its share; other data as it is."""
    if isinstance(data, Source) or not session.spans:
        return data
    parts = LocalArrays(data, _share(batch_size or DEFAULT_BATCH_SIZE), order)
    parts.use(plan)
    return parts
