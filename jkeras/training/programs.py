"""Programs: the compiled forms of a trainer's steps.

One program trains on any number of batches: a loop whose bound is an argument, over examples that lie on the device,
in an order drawn there. So how many batches a call runs is decided while training, and never compiles anything.
Another batch size (the last, smaller batch of an epoch) is another program.

XLA's CPU compiler runs a convolution inside a loop about 50 times slower than outside (measured with jaxlib 0.10.2: a
step of 2 ms takes 70 ms in `fori_loop` and in `scan`). There, a call that runs several batches of a network with
convolutions is several calls of a program for one.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.data import take
from jkeras.data.arrays import Batch, pack_x_y_sample_weight
from jkeras.jax_compat import CONVOLUTION, cpu_options, primitives
from jkeras.placement import Layout
from jkeras.training.state import TrainState
from jkeras.training.steps import Logs, Steps
from jkeras.typing import Array, PyTree, Tree


class Traced:
    """A function that counts how often it runs; within `jax.jit`, how often it is traced.

    >>> import jax.numpy as jnp
    >>> double = Traced(lambda x: 2 * x)
    >>> program = jax.jit(double)
    >>> [int(program(x)) for x in (1, 2, jnp.int8(3))], double.times
    ([2, 4, 6], 2)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.times = function, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.times += 1
        return self.function(*args, **kwargs)


