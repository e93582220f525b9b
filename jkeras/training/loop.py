"""The loops: thin host code over compiled programs.

Arrays that fit lie on the device; an epoch's order is drawn there, and batches are gathered inside the compiled step.
The host only says how many batches the next call runs. It reads metrics late: at the end of an epoch, and for the
progress bar those of the call before the last, which are ready.
"""

import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from jkeras import keys
from jkeras.callbacks import CallbackList, History, Loop, Progress
from jkeras.data import Arrays, check_arrays, class_weights, split
from jkeras.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight
from jkeras.training.options import EvaluateOptions, FitOptions
from jkeras.training.state import TrainState, check_alive
from jkeras.typing import Array, PyTree

DEFAULT_BATCH_SIZE = 32
CALL_SECONDS = 0.02  # what a call of a program aims to take: long beside its dispatch, short beside a person's patience
DEVICE_SHARE = 0.25  # of a device's memory, up to which data is kept there
UNKNOWN_DEVICE_BYTES = 8 * 2**30  # assumed where the device does not say, as on CPU


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

    history, progress = History(), Progress(options.verbose)
    callbacks = CallbackList([options.callbacks, progress, history])
    loop = Loop(
        {"epochs": options.epochs, "steps": steps, "batch_size": batch_size, "verbose": options.verbose},
        directions=trainer.objective.directions(spec),
        initial_epoch=options.initial_epoch,
    )
    callbacks.set_loop(loop)
    epoch_runner = Epoch(trainer, train, batch_size, steps, options, callbacks, spec)
    try:
        state = callbacks.on_train_begin({}, state)
        logs: dict[str, float] = {}
        for epoch in range(loop.initial_epoch, options.epochs):
            state = callbacks.on_epoch_begin(epoch, {}, state)
            state, logs = epoch_runner.run(state, epoch)
            if validation is not None and options.validates(epoch):
                size = options.validation_batch_size or batch_size
                found = _evaluate(trainer, state, validation, size, options.validation_steps, spec, callbacks)
                logs.update({f"val_{name}": value for name, value in found.items()})
            logs.update(callbacks.epoch_logs(epoch, state))
            state = callbacks.on_epoch_end(epoch, logs, state)
            if loop.stop_training:
                break
        state = callbacks.on_train_end(logs, state)
    finally:
        progress.close()
    return state, history


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


def check_data(trainer: Any, arrays: Arrays, batch_size: int | None) -> PyTree:
    """Looks at inputs and labels before any work; returns the specs of the model's outputs for a batch."""
    size = min(batch_size or DEFAULT_BATCH_SIZE, arrays.size)
    spec = trainer.output_spec(
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), arrays.x)
    )
    if arrays.y is not None:
        trainer.objective.validate(jax.tree.map(np.asarray, arrays.y), spec)
    return spec


