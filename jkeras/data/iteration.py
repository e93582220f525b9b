"""Iteration: generators, iterators and everything that Python can iterate over, as sources."""

from collections.abc import Iterable, Iterator
from typing import Any

from jkeras.data.source import END, Plan, Source


class IteratorSource(Source):
    """A generator or another iterator: it is read once, and epochs go on where the last one ended.

    >>> source = IteratorSource(iter([([1, 2],), ([3, 4],), ([5, 6],)]))
    >>> source.use(Plan(steps=1, epochs=3))
    >>> [[x.tolist() for x, _, _ in source.epoch(index)] for index in range(3)]
    [[[1, 2]], [[3, 4]], [[5, 6]]]
    """

    goes_on = True

    def __init__(self, iterator: Iterator[Any]) -> None:
        super().__init__()
        self.iterator = iterator

    def read(self, epoch: int) -> Iterator[Any]:
        """The iterator itself."""
        return self.iterator


class IterableSource(Source):
    """An iterable that can be read more than once, such as a data loader.

    An epoch is one pass, unless the plan sets its number of batches. Then passes go on across epochs: with 3
    batches in a pass and 2 in an epoch, the second epoch has the third batch and, of the next pass, the first.
    Evaluations never go on: each has the first batches of a new pass, so that their results can be compared.

    >>> source = IterableSource(((1, 2), (3, 4), (5, 6)), steps=3)
    """

    def __init__(self, iterable: Iterable[Any], *, steps: int | None = None, batch_size: int | None = None) -> None:
        super().__init__(steps=steps, batch_size=batch_size)
        self.iterable = iterable
        self._pass: Iterator[Any] | None = None

    def use(self, plan: Plan) -> None:
        """Takes a plan, before anything is read."""
        super().use(plan)
        self.goes_on = plan.steps is not None and not plan.is_evaluation

    def read(self, epoch: int) -> Iterator[Any]:
        """The batches of one pass, or those that follow."""
        return self._following() if self.goes_on else iter(self.iterable)

    def _following(self) -> Iterator[Any]:
        whole = False  # whether the running pass began here
        while True:
            if self._pass is None:
                self._pass, whole = iter(self.iterable), True
            batch = next(self._pass, END)
            if batch is not END:
                yield batch
                continue
            self._pass = None
            if whole:  # an epoch is longer than a pass
                return

    def close(self) -> None:
        """Drops the running pass, and its workers."""
        self._pass = self._peeked = None
