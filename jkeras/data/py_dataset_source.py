"""The batches of a `PyDataset`, made by workers, in an order that depends only on the seed and the epoch."""

import functools
import itertools
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jkeras.data.processes import ProcessWorkers
from jkeras.data.py_dataset import PyDataset
from jkeras.data.source import Source
from jkeras.data.workers import Workers


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
