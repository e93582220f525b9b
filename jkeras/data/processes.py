"""Processes: a dataset in a worker process, and the connection of a thread to it.

Processes are spawned, never forked: JAX runs threads, and a fork of a process with threads may hang. They compute on
the CPU, whatever they import. Batches come back through a pipe, so there is no shared memory to leak.

How a worker can fail, and how it is noticed:

| it | noticed by |
|---|---|
| raises | it sends the exception and its traceback |
| dies: killed, out of memory, crashed | the end of its process; a crash leaves its Python stack in a pipe |
| hangs | the timeout; it is asked for its Python stack, then killed |

A worker always ends with its owner: a thread of the worker waits for the end of the owner. Ctrl-C is for the owner
alone: workers start with the signal blocked, and ignore it when they run.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import jax
import numpy as np

from jkeras.data.arrays import Batch
from jkeras.data.arrays import unpack_x_y_sample_weight as unpack
from jkeras.data.host import host_arrays
from jkeras.data.uniform import PARTS
from jkeras.data.workers import Workers
from jkeras.errors import DataError, WorkerError
from jkeras.typing import PyTree

START_SECONDS = 120.0  # for a worker to import what it needs, on a machine that is busy
GRACE_SECONDS = 1.0  # for a worker to end by itself, and to show its stack
ENDING_SECONDS = 60.0  # for the system to end a process that has closed its pipes: it may write a core dump first
STACK_BYTES = 65536

SPAWN = multiprocessing.get_context("spawn")


def send(line: Connection, value: object) -> None:
    """Sends a value; the memory of its arrays goes as it is, not through the pickle."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    line.send_bytes(pickle.dumps((pickled, [part.nbytes for part in raw])))
    for part in raw:
        line.send_bytes(part)


def receive(line: Connection) -> Any:
    """The value that `send` sent."""
    pickled, sizes = pickle.loads(line.recv_bytes())
    buffers = [np.empty(size, "uint8") for size in sizes]
    for buffer in buffers:
        if buffer.size:
            line.recv_bytes_into(buffer)
        else:
            line.recv_bytes()
    return pickle.loads(pickled, buffers=buffers)


