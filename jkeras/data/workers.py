"""Workers: threads that fetch items ahead and hand them over in order.

Each thread calls one function of an index. A pool of processes is a pool of threads, each of which talks to its own
process (`jkeras.data.processes`): in both cases, results are awaited on a `Future`.

The threads are daemons: a function that never returns can stop neither `close` nor the end of the program, as the
threads of `concurrent.futures` would.
"""

import itertools
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from jkeras.errors import WorkerError

CLOSE_SECONDS = 1.0  # how long `close` waits for the threads, all together


class Workers:
    """Threads that call functions of an index.

    Args:
        functions: one for each thread.
        ahead: the number of results to make ahead.
        timeout: seconds to wait for a result at most; `None` for no limit.

    >>> workers = Workers([lambda index: index * index] * 2, ahead=4)
    >>> list(workers.in_order([3, 1, 2]))
    [9, 1, 4]
    >>> workers.close()
    """

    def __init__(self, functions: Sequence[Callable[[int], Any]], ahead: int, timeout: float | None = None) -> None:
        self.ahead, self.timeout = ahead, timeout
        self._tasks: SimpleQueue[tuple[int, Future[Any]] | None] = SimpleQueue()
        self._closed = False
        self._running: dict[int, int] = {}  # index -> the thread that works on it
        self._threads = [
            threading.Thread(target=self._work, args=(function,), name="jkeras-worker", daemon=True)
            for function in functions
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, function: Callable[[int], Any]) -> None:
        while (task := self._tasks.get()) is not None:
            index, future = task
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            self._running[index] = threading.get_ident()
            try:
                result = function(index)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self._running.pop(index, None)
            del task, future  # a thread that waits holds no batch

    def in_order(self, indices: Iterable[int]) -> Iterator[Any]:
        """The results for some indices, in their order, whichever is ready first.

        Raises:
            WorkerError: a result is not there in time.
        """
        following = iter(indices)
        pending: deque[tuple[int, Future[Any]]] = deque()
        try:
            while True:
                for index in itertools.islice(following, self.ahead - len(pending)):
                    pending.append((index, self._submit(index)))
                if not pending:
                    return
                yield self._result(*pending.popleft())
        finally:
            for _, future in pending:
                future.cancel()

    def _submit(self, index: int) -> "Future[Any]":
        future: Future[Any] = Future()
        self._tasks.put((index, future))
        return future

    def _result(self, index: int, future: "Future[Any]") -> Any:
        try:
            return future.result(self.timeout)
        except TimeoutError:
            if future.done():  # the function raised it
                raise
        raise WorkerError(
            f"cannot read the batch, because a worker thread did not answer within {self.timeout:g} s.",
            path=f"dataset[{index}]",
            expected=f"a batch within {self.timeout:g} s",
            received="none",
            write="PyDataset(timeout=...)   # more seconds, if the dataset is slow",
            index=index,
            worker_traceback=self._stack(index),
        )

    def _stack(self, index: int) -> str:
        """Where the thread is that works on an index."""
        frame = sys._current_frames().get(self._running.get(index, -1))
        return "".join(traceback.format_stack(frame)) if frame else ""

    def close(self) -> None:
        """Ends the threads, and drops the tasks that wait; threads that are stuck are left to end with the program."""
        self._closed = True
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(CLOSE_SECONDS / len(self._threads))
