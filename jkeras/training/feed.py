"""Feeds: how data reaches the compiled step.

A feed cuts an epoch into pieces, each for one call: how many steps it runs, on how many examples. Arrays that fit lie
on the device, and a call runs as many steps as the pace asks for. Everything else comes batch by batch from the host.
"""

import abc
import functools
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.data import Arrays, Source, check_arrays, prefetch
from jkeras.data.arrays import batch_size_of
from jkeras.data.uniform import BatchPosition
from jkeras.placement.processes import Channel
from jkeras.training.calls import Pace, StepCalls, added
from jkeras.training.checks import Checks, check_real
from jkeras.training.session import Session
from jkeras.training.state import TrainState, save_state
from jkeras.training.steps import Logs
from jkeras.typing import Array, PyTree

DEFAULT_BATCH_SIZE = 32
DEVICE_SHARE = 0.25  # of a device's memory, up to which data is kept there
UNKNOWN_DEVICE_BYTES = 8 * 2**30  # assumed where the device does not say, as on CPU

Batch: TypeAlias = tuple[PyTree, PyTree, PyTree]
TrainCall: TypeAlias = Callable[[TrainState], tuple[TrainState, PyTree, Logs]]


class Piece(NamedTuple):
    """A piece of an epoch that one call trains on: its steps, its examples, and the call."""

    steps: int
    samples: int
    train: TrainCall


def fits_on_device(arrays: Arrays) -> bool:
    """Whether data may be kept on the device."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return bool(arrays.nbytes <= DEVICE_SHARE * stats.get("bytes_limit", UNKNOWN_DEVICE_BYTES))


def batch_size_for(data: Arrays | Source, batch_size: int | None, steps: int | None) -> int | None:
    """The size of batches: as it is given; of arrays, so that they make the steps that are asked for, or 32.

    >>> from jkeras.data import check_arrays
    >>> [batch_size_for(check_arrays(np.arange(10)), size, steps) for size, steps in ((4, 2), (None, 4), (None, None))]
    [4, 3, 32]
    """
    if batch_size is not None or isinstance(data, Source):
        return batch_size
    return DEFAULT_BATCH_SIZE if steps is None else -(-data.size // steps)


def check_data(session: Session, data: Arrays | Source, batch_size: int | None, epoch: int = 0) -> Checks:
    """Looks at inputs and labels before any work; returns the checks, with the specs of the outputs for a batch."""
    if isinstance(data, Source):
        data = check_arrays(*data.peek(epoch))
        batch_size = data.size
    if not session.facts.may_be_complex:
        check_real({"x": data.x, "y": data.y})  # before the model runs for shapes, which would cast them
    size = min(batch_size or DEFAULT_BATCH_SIZE, data.size)
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), data.x)
    checks = session.checks_for(batch)
    checks.look(data.x, data.y, batch)
    return checks


class ExampleOrder(NamedTuple):
    """In which order a pass goes through arrays: drawn from the seed and the pass's index alone."""

    size: int
    shuffle: bool
    seed: int

    def of(self, number: int) -> np.ndarray | None:
        """The order of a pass, `None` for that of the arrays.

        NumPy draws it, whatever the device: a permutation by JAX is a sort, 50 times slower on a CPU.

        >>> ExampleOrder(3, False, 0).of(0) is None, sorted(ExampleOrder(3, True, 0).of(0).tolist())
        (True, [0, 1, 2])
        """
        if not self.shuffle:
            return None
        drawn = np.random.default_rng([self.seed % 2**64, number]).permutation(self.size)
        return drawn.astype(np.int32 if self.size < 2**31 else np.int64)


