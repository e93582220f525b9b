"""The loop: thin host code over compiled programs.

The host only says how many batches the next call runs. It reads metrics late: at the end of an epoch, and for the
progress bar those of the call before the last, which are ready.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax

from jkeras.callbacks import CallbackList, History, Loop, Progress
from jkeras.callbacks.state import Saver
from jkeras.data import Arrays, Source, adapt, pack_x_y_sample_weight, split, unpack_x_y_sample_weight
from jkeras.data.source import Plan, SourceLike
from jkeras.errors import DataError, within
from jkeras.placement.processes import Channel
from jkeras.training.agreement import agreeing, as_parts, note_data
from jkeras.training.calls import Pace, StepCalls, added
from jkeras.training.evaluation import run_evaluation, trace_evaluation
from jkeras.training.feed import DEFAULT_BATCH_SIZE, ExampleOrder, Feed, batch_size_for, check_data, feed_of
from jkeras.training.options import FitOptions
from jkeras.training.quiet import deferred_interrupt, rare_collection
from jkeras.training.session import HostLogs, LateLogs, Session, on_host
from jkeras.training.state import TrainState, check_alive, distinct, is_alive, save_state
from jkeras.typing import Array, ArrayTree, PyTree, SpecTree

VALIDATION_DATA, VALIDATION_SPLIT = "validation_data", "validation_split"  # what messages call it


def fit(
    session: Session, state: TrainState, x: SourceLike | None, y: ArrayTree | None, options: FitOptions
) -> tuple[TrainState, History]:
    """`Trainer.fit`."""
    session.check_state(state, "fit", trains=True)
    history, last = History(), LastState(state)
    try:
        return _fit(session, last, x, y, options, history), history
    except BaseException as error:
        save_state(error, last.state, history=history)
        raise


@dataclasses.dataclass
class LastState:
    """The state after the last finished call, or what a hook made of it: what is left when an exception comes."""

    state: TrainState


def _fit(
    session: Session, last: LastState, x: SourceLike | None, y: ArrayTree | None, options: FitOptions, history: History
) -> TrainState:
    with contextlib.ExitStack() as resources:
        with agreeing(session, "Trainer.fit", last.state) as facts:
            ready = _prepared(session, last, x, y, options, resources, facts)
        feed, validate, output_spec, first_batch = ready
        state = last.state
        callbacks = CallbackList([options.callbacks, Progress(options.verbose), history])
        loop = Loop(
            {
                **{name: getattr(options, name) for name in ("epochs", "verbose")},
                "steps": feed.steps,
                "batch_size": feed.batch_size,
                "validation_freq": None if validate is None else options.validation_freq,
            },
            directions=session.bound(output_spec).directions(),
            initial_epoch=options.initial_epoch,
            trainer=cast(Saver, session.steps),
        )
        resources.callback(callbacks.close)
        callbacks.set_loop(loop)
        calls = session.begin(state, first_batch)
        collect = resources.enter_context(rare_collection(options.rare_gc))
        settle = resources.enter_context(deferred_interrupt(loop.stop, lambda: is_alive(last.state)))
        epoch_runner = Epoch(session, calls, feed, callbacks, output_spec, last, settle, collect)
        return _epochs(state, options, callbacks, epoch_runner, validate, collect)


class Prepared(NamedTuple):
    """What a training needs that was checked: its feed, its validation, the model's outputs and a batch."""

    feed: Feed
    validate: "Validation | None"
    output_spec: SpecTree
    first_batch: PyTree


def _prepared(
    session: Session,
    last: LastState,
    x: SourceLike | None,
    y: ArrayTree | None,
    options: FitOptions,
    resources: contextlib.ExitStack,
    facts: dict[str, Any],
) -> Prepared:
    """Looks at everything before any work; puts the state where it belongs."""
    train, validation = _data(session, x, y, options, resources)
    if session.steps.overrides("train_step"):  # what its batches mean is known to itself alone
        checks, output_spec = None, session.known_output_spec()
    else:
        checks = check_data(session, train, options.batch_size, options.initial_epoch)
        output_spec = checks.output_spec
    last.state = state = session.placed(last.state)
    order = ExampleOrder(train.size if isinstance(train, Arrays) else 0, options.shuffle, options.seed)
    size, length = options.batch_size, options.steps_per_epoch
    feed = feed_of(session, train, checks, batch_size=size, length=length, order=order)
    validate = None if validation is None else Validation(session, state, validation, options, output_spec)
    if session.spans:
        named = ("epochs", "initial_epoch", "batch_size", "shuffle", "seed", "steps_per_epoch", "data")
        facts.update({name: getattr(options, name) for name in named})
        note_data(facts, "the training data", train)
        note_data(facts, "the validation data", validation)
    return Prepared(feed, validate, output_spec, _first_batch(train, options))


