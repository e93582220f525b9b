"""Calls: the calls that one `fit` makes of compiled training steps: paced, timed, and watched for compilations.

A compiled function serves arguments of the shapes, dtypes, weak types and shardings for which it was traced. A hook
that returns a state with a Python float in it, or a loader whose third batch is float64, makes JAX trace and compile it
again, silently. Here the leaf that changed is named.
"""

import collections
import time
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras import tree
from jkeras.data.arrays import Batch, pack_x_y_sample_weight
from jkeras.jax_compat import kept_forms
from jkeras.training.programs import Programs
from jkeras.training.state import TrainState
from jkeras.training.steps import Logs
from jkeras.typing import Array, PyTree, SpecTree

CALL_SECONDS = 0.02  # what a call of a program aims to take: long beside its dispatch, short beside a person's patience


class Pace:
    """How many batches a call runs.

    Args:
        steps: a fixed number, or `"auto"`: after one call to compile and two to measure, as many as take about
            `CALL_SECONDS`.

    >>> Pace(16).next(100), Pace(16).next(10), Pace("auto").next(100)
    (16, 10, 1)
    """

    def __init__(self, steps: int | str) -> None:
        self.steps = 1 if steps == "auto" else int(steps)
        self.calls_to_measure = 3 if steps == "auto" else 0

    def next(self, remaining: int) -> int:
        """How many of the remaining batches the next call runs."""
        return min(self.steps, remaining)

    def measure(self, steps: int, begun: float, results: object) -> None:
        """Takes note of a call that began at a time and gave results. The first one compiles, so it says nothing."""
        if self.calls_to_measure == 0:
            return
        jax.block_until_ready(results)
        self.calls_to_measure -= 1
        if self.calls_to_measure < 2:  # a single step takes longer than its share of several
            self.steps = max(1, int(CALL_SECONDS * steps / max(time.perf_counter() - begun, 1e-9)))


def describe(arguments: object) -> PyTree:
    """What a program is traced for, leaf by leaf. Works on arrays that were donated, too.

    >>> import jax.numpy as jnp
    >>> {name: as_text(leaf) for name, leaf in describe({"a": jnp.zeros(2), "b": 1.0}).items()}
    {'a': 'float32[2]', 'b': 'float32[], weakly typed'}
    """
    return jax.tree.map(_spec, arguments)


def _spec(leaf: object) -> jax.ShapeDtypeStruct:
    aval = jax.typeof(leaf)
    sharding = getattr(leaf, "sharding", None)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, sharding=sharding, weak_type=bool(aval.weak_type))


def as_text(spec: jax.ShapeDtypeStruct) -> str:
    """A spec as messages write it."""
    weak = ", weakly typed" if spec.weak_type else ""
    return f"{spec.dtype}{list(spec.shape)}{weak}"


class RetraceWatch:
    """Warns when a program was compiled again for arguments that differ in more than the number of examples.

    Args:
        program: what `jax.jit` returned for a `Traced` function, or a function that is not compiled.
    """

    def __init__(self, program: object) -> None:
        self.program: Any = program
        self.traced: Any = getattr(program, "__wrapped__", None)
        self.forms: tuple[int, int] | None = None
        self.before: PyTree = None

    def count(self) -> tuple[int, int]:
        """How often the program was traced, and how many forms of it JAX keeps; zeros if it is not compiled.

        Another sharding is another form of the same trace. JAX drops forms where a process has many thousands, even
        the newest, so their number alone does not tell.
        """
        compiled = isinstance(self.program, jax.stages.Wrapped)
        return (self.traced.times, kept_forms(self.program)) if compiled else (0, 0)

    def check(self, state: PyTree, batch: Batch | None = None) -> None:
        """Takes note of a call on a state and a batch.

        Warns:
            UserWarning: the call compiled the program again.
        """
        forms = self.count()
        if forms == self.forms:
            return
        now = describe({"state": state, "batch": batch})
        if self.forms is not None:
            before = _by_path(self.before)
            lines = (_change(path, before.get(path), leaf) for path, leaf in _by_path(now).items())
            if changed := [line for line in lines if line]:
                warnings.warn(
                    "the training step was compiled again, because its arguments changed: "
                    + "; ".join(changed[:5])
                    + ".",
                    stacklevel=2,
                )
        self.forms, self.before = forms, now


def _by_path(specs: SpecTree) -> dict[str, jax.ShapeDtypeStruct]:
    return {tree.key_path(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(specs)}


def _change(path: str, before: jax.ShapeDtypeStruct | None, now: jax.ShapeDtypeStruct) -> str | None:
    """What is new about a leaf; a batch may have another number of examples."""
    if before is None:
        return f"{path} is new"
    fixed = slice(1, None) if path.startswith("batch") else slice(None)
    if (before.shape[fixed], before.dtype, before.weak_type) != (now.shape[fixed], now.dtype, now.weak_type):
        return f"{path} is {as_text(now)}, before {as_text(before)}"
    if path.startswith("batch") and before.shape != now.shape:  # a smaller one may not divide among the devices
        return None
    if None in (before.sharding, now.sharding) or before.sharding == now.sharding:  # a Python number has none
        return None
    return f"{path} is sharded as {now.sharding}, before as {before.sharding}"


TIMED_CALLS = 10_000  # enough for a median and the slowest hundredth; they take a megabyte


class Timed(NamedTuple):
    """A call that did not compile: how many steps and examples it ran, and its seconds of wall time."""

    steps: int
    samples: int
    seconds: float


class StepCalls:
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
        self._watches = {name: RetraceWatch(getattr(programs, name)) for name in ("many", "one", "train_batch")}
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
        """What changes when a training step is compiled: see `RetraceWatch.count`."""
        return [watch.count() for watch in self._watches.values()]


def added(sums: Logs, extra: Logs) -> Logs:
    """The sums of logs, by name.

    >>> float(added(added({}, {"norm": jnp.float32(1)}), {"norm": jnp.float32(2)})["norm"])
    3.0
    """
    return jax.tree.map(jnp.add, sums, extra) if sums else extra
