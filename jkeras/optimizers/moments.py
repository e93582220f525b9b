"""The arguments of the optimizers that follow two moments of the gradients, as Adam does."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from jkeras.optimizers.base import LearningRate, Optimizer


@dataclasses.dataclass(frozen=True)
class TwoMoments(Optimizer):
    """An optimizer with two decays and a small number in a denominator. Subclasses describe the transformation.

    Args:
        beta_1, beta_2: the decays, in [0, 1).
        epsilon: keeps the quotient finite.
    """

    learning_rate: LearningRate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "beta_1": "[0, 1)",
        "beta_2": "[0, 1)",
        "epsilon": "[0, inf)",
    }

    def hyperparameters(self) -> tuple[str, ...]:
        return ("beta_1", "beta_2", "epsilon")
