"""`PyDataset`: batches by index, made by workers, in an order that depends only on the seed and the epoch."""

import abc
import functools
import itertools
import weakref
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np

from jkeras.data.processes import ProcessWorkers
from jkeras.data.source import Source
from jkeras.data.workers import Workers
from jkeras.errors import ArgumentError, MissingCallError


class PyDataset(abc.ABC):
    """A dataset whose batches are requested by index.

    Subclasses define `__getitem__`, and `__len__` or `num_batches`.

    With `workers=1` batches are made one after another. More workers make them at the same time: threads, or with
    `use_multiprocessing` processes, each with a copy of the dataset. The order of the batches stays the same.

    A worker that raises, dies or hangs ends the training with an error that names the batch; no process
    remains.

    Args:
        workers: the number of workers.
        use_multiprocessing: whether they are processes. These import the module that defines the dataset, so a script
            must run its own work under `if __name__ == "__main__":`.
        max_queue_size: the greatest number of batches to make ahead.
        timeout: seconds that a batch may take with workers; `None` for no limit. Keras has no such argument.

    Raises:
        ArgumentError: an argument is out of its range.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return np.array([index]), np.array([index * index])
    >>> [int(y[0]) for x, y in Squares(workers=2)]
    [0, 1, 4]
    """

    # here as well, so that a subclass need not call `super().__init__`
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10
    timeout: float | None = 300.0

    def __init__(
        self,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        *,
        timeout: float | None = 300.0,
    ) -> None:
        self.workers = _checked_count("workers", workers, least=0)
        self.max_queue_size = _checked_count("max_queue_size", max_queue_size, least=1)
        if timeout is not None and (not isinstance(timeout, Real) or not timeout > 0):
            raise ArgumentError(
                f"`timeout` must be a number of seconds above 0, got {timeout!r}.",
                path="PyDataset(timeout=)",
                expected="> 0, or None for no limit",
                received=repr(timeout),
                write="PyDataset(timeout=300.0)",
            )
        self.use_multiprocessing, self.timeout = use_multiprocessing, timeout

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Any:
        """The batch of an index: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

    @property
    def num_batches(self) -> int | None:
        """The number of batches, `None` if it is infinite. By default, the dataset's length."""
        if not hasattr(self, "__len__"):
            raise MissingCallError(
                "the dataset must define `__len__`, the number of its batches.",
                path=type(self).__name__,
                expected="__len__, or num_batches",
                received="neither",
                write="def __len__(self): return math.ceil(len(self.x) / self.batch_size)",
            )
        return len(self)

    def on_epoch_begin(self) -> None:  # noqa: B027
        """Called before the first batch of an epoch is made. Changes to the dataset reach the workers."""

    def on_epoch_end(self) -> None:  # noqa: B027
        """Called after the last batch of an epoch. Changes to the dataset reach the workers."""

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        return (self[index] for index in (itertools.count() if count is None else range(count)))


def _checked_count(name: str, value: object, *, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ArgumentError(
            f"`{name}` must be an int >= {least}, got {value!r}.",
            path=f"PyDataset({name}=)",
            expected=f"an int >= {least}",
            received=repr(value),
            write=f"PyDataset({name}={max(least, 2)})",
        )
    return int(value)


class PyDatasetSource(Source):
    """The batches of a `PyDataset`.

    An epoch's indices are known without reading those before it: without `steps`, all of them; with it, pieces of
    that length out of one pass after another. Each pass has its own order if `shuffle` is true.

    >>> class Numbers(PyDataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return np.array([index])
    >>> source = PyDatasetSource(Numbers(), shuffle=True, seed=0)
    >>> [sorted(int(x[0]) for x, _, _ in source.epoch(index)) for index in range(2)]
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """

    def __init__(self, dataset: PyDataset, *, shuffle: bool = False, seed: int = 0) -> None:
        super().__init__(steps=dataset.num_batches)
        self.dataset, self.shuffle, self.seed = dataset, shuffle, seed
        self._pool: Workers | ProcessWorkers | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None

    def read(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch."""
        dataset = self.dataset
        dataset.on_epoch_begin()
        indices = self.indices(epoch)
        if dataset.workers > 1 or (dataset.workers and dataset.use_multiprocessing):
            try:
                yield from self._workers().in_order(indices)
            except Exception:
                self.close()
                raise
        else:
            yield from (_make(dataset, index) for index in indices)

    def end(self, epoch: int) -> None:
        """Tells the dataset that the epoch has ended."""
        self.dataset.on_epoch_end()

    def indices(self, epoch: int) -> Iterable[int]:
        """Which batches an epoch has, in their order."""
        count, steps = self.dataset.num_batches, self.plan.steps
        if count is None:
            return itertools.count() if steps is None else range(epoch * steps, (epoch + 1) * steps)
        if steps is None or steps > count:
            return self._order(epoch, count)
        start, stop = epoch * steps, (epoch + 1) * steps
        return itertools.chain.from_iterable(
            self._order(number, count)[max(0, start - number * count) : stop - number * count]
            for number in range(start // count, -(-stop // count))
        )

    def _order(self, number: int, count: int) -> list[int]:
        """The order of a pass over the dataset."""
        if not self.shuffle:
            return list(range(count))
        result: list[int] = np.random.default_rng([self.seed % 2**64, number]).permutation(count).tolist()
        return result

    def _workers(self) -> Workers | ProcessWorkers:
        """The pool, which lives as long as the source."""
        dataset, new = self.dataset, self._pool is None
        if self._pool is None:
            ahead = max(dataset.max_queue_size, dataset.workers)
            if dataset.use_multiprocessing:
                self._pool = ProcessWorkers(dataset.workers, ahead, dataset.timeout)
            else:
                make = functools.partial(_make, dataset)
                self._pool = Workers([make] * dataset.workers, ahead, dataset.timeout)
            self._finalizer = weakref.finalize(self, self._pool.close)
        if isinstance(self._pool, ProcessWorkers) and (new or _has_hooks(dataset)):
            self._pool.give(dataset)
        return self._pool

    def close(self) -> None:
        """Ends the workers."""
        self._pool = None
        if self._finalizer is not None:
            self._finalizer()


def _make(dataset: PyDataset, index: int) -> Any:
    try:
        return dataset[index]
    except Exception as error:
        error.add_note(f"in dataset[{index}] of {type(dataset).__name__}")
        raise


def _has_hooks(dataset: PyDataset) -> bool:
    kind = type(dataset)
    return kind.on_epoch_begin is not PyDataset.on_epoch_begin or kind.on_epoch_end is not PyDataset.on_epoch_end
