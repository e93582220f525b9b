"""Feeds: how data reaches the compiled step.

A feed turns an epoch into calls of a program: how many steps each runs, on how many examples. Arrays that fit lie on
the device, and a call runs as many steps as the pace asks for. Everything else comes batch by batch from the host.
"""

import abc
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import keys
from jkeras.data import Arrays, Source, check_arrays, pack_x_y_sample_weight, prefetch
from jkeras.data.batch import batch_size_of
from jkeras.errors import JKerasError
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree

DEFAULT_BATCH_SIZE = 32
CALL_SECONDS = 0.02  # what a call of a program aims to take: long beside its dispatch, short beside a person's patience
DEVICE_SHARE = 0.25  # of a device's memory, up to which data is kept there
UNKNOWN_DEVICE_BYTES = 8 * 2**30  # assumed where the device does not say, as on CPU

Batch: TypeAlias = tuple[PyTree, PyTree, PyTree]
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


def check_data(trainer: Any, data: Arrays | Source, batch_size: int | None, epoch: int = 0) -> PyTree:
    """Looks at inputs and labels before any work; returns the specs of the model's outputs for a batch."""
    if isinstance(data, Source):
        data = check_arrays(*data.peek(epoch))
        batch_size = data.size
    size = min(batch_size or DEFAULT_BATCH_SIZE, data.size)
    spec = trainer.output_spec(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), data.x)
    )
    if data.y is not None:
        trainer.objective.validate(jax.tree.map(np.asarray, data.y), spec)
    return spec


class Order(NamedTuple):
    """In which order an epoch goes through arrays: drawn from the seed and the epoch's index alone."""

    size: int
    shuffle: bool
    seed: int

    def of(self, epoch: int) -> Array | None:
        """The epoch's order, `None` for that of the arrays.

        >>> Order(3, False, 0).of(0) is None, sorted(Order(3, True, 0).of(0).tolist())
        (True, [0, 1, 2])
        """
        if not self.shuffle:
            return None
        return jax.random.permutation(jax.random.fold_in(keys.from_seed(self.seed), epoch), self.size)


class Feed(abc.ABC):
    """An epoch of data as calls of programs.

    Attributes:
        steps: batches in an epoch, where that is known.
        batch_size: examples in a batch, where that is known.
    """

    steps: int | None
    batch_size: int | None

    @abc.abstractmethod
    def calls(self, epoch: int, first: int, pace: Pace) -> Iterator[Call]:
        """The calls of an epoch from a batch on."""

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left for another epoch."""
        return False


class DeviceFeed(Feed):
    """Arrays that lie on the device."""

    def __init__(self, trainer: Any, arrays: Arrays, batch_size: int, steps: int | None, order: Order) -> None:
        self.programs, self.order = trainer.programs, order
        self.gathers = jax.default_backend() != "cpu"
        self.parts = (arrays.on_device() if self.gathers or not order.shuffle else arrays).parts
        self.batch_size = size = batch_size
        whole, rest = divmod(arrays.size, size)
        self.full = min(whole, steps or whole)
        self.tail = rest if steps is None or steps > whole else 0
        self.steps = self.full + (self.tail > 0)

    def calls(self, epoch: int, first: int, pace: Pace) -> Iterator[Call]:
        parts, order, size = self.parts, self.order.of(epoch), self.batch_size or 1
        if order is not None and not self.gathers:
            # A CPU's memory is the device's: NumPy moves rows several times faster than XLA's gather there
            rows = np.asarray(order)
            parts, order = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[rows]), parts), None

        def call(start: int, steps: int, size: int) -> Call:
            def run(state: TrainState) -> Any:
                return self.programs.train(state, parts, order, np.int32(start), np.int32(steps), batch_size=size)

            return Call(steps, steps * size, run)

        done = first
        while done < self.full:
            steps = pace.next(self.full - done)
            yield call(done * size, steps, size)
            done += steps
        if self.tail and done == self.full:
            yield call(self.full * size, 1, self.tail)


class StreamFeed(Feed):
    """Batches from the host. A thread keeps some ready on the device, and looks at their labels."""

    def __init__(self, trainer: Any, batches: Callable[[int], Iterator[Batch]], spec: PyTree) -> None:
        self.trainer, self.batches, self.spec = trainer, batches, spec
        self.steps = self.batch_size = None

    def calls(self, epoch: int, first: int, pace: Pace) -> Iterator[Call]:
        with prefetch(itertools.islice(self._checked(epoch), first, None)) as ready:
            while group := list(itertools.islice(ready, pace.next(pace.steps))):
                yield Call(len(group), sum(batch_size_of(x) for x, _, _ in group), functools.partial(self._run, group))

    def _checked(self, epoch: int) -> Iterator[Batch]:
        for index, (x, y, sample_weight) in enumerate(self.batches(epoch)):
            if y is not None:
                try:
                    self.trainer.objective.validate(y, self.spec)
                except JKerasError as error:
                    error.add_note(f"in batch {index + 1} of epoch {epoch + 1}")
                    raise
            yield x, y, sample_weight

    def _run(self, group: list[Batch], state: TrainState) -> tuple[TrainState, PyTree, dict[str, Array]]:
        sums: dict[str, Array] = {}
        metrics: PyTree = None
        for batch in group:
            given, packed = state, pack_x_y_sample_weight(*batch)
            state, metrics, logs = self.trainer.programs.train_batch(given, packed)
            self.trainer.programs.watch("train_batch", given, packed)
            own = {name: value for name, value in logs.items() if self.trainer.is_own_log(name, state)}
            sums = jax.tree.map(jnp.add, sums, own) if sums else own
        return state, metrics, sums


class SourceFeed(StreamFeed):
    """The batches of a source."""

    def __init__(self, trainer: Any, source: Source, spec: PyTree) -> None:
        super().__init__(trainer, source.epoch, spec)
        self.source = source
        self.steps, self.batch_size = source.steps, source.batch_size

    @property
    def exhausted(self) -> bool:
        return self.source.exhausted


class HostFeed(StreamFeed):
    """Arrays that the device has no room for."""

    def __init__(
        self, trainer: Any, arrays: Arrays, batch_size: int, steps: int | None, order: Order, spec: PyTree
    ) -> None:
        super().__init__(trainer, self._slices, spec)
        self.arrays, self.batch_size, self.order = arrays, batch_size, order
        self.steps = min(-(-arrays.size // batch_size), steps or arrays.size)

    def _slices(self, epoch: int) -> Iterator[Batch]:
        drawn, size = self.order.of(epoch), self.batch_size or 1
        order = np.arange(self.arrays.size) if drawn is None else np.asarray(drawn)
        for index in range(self.steps or 0):
            rows = order[index * size : (index + 1) * size]
            yield jax.tree.map(lambda leaf, rows=rows: leaf[rows], self.arrays.parts)


def feed_of(
    trainer: Any, data: Arrays | Source, spec: PyTree, *, batch_size: int | None, steps: int | None, order: Order
) -> Feed:
    """The feed that suits the data."""
    if isinstance(data, Source):
        return SourceFeed(trainer, data, spec)
    size = batch_size or DEFAULT_BATCH_SIZE
    if fits_on_device(data):
        return DeviceFeed(trainer, data, size, steps, order)
    return HostFeed(trainer, data, size, steps, order, spec)
