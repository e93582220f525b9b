"""Learning rates that change between epochs. They are arrays in the optimizer's state, so nothing is compiled again."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jkeras import arguments, optimizers
from jkeras.callbacks.callback import Callback
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError
from jkeras.typing import ArrayLike, PyTree


def learning_rate_of(state: State) -> Any:
    """The learning rate in the state of a training: a float, or an array of that of each replica."""
    value = np.asarray(optimizers.get_learning_rate(state.opt_state))
    return float(value) if value.ndim == 0 else value


def with_learning_rate(state: State, value: ArrayLike) -> PyTree:
    """The state with another learning rate."""
    return state.replace(opt_state=optimizers.set_learning_rate(state.opt_state, value))


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch. It appears in the logs as `learning_rate`.

    For a rate that changes with every step give the optimizer a schedule instead: it is part of the compiled step.

    Args:
        schedule: `schedule(epoch, learning_rate) -> learning_rate`, or a function of the epoch alone.
        verbose: 1 prints every rate.

    Raises:
        ArgumentError: the schedule takes other arguments or returns no number, or the learning rate is not a
            hyper-parameter in the optimizer's state.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> from jkeras.training import TrainState
    >>> params = {"kernel": jnp.ones(2)}
    >>> state = TrainState(jnp.int32(0), params, {}, optimizers.SGD(0.5).init(params), {})
    >>> scheduler = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch >= 1 else rate)
    >>> for epoch in range(3):
    ...     state = scheduler.on_epoch_begin(epoch, {}, state)
    >>> float(optimizers.get_learning_rate(state.opt_state))
    0.125
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        line = "LearningRateScheduler(lambda epoch, rate: 0.9 * rate)"
        arguments.function(schedule, "schedule", "LearningRateScheduler", line)
        self.schedule = schedule
        self.takes_rate = _accepts(schedule, 2)
        self.verbose = verbose
        if not self.takes_rate and not _accepts(schedule, 1):
            raise ArgumentError(
                "`schedule` must take the epoch, and may take the learning rate.",
                path="LearningRateScheduler",
                expected="schedule(epoch, learning_rate) or schedule(epoch)",
                received=f"schedule{inspect.signature(schedule)}",
                write=line,
            )

    def epoch_logs(self, epoch: int, state: State) -> dict[str, Any]:
        """The learning rate of the epoch."""
        return {"learning_rate": learning_rate_of(state)}

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> PyTree:
        """Sets the rate."""
        old = learning_rate_of(state)
        value = np.asarray(self.schedule(epoch, old) if self.takes_rate else self.schedule(epoch))
        is_number = np.issubdtype(value.dtype, np.number) and not np.isnan(value).any()
        if not is_number or value.shape not in ((), np.shape(old)):
            raise ArgumentError(
                f"`schedule` must return a number, got {repr(value.tolist())[:80]} for epoch {epoch}.",
                path="LearningRateScheduler",
                expected="a float",
                received=repr(value.tolist())[:80],
                write="LearningRateScheduler(lambda epoch, rate: 0.9 * rate)",
            )
        if self.verbose:
            print(f"epoch {epoch + 1}: learning rate {value}")
        return with_learning_rate(state, value)


def _accepts(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