class Programs:
    """The compiled steps of one trainer. What a `fit` notes of their calls is in its `StepCalls`.

    Args:
        steps: the trainer.
        layout: says where states and batches lie, when a step is traced; `None` for one device.
    """

    def __init__(self, steps: Steps, layout: Callable[[], Layout | None]) -> None:
        self.steps, self.layout = steps, layout
        self.train_step, self.test_step = self._near(self._mapped(steps.train_step)), self._mapped(steps.test_step)
        self.predict_step = self._mapped(steps.predict_step)
        size = {"static_argnames": "batch_size"}
        self.many = self._compiled(self._many, donate_argnums=0, **size)
        self.one = self._compiled(self._one, donate_argnums=0, **size)
        self.test_many = self._compiled(self._test_many, **size)
        self.train_batch = self._compiled(self._train_batch, donate_argnums=0)
        self.test_batch = self._compiled(self._test_batch)
        self.predict_batch = self._compiled(self._predict_batch)
        self._loops: dict[str, bool] = {}

    def _mapped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step for all replicas, which see the same batch."""
        if self.steps.replicas is None:
            return step
        placement = self.steps.placement
        return jax.vmap(step, (0, None), spmd_axis_name=None if placement is None else placement.replicas)

    def _near(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A training step, to which what a placement keeps in the host's memory comes, and from which it goes."""
        placement = self.steps.placement
        if placement is None or not placement.offload:
            return step

        def near(state: TrainState, batch: Batch) -> Any:
            layout = self.layout()
            assert layout is not None
            state, logs = step(layout.fetched(state), batch)
            return layout.hold(state), logs

        return near

    def _compiled(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """A function of a state, compiled; what it returns lies where it lay in the state."""
        if self.steps.placement is not None:
            function = self._held(function)
        if not self.steps.jit_compile:
            return function
        return jax.jit(Traced(function), compiler_options=cpu_options(), **options)

    def _held(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def held(*args: Any, **kwargs: Any) -> Any:
            results, layout = function(*args, **kwargs), self.layout()
            return results if layout is None or function == self._predict_batch else layout.hold(results)

        return held

    def _batch(self, parts: Batch, order: Array | None, start: Array | int, size: int) -> PyTree:
        """A batch in the form in which users know it: without the parts that there are not."""
        batch, layout = pack_x_y_sample_weight(*take(parts, order, start, size)), self.layout()
        return batch if layout is None else layout.split(batch)

    def loops(self, which: str, *args: Any, **kwargs: Any) -> bool:
        """Whether a program that loops over batches is the fast way to run them."""
        if not self.steps.jit_compile:
            return False
        if jax.default_backend() != "cpu":
            return True
        if which not in self._loops:
            # the trace is kept, so the call that follows does not trace again
            traced = getattr(self, which).trace(*args, **kwargs)
            self._loops[which] = CONVOLUTION not in primitives(traced)
        return self._loops[which]

    def flops_per_step(self, state: PyTree, batch: Batch) -> float:
        """The floating-point operations of a step, as XLA counts them before it optimizes; 0 where it does not."""
        analysis = jax.jit(self.train_step).lower(state, batch).cost_analysis()
        return float((analysis or {}).get("flops", 0.0))

    def _many(
        self,
        state: TrainState,
        parts: Batch,
        order: Array | None,
        start: int | Array,
        count: int | Array,
        *,
        batch_size: int,
    ) -> tuple[TrainState, PyTree, Logs]:
        def batch(index: int | Array) -> PyTree:
            return self._batch(parts, order, start + index * batch_size, batch_size)

        state, sums = self._loop(self._step, state, batch, count)
        return state, state.metrics, sums

    def _loop(
        self,
        step: Callable[[Any, PyTree], tuple[Any, Logs]],
        value: object,
        batch: Callable[[Any], PyTree],
        count: int | Array,
    ) -> tuple[Any, Logs]:
        """`count` times `value, logs = step(value, batch(index))`; the last value, and the sums of the logs."""
        step = jax.jit(step, inline=True)  # one trace says which logs there are, and is the body of the loop

        def body(index: int | Array, carry: tuple[Any, Logs]) -> tuple[Any, Logs]:
            value, sums = carry
            value, logs = step(value, batch(index))
            return value, jax.tree.map(jnp.add, sums, logs)

        specs = jax.eval_shape(lambda: step(value, batch(0))[1])
        sums = {name: jnp.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        result: tuple[Any, Logs] = jax.lax.fori_loop(0, count, body, (value, sums))
        return result

    def _step(self, state: TrainState, batch: Batch) -> tuple[TrainState, Logs]:
        state, logs = self.train_step(state, batch)
        return state, self.extra("train_step", logs, state.metrics)

    def _one(
        self, state: TrainState, parts: Batch, order: Array | None, start: int | Array, *, batch_size: int
    ) -> tuple[TrainState, PyTree, Logs]:
        state, extra = self._step(state, self._batch(parts, order, start, batch_size))
        return state, state.metrics, extra

    def _train_batch(self, state: TrainState, batch: Batch) -> tuple[TrainState, PyTree, Logs]:
        state, logs = self.train_step(state, batch)
        return state, state.metrics, logs

    def _test_many(
        self, state: TrainState, metrics: Tree, parts: Batch, count: int | Array, *, batch_size: int
    ) -> tuple[PyTree, Logs]:
        def test(metrics: Tree, batch: Batch) -> tuple[PyTree, Logs]:
            metrics, logs = self._test_batch(state, metrics, batch)
            return metrics, self.extra("test_step", logs, metrics)

        return self._loop(test, metrics, lambda index: self._batch(parts, None, index * batch_size, batch_size), count)

    def _test_batch(self, state: TrainState, metrics: Tree, batch: Batch) -> tuple[PyTree, Logs]:
        state, logs = self.test_step(state.replace(metrics=metrics), batch)
        return state.metrics, logs

    def extra(self, step: str, logs: Logs, metrics: Tree) -> Logs:
        """The logs of a step that no metric keeps, of which the loop takes the mean: all those of an overridden one."""
        own = self.steps.overrides(step)
        return {name: value for name, value in logs.items() if own or name not in metrics}

    def _predict_batch(self, state: TrainState, batch: Batch) -> PyTree:
        outputs, layout = self.predict_step(state, batch), self.layout()
        if layout is None or not layout.placement.spans_processes:
            return outputs
        return layout.everywhere(outputs)  # each process reads all of them