class ArrayPasses(NamedTuple):
    """How epochs are pieces of passes over arrays: they go on from one to the next, over the end of a pass.

    Attributes:
        batches: of a pass.
        steps: of an epoch.
    """

    batches: int
    steps: int

    @classmethod
    def over(cls, size: int, batch_size: int, steps: int | None) -> "ArrayPasses":
        """The passes over a number of examples. Warns of an epoch that is longer than a pass, and cuts it."""
        batches = -(-size // batch_size)
        if steps is not None and steps > batches:
            warnings.warn(
                f"`steps_per_epoch={steps}` exceeds the {batches} batches of {batch_size} in {size} examples: running"
                f" {batches} steps per epoch. Pass fewer steps, or data that repeats.",
                stacklevel=2,
            )
        return cls(batches, min(steps or batches, batches))

    def pieces(self, epoch: int, first: int = 0) -> Iterator[tuple[int, int, int]]:
        """The passes that an epoch has a part in, from a batch of it on: the number of each, and from and to where.

        >>> passes = ArrayPasses(batches=3, steps=2)
        >>> [list(passes.pieces(epoch)) for epoch in range(3)]
        [[(0, 0, 2)], [(0, 2, 3), (1, 0, 1)], [(1, 1, 3)]]
        """
        position, stop = epoch * self.steps + first, (epoch + 1) * self.steps
        while position < stop:
            number, start = divmod(position, self.batches)
            end = min(self.batches, start + stop - position)
            yield number, start, end
            position += end - start


class Feed(abc.ABC):
    """An epoch of data in pieces.

    Attributes:
        steps: batches in an epoch, where that is known.
        batch_size: examples in a batch, where that is known.
    """

    steps: int | None
    batch_size: int | None

    @abc.abstractmethod
    def pieces(self, epoch: int, first: int, pace: Pace, calls: StepCalls) -> Iterator[Piece]:
        """The pieces of an epoch from a batch on. Each is trained on by one of these calls."""

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left for another epoch."""
        return False


class DeviceFeed(Feed):
    """Arrays that lie on the device."""

    def __init__(
        self, session: Session, arrays: Arrays, batch_size: int, steps: int | None, order: ExampleOrder
    ) -> None:
        self.session, self.order = session, order
        self.spans = any(
            isinstance(leaf, jax.Array) and not leaf.is_fully_addressable for leaf in jax.tree.leaves(arrays.parts)
        )
        # the host has not all of what spans several processes, and what lies on several devices is put there once
        self.gathers = jax.default_backend() != "cpu" or self.spans or session.layout is not None
        self.parts = session.everywhere(arrays.parts) if self.gathers or not order.shuffle else arrays.parts
        self.batch_size = batch_size
        self.whole, self.rest = divmod(arrays.size, batch_size)  # batches of full size, and the size of the last
        self.passes = ArrayPasses.over(arrays.size, batch_size, steps)
        self.steps = self.passes.steps
        self._drawn: tuple[int, PyTree, Array | np.ndarray | None] | None = None

    def pieces(self, epoch: int, first: int, pace: Pace, calls: StepCalls) -> Iterator[Piece]:
        size = self.batch_size or 1
        for number, done, end in self.passes.pieces(epoch, first):
            parts, order = self._ordered(number, keep=end < self.passes.batches)
            while done < end:
                steps = pace.next(min(end, self.whole) - done) if done < self.whole else 1
                examples = size if done < self.whole else self.rest  # in a batch
                given = parts, order, np.int32(done * size), np.int32(steps)
                yield Piece(steps, steps * examples, functools.partial(_train, calls, given, examples))
                done += steps

    def _ordered(self, number: int, keep: bool) -> tuple[PyTree, Array | np.ndarray | None]:
        """The arrays and the order of a pass; kept if the next epoch goes on with it."""
        if self._drawn is not None and self._drawn[0] == number:
            return self._drawn[1:]
        parts, order = self.parts, self.order.of(number)
        if order is not None and not self.gathers:
            # A CPU's memory is the device's: NumPy moves rows several times faster than XLA's gather there
            rows = order
            parts, order = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[rows]), parts), None
        # NumPy's is the same in every process, and so may be beside arrays that span them
        placed = None if order is None else order if self.spans else self.session.everywhere(order)
        self._drawn = (number, parts, placed) if keep else None
        return parts, placed


class StreamFeed(Feed):
    """Batches from the host. A thread keeps some ready on the device, and looks at their indices and labels."""

    is_local = False  # whether each process brings its own part of a batch

    def __init__(self, session: Session, batches: Callable[[int], Iterator[Batch]], checks: Checks | None) -> None:
        self.session, self.batches, self.checks = session, batches, checks
        self.steps = self.batch_size = None

    def pieces(self, epoch: int, first: int, pace: Pace, calls: StepCalls) -> Iterator[Piece]:
        batches: Any = itertools.islice(self._checked(epoch), first, None)
        put: Callable[[Any], Any] = self.session.put
        if self.session.spans and self.is_local:
            batches, put = Channel("training").in_step(batches, form_of_batch), self.session.put_part
        with prefetch(batches, put=put) as ready:
            failure, done = None, first
            while failure is None:
                group, failure = _taken(ready, pace.next(pace.steps))
                if not group:
                    break
                group = [self.session.whole(batch) for batch in group]
                train = functools.partial(_train_on, calls, group, BatchPosition(done, epoch))
                yield Piece(len(group), sum(batch_size_of(x) for x, _, _ in group), train)
                done += len(group)
            if failure is not None:
                raise failure

    def _checked(self, epoch: int) -> Iterator[Batch]:
        for index, (x, y, sample_weight) in enumerate(self.batches(epoch)):
            try:
                if self.checks is not None:
                    self.checks.look(x, y)
            except Exception as error:
                error.add_note(f"in {BatchPosition(index, epoch)}")
                raise
            yield x, y, sample_weight


def form_of_batch(batch: PyTree) -> tuple[int, str]:
    """The size of a batch, and what is the same of all batches that a program runs on.

    >>> form_of_batch((np.ones((2, 3), "float32"), np.ones(2, "int32")))
    (2, 'float32[..., 3] int32[...]')
    """
    leaves = jax.tree.leaves(batch)
    forms = (f"{leaf.dtype}[{', '.join(['...', *map(str, leaf.shape[1:])])}]" for leaf in leaves)
    return batch_size_of(batch), " ".join(forms)


def _train(
    calls: StepCalls, given: tuple[Any, ...], batch_size: int, state: TrainState
) -> tuple[TrainState, PyTree, Logs]:
    """Trains on batches of arrays on the device, in one call."""
    return calls.many(state, *given, batch_size=batch_size)


def _train_on(
    calls: StepCalls, group: list[Batch], first: BatchPosition, state: TrainState
) -> tuple[TrainState, PyTree, Logs]:
    """Trains on batches from the host, one after another."""
    sums: Logs = {}
    metrics: PyTree = None
    for index, batch in enumerate(group):
        given = state
        try:
            state, metrics, extra = calls.one(given, batch)
        except Exception as error:
            error.add_note(f"in {BatchPosition(first.batch + index, first.epoch)}")
            save_state(error, given)
            raise
        sums = added(sums, extra)
    return state, metrics, sums


def _taken(ready: Iterator[Batch], count: int) -> tuple[list[Batch], Exception | None]:
    """Some batches, fewer at the end; and what was raised in place of the next one."""
    group: list[Batch] = []
    try:
        for batch in itertools.islice(ready, count):
            group.append(batch)  # noqa: PERF402 - what came before an exception is trained on
    except Exception as error:
        return group, error
    return group, None


class SourceFeed(StreamFeed):
    """The batches of a source."""

    is_local = True

    def __init__(self, session: Session, source: Source, checks: Checks | None) -> None:
        super().__init__(session, source.epoch, checks)
        self.source = source
        self.steps, self.batch_size = source.steps, source.batch_size

    @property
    def exhausted(self) -> bool:
        return self.source.exhausted


class HostFeed(StreamFeed):
    """Arrays that the device has no room for."""

    def __init__(
        self,
        session: Session,
        arrays: Arrays,
        batch_size: int,
        length: int | None,
        order: ExampleOrder,
        checks: Checks | None,
    ) -> None:
        super().__init__(session, self._slices, checks)
        self.arrays, self.batch_size, self.order = arrays, batch_size, order
        self.passes = ArrayPasses.over(arrays.size, batch_size, length)
        self.steps = self.passes.steps

    def _slices(self, epoch: int) -> Iterator[Batch]:
        size = self.batch_size or 1
        for number, start, end in self.passes.pieces(epoch):
            drawn = self.order.of(number)
            order = np.arange(self.arrays.size) if drawn is None else drawn
            for index in range(start, end):
                rows = order[index * size : (index + 1) * size]
                yield jax.tree.map(lambda leaf, rows=rows: leaf[rows], self.arrays.parts)


def feed_of(
    session: Session,
    data: Arrays | Source,
    checks: Checks | None,
    *,
    batch_size: int | None,
    length: int | None,
    order: ExampleOrder,
) -> Feed:
    """The feed that suits the data.

    Args:
        session: knows where the data belongs.
        data: what to train on.
        checks: of batches that come from the host; `None` where only a custom step knows what they mean.
        batch_size, length: the number of examples in a batch and of batches in an epoch, where somebody says so.
        order: of the examples of arrays.
    """
    if isinstance(data, Source):
        return SourceFeed(session, data, checks)
    size = batch_size_for(data, batch_size, length) or DEFAULT_BATCH_SIZE
    if fits_on_device(data):
        return DeviceFeed(session, data, size, length, order)
    return HostFeed(session, data, size, length, order, checks)
