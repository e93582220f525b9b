"""Counting batches where one call runs several."""

from jkeras.callbacks.arguments import check_frequency


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
        self.frequency = check_frequency(owner, name, frequency)
        self.passed = 0
        self.last = -1

    @property
    def is_epoch(self) -> bool:
        """Whether epochs count, not batches."""
        return self.frequency == "epoch"

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