class Epoch:
    """One pass over the training data, and what stays the same between passes."""

    def __init__(
        self,
        trainer: Any,
        arrays: Arrays,
        batch_size: int,
        steps: int,
        options: FitOptions,
        callbacks: CallbackList,
        spec: PyTree,
    ) -> None:
        self.trainer, self.batch_size, self.options, self.callbacks, self.spec = (
            trainer,
            batch_size,
            options,
            callbacks,
            spec,
        )
        self.on_device = fits_on_device(arrays)
        self.parts = (arrays.on_device() if self.on_device else arrays).parts
        self.size = arrays.size
        self.full = min(steps, self.size // batch_size)
        self.tail = self.size % batch_size if steps > self.full else 0
        self.pace = Pace(1 if callbacks.every_batch or not self.on_device else trainer.steps_per_execution)

    def run(self, state: TrainState, epoch: int) -> tuple[TrainState, dict[str, float]]:
        """Trains one epoch; the state and the epoch's logs."""
        order, loop = self._order(epoch), self.callbacks.loop
        first = loop.initial_batch if epoch == loop.initial_epoch else 0
        if first == 0:
            state = state.replace(metrics=self.trainer.objective.init(self.spec))
        done, seen = first, None
        sums: dict[str, Array] = {}
        for start, count, size in self._calls(first):
            state = self.callbacks.on_train_batch_begin(done, {}, state)
            ready, begun = seen, time.perf_counter()
            state, seen, call_sums = self._call(state, order, start, count, size)
            self.pace.measure(count, begun, seen)
            sums = jax.tree.map(jnp.add, sums, call_sums) if sums else call_sums
            jax.block_until_ready(ready)  # one call may be under way, not more: what is shown is what has happened
            late = LateLogs(self._logs, seen if ready is None else ready, sums, done + count - first)
            done += count
            state = self.callbacks.on_train_batch_end(done - 1, late, state)
            if loop.stop_training:
                break
        return state, {name: float(value) for name, value in self._logs(seen, sums, done - first).items()}

    def _order(self, epoch: int) -> Any:
        """The epoch's order, `None` for that of the arrays."""
        if not self.options.shuffle:
            return None
        order = jax.random.permutation(jax.random.fold_in(keys.from_seed(self.options.seed), epoch), self.size)
        return order if self.on_device else np.asarray(order)

    def _calls(self, done: int) -> Iterator[tuple[int, int, int]]:
        """What each call runs, when some batches are done: from which position, how many batches, of which size."""
        while done < self.full:
            count = self.pace.next(self.full - done)
            yield done * self.batch_size, count, self.batch_size
            done += count
        if self.tail:
            yield self.full * self.batch_size, 1, self.tail

    def _call(
        self, state: TrainState, order: Any, start: int, count: int, size: int
    ) -> tuple[TrainState, PyTree, dict[str, Array]]:
        programs = self.trainer.programs
        if self.on_device:
            return programs.train(state, self.parts, order, np.int32(start), np.int32(count), batch_size=size)
        rows = slice(start, start + size) if order is None else order[start : start + size]
        batch = pack_x_y_sample_weight(*jax.tree.map(lambda leaf: leaf[rows], self.parts))
        state, metrics, logs = programs.train_batch(state, batch)
        return state, metrics, {name: value for name, value in logs.items() if self.trainer.is_own_log(name, state)}

    def _logs(self, metrics: PyTree, sums: dict[str, Array], done: int) -> dict[str, Any]:
        """The values of the metrics, and the means of the logs that no metric keeps."""
        objective = self.trainer.objective
        if self.trainer.has_own_step:  # it may leave metrics untouched
            untouched = objective.init(self.spec)
            metrics = {key: value for key, value in metrics.items() if not _equal(value, untouched[key])}
        own = {name: value / done for name, value in sums.items() if name not in metrics}
        return {**objective.results(metrics, self.spec), **own}


def _equal(a: PyTree, b: PyTree) -> bool:
    return all(np.array_equal(one, two) for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


class LateLogs(Mapping[str, float]):
    """Logs that are computed when somebody reads them, and read from the device then.

    >>> LateLogs(lambda value: {"loss": value}, 2.0)["loss"]
    2.0
    """

    def __init__(self, compute: Callable[..., dict[str, Any]], *args: Any) -> None:
        self._compute = functools.cache(lambda: {name: float(value) for name, value in compute(*args).items()})

    def __getitem__(self, name: str) -> float:
        return self._compute()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute())

    def __len__(self) -> int:
        return len(self._compute())


def evaluate(trainer: Any, state: TrainState, x: PyTree, y: PyTree, options: EvaluateOptions) -> dict[str, float]:
    """`Trainer.evaluate`."""
    check_alive(state, "Trainer.evaluate(state)")
    arrays = check_arrays(x, y, options.sample_weight)
    spec = check_data(trainer, arrays, options.batch_size)
    batch_size = options.batch_size or DEFAULT_BATCH_SIZE
    callbacks = CallbackList(options.callbacks)
    callbacks.set_loop(Loop({"steps": options.steps or -(-arrays.size // batch_size), "verbose": options.verbose}))
    started = time.perf_counter()
    logs = _evaluate(trainer, state, arrays, batch_size, options.steps, spec, callbacks)
    report("evaluate", options.verbose, arrays.size, started, logs)
    return logs


def _evaluate(
    trainer: Any,
    state: TrainState,
    arrays: Arrays,
    batch_size: int,
    steps: int | None,
    spec: PyTree,
    callbacks: CallbackList,
) -> dict[str, float]:
    on_device = fits_on_device(arrays)
    arrays = arrays.on_device() if on_device else arrays
    full = arrays.size // batch_size
    full, tail = (full, arrays.size % batch_size) if steps is None or steps > full else (steps, 0)
    metrics = trainer.objective.init(spec)
    own: dict[str, Any] = {}
    state, done, batches = callbacks.on_test_begin({}, state), 0, full + (tail > 0)

    def values(metrics: PyTree, own: dict[str, Any], done: int) -> dict[str, Any]:
        return {**trainer.objective.results(metrics, spec), **{name: value / done for name, value in own.items()}}

    if full and on_device and not trainer.has_own_logs and not callbacks.every_batch:
        args = (state, metrics, arrays.parts, np.int32(full))
        if trainer.programs.loops("test_many", *args, batch_size=batch_size):
            state = callbacks.on_test_batch_begin(0, {}, state)
            metrics = trainer.programs.test_many(state, *args[1:], batch_size=batch_size)
            done = full
            state = callbacks.on_test_batch_end(full - 1, LateLogs(values, metrics, {}, done), state)
    for index in range(done, batches):
        state = callbacks.on_test_batch_begin(index, {}, state)
        start = index * batch_size
        batch = pack_x_y_sample_weight(*arrays.rows(start, min(start + batch_size, arrays.size)).parts)
        metrics, logs = trainer.programs.test_batch(state, metrics, batch)
        unkept = [name for name in logs if trainer.is_own_log(name, state) and name not in metrics]
        own = {**own, **{name: own.get(name, 0.0) + logs[name] for name in unkept}}
        state = callbacks.on_test_batch_end(index, LateLogs(values, metrics, own, index + 1), state)
    found = {name: float(value) for name, value in values(metrics, own, batches).items()}
    callbacks.on_test_end(found, state)
    return found


def predict(trainer: Any, state: TrainState, x: PyTree, options: EvaluateOptions) -> PyTree:
    """`Trainer.predict`. The last batch is padded with its own first rows, so that one program serves all."""
    check_alive(state, "Trainer.predict(state)")
    arrays = check_arrays(x)
    size = min(options.batch_size or DEFAULT_BATCH_SIZE, arrays.size)
    steps = min(-(-arrays.size // size), options.steps or arrays.size)
    check_data(trainer, arrays, options.batch_size)
    callbacks = CallbackList(options.callbacks)
    callbacks.set_loop(Loop({"steps": steps, "verbose": options.verbose}))
    started = time.perf_counter()
    state, pieces = callbacks.on_predict_begin({}, state), []
    for index in range(steps):
        rows = np.minimum(np.arange(index * size, (index + 1) * size), arrays.size - 1)
        batch = jax.tree.map(lambda leaf, rows=rows: leaf[rows], arrays.x)
        state = callbacks.on_predict_batch_begin(index, {}, state)
        pieces.append(trainer.programs.predict_batch(state, pack_x_y_sample_weight(batch)))
        state = callbacks.on_predict_batch_end(index, {"outputs": pieces[-1]}, state)
    callbacks.on_predict_end({}, state)
    outputs = jax.tree.map(
        lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves])[: arrays.size], *pieces
    )
    report("predict", options.verbose, min(steps * size, arrays.size), started, {})
    return outputs


def report(what: str, verbose: int | str, size: int, started: float, logs: dict[str, float]) -> None:
    """A line for a finished pass, unless silence is asked for or nobody is watching."""
    console = Console(file=sys.stdout)
    if verbose == 0 or (verbose == "auto" and not console.is_terminal):
        return
    seconds = time.perf_counter() - started
    shown = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
    console.print(f"{what}  {seconds:.1f}s  {size / max(seconds, 1e-9):,.0f} samples/s  {shown}", highlight=False)


def train_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> tuple[TrainState, dict[str, float]]:
    """`Trainer.train_on_batch`."""
    check_alive(state, "Trainer.train_on_batch(state)")
    state, _, logs = trainer.programs.train_batch(state, batch)
    return state, {name: float(value) for name, value in logs.items()}


def test_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> dict[str, float]:
    """`Trainer.test_on_batch`."""
    check_alive(state, "Trainer.test_on_batch(state)")
    _, logs = trainer.programs.test_batch(state, state.metrics, batch)
    return {name: float(value) for name, value in logs.items()}


def predict_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> PyTree:
    """`Trainer.predict_on_batch`."""
    check_alive(state, "Trainer.predict_on_batch(state)")
    return jax.tree.map(np.asarray, trainer.programs.predict_batch(state, batch))
