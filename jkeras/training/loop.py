"""The loop: thin host code over compiled programs.

The host only says how many batches the next call runs. It reads metrics late: at the end of an epoch, and for the
progress bar those of the call before the last, which are ready.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.callbacks import CallbackList, History, Loop, Progress
from jkeras.data import Arrays, check_arrays, class_weights, split
from jkeras.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight
from jkeras.training.evaluation import run_evaluation
from jkeras.training.feed import DEFAULT_BATCH_SIZE, ArraysFeed, Pace, check_data
from jkeras.training.logs import LateLogs, Logs, on_host
from jkeras.training.options import FitOptions
from jkeras.training.quiet import deferred_interrupt, paused_collection
from jkeras.training.state import TrainState, check_alive
from jkeras.typing import Array, PyTree


def fit(trainer: Any, state: TrainState, x: PyTree, y: PyTree, options: FitOptions) -> tuple[TrainState, History]:
    """`Trainer.fit`."""
    check_alive(state, "Trainer.fit(state)")
    train, validation = _training_data(x, y, options)
    spec = check_data(trainer, train, options.batch_size)
    if validation is not None:
        check_data(trainer, validation, options.validation_batch_size or options.batch_size)
    batch_size = options.batch_size or DEFAULT_BATCH_SIZE
    steps = -(-train.size // batch_size)
    steps = min(steps, options.steps_per_epoch or steps)
    feed = ArraysFeed(trainer, train, batch_size, steps, shuffle=options.shuffle, seed=options.seed)

    history, progress = History(), Progress(options.verbose)
    callbacks = CallbackList([options.callbacks, progress, history])
    loop = Loop(
        {
            "epochs": options.epochs,
            "steps": steps,
            "batch_size": batch_size,
            "verbose": options.verbose,
            "validation_freq": None if validation is None else options.validation_freq,
        },
        directions=trainer.objective.directions(spec),
        initial_epoch=options.initial_epoch,
    )
    callbacks.set_loop(loop)
    trainer.programs.remember(state, _first_batch(train, batch_size))
    epoch_runner = Epoch(trainer, feed, callbacks, spec)

    def validate(state: TrainState) -> Logs:
        assert validation is not None
        size = options.validation_batch_size or batch_size
        found = run_evaluation(trainer, state, validation, size, options.validation_steps, spec, callbacks)
        return {f"val_{name}": value for name, value in found.items()}

    try:
        with paused_collection() as collect, deferred_interrupt(loop.stop):
            state = _epochs(state, options, callbacks, epoch_runner, None if validation is None else validate, collect)
    finally:
        progress.close()
    return state, history


def _epochs(
    state: TrainState,
    options: FitOptions,
    callbacks: CallbackList,
    epoch_runner: "Epoch",
    validate: Callable[[TrainState], Logs] | None,
    collect: Callable[[], int],
) -> TrainState:
    """All epochs, with the hooks around them."""
    loop = callbacks.loop
    state = callbacks.on_train_begin({}, state)
    logs: Logs = {}
    for epoch in range(loop.initial_epoch, options.epochs):
        state = callbacks.on_epoch_begin(epoch, {}, state)
        state, logs = epoch_runner.run(state, epoch)
        if validate is not None and options.validates(epoch):
            logs.update(validate(state))
        logs.update(callbacks.epoch_logs(epoch, state))
        state = callbacks.on_epoch_end(epoch, logs, state)
        collect()
        if loop.stop_training:
            break
    return callbacks.on_train_end(logs, state)


def _training_data(x: PyTree, y: PyTree, options: FitOptions) -> tuple[Arrays, Arrays | None]:
    """The arrays to train on, and those to validate on."""
    train = check_arrays(x, y, options.sample_weight)
    validation = None
    if options.validation_data is not None:
        validation = check_arrays(*unpack_x_y_sample_weight(options.validation_data))
    elif options.validation_split:
        train, validation = split(train, options.validation_split)
    if options.class_weight is not None:
        train = check_arrays(train.x, train.y, class_weights(train.y, options.class_weight))
    return train, validation


def _first_batch(arrays: Arrays, batch_size: int) -> PyTree:
    return pack_x_y_sample_weight(*arrays.rows(0, min(batch_size, arrays.size)).parts)


class Epoch:
    """One pass over the training data, and what stays the same between passes."""

    def __init__(self, trainer: Any, feed: ArraysFeed, callbacks: CallbackList, spec: PyTree) -> None:
        self.trainer, self.feed, self.callbacks, self.spec = trainer, feed, callbacks, spec
        self.pace = Pace(1 if callbacks.every_batch else trainer.steps_per_execution)

    def run(self, state: TrainState, epoch: int) -> tuple[TrainState, Logs]:
        """Trains one epoch; the state and the epoch's logs."""
        loop = self.callbacks.loop
        first = loop.initial_batch if epoch == loop.initial_epoch else 0
        if first == 0:
            state = state.replace(metrics=self.trainer.empty_metrics(self.spec))
        done, seen, sums = first, None, dict[str, Array]()
        begun = time.perf_counter()
        for call in self.feed.calls(epoch, first, self.pace):
            state = self.callbacks.on_train_batch_begin(done, {}, state)
            ready, asked = seen, time.perf_counter()
            state, seen, own = call.run(state)
            self.pace.measure(call.steps, asked, seen)
            sums = jax.tree.map(jnp.add, sums, own) if sums else own
            jax.block_until_ready(ready)  # one call may be under way, not more: what is shown is what has happened
            now = time.perf_counter()
            if done > first:
                self.trainer.programs.calls.append((call.steps, call.samples, now - begun))
            begun, done = now, done + call.steps
            late = LateLogs(self._logs, seen if ready is None else ready, sums, done - first)
            state = self.callbacks.on_train_batch_end(done - 1, late, state)
            if loop.stop_training:
                break
        return state, on_host(self._logs(seen, sums, done - first))

    def _logs(self, metrics: PyTree, sums: dict[str, Array], done: int) -> Logs:
        """The values of the metrics, and the means of the logs that no metric keeps."""
        if self.trainer.has_own_step:  # it may leave metrics untouched
            untouched = self.trainer.empty_metrics(self.spec)
            metrics = {key: value for key, value in metrics.items() if not _equal(value, untouched[key])}
        own = {name: value / done for name, value in sums.items() if name not in metrics}
        return {**self.trainer.metric_values(metrics, self.spec), **own}


def _equal(a: PyTree, b: PyTree) -> bool:
    return all(np.array_equal(one, two) for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
