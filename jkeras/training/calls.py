"""Calls: the calls that one `fit` makes of compiled training steps, timed, and watched for compilations."""

import collections
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jkeras.data.batch import Batch, pack_x_y_sample_weight
from jkeras.training.programs import Programs
from jkeras.training.retrace import Watch
from jkeras.training.state import TrainState
from jkeras.training.steps import Logs
from jkeras.typing import Array, PyTree

TIMED_CALLS = 10_000  # enough for a median and the slowest hundredth; they take a megabyte


class Timed(NamedTuple):
    """A call that did not compile: how many steps and examples it ran, and its seconds of wall time."""

    steps: int
    samples: int
    seconds: float


class Calls:
    """Makes the calls of one `fit`.

    Attributes:
        timed: the last calls that did not compile.
        spec: the shapes and dtypes of the state and of a batch.
        asked: when the next call was asked for.
    """

    def __init__(self, programs: Programs, state: TrainState, batch: Batch) -> None:
        self.programs = programs
        self.spec = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (state, batch))
        self.timed: collections.deque[Timed] = collections.deque(maxlen=TIMED_CALLS)
        self._watches = {name: Watch(getattr(programs, name)) for name in ("many", "one", "train_batch")}
        self.begin()

    # -- calls

    def many(
        self,
        state: TrainState,
        parts: Batch,
        order: Array | None,
        start: int | Array,
        count: int | Array,
        *,
        batch_size: int,
    ) -> tuple[TrainState, PyTree, Logs]:
        """Trains on `count` batches from a position of an order; consumes the state.

        Returns:
            The next state; the metrics' states once more, which outlive the donation of the next state; the sums of
            the logs that no metric keeps.
        """
        programs = self.programs
        if programs.loops("many", state, parts, order, start, count, batch_size=batch_size):
            results: tuple[TrainState, PyTree, Logs] = programs.many(
                state, parts, order, start, count, batch_size=batch_size
            )
            self._watches["many"].check(state)
            return results
        metrics: PyTree = state.metrics
        sums: Logs = {}
        for index in range(int(count)):
            given = state
            state, metrics, extra = programs.one(given, parts, order, start + index * batch_size, batch_size=batch_size)
            self._watches["one"].check(given)
            sums = added(sums, extra)
        return state, metrics, sums

    def one(self, state: TrainState, batch: tuple[PyTree, PyTree, PyTree]) -> tuple[TrainState, PyTree, Logs]:
        """Trains on one batch; consumes the state. Returns as `many` does."""
        packed = pack_x_y_sample_weight(*batch)
        new, metrics, logs = self.programs.train_batch(state, packed)
        self._watches["train_batch"].check(state, packed)
        return new, metrics, self.programs.extra("train_step", logs, metrics)

    # -- times

    def begin(self) -> None:
        """An epoch begins: no call is under way."""
        self.begun = self.asked = time.perf_counter()
        self._under_way: tuple[int, int] | None = None
        self._forms = self._counted()

    def under_way(self, steps: int = 0, samples: int = 0) -> None:
        """The call before is ready, and one of so many steps has been made; none after the last one.

        A call that compiled says nothing of a step's time.
        """
        now, forms = time.perf_counter(), self._counted()
        if self._under_way is not None and forms == self._forms:  # else the time has that of compiling in it
            self.timed.append(Timed(*self._under_way, now - self.begun))
        self.begun = now if self._under_way is not None else self.asked
        self._under_way = (steps, samples) if steps and forms == self._forms else None
        self._forms = forms

    def _counted(self) -> list[tuple[int, int]]:
        """What changes when a training step is compiled: see `Watch.count`."""
        return [watch.count() for watch in self._watches.values()]


def added(sums: Logs, extra: Logs) -> Logs:
    """The sums of logs, by name.

    >>> float(added(added({}, {"norm": jnp.float32(1)}), {"norm": jnp.float32(2)})["norm"])
    3.0
    """
    return jax.tree.map(jnp.add, sums, extra) if sums else extra
