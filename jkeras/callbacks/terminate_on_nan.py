"""TerminateOnNaN: an end to training that has diverged."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras.callbacks.callback import Callback
from jkeras.callbacks.state import State
from jkeras.errors import NonFiniteError

LOOKS_PER_SECOND = 8


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    The loss in the logs is the mean over the epoch so far. Once that is not finite it stays so until the epoch ends,
    so nothing is missed by looking at it eight times a second, and nothing waits: what is looked at are the logs of
    the call before. The end of the epoch is always looked at.

    Args:
        raise_error: raise an error rather than end as after the last epoch, so that no `on_train_end` runs: a backup
            stays.

    Raises:
        NonFiniteError: with `raise_error`, while training.

    >>> from jkeras.callbacks import Loop
    >>> terminate = TerminateOnNaN()
    >>> terminate.set_loop(Loop({}))
    >>> terminate.on_epoch_end(0, {"loss": float("nan")}, None)
    the loss is nan in epoch 1, training stops
    >>> terminate.loop.stop_training
    True
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error
        self.looked = -math.inf
        self.is_first = True
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Remembers the epoch; its first call has no call before."""
        self.epoch, self.is_first = epoch, True

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        """Looks at the logs of the call before, if there is one and the last look is some time ago."""
        first, self.is_first = self.is_first, False
        now = time.perf_counter()
        if not first and now - self.looked > 1 / LOOKS_PER_SECOND:  # several processes stop at the end of the epoch
            self.looked = now
            self._look(logs, f"epoch {self.epoch + 1}, before batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Looks at the epoch's logs."""
        if not self.loop.stop_training:
            self._look(logs, f"epoch {epoch + 1}")

    def _look(self, logs: Mapping[str, Any], where: str) -> None:
        loss = logs.get("loss", 0.0)
        if np.all(np.isfinite(loss)):  # of every replica
            return
        if self.raise_error:
            raise NonFiniteError(
                f"the loss must be finite, got {loss}.",
                path=where,
                expected="a finite loss",
                received=f"{loss}",
                write="optimizers.Adam(1e-4, clipnorm=1.0)   # a lower learning rate, clipped gradients",
            )
        print(f"the loss is {loss} in {where}, training stops")
        self.loop.stop_training = True
