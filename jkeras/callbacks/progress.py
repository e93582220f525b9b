"""Progress: a live bar per epoch on a terminal, a plain line per epoch elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks.callback import Callback
from jkeras.callbacks.state import State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

REFRESHES_PER_SECOND = 8


class Progress(Callback):
    """Shows the epoch, steps, remaining time, samples per second and running metrics.

    Args:
        verbose: 0 for nothing, 1 for a live bar, 2 for a line per epoch; `"auto"` is 1 on a terminal, else 2.
        console: where to draw; by default standard output.

    >>> Progress(verbose=2).verbose
    2
    """

    first_process_only = True

    def __init__(self, verbose: int | str = "auto", console: "Console | None" = None) -> None:
        from rich.console import Console

        self.console = console or Console(file=sys.stdout)
        self.verbose = (1 if self.console.is_terminal else 2) if verbose == "auto" else int(verbose)
        if self.verbose == 1 and not self.console.is_terminal:
            self.verbose = 2
        self.bar: Bar | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        self.started = self.drawn = time.perf_counter()
        if self.verbose != 1:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[logs]}"),
            console=self.console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self.task = self.bar.add_task(self._title(epoch), total=self.loop.params.get("steps"), rate="", logs="")
        self.bar.start()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        now = time.perf_counter()
        if self.bar is not None and now - self.drawn > 1 / REFRESHES_PER_SECOND:
            self.drawn = now
            self.bar.update(self.task, completed=batch + 1, rate=self._rate(batch + 1), logs=shown(logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        steps = self.loop.params.get("steps") or 0
        if self.bar is not None:
            self.bar.update(self.task, completed=steps, rate=self._rate(steps), logs=shown(logs))
            self.close()
        elif self.verbose == 2:
            seconds = time.perf_counter() - self.started
            self.console.print(
                f"{self._title(epoch)}  {seconds:.1f}s  {self._rate(steps)}  {shown(logs)}",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, logs: Mapping[str, Any], state: State) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar that is being drawn, whatever happened."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch + 1}/{self.loop.params.get('epochs')}"

    def _rate(self, steps: int) -> str:
        seconds = max(time.perf_counter() - self.started, 1e-9)
        return f"{steps * (self.loop.params.get('batch_size') or 1) / seconds:,.0f} samples/s"


def shown(logs: Mapping[str, Any]) -> str:
    """The logs in four significant digits; of replicas the smallest and the largest value.

    >>> shown({"loss": 0.123456, "accuracy": np.array([0.5, 1.0])})
    'loss 0.1235  accuracy 0.5..1'
    """
    return "  ".join(f"{name} {_digits(value)}" for name, value in logs.items())


def _digits(value: Any) -> str:
    if np.ndim(value) == 0:
        return f"{float(value):.4g}"
    return f"{np.min(value):.4g}..{np.max(value):.4g}"
