"""`PyDataset`: batches by index."""

import abc
import itertools
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

from jkeras import arguments
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

    >>> import numpy as np
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
            problem = "the dataset must define `__len__`, the number of its batches."
            write = "def __len__(self): return math.ceil(len(self.x) / self.batch_size)"
            path, wanted = type(self).__name__, "__len__, or num_batches"
            raise MissingCallError(problem, path=path, expected=wanted, received="neither", write=write)
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
        wanted, write = f"an int >= {least}", f"PyDataset({name}={max(least, 2)})"
        raise arguments.refusal(value, name, f"PyDataset({name}=)", wanted, write=write)
    return int(value)