def _epochs(
    state: TrainState,
    options: FitOptions,
    callbacks: CallbackList,
    epoch_runner: "Epoch",
    validate: "Validation | None",
    collect: Callable[..., None],
) -> TrainState:
    """All epochs, with the hooks around them."""
    loop = callbacks.loop
    epoch_runner.last.state = state = callbacks.on_train_begin({}, state)
    logs: HostLogs = {}
    for epoch in range(loop.initial_epoch, options.epochs):
        state = callbacks.on_epoch_begin(epoch, {}, state)
        state, logs = epoch_runner.train(state, epoch)
        if validate is not None and options.validates(epoch):
            logs.update(validate.evaluate(state, callbacks))
        logs.update(callbacks.epoch_logs(epoch, state))
        epoch_runner.last.state = state = callbacks.on_epoch_end(epoch, logs, state)
        collect(True)
        if epoch_runner.stops(loop.stop_training or epoch_runner.feed.exhausted):
            break
    epoch_runner.last.state = state = distinct(callbacks.on_train_end(logs, state))
    return state


def _data(
    session: Session, x: SourceLike | None, y: ArrayTree | None, options: FitOptions, resources: contextlib.ExitStack
) -> tuple[Arrays | Source, Arrays | Source | None]:
    """The data to train on, and that to validate on; sources are closed with the resources."""
    same_shapes = not session.facts.has_free_axes

    def adapted(*data: PyTree, **more: Any) -> Arrays | Source:
        found = adapt(*data, **more, same_shapes=same_shapes)
        return resources.enter_context(found) if isinstance(found, Source) else found

    split_off, given = options.validation_split, options.validation_data
    train = adapted(
        x,
        y,
        options.sample_weight,
        batch_size=options.batch_size,
        shuffle=options.shuffle,
        seed=options.seed,
        class_weight=None if split_off else options.class_weight,
        steps=options.steps_per_epoch,
        epochs=options.epochs,
    )
    if given is not None:
        with within(VALIDATION_DATA):
            parts = unpack_x_y_sample_weight(given)
        validation = adapted(*parts, steps=options.validation_steps, epochs=None, name=VALIDATION_DATA)
        return _shares(session, train, validation, options)
    if not split_off:
        return _shares(session, train, None, options)
    if isinstance(train, Source):
        raise DataError(
            "`validation_split` needs arrays, got data that makes batches.",
            path="Trainer.fit(validation_split=)",
            expected="arrays, or validation_data",
            received=type(x).__name__,
            write="trainer.fit(state, dataset, validation_data=other_dataset)",
        )
    train, validation = split(train, split_off)
    if options.class_weight is not None:  # for training only
        train = adapt(train.x, train.y, class_weight=options.class_weight)
    return _shares(session, train, validation, options)


def _shares(
    session: Session, train: Arrays | Source, validation: Arrays | Source | None, options: FitOptions
) -> tuple[Arrays | Source, Arrays | Source | None]:
    """The same data; arrays of which each process has a part as batches."""
    if options.data == "whole":
        return train, validation
    size = options.validation_batch_size or options.batch_size
    if isinstance(train, Arrays):
        order = ExampleOrder(train.size, options.shuffle, options.seed)
        train = as_parts(session, train, options.batch_size, Plan(options.steps_per_epoch, options.epochs), order)
    if isinstance(validation, Arrays):
        plan, order = Plan(options.validation_steps, None, name=VALIDATION_DATA), ExampleOrder(0, False, 0)
        validation = as_parts(session, validation, size, plan, order)
    return train, validation


def _first_batch(data: Arrays | Source, options: FitOptions) -> PyTree:
    if isinstance(data, Source):
        return pack_x_y_sample_weight(*data.peek(options.initial_epoch))
    return pack_x_y_sample_weight(*data.rows(0, min(options.batch_size or DEFAULT_BATCH_SIZE, data.size)).parts)


