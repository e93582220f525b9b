"""Callback: hooks of a loop, as functions from state to state.

Every hook gets the logs and the state, and may return a new state that the loop goes on with; returning nothing keeps
it. A hook cannot change weights behind the loop's back, because there is nothing to change: values are in the state.

A hook with Keras's arguments, `on_epoch_end(self, epoch, logs=None)`, works as well, without the state: see
`jkeras.callbacks.signatures`.

The state is lent for the time of the hook. `fit` reuses its memory in the next call, so a hook that keeps values for
later copies them (`jax.tree.map(jnp.copy, state.trainable)`, or `jax.device_get(state)`).
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jkeras.callbacks.signatures import ELSEWHERE, LINES, MODEL, check_methods, check_model, takes_state
from jkeras.callbacks.state import Saver, State
from jkeras.errors import ArgumentError, Elsewhere
from jkeras.placement.processes import is_first
from jkeras.typing import PyTree


@dataclasses.dataclass
class Loop:
    """What a running loop lets its callbacks see and ask for.

    Attributes:
        params: `epochs`, `steps`, `batch_size`, `verbose`, `validation_freq` (`None` without validation).
        directions: for each log of a metric whether `"up"` or `"down"` is better, `None` where nobody said.
        initial_epoch, initial_batch: where `fit` starts; `on_train_begin` may set them, to resume.
        stop_training: set it to end the loop after the current call.
        interrupted: whether the user ended it.
        preempted: whether it ends because the machine is taken away; then all processes stop after the same call.
        trainer: whose loop it is, where files of its model are written.

    >>> Loop({"epochs": 3}).stop_training
    False
    """

    params: dict[str, Any]
    directions: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    initial_epoch: int = 0
    initial_batch: int = 0
    stop_training: bool = False
    interrupted: bool = False
    preempted: bool = False
    trainer: Saver | None = None

    def stop(self) -> None:
        """Ends the loop after the current call, because the user interrupted it."""
        self.stop_training = self.interrupted = True


class Callback:
    """The base of callbacks: override the hooks that you need.

    Every hook may return a state that replaces the current one. In `evaluate`, `predict` and the validation of `fit`
    it does so until the evaluation is over: what is trained goes on from the state that it had.

    A hook for batches runs once a call of the compiled step, which takes several batches. Its logs are read from the
    device when you look at them, and lag one call behind, so that nothing waits. With Keras's arguments,
    `(batch, logs=None)`, it runs for every single one.

    Attributes:
        loop: the running loop, as `set_loop` got it.
        params: its `params`, as in Keras.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, epoch, logs, state):
    ...         self.loop.stop_training = logs["loss"] < 0.1
    >>> stop = Stop()
    >>> stop.set_loop(Loop({}))
    >>> stop.on_epoch_end(0, {"loss": 0.05}, None)
    >>> stop.loop.stop_training
    True
    """

    loop: Loop
    params: dict[str, Any]
    model = Elsewhere(MODEL, LINES)
    set_model = Elsewhere("`set_loop`, and the state that every hook is given", ELSEWHERE["set_model"])
    every_batch: bool = False
    """Whether the hooks for batches must run for every single one; then each call of the program runs one batch."""
    first_process_only: bool = False
    """Whether it prints or writes for all processes of a training, so that only the first one runs its hooks."""

    def set_loop(self, loop: Loop) -> None:
        """Called before the first hook."""
        self.loop = loop
        self.set_params(loop.params)

    def set_params(self, params: dict[str, Any]) -> None:
        """Called by `set_loop` with the loop's `params`."""
        self.params = params

    def epoch_logs(self, epoch: int, state: PyTree) -> Mapping[str, Any]:
        """What this callback adds to the logs of an epoch, for all callbacks and the history."""
        return {}

    def close(self) -> None:
        """After the loop, however it ended: to let go of files, threads and the like. By default does nothing."""

    def on_train_begin(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before the first epoch."""

    def on_train_end(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before an epoch's first batch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After an epoch and its validation; the logs are floats."""

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before a call of the compiled step, whose first batch has this index."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After a call of the compiled step, whose last batch has this index. The logs are those of the epoch up to
        the call before; up to this one in the first call of an epoch."""

    def on_test_begin(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before an evaluation, that of `fit` included."""

    def on_test_end(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After an evaluation; the logs are floats."""

    def on_test_batch_begin(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before a call in an evaluation, whose first batch has this index."""

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After a call in an evaluation, whose last batch has this index."""

    def on_predict_begin(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before the first batch of `predict`."""

    def on_predict_end(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After the last batch of `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        """After a batch of `predict`; the log `outputs` has what it gave, still on the device."""


def _in_turn(hook: str) -> Callable[..., PyTree]:
    """The hook of a list: that of each member, with the state that the one before returned."""

    def run(self: "CallbackList", *args: Any) -> PyTree:
        *given, state = args
        for callback in self.callbacks:
            if (id(callback), hook) in self.without_state:
                getattr(callback, hook)(*given)
                continue
            new = getattr(callback, hook)(*given, state)
            if new is not None and not isinstance(new, type(state)):
                rule, came = f"a callback hook must return None or a {type(state).__name__}", f"a {type(new).__name__}"
                write = "return state.replace(...)   # or nothing"
                raise ArgumentError.must(rule, came, path=f"{type(callback).__name__}.{hook}", write=write)
            state = state if new is None else new
        return state

    return run


class CallbackList(Callback):
    """Several callbacks as one, called in order; each gets the state that the one before returned.

    Args:
        callbacks: callbacks, and lists of them, whose members take part as if they stood here.

    Raises:
        ArgumentError: something else is among them; a hook takes other arguments, or cannot do what it does in Keras;
            or a hook returns something other than a state.

    >>> CallbackList([Callback(), [Callback()]]).on_epoch_end(0, {}, "state")
    'state'
    """

    def __init__(self, callbacks: "Callback | Iterable[Any] | None" = None) -> None:
        self.callbacks = [each for each in _flat(callbacks) if is_first() or not each.first_process_only]
        found = [(callback, hook) for callback in self.callbacks for hook in _keras_hooks(callback)]
        self.without_state = {(id(callback), hook) for callback, hook in found}
        self.every_batch = any("_batch_" in hook for _, hook in found) or any(
            each.every_batch for each in self.callbacks
        )

    def set_loop(self, loop: Loop) -> None:
        """Lends the loop to each."""
        super().set_loop(loop)
        for callback in self.callbacks:
            callback.set_loop(loop)

    def epoch_logs(self, epoch: int, state: State) -> dict[str, Any]:
        """What all of them add."""
        return {name: value for each in self.callbacks for name, value in each.epoch_logs(epoch, state).items()}

    def close(self) -> None:
        """Closes each, the last one first, whatever another raises."""
        with contextlib.ExitStack() as stack:
            for callback in self.callbacks:
                stack.callback(callback.close)

    on_train_begin = _in_turn("on_train_begin")
    on_train_end = _in_turn("on_train_end")
    on_epoch_begin = _in_turn("on_epoch_begin")
    on_epoch_end = _in_turn("on_epoch_end")
    on_train_batch_begin = _in_turn("on_train_batch_begin")
    on_train_batch_end = _in_turn("on_train_batch_end")
    on_test_begin = _in_turn("on_test_begin")
    on_test_end = _in_turn("on_test_end")
    on_test_batch_begin = _in_turn("on_test_batch_begin")
    on_test_batch_end = _in_turn("on_test_batch_end")
    on_predict_begin = _in_turn("on_predict_begin")
    on_predict_end = _in_turn("on_predict_end")
    on_predict_batch_begin = _in_turn("on_predict_batch_begin")
    on_predict_batch_end = _in_turn("on_predict_batch_end")


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def _keras_hooks(callback: Callback) -> Iterable[str]:
    """The hooks of a callback that have Keras's arguments. Raises `ArgumentError` for what nobody could call."""
    check_methods(callback, Callback)
    for hook in HOOKS:
        is_own = hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)
        if is_own and not takes_state(type(callback).__name__, hook, getattr(callback, hook)):
            check_model(callback, Callback, hook)
            yield hook


def _flat(given: object) -> Iterable[Callback]:
    if isinstance(given, CallbackList):
        yield from given.callbacks
    elif isinstance(given, Callback):
        yield given
    elif isinstance(given, Iterable) and not isinstance(given, str | Mapping):
        for each in given:
            yield from _flat(each)
    elif given is not None:
        name = getattr(given, "__name__", type(given).__name__)
        is_class = isinstance(given, type) and issubclass(given, Callback)
        raise ArgumentError(
            "`callbacks` must be instances of `Callback`.",
            path="callbacks",
            expected="an instance of jkeras.callbacks.Callback",
            received=f"the class {name}" if isinstance(given, type) else repr(given)[:80],
            write=f"{name}(...)"
            if is_class
            else f"class {name}(jkeras.callbacks.Callback): ..."
            if callable(getattr(given, "on_epoch_end", None))
            else "LambdaCallback(on_epoch_end=lambda epoch, logs, state: ...)",
        )
