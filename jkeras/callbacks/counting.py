"""Counting batches where one call runs several."""

from numbers import Integral
from typing import Any

from jkeras import arguments


class EveryBatches:
    """Says at which hooks so many batches have passed since it last said so.

    Args:
        owner, name: whose argument the frequency is, for messages.
        frequency: batches, or `"epoch"`: then never.

    >>> every = EveryBatches("ModelCheckpoint", "save_freq", 3)
    >>> [every.due(batch) for batch in (0, 1, 2, 3, 0, 4)]
    [False, False, True, False, False, True]
    """

    def __init__(self, owner: str, name: str, frequency: int | str) -> None:
        self.frequency = _checked(frequency, name, owner)
        self.passed = 0
        self.last = -1

    @property
    def is_epoch(self) -> bool:
        """Whether epochs count, not batches."""
        return bool(self.frequency == "epoch")

    def due(self, batch: int) -> bool:
        """Whether enough batches have passed with this one, an index within its epoch."""
        if isinstance(self.frequency, str):
            return False
        new_epoch = batch <= self.last
        self.passed += batch + 1 if new_epoch else batch - self.last
        self.last = batch
        if self.passed < self.frequency:
            return False
        self.passed = 0
        return True


def _checked(value: Any, argument: str, owner: str) -> Any:
    """The frequency: `"epoch"`, or how many batches."""
    if isinstance(value, str) and value == "epoch":
        return value
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        wanted, expected = "'epoch' or a positive integer of batches", "'epoch', or an int >= 1"
        raise arguments.refusal(
            value, argument, owner, wanted, expected=expected, write=f"{owner}(..., {argument}='epoch')"
        )
    return int(value)