def serve(line: Connection, stacks: Connection) -> None:
    """The loop of a worker: receives datasets (bytes) and indices (ints), sends batches, ends with the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that owns this one
    threading.Thread(target=_end_with_owner, name="jkeras-owner", daemon=True).start()
    if hasattr(faulthandler, "register"):
        faulthandler.enable(stacks)
        faulthandler.register(signal.SIGUSR1, stacks)
    jax.config.update("jax_platforms", "cpu")
    dataset: Any = None
    try:
        while True:
            task = receive(line)
            try:
                if isinstance(task, bytes):
                    dataset, answer = pickle.loads(task), None
                else:
                    answer = _plain(dataset[task])
                message: Message = (answer, None, "")
            except Exception as error:
                message = (None, _sendable(error), traceback.format_exc())
            send(line, message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with_owner() -> None:
    owner = multiprocessing.parent_process()
    if owner is not None:
        owner.join()
        os._exit(1)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C until they ask for it; this process receives it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would lift the block when it is started by the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


Message = tuple[PyTree, Exception | None, str]  # a batch; or an exception that can be sent, and its traceback


def _plain(batch: Batch) -> PyTree:
    """A batch of NumPy arrays, which any process can read."""
    parts = [host_arrays(part, name, cast=False) for name, part in zip(PARTS, unpack(batch), strict=True)]
    return jax.tree.map(np.asarray, tuple(parts))


def _sendable(error: Exception) -> Exception | None:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return error


class Worker:
    """The owner's end of the connection to a worker process; for one thread.

    Args:
        timeout: seconds that a batch may take; `None` for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self.dataset: bytes | None = None  # the one that the worker has
        self.line, its_line = SPAWN.Pipe()
        self.stacks, its_stacks = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=serve, args=(its_line, its_stacks), name="jkeras-worker", daemon=True)
        with _interrupts_blocked():
            self.process.start()
        self.pid: int = self.process.pid  # type: ignore[assignment] # it was started
        its_line.close()
        its_stacks.close()

    def batch(self, dataset: bytes, index: int) -> PyTree:
        """A batch of a pickled dataset. Raises `WorkerError` where the worker raises, dies or hangs."""
        if dataset is not self.dataset:
            self._ask(dataset, None, START_SECONDS)
            self.dataset = dataset
        return self._ask(index, index, self.timeout)

    def _ask(self, task: int | bytes, index: int | None, timeout: float | None) -> PyTree:
        try:
            send(self.line, task)
            if not wait([self.line, self.process.sentinel], timeout):
                raise self._hangs(index, timeout)
            answer, error, text = receive(self.line)
        except (EOFError, OSError):
            raise self._died(index) from None
        if isinstance(error, DataError):  # what a batch lacks is the same, wherever it was made
            raise error
        if text:
            last = text.strip().splitlines()[-1]
            raise self._error("raised an exception.", index, received=last, worker_traceback=text) from error
        return answer

    def _error(self, problem: str, index: int | None, **lesson: Any) -> WorkerError:
        where = "while it started" if index is None else f"dataset[{index}]"
        return WorkerError(f"worker process {self.pid} {problem}", path=where, index=index, pid=self.pid, **lesson)

    def _hangs(self, index: int | None, timeout: float | None) -> WorkerError:
        if hasattr(signal, "SIGUSR1"):
            os.kill(self.pid, signal.SIGUSR1)
        stack = self._stack(GRACE_SECONDS)
        self.process.kill()
        return self._error(
            f"did not answer within {timeout:g} s and was killed.",
            index,
            expected=f"an answer within {timeout:g} s",
            received="none",
            write="PyDataset(timeout=...)   # more seconds, if the dataset is slow",
            worker_traceback=stack,
        )

    def _died(self, index: int | None) -> WorkerError:
        code = self._exit_code()
        name = next((each.name for each in signal.Signals if code == -each), "")
        write = None
        if name == "SIGKILL":
            write = "PyDataset(workers=...)   # fewer, if memory ran out"
        elif index is None:
            write = "if __name__ == '__main__': ...   # around the code of a script: workers import it"
        return self._error(
            f"was killed by {name}." if name else "ended before it answered.",
            index,
            expected="a batch",
            received=f"exit code {code}",
            write=write,
            exit_code=code,
            worker_traceback=self._stack(0.0),
        )

    def _exit_code(self) -> int | None:
        """The exit code, once the process has ended: its pipes are closed before that."""
        give_up = time.monotonic() + ENDING_SECONDS
        self.process.join(ENDING_SECONDS)
        while self.process.exitcode is None and time.monotonic() < give_up:  # another thread is about to see it
            time.sleep(0.01)
        return self.process.exitcode

    def _stack(self, patience: float) -> str:
        """The output of the worker's fault handler."""
        text = b""
        while self.stacks.poll(patience):
            read = os.read(self.stacks.fileno(), STACK_BYTES)
            if not read:
                break
            text, patience = text + read, 0.05
        return text.decode(errors="replace")

    def stop(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.join(GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def close(self) -> None:
        """Closes the connection, once no thread uses it any more."""
        self.process.close()
        self.line.close()
        self.stacks.close()


class ProcessWorkers:
    """A pool of processes that make batches of a dataset.

    Args:
        count: the number of processes.
        ahead: the number of batches to make ahead.
        timeout: seconds that a batch may take; `None` for no limit.
    """

    def __init__(self, count: int, ahead: int, timeout: float | None) -> None:
        self._dataset = b""
        self._workers = [Worker(timeout) for _ in range(count)]
        self._threads = Workers([self._function(worker) for worker in self._workers], ahead)

    def _function(self, worker: Worker) -> Callable[[int], PyTree]:
        return lambda index: worker.batch(self._dataset, index)

    def give(self, dataset: object) -> None:
        """Has the workers read from a dataset as it is now. Raises `DataError` where it cannot be sent."""
        try:
            pickled = pickle.dumps(dataset, protocol=5)
        except Exception as error:
            problem = "cannot send the dataset to worker processes, because it cannot be pickled."
            wanted, received = "an object that can be pickled", f"{type(error).__name__}: {error}"
            write = "PyDataset(use_multiprocessing=False)   # use threads"
            path = type(dataset).__name__
            raise DataError(problem, path=path, expected=wanted, received=received, write=write) from error
        if pickled != self._dataset:
            self._dataset = pickled

    def in_order(self, indices: Iterable[int]) -> Iterator[PyTree]:
        """The batches of some indices, in their order. Raises `WorkerError` where a worker raises, dies or hangs."""
        return self._threads.in_order(indices)

    def close(self) -> None:
        """Ends the processes and the threads that talk to them."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.stop()
        self._threads.close()
        for worker in workers:
            worker.close()
