"""Datasets that fail in every way. Worker processes import this module, so it imports little."""

import ctypes
import os
import signal
import sys
import time

import numpy as np

from jkeras.utils import PyDataset


class Numbered(PyDataset):
    """Batches `(x, y)` of two examples: x holds the index, y the process that made it."""

    def __init__(self, length: int | None = 6, **options):
        super().__init__(**options)
        self.length = length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return np.full((2, 3), index, "float32"), np.full(2, os.getpid())


class Failing(Numbered):
    """Fails at index 3."""

    def __init__(self, how: str, **options):
        super().__init__(**options)
        self.how = how

    def __getitem__(self, index):
        if index == 3:
            getattr(self, f"by_{self.how}")()
        return super().__getitem__(index)

    def by_raising(self):
        raise KeyError("three")

    def by_raising_what_cannot_be_sent(self):
        raise Unsendable("one", "two")

    def by_death(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def by_leaving(self):
        os._exit(123)

    def by_exiting(self):
        sys.exit(7)

    def by_a_crash(self):
        ctypes.string_at(0)

    def by_hanging(self):
        time.sleep(1000)


class Unsendable(Exception):
    """Cannot be made from its `args`, so it cannot be unpickled."""

    def __init__(self, first, second):
        super().__init__(first)


class Strings(Numbered):
    """Batch 3 is made of strings."""

    def __getitem__(self, index):
        return (np.array(["a", "b"]), None) if index == 3 else super().__getitem__(index)


class Counting(Numbered):
    """Batches say which epoch it is, according to the hooks."""

    epoch = 0

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, index):
        return np.full((1, 1), 10 * self.epoch + index, "float32")


class Kinds(Numbered):
    """Arrays of unusual kinds: empty, scalar-like, boolean, of 64 bits, nested."""

    def __getitem__(self, index):
        return {
            "empty": np.zeros((2, 0), "float32"),
            "flags": [np.array([True, False])],
            "wide": np.arange(2, dtype="float64"),
            "reversed": np.arange(6, dtype="int16").reshape(2, 3)[:, ::-1],
            "list": [1, 2],
        }
