"""Programs: the compiled forms of a trainer's steps.

One program trains on any number of batches: a loop whose bound is an argument, over examples that lie on the device,
in an order drawn there. So how many batches a call runs is decided while training, and never compiles anything.
Another batch size (the last, smaller batch of an epoch) is another program.

XLA's CPU compiler runs a convolution inside a loop about 50 times slower than outside (measured with jaxlib 0.10.2: a
step of 2 ms takes 70 ms in `fori_loop` and in `scan`). There, a call that runs several batches of a network with
convolutions is several calls of a program for one.
"""

import collections
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jkeras.data import take
from jkeras.data.batch import pack_x_y_sample_weight
from jkeras.training.checks import Checks
from jkeras.training.pace import Pace
from jkeras.training.retrace import Traced, Watch
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree

Logs = dict[str, Array]
Timed: TypeAlias = collections.deque[tuple[int, int, float]]

TIMED_CALLS = 10_000  # enough for a median and the slowest hundredth; they take a megabyte


class Programs:
    """The compiled steps of one trainer."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.train_step, self.test_step = self._mapped(trainer.train_step), self._mapped(trainer.test_step)
        self.predict_step = self._mapped(trainer.predict_step)
        size = {"static_argnames": "batch_size"}
        self.many = self._compiled(self._many, donate_argnums=0, **size)
        self.one = self._compiled(self._one, donate_argnums=0, **size)
        self.test_many = self._compiled(self._test_many, **size)
        self.train_batch = self._compiled(self._train_batch, donate_argnums=0)
        self.test_batch = self._compiled(self._test_batch)
        self.predict_batch = self._compiled(self.predict_step)
        self._loops: dict[str, bool] = {}
        self._watches: dict[str, Watch] = {}
        self.calls: Timed = collections.deque(
            maxlen=TIMED_CALLS
        )  # steps, samples and seconds of the last calls of the last `fit`
        self._spec: PyTree = None
        self._paces: dict[type, Pace] = {}
        self.checks: Checks | None = None  # of batches that are given one by one

    def _mapped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step for all replicas, which see the same batch."""
        return step if self.trainer.replicas is None else jax.vmap(step, (0, None))

    def _compiled(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        if not self.trainer.jit_compile:
            return function
        return jax.jit(Traced(function), compiler_options=compiler_options(), **options)

    def loops(self, which: str, *args: Any, **kwargs: Any) -> bool:
        """Whether a program that loops over batches is the fast way to run them."""
        if not self.trainer.jit_compile:
            return False
        if jax.default_backend() != "cpu":
            return True
        if which not in self._loops:
            # the trace is kept, so the call that follows does not trace again
            jaxpr = getattr(self, which).trace(*args, **kwargs).jaxpr.jaxpr
            self._loops[which] = "conv_general_dilated" not in primitives(jaxpr)
        return self._loops[which]

    def remember(self, state: TrainState, batch: PyTree) -> None:
        """Keeps the shapes and dtypes of a step; forgets the timed calls, and what was noted of other shapes."""
        spec = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (state, batch))
        if spec != self._spec:
            self._spec, self._paces = spec, {}
            self._watches = {name: Watch(getattr(self, name)) for name in ("many", "one", "train_batch")}
        self.calls.clear()

    def pace(self, of: object) -> Pace:
        """The pace for a kind of feed, which the next `fit` of a kind on the same shapes goes on with."""
        return self._paces.setdefault(type(of), Pace(self.trainer.steps_per_execution))

    def forms(self) -> list[tuple[int, int]]:
        """What changes when a training step is compiled: see `Watch.count`."""
        return [watch.count() for watch in self._watches.values()]

    def watch(self, name: str, state: TrainState, batch: PyTree = None) -> None:
        """Warns if the program of a name was compiled again for this state and batch, which it was just given."""
        self._watches[name].check(state, batch)

    def flops_per_step(self) -> float:
        """The floating-point operations of a step, as XLA counts them before it optimizes; 0 where it does not."""
        analysis = jax.jit(self.train_step).lower(*self._spec).cost_analysis()
        return float((analysis or {}).get("flops", 0.0))

    def train(
        self, state: TrainState, parts: PyTree, order: Array | None, start: Any, count: Any, *, batch_size: int
    ) -> tuple[TrainState, PyTree, Logs]:
        """Trains on `count` batches from a position of an order; consumes the state.

        Returns:
            The next state; the metrics' states once more, which outlive the donation of the next state; the sums of
            the logs that no metric keeps.
        """
        if self.loops("many", state, parts, order, start, count, batch_size=batch_size):
            results = self.many(state, parts, order, start, count, batch_size=batch_size)
            self.watch("many", state)
            return results
        metrics: PyTree = state.metrics
        sums: Logs = {}
        for index in range(int(count)):
            given = state
            state, metrics, logs = self.one(given, parts, order, start + index * batch_size, batch_size=batch_size)
            self.watch("one", given)
            sums = jax.tree.map(jnp.add, sums, logs) if sums else logs
        return state, metrics, sums

    def _many(
        self, state: TrainState, parts: PyTree, order: Array | None, start: Any, count: Any, *, batch_size: int
    ) -> tuple[TrainState, PyTree, Logs]:
        def body(index: Any, carry: tuple[TrainState, Logs]) -> tuple[TrainState, Logs]:
            state, sums = carry
            state, logs = self.train_step(state, batch_of(parts, order, start + index * batch_size, batch_size))
            return state, {name: sums[name] + logs[name] for name in sums}

        state, sums = jax.lax.fori_loop(0, count, body, (state, self._no_sums(state, parts, batch_size)))
        return state, state.metrics, sums

    def _one(
        self, state: TrainState, parts: PyTree, order: Array | None, start: Any, *, batch_size: int
    ) -> tuple[TrainState, PyTree, Logs]:
        state, logs = self.train_step(state, batch_of(parts, order, start, batch_size))
        return state, state.metrics, self._own(logs, state)

    def _test_many(self, state: TrainState, metrics: PyTree, parts: PyTree, count: Any, *, batch_size: int) -> PyTree:
        def body(index: Any, metrics: PyTree) -> PyTree:
            batch = batch_of(parts, None, index * batch_size, batch_size)
            return self.test_step(state.replace(metrics=metrics), batch)[0].metrics

        return jax.lax.fori_loop(0, count, body, metrics)

    def _train_batch(self, state: TrainState, batch: PyTree) -> tuple[TrainState, PyTree, Logs]:
        state, logs = self.train_step(state, batch)
        return state, state.metrics, logs

    def _test_batch(self, state: TrainState, metrics: PyTree, batch: PyTree) -> tuple[PyTree, Logs]:
        state, logs = self.test_step(state.replace(metrics=metrics), batch)
        return state.metrics, logs

    def _own(self, logs: Logs, state: TrainState) -> Logs:
        """The logs that no metric keeps: those of a step or of `compute_metrics` of the user's own."""
        if not self.trainer.has_own_logs:
            return {}
        return {name: value for name, value in logs.items() if self.trainer.is_own_log(name, state)}

    def _no_sums(self, state: TrainState, parts: PyTree, batch_size: int) -> Logs:
        if not self.trainer.has_own_logs:
            return {}
        logs = jax.eval_shape(lambda: self.train_step(state, batch_of(parts, None, 0, batch_size))[1])
        return {name: jnp.zeros(spec.shape, spec.dtype) for name, spec in self._own(logs, state).items()}


