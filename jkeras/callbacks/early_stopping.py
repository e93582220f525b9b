"""EarlyStopping: an end to training that no longer helps."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import arguments
from jkeras.callbacks.monitor import Monitor
from jkeras.callbacks.state import State
from jkeras.typing import PyTree


class EarlyStopping(Monitor):
    """Stops training when a log has not improved for `patience` epochs.

    With `restore_best_weights` the callback keeps a copy of the best epoch's `trainable` and `non_trainable` on the
    device: twice the memory of the weights until training ends. A copy, because `fit` reuses the memory of its state.
    At the end of training they return into the state, whose step, optimizer state and averages stay those of the end,
    and the callback lets go of them.

    Args:
        monitor, mode, min_delta: as in `Monitor`.
        patience: how many epochs without improvement are borne.
        verbose: 1 prints what happens.
        baseline: an epoch counts as improvement only if it is better than this, too.
        restore_best_weights: whether the returned state has the weights of the best epoch.
        start_from_epoch: the index of the first epoch that counts.

    Attributes:
        best, best_epoch: the best value, and the index of its epoch.
        wait: epochs since then.
        stopped_epoch: the index of the epoch after which training was stopped, else 0.

    Raises:
        ArgumentError: an argument out of range.

    References: Prechelt, "Early Stopping - But When?" (1998).

    >>> from jkeras.callbacks import Loop
    >>> stopping = EarlyStopping("loss", patience=2)
    >>> stopping.set_loop(Loop({}))
    >>> for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.1]):
    ...     stopping.on_epoch_end(epoch, {"loss": loss}, None)
    >>> stopping.loop.stop_training, stopping.best, stopping.best_epoch, stopping.stopped_epoch
    (True, 2.0, 1, 3)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = arguments.non_negative_int(patience, "patience", "EarlyStopping")
        self.start_from_epoch = arguments.non_negative_int(start_from_epoch, "start_from_epoch", "EarlyStopping")
        if baseline is not None:
            arguments.number(baseline, "baseline", "EarlyStopping", interval="[-inf, inf]")
        self.baseline = baseline
        self.verbose = verbose
        self.restore_best_weights = restore_best_weights
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.best_epoch = self.wait = self.stopped_epoch = 0
        self.best_weights: tuple[PyTree, PyTree] | None = None

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> None:
        """Forgets an earlier training."""
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Counts, and stops the loop."""
        value = self.value(logs)
        improved = value is not None and self.improves(value, self.best)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = jax.tree.map(jnp.copy, (state.trainable, state.non_trainable))
            self.best_epoch = epoch
        self.wait += 1
        if improved:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.loop.stop_training = True

    def on_train_end(self, logs: Mapping[str, Any], state: State) -> PyTree:
        """Returns the best weights, if they were asked for, and lets go of them."""
        best, self.best_weights = self.best_weights, None
        if self.stopped_epoch and self.verbose:
            print(f"epoch {self.stopped_epoch + 1}: {self.monitor} has not improved for {self.wait} epochs, stopped")
        if best is None:
            return None
        if self.verbose:
            print(f"the weights are those of epoch {self.best_epoch + 1}, {self.monitor} {self.best}")
        return state.replace(trainable=best[0], non_trainable=best[1])
