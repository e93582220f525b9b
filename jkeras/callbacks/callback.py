"""Callback: hooks of a loop, as functions from state to state.

Every hook gets the logs and the state, and may return a new state that the loop goes on with; returning nothing keeps
it. A hook cannot change weights behind the loop's back, because there is nothing to change: values are in the state.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from jkeras.typing import PyTree


@dataclasses.dataclass
class Loop:
    """What a running loop lets its callbacks see and ask for.

    Attributes:
        params: `epochs`, `steps`, `verbose` and the like.
        stop_training: set it to end the loop after the current call.
    """

    params: dict[str, Any]
    stop_training: bool = False


class Callback:
    """The base of callbacks: override the hooks that you need.

    Every hook may return a state that replaces the current one.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, epoch, logs, state):
    ...         self.loop.stop_training = logs["loss"] < 0.1
    """

    loop: Loop
    every_batch: bool = False
    """Whether the hooks for batches must run for every single one; then each call of the program runs one batch."""

    def set_loop(self, loop: Loop) -> None:
        """Called before `on_train_begin`."""
        self.loop = loop

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
        """After a call of the compiled step, whose last batch has this index. The logs are read from the
        device when you look at them, and lag one call behind, so that nothing waits."""


class CallbackList(Callback):
    """Several callbacks as one, called in order; each gets the state that the one before returned.

    >>> CallbackList([Callback(), Callback()]).on_epoch_end(0, {}, "state")
    'state'
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.callbacks = list(callbacks)

    def set_loop(self, loop: Loop) -> None:
        self.loop = loop
        for callback in self.callbacks:
            callback.set_loop(loop)

    def _each(self, hook: str, *args: Any, state: PyTree) -> PyTree:
        for callback in self.callbacks:
            new = getattr(callback, hook)(*args, state)
            state = state if new is None else new
        return state

    def on_train_begin(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_train_begin", logs, state=state)

    def on_train_end(self, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_train_end", logs, state=state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_epoch_begin", epoch, logs, state=state)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_epoch_end", epoch, logs, state=state)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_train_batch_begin", batch, logs, state=state)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: PyTree) -> PyTree:
        return self._each("on_train_batch_end", batch, logs, state=state)
