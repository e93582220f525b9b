"""ReduceLROnPlateau: a smaller learning rate where a logged value has stopped improving."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras import arguments
from jkeras.callbacks.learning_rate import learning_rate_of, with_learning_rate
from jkeras.callbacks.monitor import Monitor
from jkeras.callbacks.state import State
from jkeras.typing import PyTree


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by `factor` when a log has not improved for `patience` epochs.

        learning_rate = max(factor * learning_rate, min_lr)

    The rate of every epoch appears in the logs as `learning_rate`.

    Args:
        monitor, mode, min_delta: as in `Monitor`.
        factor: in [0, 1).
        patience: how many epochs without improvement are borne.
        verbose: 1 prints every reduction.
        cooldown: for how many epochs after a reduction nothing is counted.
        min_lr: the rate never falls below.

    Raises:
        ArgumentError: an argument out of range, or the learning rate is not a hyper-parameter in the optimizer's state.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> from jkeras.callbacks import Loop
    >>> from jkeras.training import TrainState
    >>> params = {"kernel": jnp.ones(2)}
    >>> state = TrainState(jnp.int32(0), params, {}, optimizers.SGD(0.5).init(params), {})
    >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=2)
    >>> plateau.set_loop(Loop({}))
    >>> for epoch in range(3):
    ...     state = plateau.on_epoch_end(epoch, {"loss": 1.0}, state) or state
    >>> float(optimizers.get_learning_rate(state.opt_state))
    0.25
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        owner = "ReduceLROnPlateau"
        self.factor = arguments.fraction(factor, "factor", owner, interval="[0, 1)")
        self.patience = arguments.non_negative_int(patience, "patience", owner)
        self.cooldown = arguments.non_negative_int(cooldown, "cooldown", owner)
        self.min_lr = arguments.number(min_lr, "min_lr", owner, interval="[-inf, inf]")
        self.verbose = verbose
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> None:
        """Forgets an earlier training."""
        self._reset()

    def epoch_logs(self, epoch: int, state: State) -> dict[str, Any]:
        """The learning rate of the epoch."""
        return {"learning_rate": learning_rate_of(state)}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> PyTree:
        """Counts, and reduces the rate."""
        value = self.value(logs)
        if value is None:
            return None
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
            return None
        if self.cooldown_counter > 0:
            return None
        self.wait += 1
        return self._reduced(epoch, state) if self.wait >= self.patience else None

    def _reduced(self, epoch: int, state: State) -> PyTree:
        old = learning_rate_of(state)
        if old <= np.float32(self.min_lr):
            return None
        new = max(self.factor * old, self.min_lr)
        self.cooldown_counter, self.wait = self.cooldown, 0
        if self.verbose:
            print(f"epoch {epoch + 1}: {self.monitor} is on a plateau, learning rate {new:.4g}")
        return with_learning_rate(state, new)