class Validation:
    """The evaluation that follows an epoch. Whether its data can be evaluated is known when it is made.

    Raises:
        DataError: the data does not fit the model and its losses, or is a generator that ends with the first of
            several evaluations.
    """

    def __init__(
        self, session: Session, state: TrainState, data: Arrays | Source, options: FitOptions, output_spec: SpecTree
    ) -> None:
        steps = options.validation_steps
        size = batch_size_for(data, options.validation_batch_size or options.batch_size, steps) or DEFAULT_BATCH_SIZE
        with within(VALIDATION_SPLIT if options.validation_data is None else VALIDATION_DATA):
            _check_repeats(data, options)
            checks = check_data(session, data, size)
            trace_evaluation(session, state, data, size, steps, output_spec)
        self.arguments = session, data, size, steps, output_spec, checks

    def evaluate(self, state: TrainState, callbacks: CallbackList) -> HostLogs:
        """The logs of validation, `val_` before their names."""
        session, data, batch_size, steps, output_spec, checks = self.arguments
        found = run_evaluation(session, state, data, batch_size, steps, output_spec, checks, callbacks)
        return {f"val_{name}": value for name, value in found.items()}


def _check_repeats(data: Arrays | Source, options: FitOptions) -> None:
    """What is read once and to its end serves one evaluation."""
    count = sum(options.validates(epoch) for epoch in range(options.initial_epoch, options.epochs))
    if isinstance(data, Source) and data.goes_on and options.validation_steps is None and count > 1:
        raise DataError(
            "cannot evaluate a generator several times: it is read once.",
            expected="data that can be iterated again, or `validation_steps` batches of a generator at a time",
            received=f"{type(data).__name__}, for {count} evaluations",
            write="trainer.fit(..., validation_data=generator, validation_steps=10)",
        )


class Epoch:
    """An epoch of training, and what stays the same between epochs."""

    def __init__(
        self,
        session: Session,
        calls: StepCalls,
        feed: Feed,
        callbacks: CallbackList,
        output_spec: SpecTree,
        last: LastState,
        settle: Callable[[], None],
        collect: Callable[..., None],
    ) -> None:
        self.session, self.calls, self.feed, self.callbacks = session, calls, feed, callbacks
        self.output_spec, self.last = output_spec, last
        self.settle, self.collect = settle, collect  # called when the next state is held, and after each call
        self.pace = Pace(1) if callbacks.every_batch else session.pace(type(feed))
        self.channel = Channel("stop") if session.spans else None

    def stops(self, wanted: bool) -> bool:
        """Whether training ends with this epoch: on all processes, if one of them wants it."""
        return wanted if self.channel is None else self.channel.any(wanted)

    def train(self, state: TrainState, epoch: int) -> tuple[TrainState, HostLogs]:
        """Trains one epoch; the state and the epoch's logs."""
        loop, logs = self.callbacks.loop, functools.partial(self.session.logs, "train_step", self.output_spec)
        first = loop.initial_batch if epoch == loop.initial_epoch else 0
        if first == 0:
            state = state.replace(metrics=self.session.empty_metrics(self.output_spec))
        self.last.state = state
        done, seen, sums = first, None, dict[str, Array]()
        returned: TrainState | None = None
        self.calls.begin()
        for piece in self.feed.pieces(epoch, first, self.pace, self.calls):
            self.last.state = state = self.callbacks.on_train_batch_begin(done, {}, state)
            if state is not returned:  # a hook made it
                check_alive(state, "the state that a hook returned")
                self.last.state = state = self.session.placed(distinct(state))
            ready = seen
            with jax.profiler.StepTraceAnnotation("train", step_num=done):
                state, seen, extra = piece.train(state)
            self.last.state = returned = state
            self.settle()
            self.pace.measure(piece.steps, self.calls.asked, seen)
            sums = added(sums, extra)
            jax.block_until_ready(ready)  # one call may be under way, not more: what is shown is what has happened
            self.calls.under_way(piece.steps, piece.samples)
            self.collect()
            done += piece.steps
            late = LateLogs(logs, seen if ready is None else ready, sums, done - first)
            self.last.state = state = self.callbacks.on_train_batch_end(done - 1, late, state)
            if loop.stop_training and (loop.preempted or not self.session.spans):
                break  # several processes stop after the same call, or at the end of an epoch
            self.calls.asked = time.perf_counter()
        jax.block_until_ready(seen)
        self.calls.under_way()
        return state, on_host(logs(state.metrics if seen is None else seen, sums, max(done - first, 1)))
