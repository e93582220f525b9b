"""BackgroundWriter: files are written while training goes on."""

import os
import threading
from concurrent.futures import Future
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.saving.state import Writer, by_path, write_state
from jkeras.typing import PyTree


class BackgroundWriter:
    """Writes states in a thread of its own, by default as `write_state` does.

    A call copies the state and returns. The file is there, whole, when `wait` returns. One file is written at a time:
    a call waits for the one before.

    Args:
        write: `write(path, state)`, which runs in the thread.

    Raises:
        Exception: by `wait` or by the next call: what went wrong in the thread.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> from jkeras.callbacks import read_state
    >>> write = BackgroundWriter()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a.h5", {"kernel": jnp.arange(3.0)})
    ...     write.wait()
    ...     read_state(f"{folder}/a.h5", {"kernel": jnp.zeros(3)})["kernel"].tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(self, write: Writer = write_state) -> None:
        self.write = write
        self._under_way: Future[None] | None = None

    def __call__(self, path: str | os.PathLike[str], state: PyTree) -> None:
        """Begins to write a state into a file."""
        self.wait()
        by_path(state)  # two leaves of one path are an error here, not in the thread
        copies = jax.tree.map(_copied, state)
        self._under_way = Future()
        arguments = (self._under_way, self.write, os.fspath(path), copies)
        threading.Thread(target=_run, args=arguments, name="jkeras-checkpoint").start()

    def wait(self) -> None:
        """Returns when nothing is under way any more; raises what went wrong."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()


def _copied(leaf: object) -> Any:
    """A leaf in memory of its own: on the host where that is the device, else on the device, which nobody waits for."""
    if not isinstance(leaf, jax.Array) or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf.copy() if hasattr(leaf, "copy") else leaf
    return np.array(leaf) if leaf.is_fully_addressable and jax.default_backend() == "cpu" else leaf.copy()


def _run(done: "Future[None]", write: Writer, path: str, state: PyTree) -> None:
    try:
        write(path, state)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(None)
