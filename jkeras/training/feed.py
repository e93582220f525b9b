"""Feeds: how data reaches the compiled step.

A feed turns an epoch into calls of a program: how many steps each runs, on how many examples. Arrays that fit lie on
the device, and a call runs as many steps as the pace asks for. Everything else comes batch by batch from the host.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import keys
from jkeras.data import Arrays
from jkeras.data.batch import pack_x_y_sample_weight
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree

DEFAULT_BATCH_SIZE = 32
CALL_SECONDS = 0.02  # what a call of a program aims to take: long beside its dispatch, short beside a person's patience
DEVICE_SHARE = 0.25  # of a device's memory, up to which data is kept there
UNKNOWN_DEVICE_BYTES = 8 * 2**30  # assumed where the device does not say, as on CPU

Run: TypeAlias = Callable[[TrainState], tuple[TrainState, PyTree, dict[str, Array]]]


class Call(NamedTuple):
    """One call of a program: how many steps it runs on how many examples, and the call itself."""

    steps: int
    samples: int
    run: Run


class Pace:
    """How many batches a call runs.

    Args:
        steps: a fixed number, or `"auto"`: after one call to compile and one to measure, as many as take about
            `CALL_SECONDS`.

    >>> Pace(16).next(100), Pace(16).next(10), Pace("auto").next(100)
    (16, 10, 1)
    """

    def __init__(self, steps: int | str) -> None:
        self.steps = 1 if steps == "auto" else int(steps)
        self.calls_to_measure = 2 if steps == "auto" else 0

    def next(self, remaining: int) -> int:
        """How many of the remaining batches the next call runs."""
        return min(self.steps, remaining)

    def measure(self, steps: int, begun: float, results: PyTree) -> None:
        """Takes note of a call that began at a time and gave results. The first one compiles, so it says nothing."""
        if self.calls_to_measure == 0:
            return
        jax.block_until_ready(results)
        self.calls_to_measure -= 1
        if self.calls_to_measure == 0:
            self.steps = max(1, int(CALL_SECONDS * steps / max(time.perf_counter() - begun, 1e-9)))


def fits_on_device(arrays: Arrays) -> bool:
    """Whether data may be kept on the device."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return arrays.nbytes <= DEVICE_SHARE * stats.get("bytes_limit", UNKNOWN_DEVICE_BYTES)


def check_data(trainer: Any, arrays: Arrays, batch_size: int | None) -> PyTree:
    """Looks at inputs and labels before any work; returns the specs of the model's outputs for a batch."""
    size = min(batch_size or DEFAULT_BATCH_SIZE, arrays.size)
    spec = trainer.output_spec(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), arrays.x)
    )
    if arrays.y is not None:
        trainer.objective.validate(jax.tree.map(np.asarray, arrays.y), spec)
    return spec


class ArraysFeed:
    """Arrays, on the device where they fit."""

    def __init__(self, trainer: Any, arrays: Arrays, batch_size: int, steps: int, *, shuffle: bool, seed: int) -> None:
        self.programs, self.is_own_log = trainer.programs, trainer.is_own_log
        self.on_device = fits_on_device(arrays)
        self.gathers = self.on_device and jax.default_backend() != "cpu"
        self.parts = (arrays.on_device() if self.gathers or (self.on_device and not shuffle) else arrays).parts
        self.batch_size, self.size = batch_size, arrays.size
        self.shuffle, self.seed = shuffle, seed
        self.full = min(steps, self.size // batch_size)
        self.tail = self.size % batch_size if steps > self.full else 0
        self.steps = self.full + (self.tail > 0)

    def calls(self, epoch: int, first: int, pace: Pace) -> Iterator[Call]:
        """The calls of an epoch from a batch on."""
        order, done = self._order(epoch), first
        parts = self.parts
        if order is not None and self.on_device and not self.gathers:
            # A CPU's memory is the device's: NumPy moves rows several times faster than XLA's gather there
            parts, order = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[order]), parts), None
        while done < self.full:
            steps = pace.next(self.full - done) if self.on_device else 1
            yield self._call(parts, order, done * self.batch_size, steps, self.batch_size)
            done += steps
        if self.tail:
            yield self._call(parts, order, self.full * self.batch_size, 1, self.tail)

    def _order(self, epoch: int) -> Any:
        """The epoch's order, `None` for that of the arrays."""
        if not self.shuffle:
            return None
        order = jax.random.permutation(jax.random.fold_in(keys.from_seed(self.seed), epoch), self.size)
        return order if self.gathers else np.asarray(order)

    def _call(self, parts: PyTree, order: Any, start: int, steps: int, size: int) -> Call:
        def resident(state: TrainState) -> Any:
            return self.programs.train(state, parts, order, np.int32(start), np.int32(steps), batch_size=size)

        def streamed(state: TrainState) -> Any:
            rows = slice(start, start + size) if order is None else order[start : start + size]
            batch = pack_x_y_sample_weight(*jax.tree.map(lambda leaf: leaf[rows], parts))
            state, metrics, logs = self.programs.train_batch(state, batch)
            return state, metrics, {name: value for name, value in logs.items() if self.is_own_log(name, state)}

        return Call(steps, steps * size, resident if self.on_device else streamed)
