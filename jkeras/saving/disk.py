"""The disk as HDF5 sees it: a file that never fails, until it is closed.

HDF5 keeps what it could not write, tries again when it closes, and is left broken if that fails: the process crashes
at one of the next files. So the first error of the system is noted here, what is written after that is dropped, HDF5
closes its file in peace, and then the error is raised.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Disk:
    """An open file, with the methods that HDF5 calls.

    Args:
        path: of the file, which is made anew.

    Attributes:
        error: the first error of the system.
    """

    def __init__(self, path: str) -> None:
        self.file: Any = open(path, "w+b", buffering=0)  # noqa: SIM115 - `written` closes it
        self.error: OSError | None = None

    def _try(self, call: Callable[[], T], instead: T) -> T:
        if self.error is None:
            try:
                return call()
            except OSError as error:
                self.error = error
        return instead

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a place."""
        return self._try(lambda: int(self.file.seek(offset, whence)), offset)

    def tell(self) -> int:
        """The place."""
        return self._try(lambda: int(self.file.tell()), 0)

    def read(self, size: int = -1) -> bytes:
        """Reads bytes; by this method h5py knows a file."""
        return self._try(lambda: bytes(self.file.read(size)), b"")

    def readinto(self, memory: memoryview) -> int:
        """Reads into memory."""
        return self._try(lambda: int(self.file.readinto(memory)), len(memory))

    def write(self, memory: memoryview) -> int:
        """Writes all of the memory."""

        def whole() -> int:
            left = memoryview(memory).cast("B")
            while left:
                left = left[self.file.write(left) :]
            return len(memory)

        return self._try(whole, len(memory))

    def truncate(self, size: int | None = None) -> int:
        """Makes the file as long as this."""
        return self._try(lambda: int(self.file.truncate(size)), size or 0)

    def flush(self) -> None:
        """Nothing: there is no buffer."""


@contextlib.contextmanager
def written(path: str) -> Iterator[Disk]:
    """A new file, open for HDF5 in the block. Raises the `OSError` that the system answered meanwhile.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written(f"{folder}/a") as disk:
    ...         disk.write(memoryview(b"abc"))
    ...     os.path.getsize(f"{folder}/a")
    3
    3
    """
    disk = Disk(path)
    try:
        with contextlib.closing(disk.file):
            yield disk
    finally:
        if disk.error is not None:
            raise disk.error
