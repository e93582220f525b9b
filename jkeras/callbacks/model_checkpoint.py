"""ModelCheckpoint: files of a training while it runs."""

import contextlib
import os
import shutil
import string
from collections.abc import Mapping
from typing import Any

from jkeras import arguments
from jkeras.callbacks.counting import EveryBatches
from jkeras.callbacks.monitor import VALIDATION, Monitor
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.placement.layout import check_whole
from jkeras.placement.processes import is_first
from jkeras.saving.background import BackgroundWriter
from jkeras.saving.state import Writer, write_state
from jkeras.saving.weights import save_weights


class ModelCheckpoint(Monitor):
    """Writes files of a training, after every epoch or every so many batches; all of them, or those that improve.

    The end of the name says which form: `.keras` is what `trainer.save` writes, which Keras reads; `.weights.h5` is the
    weights alone, which `model.load_weights` reads, here and in Keras; any other `.h5` is what `write_state` writes.
    `trainer.restore` reads the states among them.

    Args:
        filepath: where to; `{epoch}` (from 1), `{batch}` and the names of logs are filled in with Python's format
            specifications: `"run/{epoch:02d}-{val_loss:.2f}.keras"`.
        monitor, mode: as in `Monitor`; they matter with `save_best_only`.
        verbose: 1 prints what happens.
        save_best_only: whether only a state is written whose monitored value is the best so far, or among the `keep`
            best.
        save_weights_only: write the weights of the model alone. The name then ends in `.weights.h5`.
        save_freq: `"epoch"`, or after how many batches; then the state is written after the call in which they have
            passed, and the logs are those that are known, up to the call before.
        initial_value_threshold: what the first file must improve on.
        keep: how many files stay: the latest, or with `save_best_only` the best. Others of this callback are deleted
            when the new file is there. `None` for all; then a best value needs to be better than all before.
        writer: `writer(path, state)`, see `jkeras.saving.state`, for files of another form; with `save_weights_only` it
            gets `state.variables`. By default files are written in a thread, from a copy, and training goes on: a
            file is there when the next one is due, or `fit` is over.

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
        keep: int | None = None,
        writer: Writer | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        owner = "ModelCheckpoint"
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.every = EveryBatches(owner, "save_freq", save_freq)
        threshold = initial_value_threshold
        if threshold is not None:
            threshold = arguments.number(threshold, "initial_value_threshold", owner, interval="[-inf, inf]")
        self.best = self.threshold = threshold
        self.keep = None if keep is None else arguments.integer(keep, "keep", owner, least=1)
        self.writer = BackgroundWriter(self._write) if writer is None else writer
        self.written: str | None = None
        self.kept: list[tuple[float, str]] = []  # of the files that stay, what ranks them and their paths
        self.outdated: list[str] = []
        if writer is None:
            self._check_suffix()
        self.names = self._names()
        self._check_names()

    def _check_suffix(self) -> None:
        endings = (".weights.h5",) if self.save_weights_only else (".keras", ".h5")
        if self.filepath.endswith(endings) and (self.save_weights_only or not self.filepath.endswith(".weights.h5")):
            return
        named = " or ".join(endings)
        raise ArgumentError(
            f"`filepath` must end in {named}, got {self.filepath!r}.",
            path="ModelCheckpoint(filepath=)",
            expected=f"a name that ends in {named}",
            received=repr(self.filepath),
            write=f"ModelCheckpoint({self.filepath.partition('.')[0] + endings[0]!r})",
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
        if self.keep is not None and not self.names:
            raise ArgumentError(
                "`filepath` must have a field where several files are kept, got a name that each file would have.",
                path="ModelCheckpoint(filepath=)",
                expected="'{epoch}', '{batch}' or the name of a logged value",
                received=repr(self.filepath),
                write="ModelCheckpoint('model-{epoch:02d}.keras', keep=3)",
            )
        if "batch" in self.names and self.every.is_epoch:
            rule = "with `save_freq='epoch'`, `filepath` must not have the field '{batch}'"
            wanted, write = "'{epoch}', or save_freq=number of batches", "ModelCheckpoint(..., save_freq=100)"
            raise ArgumentError.must(
                rule, repr(self.filepath), path="ModelCheckpoint(filepath=)", expected=wanted, write=write
            )

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> None:
        """Raises `StateError` where one process cannot write the state of all."""
        if isinstance(self.writer, BackgroundWriter):
            check_whole(
                state, f"ModelCheckpoint({self.filepath!r})", "ModelCheckpoint('run/{epoch}', writer=write_orbax)"
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
        """Waits until the last file is written, and deletes those that it replaces."""
        if isinstance(self.writer, BackgroundWriter):
            self.writer.wait()
        self._delete_outdated()

    def _save(self, logs: Mapping[str, Any], state: State, *, epoch: int, batch: int | None = None) -> None:
        value = self._wanted(logs, epoch) if self.save_best_only else float(state.step if self.keep else 0)
        if value is None:
            return
        path = self._path(logs, {"epoch": epoch + 1, "batch": batch})
        own = isinstance(self.writer, BackgroundWriter)
        if not own or is_first():  # another writer may need all processes
            self.writer(path, state.variables if self.save_weights_only and not own else state)
        self._delete_outdated()  # the writer has waited for the file before
        self.written = path
        if self.keep is not None:
            self._retain(value, path)
        if self.verbose and is_first():
            print(f"epoch {epoch + 1}: wrote {path}")

    def _write(self, path: str, state: State) -> None:
        """Writes a file of the form that its name says; runs in the writer's thread."""
        trainer = self.loop.trainer
        if trainer is not None and self.save_weights_only:
            save_weights(trainer.model, path, state.variables)
        elif trainer is not None and path.endswith(".keras"):
            trainer.save(path, state)
        else:
            write_state(path, state)

    def _retain(self, value: float, path: str) -> None:
        """Notes a file, and which one it replaces."""
        self.kept = [entry for entry in self.kept if entry[1] != path]
        if len(self.kept) == self.keep:
            worst = self._worst()
            self.kept.remove(worst)
            self.outdated.append(worst[1])
        self.kept.append((value, path))

    def _worst(self) -> tuple[float, str]:
        if not self.save_best_only:
            return min(self.kept)  # by the step
        return next(entry for entry in self.kept if not any(self.improves(entry[0], other) for other, _ in self.kept))

    def _delete_outdated(self) -> None:
        for path in self.outdated if is_first() else ():
            with contextlib.suppress(FileNotFoundError):
                if os.path.isdir(path):  # that of another writer
                    shutil.rmtree(path)
                else:
                    os.remove(path)
        self.outdated = []

    def _wanted(self, logs: Mapping[str, Any], epoch: int) -> float | None:
        """The monitored value, if a file is due for it."""
        value, before = self.value(logs), self.best
        if value is None:
            return None
        improved = self.improves(value, before)
        self.best = value if improved else before
        if self.verbose and is_first():
            how = "improved" if improved else "has not improved"
            print(f"epoch {epoch + 1}: {self.monitor} {how} from {before} to {value:.5g}")
        if self.keep is None:
            return value if improved else None
        bar = self.threshold if len(self.kept) < self.keep else self._worst()[0]
        return value if self.improves(value, bar) else None

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
