"""CSVLogger: the logs of every epoch as a table."""

import csv
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras.callbacks.callback import Callback
from jkeras.callbacks.monitor import VALIDATION
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError
from jkeras.typing import ArrayLike


class CSVLogger(Callback):
    """Writes a row for each epoch: its index, and the logs sorted by name.

    The columns are those of the first epoch. If no validation followed it there are columns for one nevertheless, and
    `NA` stands where an epoch has no such log. The file is closed between epochs.

    Args:
        filename: of the file.
        separator: a single character.
        append: add rows to a file that exists, rather than begin again.

    Raises:
        ArgumentError: a separator that is not one character.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     logger = CSVLogger(f"{folder}/log.csv")
    ...     logger.on_train_begin({}, None)
    ...     logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25}, None)
    ...     print(pathlib.Path(folder, "log.csv").read_text())
    epoch,loss,val_loss
    0,0.5,0.25
    """

    first_process_only = True

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError(
                f"`separator` must be one character, got {separator!r}.",
                path="CSVLogger",
                expected="one character",
                received=repr(separator),
                write="CSVLogger(filename, separator=',')",
            )
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self.columns: list[str] | None = None

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> None:
        """Makes the file, or empties it."""
        self.columns = None
        with open(self.filename, "a" if self.append else "w"):
            pass

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes a row."""
        if self.columns is None:
            self.columns = sorted(logs)
            if not any(name.startswith(VALIDATION) for name in self.columns):
                self.columns += [f"{VALIDATION}{name}" for name in self.columns]
        with open(self.filename, "a", newline="") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if file.tell() == 0:
                writer.writerow(["epoch", *self.columns])
            writer.writerow([epoch, *(_shown(logs.get(name, "NA")) for name in self.columns)])


def _shown(value: ArrayLike) -> Any:
    """A cell: `"[1.0, 2.0]"` of the values of several replicas."""
    return value if np.ndim(value) == 0 else f'"{np.asarray(value).tolist()}"'
