"""ModelCheckpoint: files of a training while it runs."""

import os
import string
from collections.abc import Mapping
from typing import Any

from jkeras import arguments
from jkeras.callbacks.counting import EveryBatches
from jkeras.callbacks.monitor import VALIDATION, Monitor
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.saving.background import BackgroundWriter
from jkeras.saving.state import Writer, write_state


class ModelCheckpoint(Monitor):
    """Writes the state into a file, after every epoch or every so many batches; all of them, or those that improve.

    Args:
        filepath: where to; `{epoch}` (from 1), `{batch}` and the names of logs are filled in with Python's format
            specifications: `"run/{epoch:02d}-{val_loss:.2f}.h5"`.
        monitor, mode: as in `Monitor`; they matter with `save_best_only`.
        verbose: 1 prints what happens.
        save_best_only: whether only a state is written whose log is the best so far.
        save_weights_only: write `state.variables`, the trees of the model, instead of the whole state. The name then
            ends in `.weights.h5`.
        save_freq: `"epoch"`, or after how many batches; then the state is written after the call in which they have
            passed, and the logs are those that are known, up to the call before.
        initial_value_threshold: what the first file must improve on.
        writer: `writer(path, state)`, see `jkeras.saving.state`. By default a `BackgroundWriter`, so that training
            goes on meanwhile: a file is there when the next one is due, or `fit` is over. With `write_state` it is
            there when the hook is over.

    Attributes:
        best: the best value so far; the next training with the same callback goes on from it.
        written: the path of the file written last.

    Raises:
        ArgumentError: an argument out of range, or a name that does not fit.
        UnknownNameError: at the first file, a name in `filepath` that is not logged.

    >>> from jkeras.callbacks import Loop
    >>> files = []
    >>> checkpoint = ModelCheckpoint("{epoch}-{loss:.1f}.h5", "loss", save_best_only=True,
    ...                              writer=lambda path, state: files.append(path))
    >>> checkpoint.set_loop(Loop({}))
    >>> for epoch, loss in enumerate([0.5, 0.75, 0.25]):
    ...     checkpoint.on_epoch_end(epoch, {"loss": loss}, None)
    >>> files
    ['1-0.5.h5', '3-0.2.h5']
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        *,
        writer: Writer | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.every = EveryBatches("ModelCheckpoint", "save_freq", save_freq)
        self.best = (
            None
            if initial_value_threshold is None
            else arguments.number(
                initial_value_threshold, "initial_value_threshold", "ModelCheckpoint", interval="[-inf, inf]"
            )
        )
        self.writer = BackgroundWriter() if writer is None else writer
        self.written: str | None = None
        if writer is None or writer is write_state:
            self._check_suffix()
        self.names = self._names()
        self._check_names()

    def _check_suffix(self) -> None:
        suffix = ".weights.h5" if self.save_weights_only else ".h5"
        if not self.filepath.endswith(suffix):
            raise ArgumentError(
                f"`filepath` must end in {suffix}, got {self.filepath!r}.",
                path="ModelCheckpoint(filepath=)",
                expected=f"a name that ends in {suffix}",
                received=repr(self.filepath),
                write=f"ModelCheckpoint({os.path.splitext(self.filepath)[0] + suffix!r})",
            )

    def _names(self) -> set[str]:
        """The names to fill in."""
        try:
            fields = [field for _, field, _, _ in string.Formatter().parse(self.filepath) if field is not None]
        except ValueError as error:
            raise ArgumentError(
                f"`filepath` must be a format string: {error}.",
                path="ModelCheckpoint(filepath=)",
                expected="names in braces, such as '{epoch:02d}'",
                received=repr(self.filepath),
                write="ModelCheckpoint('model-{epoch:02d}.h5')",
            ) from error
        if any(not field.isidentifier() for field in fields):
            rule = "every field in `filepath` must have a name"
            wanted = "'{epoch}', '{batch}' or the name of a logged value"
            write = "ModelCheckpoint('model-{epoch:02d}.h5')"
            raise ArgumentError.must(
                rule, repr(self.filepath), path="ModelCheckpoint(filepath=)", expected=wanted, write=write
            )
        return set(fields)

    def _check_names(self) -> None:
        """What exists only at the end of an epoch cannot be asked for within one."""
        watched = {self.monitor} if self.save_best_only else set()
        unknown = [name for name in sorted(self.names | watched) if name.startswith(VALIDATION)]
        if unknown and not self.every.is_epoch:
            raise ArgumentError(
                f"{unknown[0]!r} cannot be used within an epoch, because it is logged at its end only.",
                path="ModelCheckpoint",
                expected="a logged value of training",
                received=f"save_freq={self.every.frequency}",
                write="ModelCheckpoint(..., save_freq='epoch')",
            )
        if "batch" in self.names and self.every.is_epoch:
            rule = "with `save_freq='epoch'`, `filepath` must not have the field '{batch}'"
            wanted, write = "'{epoch}', or save_freq=number of batches", "ModelCheckpoint(..., save_freq=100)"
            raise ArgumentError.must(
                rule, repr(self.filepath), path="ModelCheckpoint(filepath=)", expected=wanted, write=write
            )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Remembers the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes, where batches count."""
        if self.every.due(batch):
            self._save(logs, state, epoch=self.epoch, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes, where epochs count."""
        if self.every.is_epoch:
            self._save(logs, state, epoch=epoch)

    def close(self) -> None:
        """Waits until the last file is written."""
        if isinstance(self.writer, BackgroundWriter):
            self.writer.wait()

    def _save(self, logs: Mapping[str, Any], state: State, *, epoch: int, batch: int | None = None) -> None:
        if self.save_best_only and not self._is_best(logs, epoch):
            return
        path = self._path(logs, {"epoch": epoch + 1, "batch": batch})
        self.writer(path, state.variables if self.save_weights_only else state)
        self.written = path
        if self.verbose:
            print(f"epoch {epoch + 1}: wrote {path}")

    def _is_best(self, logs: Mapping[str, Any], epoch: int) -> bool:
        value, before = self.value(logs), self.best
        if value is None:
            return False
        improved = self.improves(value, before)
        self.best = value if improved else before
        if self.verbose:
            how = "improved" if improved else "has not improved"
            print(f"epoch {epoch + 1}: {self.monitor} {how} from {before} to {value:.5g}")
        return improved

    def _path(self, logs: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
        """The file's path; reads the logs only if it names some."""
        values = {}
        for name in self.names:
            if name not in counts and name not in logs:
                raise UnknownNameError(
                    f"the field {name!r} in `filepath` must be a logged value.",
                    path="ModelCheckpoint(filepath=)",
                    expected=did_you_mean(name, [*counts, *logs]),
                    received=repr(self.filepath),
                    write="ModelCheckpoint('model-{epoch:02d}.h5')",
                )
            values[name] = counts[name] if name in counts else logs[name]
        return self.filepath.format(**values)
