"""Locks: one process at a time writes into a folder."""

import contextlib
import os
import socket

from jkeras.errors import FileWriteError
from jkeras.saving.files import runs


class Lock:
    """A file beside a folder that names the process which writes there, while it does.

    A lock whose process has died is taken over. That of another host cannot be looked at, and stays.

    Args:
        folder: what is locked; the lock is the file `<folder>.lock`.

    Raises:
        FileWriteError: by `acquire`: another process has the lock.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = Lock(f"{folder}/run")
    ...     lock.acquire()
    ...     os.listdir(folder)
    ...     lock.release()
    ...     os.listdir(folder)
    ['run.lock']
    []
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = f"{os.path.normpath(os.fspath(folder))}.lock"
        self.held = False

    def acquire(self) -> None:
        """Takes the lock, if it is free or this process has it."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        for _ in range(2):
            try:
                number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                self._check_stale()
                continue
            with os.fdopen(number, "w") as file:
                file.write(f"{os.getpid()} {socket.gethostname()}")
            break
        self.held = True

    def _check_stale(self) -> None:
        """Removes a lock that nobody holds. Raises `FileWriteError` for one that is held."""
        try:
            with open(self.path) as file:
                pid, _, host = file.read().partition(" ")
        except FileNotFoundError:  # released meanwhile
            return
        if host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid() and runs(int(pid)):
            self._refuse(f"process {pid} on this host")
        if host and host != socket.gethostname():
            self._refuse(f"process {pid} on {host}")
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)

    def _refuse(self, holder: str) -> None:
        raise FileWriteError(
            "another process must not write into the same folder.",
            path=self.path.removesuffix(".lock"),
            expected="a folder of its own for each training",
            received=f"a lock of {holder}",
            write=f"os.remove({self.path!r})   # if that process is gone",
        )

    def release(self) -> None:
        """Gives the lock back, if it is held."""
        if self.held:
            self.held = False
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path)