@functools.cache
def compiler_options() -> dict[str, Any]:
    """What XLA's CPU compiler is asked for; empty for other compilers, and for one that does not know the options.

    - To see that a loop may update its weights where they lie. Otherwise it copies each weight matrix in each step:
      50 copies for 50 layers, a tenth of the step.
    - To use vectors of 512 bits where the processor has them. By default it uses half of each: on an AMD EPYC with
      AVX-512, a step of a small network took 70 us, and takes 62 us (both with jaxlib 0.10.2).
    """
    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_cpu_copy_insertion_use_region_analysis": True, "xla_cpu_prefer_vector_width": 512}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def batch_of(parts: PyTree, order: Array | None, start: Array | int, size: int) -> PyTree:
    """A batch in the form in which users know it: without the parts that there are not."""
    return pack_x_y_sample_weight(*take(parts, order, start, size))


def primitives(jaxpr: Any) -> set[str]:
    """The names of all primitives in a jaxpr, those inside loops and calls included.

    >>> sorted(primitives(jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, x, lambda i, c: c * i, 1))(3).jaxpr))
    ['add', 'lt', 'mul', 'while']
    """
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for nested in _jaxprs(equation.params.values()):
            found |= primitives(nested)
    return found


def _jaxprs(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _jaxprs(value)
        elif hasattr(value, "eqns"):
            yield value
        elif hasattr(getattr(value, "jaxpr", None), "eqns"):
            yield value.jaxpr
