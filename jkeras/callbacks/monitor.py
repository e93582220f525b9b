"""Monitor: the base class of callbacks that track whether a logged value improves."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras import arguments
from jkeras.callbacks.callback import Callback
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean

VALIDATION = "val_"


class Monitor(Callback):
    """The base of callbacks that watch a log.

    A value improves on another where it is better by more than `min_delta`:

        "min"   value + min_delta < other
        "max"   value - min_delta > other

    Any number improves on no value at all; NaN never improves.

    Args:
        monitor: the log's name, as it stands in `history.history`.
        mode: `"min"`, `"max"`, or `"auto"`: down for losses, else the metric's own `direction`.
        min_delta: how much better is better; its sign does not matter.

    Raises:
        UnknownNameError: no such mode; at the end of the first epoch, no such log.
        ArgumentError: at the end of the first epoch, a log of which nobody said whether more is better.

    >>> monitor = Monitor("loss", min_delta=0.1)
    >>> monitor.improves(0.85, 1.0), monitor.improves(0.95, 1.0), monitor.improves(0.95, None)
    (True, False, True)
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        owner = type(self).__name__
        if not isinstance(monitor, str):
            wanted, write = "the name of a logged value, such as 'val_loss'", f"{owner}(monitor='val_loss')"
            raise arguments.refusal(monitor, "monitor", owner, wanted, write=write)
        self.monitor = monitor
        self.mode = arguments.one_of(mode, "mode", owner, ("auto", "min", "max"), error=UnknownNameError)
        self.min_delta = abs(arguments.number(min_delta, "min_delta", owner, interval="[-inf, inf]"))

    def improves(self, value: float, other: float | None) -> bool:
        """Whether a value is better than another, which is `None` where there is none yet."""
        if other is None:
            return bool(value == value)
        if self.goes_up():
            return bool(value - self.min_delta > other)
        return bool(value + self.min_delta < other)

    def goes_up(self) -> bool:
        """Whether more is better."""
        if self.mode != "auto":
            return bool(self.mode == "max")
        name = self.monitor.removeprefix(VALIDATION)
        if name == "loss":
            return False
        direction = self.loop.directions.get(name)
        if direction is None:
            raise ArgumentError(
                f"cannot infer whether {self.monitor!r} should be minimised or maximised; pass `mode`.",
                path=type(self).__name__,
                expected="a loss, or a metric with a `direction`; or a mode",
                received=f"mode={self.mode!r}",
                write=f"{type(self).__name__}(monitor={self.monitor!r}, mode='max')",
            )
        return direction == "up"

    def _single(self, value: Any) -> float:
        if np.ndim(value) > 0:
            raise ArgumentError(
                f"{self.monitor!r} must be one number, because one decision is made for all replicas.",
                path=type(self).__name__,
                expected="a logged value that is one number",
                received=f"shape {np.shape(value)}",
            )
        return float(value)

    def value(self, logs: Mapping[str, Any]) -> float | None:
        """The log; `None` at the end of an epoch that no validation followed although one does at times."""
        if self.monitor in logs:
            return self._single(logs[self.monitor])
        name = self.monitor.removeprefix(VALIDATION)
        of_validation = name != self.monitor and name in logs
        if of_validation and self.loop.params.get("validation_freq", 1) not in (None, 1):
            return None
        missing = of_validation and not any(log.startswith(VALIDATION) for log in logs)
        raise UnknownNameError(
            f"{self.monitor!r} is not logged" + (", because `fit` has no validation data." if missing else "."),
            path=type(self).__name__,
            expected=did_you_mean(self.monitor, logs),
            received=f"the logged values {', '.join(logs) or '(none)'}",
            write=f"{'trainer.fit(..., validation_split=0.1)   # or ' if missing else ''}"
            f"{type(self).__name__}(monitor={name if missing else next(iter(logs), 'loss')!r})",
        )
