"""Sources: the one form in which the loops read batches.

A source yields an epoch's batches as `(x, y, sample_weight)` of host arrays. A new kind of source defines
`read`. This module does the rest for all of them: it checks that batches look alike, names the batch in errors, counts
the batches of an epoch, and handles the end of the data.
"""

import abc
import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from jkeras.data.arrays import batch_size_of, class_weights
from jkeras.data.checks import check_class_weight, check_values
from jkeras.data.uniform import Batch, BatchPosition, Uniform
from jkeras.errors import DataError, within
from jkeras.typing import DataLike

END = object()


@dataclasses.dataclass(frozen=True)
class Plan:
    """The options with which a source is read.

    Attributes:
        steps: batches per epoch; without it, an epoch is one pass over the data.
        epochs: the final epoch index (exclusive), so that warnings count only needed batches; `None` for
            evaluations, each of which begins again where the data can be read again.
        class_weight: `{class: weight}`, for batches with labels and without weights.
        same_shapes: whether all axes of the batches but the first must stay as they are.
        name: the name of the data in messages, where `x`, `y` and `sample_weight` alone would be ambiguous.

    >>> Plan(steps=5).epochs, Plan(epochs=None).is_evaluation
    (1, True)
    """

    steps: int | None = None
    epochs: int | None = 1
    class_weight: Mapping[int, float] | None = None
    same_shapes: bool = True
    name: str = ""

    @property
    def is_evaluation(self) -> bool:
        """Whether the batches are evaluated, rather than trained on epoch by epoch."""
        return self.epochs is None

    def place(self, batch: int, epoch: int) -> BatchPosition:
        """The name of a batch in messages."""
        return BatchPosition(batch, None if self.is_evaluation else epoch)


