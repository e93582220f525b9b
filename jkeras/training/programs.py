"""Programs: the compiled forms of a trainer's steps.

One program trains on any number of batches: a loop whose bound is an argument, over examples that lie on the device,
in an order drawn there. So how many batches a call runs is decided while training, and never compiles anything.
Another batch size (the last, smaller batch of an epoch) is another program.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.data import take
from jkeras.training.state import TrainState
from jkeras.typing import Array, PyTree

Logs = dict[str, Array]


class Programs:
    """The compiled steps of one trainer.

    `train(state, parts, order, start, count, batch_size=)` consumes the state and returns the next one, the metrics'
    states once more (they outlive the donation of the next state), and the sums of the logs that no metric keeps.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        compiled = trainer.jit_compile
        self.train = jax.jit(self._train, static_argnames="batch_size", donate_argnums=0) if compiled else self._train
        self.test = jax.jit(self._test, static_argnames="batch_size") if compiled else self._test
        self.train_batch = jax.jit(self._train_batch, donate_argnums=0) if compiled else self._train_batch
        self.test_batch = jax.jit(self._test_batch) if compiled else self._test_batch
        self.predict_batch = jax.jit(trainer.predict_step) if compiled else trainer.predict_step

    def _train(
        self, state: TrainState, parts: PyTree, order: Array | None, start: Any, count: Any, *, batch_size: int
    ) -> tuple[TrainState, PyTree, Logs]:
        def body(index: Any, carry: tuple[TrainState, Logs]) -> tuple[TrainState, Logs]:
            state, sums = carry
            state, logs = self.trainer.train_step(state, take(parts, order, start + index * batch_size, batch_size))
            return state, {name: sums[name] + logs[name] for name in sums}

        state, sums = self._repeat(body, count, (state, self._no_sums(state, parts, batch_size)))
        return state, state.metrics, sums

    def _test(
        self, state: TrainState, metrics: PyTree, parts: PyTree, start: Any, count: Any, *, batch_size: int
    ) -> PyTree:
        def body(index: Any, metrics: PyTree) -> PyTree:
            batch = take(parts, None, start + index * batch_size, batch_size)
            return self.trainer.test_step(state.replace(metrics=metrics), batch)[0].metrics

        return self._repeat(body, count, metrics)

    def _train_batch(self, state: TrainState, batch: PyTree) -> tuple[TrainState, PyTree, Logs]:
        state, logs = self.trainer.train_step(state, batch)
        return state, state.metrics, logs

    def _test_batch(self, state: TrainState, metrics: PyTree, batch: PyTree) -> tuple[PyTree, Logs]:
        state, logs = self.trainer.test_step(state.replace(metrics=metrics), batch)
        return state.metrics, logs

    def _repeat(self, body: Any, count: Any, carry: PyTree) -> PyTree:
        if self.trainer.run_eagerly:
            for index in range(int(count)):
                carry = body(index, carry)
            return carry
        return jax.lax.fori_loop(0, count, body, carry)

    def _no_sums(self, state: TrainState, parts: PyTree, batch_size: int) -> Logs:
        """Zeros for the logs that no metric keeps: those of a step or of `compute_metrics` of the user's own."""
        if not self.trainer.has_own_logs:
            return {}
        logs = jax.eval_shape(lambda: self.trainer.train_step(state, take(parts, None, 0, batch_size))[1])
        return {
            name: jnp.zeros(spec.shape, spec.dtype)
            for name, spec in logs.items()
            if self.trainer.is_own_log(name, state)
        }
