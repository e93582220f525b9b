"""Prefetching: a thread that keeps batches ready on the device while the device computes.

The thread reads at most `depth` batches ahead. Its exceptions are raised where the batches are consumed, with their own
traceback. It ends when the batches end, when it is closed, and when it is garbage-collected.
"""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import jax
import numpy as np

from jkeras.errors import ArgumentError
from jkeras.typing import PyTree

Item = TypeVar("Item")
Ready = TypeVar("Ready")

CLOSE_SECONDS = (
    5.0  # how long `close` waits for a read that is under way; the thread is a daemon, so none is left behind
)


def to_device(batch: PyTree) -> PyTree:
    """A batch on the device, in newly allocated memory.

    NumPy arrays are copied first: `jax.device_put` may share their memory (on CPU) or read it later (on others), and
    the producer of the batches may fill the same buffer again. JAX arrays stay where they are: those that span the
    devices of several processes cannot be put anywhere else.

    >>> to_device({"a": np.ones(2, "float32")})
    {'a': Array([1., 1.], dtype=float32)}
    """
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else jax.device_put(np.array(leaf)), batch)


class _Buffer(Generic[Item, Ready]):
    """The state that the thread and its consumer share."""

    def __init__(self, items: Iterator[Item], depth: int, put: Callable[[Item], Ready]) -> None:
        self.items, self.depth, self.put = items, depth, put
        self.ready: deque[Ready] = deque()
        self.changed = threading.Condition()
        self.closed = self.ended = False
        self.error: BaseException | None = None

    def fill(self) -> None:
        """The thread's work."""
        try:
            while self._has_room() and self._make_one():
                pass
        except BaseException as error:
            self.error = error
        finally:
            self._end()

    def _make_one(self) -> bool:
        try:
            item = next(self.items)
        except StopIteration:
            return False
        ready = self.put(item)
        with self.changed:
            self.ready.append(ready)
            self.changed.notify_all()
        return True

    def _has_room(self) -> bool:
        with self.changed:
            self.changed.wait_for(lambda: self.closed or len(self.ready) < self.depth)
            return not self.closed

    def _end(self) -> None:
        try:
            close = getattr(self.items, "close", None)
            if close is not None:  # a generator's `finally` blocks run here, in the thread that read it
                close()
        except BaseException as error:
            self.error = self.error or error
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def take(self) -> Ready:
        """The next item; raises the exception of the thread, or `StopIteration` after the last item."""
        with self.changed:
            self.changed.wait_for(lambda: self.ready or self.ended or self.closed)
            if self.ready and not self.closed:
                ready = self.ready.popleft()
                self.changed.notify_all()
                return ready
            error, self.error = self.error, None
        if error is not None and not self.closed:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Tells the thread to end, and drops the ready items."""
        with self.changed:
            self.closed = True
            self.ready.clear()
            self.changed.notify_all()


class Prefetch(Iterator[Ready], Generic[Item, Ready]):
    """An iterator over batches that a thread has made ready; see `prefetch`."""

    def __init__(self, items: Iterable[Item], depth: int, put: Callable[[Item], Ready]) -> None:
        if not isinstance(depth, int | np.integer) or isinstance(depth, bool) or depth < 1:
            raise ArgumentError(
                f"`depth`, the number of batches to keep ready, must be an int >= 1, got {depth!r}.",
                path="prefetch(depth=)",
                expected="an int >= 1",
                received=repr(depth),
                write="prefetch(batches, depth=2)",
            )
        self._buffer: _Buffer[Item, Ready] = _Buffer(iter(items), int(depth), put)
        # the thread holds the buffer, not this object: when nobody holds this object any more, the thread ends
        self._finalizer = weakref.finalize(self, self._buffer.close)
        self._thread = threading.Thread(target=self._buffer.fill, name="jkeras-prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> Ready:
        return self._buffer.take()

    def close(self) -> None:
        """Ends the thread. Waits for a running read, for at most `CLOSE_SECONDS`."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> "Prefetch[Item, Ready]":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


def prefetch(items: Iterable[Item], depth: int = 2, put: Callable[[Item], Any] = to_device) -> Prefetch[Item, Any]:
    """An iterator that a background thread keeps `depth` batches ahead.

    Use it in a `with` block, so that the thread ends with the block.

    Args:
        items: the batches; only the thread reads them. It closes a generator when it ends.
        depth: the greatest number of batches kept ready, beside the one that the consumer holds.
        put: the function that the thread applies to each; by default it copies to the device.

    Raises:
        ArgumentError: `depth` is less than 1.

    >>> with prefetch((np.full(2, i) for i in range(3)), put=lambda batch: batch.sum()) as batches:
    ...     [int(batch) for batch in batches]
    [0, 2, 4]
    """
    return Prefetch(items, depth, put)