class Source(abc.ABC):
    """Batches, epoch by epoch.

    Subclasses define `read`. Use a source in a `with` block, or `close` it.

    Attributes:
        steps: the number of batches of an epoch, where it is known.
        batch_size: the number of examples of a batch, where it is known: after `peek` at the latest.
        exhausted: whether nothing is left to read for another epoch.

    >>> class Counting(Source):
    ...     def read(self, epoch):
    ...         return iter([([epoch, 0], [1, 2]), ([epoch, 1], [3, 4])])
    >>> with Counting() as source:
    ...     [x.tolist() for x, y, sample_weight in source.epoch(7)]
    [[7, 0], [7, 1]]
    """

    goes_on: bool = False
    """Whether an epoch goes on where the one before it ended, rather than begin again."""

    def __init__(self, *, steps: int | None = None, batch_size: int | None = None) -> None:
        self.steps, self.batch_size = steps, batch_size
        self.exhausted = False
        self.use(Plan())

    @abc.abstractmethod
    def read(self, epoch: int) -> Iterator[Any]:
        """The batches of the epoch of an index, as `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

    def end(self, epoch: int) -> None:  # noqa: B027
        """Called when an epoch's batches have been read."""

    def close(self) -> None:  # noqa: B027
        """Releases workers and open files."""

    def use(self, plan: Plan) -> None:
        """Takes a plan, before anything is read."""
        self.plan = plan
        self.steps = plan.steps or self.steps
        self._uniform = Uniform(plan.same_shapes)
        self._peeked: tuple[int, Iterator[Any], Batch] | None = None
        self._first_epoch: int | None = None
        self._told_short = False
        self._checked = False  # whether the values of the first batch were looked at
        self._told: set[int] = set()  # classes without a weight

    def peek(self, epoch: int = 0) -> Batch:
        """The first batch of an epoch, which is yielded again when that epoch is read.

        Raises:
            DataError: there is none.
        """
        if self._peeked is None or not (self.goes_on or self._peeked[0] == epoch):
            stream = self.read(epoch)
            batch = self._next(stream, self.plan.place(0, epoch))
            if batch is None:
                raise self._nothing()
            self._peeked = (epoch, stream, batch)
        return self._peeked[2]

    def epoch(self, index: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            DataError: the first epoch has no batches, or a batch is unlike the first.

        Warns:
            UserWarning: the batches end before the epoch, or before the last epoch. Then `exhausted` is true.
        """
        if self.exhausted and self.plan.is_evaluation:
            raise self._nothing("cannot read the data again: it can be read once and has no batches left.")
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
            batch = self._next(stream, self.plan.place(0, index))
        count = 0
        while batch is not None:
            yield batch
            count += 1
            batch = None if count == self.plan.steps else self._next(stream, self.plan.place(count, index))
        self.end(index)
        self._look_back(index, count)

    def _next(self, stream: Iterator[Any], place: BatchPosition) -> Batch | None:
        """The next batch; `None` after the last. Errors name the data, where it has a name."""
        with within(self.plan.name):
            try:
                raw = next(stream, END)
            except Exception as error:
                error.add_note(f"while reading {place}")
                raise
            return None if raw is END else self._batch(raw, place)

    def _batch(self, raw: Any, place: BatchPosition) -> Batch:
        x, y, sample_weight = self._uniform.batch(raw, place)
        if self.plan.class_weight is not None and y is not None:
            if sample_weight is not None:
                raise DataError(
                    f"{place} must not have sample weights, because `class_weight` is given.",
                    path="class_weight",
                    expected="batches (x, y), or no class_weight",
                    received="(x, y, sample_weight)",
                    write="yield x, y   # class_weight makes the weights",
                )
            check_class_weight(y, self.plan.class_weight, self._told)
            sample_weight = class_weights(y, self.plan.class_weight)
        if self.batch_size is None:
            self.batch_size = batch_size_of(x)
        kinds = ["int"] if self._checked else ["float", "int"]  # of integers those of every batch
        check_values({"x": x, "y": y, "sample_weight": sample_weight}, self.plan.name, kinds)
        self._checked = True
        return x, y, sample_weight

    def _look_back(self, index: int, count: int) -> None:
        """Checks that an epoch had all its batches."""
        if count == 0 and index == self._first_epoch:
            raise self._nothing()
        wanted, epochs = self.plan.steps, self.plan.epochs
        if epochs is None:
            self._look_back_on_evaluation(count)
        elif wanted is not None and count < wanted:
            self.exhausted = True
            warnings.warn(
                f"The data produced {count} of {wanted} batches in epoch {index + 1} and is exhausted, so this was"
                " the last epoch. Pass data that repeats, such as an infinite generator, or fewer steps.",
                stacklevel=3,
            )
        elif wanted is None:
            self.steps = count
            self.exhausted = self.goes_on
            if self.exhausted and index + 1 < epochs:
                warnings.warn(
                    f"The data ended after {count} batches in epoch {index + 1} of {epochs} and cannot be"
                    " read again, so this was the last epoch. Pass data that can be iterated more than once, or an"
                    " infinite iterator and `steps_per_epoch`.",
                    stacklevel=3,
                )

    def _look_back_on_evaluation(self, count: int) -> None:
        """The same for an evaluation: data that can be read again are never exhausted."""
        wanted = self.plan.steps
        short = wanted is not None and count < wanted
        self.exhausted = self.goes_on and (short or wanted is None)
        self.steps = count if wanted is None else self.steps
        if short and not self._told_short:
            self._told_short = True
            name = self.plan.name or "The data"
            warnings.warn(
                f"{name} produced {count} of {wanted} batches, so the evaluation covers only these. Pass data"
                " that repeats, or fewer steps.",
                stacklevel=4,
            )

    def _nothing(self, problem: str = "the data must have at least one batch, got none.") -> DataError:
        received = type(self).__name__
        return DataError(problem, path=self.plan.name or None, expected="at least one batch", received=received)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


SourceLike: TypeAlias = DataLike | Source
"""What becomes a source, or arrays: see `adapt`."""
