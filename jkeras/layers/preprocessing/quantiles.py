"""Quantiles of data that come in batches, from a summary of bounded size.

A summary is a float32 array `(2, n)`: values in ascending order, and how many values of the data each stands for. The
arithmetic is Keras's, so that the same batches give the same boundaries.
"""

import numpy as np

from jkeras.errors import DataError


def summarize(values: np.ndarray, epsilon: float) -> np.ndarray:
    """The summary of one batch: every `epsilon * n`-th of its `n` values.

    >>> summarize(np.arange(8.0), 0.25).tolist()
    [[1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0]]
    """
    step = max(values.size / (1.0 / epsilon), 1.0)  # rounded as Keras does
    chosen = np.sort(values)[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def merge(one: np.ndarray, two: np.ndarray, epsilon: float) -> np.ndarray:
    """The summary of two batches together.

    >>> merge(np.array([[1.0], [1.0]]), np.array([[0.0], [1.0]]), 0.1).tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    both = np.concatenate([one, two], axis=1)
    return compress(both[:, np.argsort(both[0])], epsilon)


def compress(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of `1 / epsilon` values, interpolated at equal steps of the cumulated weight."""
    if summary.shape[1] * epsilon < 1:
        return summary
    quantiles = epsilon + np.arange(0.0, 1.0, epsilon)
    cumulated = summary[1].cumsum()
    shares = cumulated / cumulated[-1]
    values = np.interp(quantiles, shares, summary[0])
    weights = np.diff(np.interp(quantiles, shares, cumulated), prepend=0.0)
    return np.stack([values, weights]).astype("float32")


def boundaries_of(summary: np.ndarray, bins: int) -> list[float]:
    """The boundaries between bins of equal weight.

    >>> boundaries_of(summarize(np.arange(100.0), 0.01), 2)
    [49.0]
    """
    if not summary.size:
        raise DataError(
            "`data` must have at least one value, got none.",
            path="adapt",
            expected="at least one value",
            received="0 values",
            write="layer = layer.adapt(np.array([1.0, 2.0]))",
        )
    boundaries: list[float] = compress(summary, 1.0 / bins)[0, :-1].tolist()
    return boundaries
