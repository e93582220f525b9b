"""Evaluation and prediction: passes over data that leave the state as it is, and calls for single batches."""

import sys
import time
from typing import Any

import jax
import numpy as np
from rich.console import Console

from jkeras.callbacks import CallbackList, Loop
from jkeras.callbacks.progress import shown
from jkeras.data import Arrays, check_arrays
from jkeras.data.batch import pack_x_y_sample_weight
from jkeras.training.feed import DEFAULT_BATCH_SIZE, check_data, fits_on_device
from jkeras.training.logs import LateLogs, Logs, on_host
from jkeras.training.options import EvaluateOptions
from jkeras.training.state import TrainState, check_alive
from jkeras.typing import PyTree


def evaluate(trainer: Any, state: TrainState, x: PyTree, y: PyTree, options: EvaluateOptions) -> Logs:
    """`Trainer.evaluate`."""
    check_alive(state, "Trainer.evaluate(state)")
    arrays = check_arrays(x, y, options.sample_weight)
    spec = check_data(trainer, arrays, options.batch_size)
    batch_size = options.batch_size or DEFAULT_BATCH_SIZE
    callbacks = CallbackList(options.callbacks)
    callbacks.set_loop(Loop({"steps": options.steps or -(-arrays.size // batch_size), "verbose": options.verbose}))
    started = time.perf_counter()
    logs = run_evaluation(trainer, state, arrays, batch_size, options.steps, spec, callbacks)
    report("evaluate", options.verbose, arrays.size, started, logs)
    return logs


def run_evaluation(
    trainer: Any,
    state: TrainState,
    arrays: Arrays,
    batch_size: int,
    steps: int | None,
    spec: PyTree,
    callbacks: CallbackList,
) -> Logs:
    on_device = fits_on_device(arrays)
    arrays = arrays.on_device() if on_device else arrays
    full = arrays.size // batch_size
    full, tail = (full, arrays.size % batch_size) if steps is None or steps > full else (steps, 0)
    metrics = trainer.empty_metrics(spec)
    own: dict[str, Any] = {}
    state, done, batches = callbacks.on_test_begin({}, state), 0, full + (tail > 0)

    def values(metrics: PyTree, own: dict[str, Any], done: int) -> dict[str, Any]:
        return {**trainer.metric_values(metrics, spec), **{name: value / done for name, value in own.items()}}

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
    found = on_host(values(metrics, own, batches))
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
    axis = 0 if trainer.replicas is None else 1  # replicas come before examples

    def join(*leaves: Any) -> np.ndarray:
        whole = np.concatenate([np.asarray(leaf) for leaf in leaves], axis)
        return whole[: arrays.size] if axis == 0 else whole[:, : arrays.size]

    outputs = jax.tree.map(join, *pieces)
    report("predict", options.verbose, min(steps * size, arrays.size), started, {})
    return outputs


def report(what: str, verbose: int | str, size: int, started: float, logs: Logs) -> None:
    """A line for a finished pass, unless silence is asked for or nobody is watching."""
    console = Console(file=sys.stdout)
    if verbose == 0 or (verbose == "auto" and not console.is_terminal):
        return
    seconds = time.perf_counter() - started
    rate = f"{size / max(seconds, 1e-9):,.0f} samples/s"
    console.print(f"{what}  {seconds:.1f}s  {rate}  {shown(logs)}", highlight=False)


def train_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> tuple[TrainState, Logs]:
    """`Trainer.train_on_batch`."""
    check_alive(state, "Trainer.train_on_batch(state)")
    state, _, logs = trainer.programs.train_batch(state, batch)
    return state, on_host(logs)


def test_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> Logs:
    """`Trainer.test_on_batch`."""
    check_alive(state, "Trainer.test_on_batch(state)")
    _, logs = trainer.programs.test_batch(state, state.metrics, batch)
    return on_host(logs)


def predict_on_batch(trainer: Any, state: TrainState, batch: PyTree) -> PyTree:
    """`Trainer.predict_on_batch`."""
    check_alive(state, "Trainer.predict_on_batch(state)")
    return jax.tree.map(np.asarray, trainer.programs.predict_batch(state, batch))
