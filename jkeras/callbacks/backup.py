"""BackupAndRestore: a training that was killed goes on where it was."""

import contextlib
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras.callbacks.callback import Callback
from jkeras.callbacks.counting import EveryBatches
from jkeras.callbacks.preemption import Preemption
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError
from jkeras.placement.layout import check_whole
from jkeras.placement.processes import is_first
from jkeras.saving.files import copy_file
from jkeras.saving.lock import Lock
from jkeras.saving.orbax_states import write_orbax
from jkeras.saving.state import Reader, Writer, read_state, write_state
from jkeras.typing import PyTree


class BackupAndRestore(Callback):
    """Writes the state and where it stands in the training; the next `fit` with the same folder goes on from there.

    Nothing is lost and nothing done twice: the state has the optimizer, the metrics and the random seeds, and the order
    of an epoch depends on `fit`'s `seed` and the epoch alone. A run that was killed within an epoch goes on after
    the last backup's batch, so its numbers are those of a run that nobody interrupted. What other callbacks have
    counted, and the history before, are not in the state. The mean over an epoch of logs that no metric keeps is that
    of the batches after the backup. A state that later callbacks change is not in the backup: put this one last.

    A machine that is taken away says so by SIGTERM: then a backup is written after the call that runs, and training
    ends, on all processes after the same call; `fit` returns.

    Args:
        backup_dir: the folder of the backup; a training of its own needs a folder of its own.
        save_freq: `"epoch"`, or after how many batches; then the state is written after the call in which they have
            passed.
        double_checkpoint: whether the backup before is kept as `latest.h5.bkp`, and used, with a warning, if the last
            cannot be read. That one is then set aside as `latest.h5.damaged`.
        delete_checkpoint: whether a training that reaches its end deletes the backup. One that the user interrupts
            keeps it.
        writer, reader: see `jkeras.saving.state`. With `write_orbax` and `read_orbax` each process writes its part of a
            state that is spread over several.

    Raises:
        ArgumentError: an argument out of range.
        LeafError: when training begins: the backup is that of another network or optimizer.
        DamagedFileError: when training begins: the backup is not what was written, and there is no good one before it.
        ArgumentError: when training begins: the backup is from within an epoch that had another number of batches.
        FileWriteError: when training begins: another process trains with the same folder.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> from jkeras.callbacks import Loop
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backup = BackupAndRestore(folder)
    ...     backup.set_loop(Loop({}))
    ...     backup.on_epoch_end(4, {}, {"kernel": jnp.ones(2)})  # and now the process dies
    ...     backup = BackupAndRestore(folder)
    ...     backup.set_loop(Loop({}))
    ...     state = backup.on_train_begin({}, {"kernel": jnp.zeros(2)})
    >>> backup.loop.initial_epoch, state["kernel"].tolist()
    (5, [1.0, 1.0])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        writer: Writer = write_state,
        reader: Reader = read_state,
    ) -> None:
        self.backup_dir = os.fspath(backup_dir)
        if not self.backup_dir:
            rule, write = "`backup_dir` must be the path of a folder", "BackupAndRestore('run')"
            raise ArgumentError.must(rule, "an empty string", path="BackupAndRestore", expected="a folder", write=write)
        self.path = os.path.join(self.backup_dir, "latest.h5")
        self.path_before = f"{self.path}.bkp"
        self.path_damaged = f"{self.path}.damaged"
        self.every = EveryBatches("BackupAndRestore", "save_freq", save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.writer, self.reader = writer, reader
        self.is_spread = writer is write_orbax  # then each backup is a folder of its own, which all processes write
        self.due = False
        self.lock = Lock(self.backup_dir)
        self.preemption = Preemption()

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> PyTree:
        """The state of the backup, if there is one; tells the loop where it stands."""
        self.preemption.watch()
        if is_first():
            self.lock.acquire()
        if self.writer is write_state:
            write = f"BackupAndRestore({self.backup_dir!r}, writer=write_orbax, reader=read_orbax)"
            check_whole(state, f"BackupAndRestore({self.backup_dir!r})", write)
        found = self._read(self._contents(0, 0, 0, state))
        if found is None:
            return None
        found = {**found, **{name: int(np.ravel(found[name])[0]) for name in ("epoch", "batch", "steps")}}
        steps = self._steps()
        if found["batch"] and found["steps"] != steps:
            rule = f"an epoch that resumes after batch {found['batch']} must have {found['steps']} batches, as before"
            wanted, received = f"an epoch of {found['steps']} batches", f"an epoch of {steps} batches"
            path = f"BackupAndRestore({self.backup_dir!r})"
            write = "trainer.fit(..., batch_size=...)   # as before; or delete the folder to start again"
            raise ArgumentError.must(rule, received, path=path, expected=wanted, write=write)
        self.loop.initial_epoch, self.loop.initial_batch = found["epoch"], found["batch"]
        return found["state"]

    def _steps(self) -> int:
        """The batches of an epoch, 0 where nobody knows."""
        return self.loop.params.get("steps") or 0

    def _read(self, like: PyTree) -> PyTree:
        """What the last backup has; that before, if the last cannot be read, whatever its reader calls that."""
        problem: Exception | None = None
        paths = self._paths()
        for path in paths:
            if not os.path.exists(path):
                continue
            try:
                found = self.reader(path, like)
            except Exception as error:
                if problem is None:
                    problem = error
                else:
                    problem.add_note(f"The backup before it: {error}")
                continue
            if path != paths[0]:
                self._tell(paths[0], path, problem)
            return found
        if problem is not None:
            raise problem
        return None

    def _paths(self) -> list[str]:
        """Where backups may be, the last one first."""
        if not self.is_spread:
            return [self.path, self.path_before]
        names = os.listdir(self.backup_dir) if os.path.isdir(self.backup_dir) else []
        found = [tuple(map(int, name.split("-"))) for name in names if re.fullmatch(r"\d+-\d+", name)]
        return [os.path.join(self.backup_dir, f"{epoch}-{batch}") for epoch, batch in sorted(found, reverse=True)]

    def _contents(self, epoch: int, batch: int, steps: int, state: State) -> dict[str, Any]:
        """What a backup holds; numbers lie beside the state where orbax writes them."""
        numbers: dict[str, Any] = {"epoch": epoch, "batch": batch, "steps": steps}
        if self.is_spread:
            numbers = {name: jnp.full_like(state.step, number) for name, number in numbers.items()}
        return {**numbers, "state": state}

    def _tell(self, last: str, used: str, problem: Exception | None) -> None:
        """Warns that the backup before is used, and sets the last aside, else it would soon take the other's place."""
        why = "does not exist"
        if problem is not None:
            damaged = self.path_damaged if last == self.path else f"{last}.damaged"
            if is_first():
                os.replace(last, damaged)
            why = f"cannot be read and was renamed to {damaged} ({problem})"
        warnings.warn(f"Training continues from {used}, because {last} {why}.", stacklevel=4)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Remembers the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes, where batches count. What is due after the last batch waits for the epoch's end."""
        self.due = self.every.due(batch) or self.due
        if self.preemption.reached() and not self.loop.preempted:
            self.due = self.loop.preempted = True
            self.loop.stop()
        if self.due and batch + 1 != self._steps():
            self._write(self.epoch, batch + 1, state)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes, where epochs count."""
        if self.every.is_epoch or self.due:
            self._write(epoch + 1, 0, state)

    def _write(self, epoch: int, batch: int, state: State) -> None:
        self.due = False
        contents = self._contents(epoch, batch, self._steps(), state)
        if self.is_spread:
            path, outdated = os.path.join(self.backup_dir, f"{epoch}-{batch}"), self._paths()
            if path not in outdated:
                self.writer(path, contents)
                self._remove(outdated[1 if self.double_checkpoint else 0 :])
        elif is_first():
            if self.double_checkpoint and os.path.exists(self.path):
                copy_file(self.path, self.path_before)
            self.writer(self.path, contents)

    def _remove(self, paths: list[str]) -> None:
        for path in paths if is_first() else ():
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def on_train_end(self, logs: Mapping[str, Any], state: State) -> None:
        """Deletes the backup, and its folder if nothing else is in it."""
        if self.loop.interrupted or not self.delete_checkpoint:
            return
        self._remove(self._paths())
        with contextlib.suppress(OSError):  # other files are in it
            os.rmdir(self.backup_dir)

    def close(self) -> None:
        """Lets other processes have the folder."""
        self.preemption.close()
        self.lock.release()
