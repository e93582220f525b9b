"""Evaluation and prediction: passes over data that leave the state as it is, and calls for single batches."""

import contextlib
import functools
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jkeras.callbacks import CallbackList, Loop
from jkeras.callbacks.progress import shown
from jkeras.data import (
    Arrays,
    Source,
    adapt,
    check_arrays,
    class_weights,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from jkeras.data.arrays import batch_size_of
from jkeras.data.checks import check_values
from jkeras.data.source import Plan, SourceLike
from jkeras.data.uniform import BatchPosition
from jkeras.errors import within
from jkeras.placement.processes import Channel, is_first
from jkeras.training.agreement import agreeing, as_parts, note_data
from jkeras.training.calls import added
from jkeras.training.checks import Checks
from jkeras.training.feed import (
    DEFAULT_BATCH_SIZE,
    ExampleOrder,
    batch_size_for,
    check_data,
    fits_on_device,
    form_of_batch,
)
from jkeras.training.options import EvaluateOptions, check_weights
from jkeras.training.session import HostLogs, LateLogs, Session, on_host
from jkeras.training.state import TrainState, distinct
from jkeras.training.trainer_states import check_metrics
from jkeras.typing import Array, ArrayTree, PyTree, SpecTree


def evaluate(
    session: Session, state: TrainState, x: SourceLike | None, y: ArrayTree | None, options: EvaluateOptions
) -> HostLogs:
    """`Trainer.evaluate`."""
    session.check_state(state, "evaluate")
    data = adapt(
        x,
        y,
        options.sample_weight,
        batch_size=options.batch_size,
        steps=options.steps,
        epochs=None,
        same_shapes=not session.facts.has_free_axes,
    )
    if options.data == "local":
        data = as_parts(session, data, options.batch_size, Plan(options.steps, None), ExampleOrder(0, False, 0))
    with data if isinstance(data, Source) else contextlib.nullcontext():
        size = batch_size_for(data, options.batch_size, options.steps) or DEFAULT_BATCH_SIZE
        with agreeing(session, "Trainer.evaluate", state) as facts:
            checks = check_data(session, data, size)
            if session.spans:
                note_data(facts, "the data", data)
        callbacks = CallbackList(options.callbacks)
        callbacks.set_loop(Loop({"steps": _steps(data, size, options.steps), "verbose": options.verbose}))
        started = time.perf_counter()
        logs = run_evaluation(session, state, data, size, options.steps, checks.output_spec, checks, callbacks)
    report("evaluate", options.verbose, started, logs)
    return logs


def _steps(data: Arrays | Source, batch_size: int, steps: int | None) -> int | None:
    """How many batches there are, where that is known."""
    return data.steps if isinstance(data, Source) else min(-(-data.size // batch_size), steps or data.size)


def host_batches(
    session: Session, data: Arrays | Source, batch_size: int, steps: int | None, checks: Checks, first: int = 0
) -> Iterator[PyTree]:
    """The batches in their order, from one on, each in its shortest form; those of a source are looked at."""
    batches = _host_batches(data, batch_size, steps, checks, first)
    if session.spans and isinstance(data, Source):
        parts = Channel("evaluation").in_step(batches, form_of_batch)
        return (session.whole(session.put_part(part)) for part in parts)
    return map(session.placed_batch, batches)


def _host_batches(
    data: Arrays | Source, batch_size: int, steps: int | None, checks: Checks, first: int = 0
) -> Iterator[PyTree]:
    if isinstance(data, Source):
        for index, batch in enumerate(data.epoch(0)):
            try:
                with within(data.plan.name):
                    checks.look(*batch[:2])
            except Exception as error:
                error.add_note(f"in {BatchPosition(index)}")
                raise
            yield pack_x_y_sample_weight(*batch)
        return
    for index in range(first, min(-(-data.size // batch_size), steps or data.size)):
        start = index * batch_size
        yield pack_x_y_sample_weight(*data.rows(start, min(start + batch_size, data.size)).parts)


def trace_evaluation(
    session: Session,
    state: TrainState,
    data: Arrays | Source,
    batch_size: int,
    steps: int | None,
    output_spec: SpecTree,
) -> None:
    """Traces what an evaluation would call first, so that what cannot be evaluated is known before training begins.

    JAX keeps the trace, so the evaluation itself does not trace again. A step that is not compiled is left alone.
    """
    if not session.steps.jit_compile:
        return
    metrics, programs, layout = session.empty_metrics(output_spec), session.programs, session.layout

    def placed(batch: PyTree, **options: bool) -> PyTree:
        return batch if layout is None else layout.specified_batch(batch, **options)

    if isinstance(data, Source):
        jax.eval_shape(programs.test_batch, state, metrics, placed(pack_x_y_sample_weight(*data.peek(0))))
        return
    full = min(data.size // batch_size, steps or data.size)
    if full and fits_on_device(data):
        parts = placed(data.parts, whole=True)
        jax.eval_shape(programs.test_many, state, metrics, parts, np.int32(full), batch_size=batch_size)
    else:
        first = data.rows(0, min(batch_size, data.size))
        jax.eval_shape(programs.test_batch, state, metrics, placed(pack_x_y_sample_weight(*first.parts)))


def run_evaluation(
    session: Session,
    state: TrainState,
    data: Arrays | Source,
    batch_size: int,
    steps: int | None,
    output_spec: SpecTree,
    checks: Checks,
    callbacks: CallbackList,
) -> HostLogs:
    """The logs over data: whole batches in one call where a program loops over them, the rest batch by batch."""
    programs, metrics = session.programs, session.empty_metrics(output_spec)
    sums: dict[str, Any] = {}
    state, done = session.placed(callbacks.on_test_begin({}, state)), 0
    logs = functools.partial(session.logs, "test_step", output_spec)
    if isinstance(data, Arrays) and fits_on_device(data):
        full = min(data.size // batch_size, steps or data.size)
        args = (state, metrics, session.everywhere(data.parts), np.int32(full))
        if full and not callbacks.every_batch and programs.loops("test_many", *args, batch_size=batch_size):
            state = callbacks.on_test_batch_begin(0, {}, state)
            metrics, sums = programs.test_many(state, *args[1:], batch_size=batch_size)
            done = full
            state = callbacks.on_test_batch_end(full - 1, LateLogs(logs, metrics, sums, done), state)
    for batch in host_batches(session, data, batch_size, steps, checks, done):
        state = callbacks.on_test_batch_begin(done, {}, state)
        metrics, found = programs.test_batch(state, metrics, batch)
        sums = added(sums, programs.extra("test_step", found, metrics))
        state = callbacks.on_test_batch_end(done, LateLogs(logs, metrics, sums, done + 1), state)
        done += 1
    found = on_host(logs(metrics, sums, max(done, 1)))
    callbacks.on_test_end(found, state)
    return found


def predict(session: Session, state: TrainState, x: SourceLike, options: EvaluateOptions) -> PyTree:
    """`Trainer.predict`. The last batch of arrays is padded with its last row, so that one program serves all."""
    session.check_state(state, "predict")
    same_shapes = not session.facts.has_free_axes
    data = adapt(x, batch_size=options.batch_size, steps=options.steps, epochs=None, same_shapes=same_shapes)
    with data if isinstance(data, Source) else contextlib.nullcontext():
        size = batch_size_for(data, options.batch_size, options.steps) or DEFAULT_BATCH_SIZE
        with agreeing(session, "Trainer.predict", state) as facts:
            checks = check_data(session, data, size)
            if session.spans:
                note_data(facts, "the data", data)
        callbacks = CallbackList(options.callbacks)
        callbacks.set_loop(Loop({"steps": _steps(data, size, options.steps), "verbose": options.verbose}))
        started = time.perf_counter()
        state, pieces = session.placed(callbacks.on_predict_begin({}, state)), []
        whole = min(size, data.size) if isinstance(data, Arrays) else None
        axis = 0 if session.steps.replicas is None else 1  # replicas come before examples
        batches = _host_batches(data, whole or 1, options.steps, checks)
        for index, (batch, rows) in enumerate(_to_predict(session, data, batches, whole)):
            state = callbacks.on_predict_batch_begin(index, {}, state)
            outputs = session.programs.predict_batch(state, batch)
            pieces.append(_rows(outputs, rows, axis))
            state = callbacks.on_predict_batch_end(index, {"outputs": pieces[-1]}, state)
        callbacks.on_predict_end({}, state)
    report("predict", options.verbose, started, {})
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis), *pieces)


def _to_predict(
    session: Session, data: Arrays | Source, batches: Iterator[PyTree], whole: int | None
) -> Iterator[tuple[PyTree, np.ndarray]]:
    """The inputs of each batch where they belong, and which rows of the outputs are those of this process's data."""
    inputs = (unpack_x_y_sample_weight(batch)[0] for batch in batches)
    if session.spans and isinstance(data, Source):
        for x, sizes in Channel("prediction").in_step(inputs, form_of_batch):
            before, own = sum(sizes[: jax.process_index()]), sizes[jax.process_index()]
            yield session.whole(session.put_part((pack_x_y_sample_weight(x), sizes))), np.arange(before, before + own)
        return
    for x in inputs:
        yield session.placed_batch(pack_x_y_sample_weight(_padded(x, whole))), np.arange(batch_size_of(x))


def _padded(inputs: PyTree, size: int | None) -> PyTree:
    """The inputs of a batch, filled up to a size with the last row; as they are where no size is given."""

    def filled(leaf: Array | np.ndarray) -> Any:
        missing = 0 if size is None else size - leaf.shape[0]
        return leaf if missing == 0 else np.concatenate([leaf, np.repeat(np.asarray(leaf[-1:]), missing, axis=0)])

    return jax.tree.map(filled, inputs)


def _rows(outputs: PyTree, rows: np.ndarray, axis: int) -> PyTree:
    """Some of the outputs along an axis, on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf).take(rows, axis), outputs)


def report(what: str, verbose: int | str, started: float, logs: HostLogs) -> None:
    """A line for a finished pass, unless silence is asked for or nobody is watching."""
    from rich.console import Console

    console = Console(file=sys.stdout)
    if verbose == 0 or (verbose == "auto" and not console.is_terminal) or not is_first():
        return
    console.print(f"{what}  {time.perf_counter() - started:.1f}s  {shown(logs)}", highlight=False)


def train_on_batch(
    session: Session,
    state: TrainState,
    x: ArrayTree,
    y: ArrayTree | None,
    sample_weight: ArrayTree | None,
    class_weight: Mapping[int, float] | None,
) -> tuple[TrainState, HostLogs]:
    """`Trainer.train_on_batch`."""
    session.check_state(state, "train_on_batch", trains=True)
    check_weights(sample_weight, class_weight, "Trainer.train_on_batch")
    batch, output_spec = _batch(session, x, y, sample_weight, class_weight)
    check_metrics(session.steps, state, session.bound(output_spec).keys, "train_on_batch")
    state, _, logs = session.programs.train_batch(session.placed(distinct(state)), batch)
    return state, on_host(logs)


def test_on_batch(
    session: Session, state: TrainState, x: ArrayTree, y: ArrayTree | None, sample_weight: ArrayTree | None
) -> HostLogs:
    """`Trainer.test_on_batch`."""
    session.check_state(state, "test_on_batch")
    batch, output_spec = _batch(session, x, y, sample_weight)
    check_metrics(session.steps, state, session.bound(output_spec).keys, "test_on_batch")
    state = session.placed(state)
    _, logs = session.programs.test_batch(state, state.metrics, batch)
    return on_host(logs)


def predict_on_batch(session: Session, state: TrainState, x: ArrayTree) -> PyTree:
    """`Trainer.predict_on_batch`."""
    session.check_state(state, "predict_on_batch")
    batch, _ = _batch(session, x)
    return jax.tree.map(np.asarray, session.programs.predict_batch(session.placed(state), batch))


def _batch(
    session: Session,
    x: ArrayTree,
    y: ArrayTree | None = None,
    sample_weight: ArrayTree | None = None,
    class_weight: Mapping[int, float] | None = None,
) -> Any:
    """One batch, looked at as all data of `fit` is, and the specs of the outputs."""
    arrays = check_arrays(x, y, sample_weight)
    if session.batch_checks is None:  # what it finds serves all later batches
        session.batch_checks = check_data(session, arrays, arrays.size)
    session.batch_checks.look(arrays.x, arrays.y)
    check_values({"x": arrays.x, "y": arrays.y}, kinds=["int"])
    if class_weight is not None:
        batch = arrays.x, arrays.y, class_weights(arrays.y, class_weight)
    else:
        batch = pack_x_y_sample_weight(*arrays.parts)
    return session.placed_batch(batch), session.batch_checks.output_spec
