"""Sources: the one form in which the loops read batches.

A source yields an epoch's batches as `(x, y, sample_weight)` of host arrays. Whoever makes a new kind of source says
how to `read`; that batches look alike, that errors name the batch, how many batches an epoch has, and what happens
when they run out is the same for all, and here.
"""

import abc
import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from jkeras.data.arrays import class_weights
from jkeras.data.batch import batch_size_of
from jkeras.data.checks import check_class_weight, check_values
from jkeras.data.uniform import Batch, Place, Uniform
from jkeras.errors import DataError

END = object()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the caller wants of a source.

    Attributes:
        steps: batches per epoch; without it, an epoch is all that there is.
        epochs: the index after that of the last epoch, so that only missing batches are missed.
        class_weight: `{class: weight}`, for batches with labels and without weights.
        same_shapes: whether all axes of the batches but the first must stay as they are.

    >>> Plan(steps=5).epochs
    1
    """

    steps: int | None = None
    epochs: int = 1
    class_weight: Mapping[int, float] | None = None
    same_shapes: bool = True


class Source(abc.ABC):
    """Batches, epoch by epoch.

    Subclasses define `read`. Use a source in a `with` block, or `close` it.

    Attributes:
        steps: how many batches an epoch has, where that is known.
        batch_size: how many examples a batch has, where that is known: after `peek` at the latest.
        exhausted: whether nothing is left to read for another epoch.

    >>> class Counting(Source):
    ...     def read(self, epoch):
    ...         return iter([([epoch, 0], [1, 2]), ([epoch, 1], [3, 4])])
    >>> with Counting() as source:
    ...     [x.tolist() for x, y, sample_weight in source.epoch(7)]
    [[7, 0], [7, 1]]
    """

    goes_on: bool = False
    """Whether an epoch goes on where the one before it ended, rather than begin anew."""

    def __init__(self, *, steps: int | None = None, batch_size: int | None = None) -> None:
        self.steps, self.batch_size = steps, batch_size
        self.exhausted = False
        self.use(Plan())

    @abc.abstractmethod
    def read(self, epoch: int) -> Iterator[Any]:
        """What there is for the epoch of an index: batches as `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

    def end(self, epoch: int) -> None:  # noqa: B027
        """Called when an epoch's batches have been read."""

    def close(self) -> None:  # noqa: B027
        """Lets go of workers and open files."""

    def use(self, plan: Plan) -> None:
        """Takes a plan, before anything is read."""
        self.plan = plan
        self.steps = plan.steps or self.steps
        self._uniform = Uniform(plan.same_shapes)
        self._peeked: tuple[int, Iterator[Any], Batch] | None = None
        self._first_epoch: int | None = None
        self._checked = False  # whether the values of the first batch were looked at
        self._told: set[int] = set()  # classes without a weight

    def peek(self, epoch: int = 0) -> Batch:
        """The first batch of an epoch, which is yielded again when that epoch is read.

        Raises:
            DataError: there is none.
        """
        if self._peeked is None or not (self.goes_on or self._peeked[0] == epoch):
            stream = self.read(epoch)
            batch = self._next(stream, Place(0, epoch))
            if batch is None:
                raise _nothing(self)
            self._peeked = (epoch, stream, batch)
        return self._peeked[2]

    def epoch(self, index: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            DataError: the first epoch has no batches, or a batch is unlike the first.

        Warns:
            UserWarning: the batches end before the epoch, or before the last epoch. Then `exhausted` is true.
        """
        if self.exhausted:
            return
        peeked, self._peeked = self._peeked, None
        if self._first_epoch is None:
            self._first_epoch = index
        batch: Batch | None
        if peeked is not None and (self.goes_on or peeked[0] == index):
            _, stream, batch = peeked
        else:
            stream = self.read(index)
            batch = self._next(stream, Place(0, index))
        count = 0
        while batch is not None:
            yield batch
            count += 1
            batch = None if count == self.plan.steps else self._next(stream, Place(count, index))
        self.end(index)
        self._look_back(index, count)

    def _next(self, stream: Iterator[Any], place: Place) -> Batch | None:
        """The next batch; `None` after the last."""
        try:
            raw = next(stream, END)
        except Exception as error:
            error.add_note(f"while reading {place}")
            raise
        if raw is END:
            return None
        x, y, sample_weight = self._uniform.batch(raw, place)
        if self.plan.class_weight is not None and y is not None:
            if sample_weight is not None:
                raise DataError(
                    f"{place} has sample weights already.",
                    path="class_weight",
                    expected="batches (x, y), or no class_weight",
                    received="(x, y, sample_weight)",
                )
            check_class_weight(y, self.plan.class_weight, self._told)
            sample_weight = class_weights(y, self.plan.class_weight)
        if self.batch_size is None:
            self.batch_size = batch_size_of(x)
        if not self._checked:
            self._checked = True
            check_values({"x": x, "y": y, "sample_weight": sample_weight})
        return x, y, sample_weight

    def _look_back(self, index: int, count: int) -> None:
        """Whether an epoch had the batches that it should have."""
        wanted, left = self.plan.steps, self.plan.epochs - index - 1
        if count == 0 and index == self._first_epoch:
            raise _nothing(self)
        if wanted is not None and count < wanted:
            self.exhausted = True
            warnings.warn(
                f"The data produced {count} of {wanted} batches in epoch {index + 1}: it has run out, so this was the"
                " last epoch. Give data that repeats, such as an endless generator, or ask for fewer steps.",
                stacklevel=3,
            )
        elif wanted is None:
            self.steps = count
            self.exhausted = self.goes_on
            if self.exhausted and left > 0:
                warnings.warn(
                    f"The data ended after {count} batches in epoch {index + 1} of {self.plan.epochs}, and cannot be"
                    " read again, so this was the last epoch. Give data that can be iterated again and again, or an"
                    " endless iterator and `steps_per_epoch`.",
                    stacklevel=3,
                )

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


def _nothing(source: Source) -> DataError:
    return DataError("the data has no batches.", expected="at least one batch", received=type(source).__name__)
