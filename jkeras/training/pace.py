"""Pace: how many batches one call of a program runs."""

import time

import jax

CALL_SECONDS = 0.02  # what a call of a program aims to take: long beside its dispatch, short beside a person's patience


class Pace:
    """How many batches a call runs.

    Args:
        steps: a fixed number, or `"auto"`: after one call to compile and two to measure, as many as take about
            `CALL_SECONDS`.

    >>> Pace(16).next(100), Pace(16).next(10), Pace("auto").next(100)
    (16, 10, 1)
    """

    def __init__(self, steps: int | str) -> None:
        self.steps = 1 if steps == "auto" else int(steps)
        self.calls_to_measure = 3 if steps == "auto" else 0

    def next(self, remaining: int) -> int:
        """How many of the remaining batches the next call runs."""
        return min(self.steps, remaining)

    def measure(self, steps: int, begun: float, results: object) -> None:
        """Takes note of a call that began at a time and gave results. The first one compiles, so it says nothing."""
        if self.calls_to_measure == 0:
            return
        jax.block_until_ready(results)
        self.calls_to_measure -= 1
        if self.calls_to_measure < 2:  # a single step takes longer than its share of several
            self.steps = max(1, int(CALL_SECONDS * steps / max(time.perf_counter() - begun, 1e-9)))
