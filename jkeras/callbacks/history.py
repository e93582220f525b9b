"""History: what each epoch logged."""

from collections.abc import Mapping
from typing import Any

from jkeras.callbacks.callback import Callback
from jkeras.callbacks.state import State


class History(Callback):
    """The logs of every epoch.

    Attributes:
        history: a list per log, of floats, or of arrays with a value for each replica; those of validation begin with
            `val_`.
        epoch: the epochs' indices.
        params: what the loop was called with.

    >>> history = History()
    >>> history.on_epoch_end(0, {"loss": 0.5}, None)
    >>> history.history, history.epoch
    ({'loss': [0.5]}, [0])
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
