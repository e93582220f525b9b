"""Schedules that decay by a factor: exponential and inverse time decay."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import optax

from jkeras.optimizers.schedules.base import FAMILY, BuiltInSchedule
from jkeras.typing import Array, ArrayLike


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class ExponentialDecay(BuiltInSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: number of steps in which the rate is multiplied by `decay_rate` once.
        decay_rate: a positive factor.
        staircase: whether `step / decay_steps` is rounded down.
        name: kept in the config.

    >>> schedule = ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
    >>> print(schedule(0), schedule(5), schedule(10))
    0.5 0.25 0.125
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    intervals: ClassVar[Mapping[str, str]] = {**BuiltInSchedule.decay, "decay_rate": "(0, inf)"}

    def _at(self, step: Array) -> ArrayLike:
        decay = optax.exponential_decay(
            self.initial_learning_rate, self.decay_steps, self.decay_rate, staircase=self.staircase
        )
        rate: ArrayLike = decay(step)
        return rate


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class InverseTimeDecay(BuiltInSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the unit of time, in steps.
        decay_rate: growth of the denominator per unit of time.
        staircase: whether `step / decay_steps` is rounded down.
        name: kept in the config.

    >>> schedule = InverseTimeDecay(1.0, decay_steps=10, decay_rate=1.0)
    >>> print(schedule(0), schedule(10), schedule(30))
    1.0 0.5 0.25
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    intervals: ClassVar[Mapping[str, str]] = {**BuiltInSchedule.decay, "decay_rate": "[0, inf)"}

    def _at(self, step: Array) -> ArrayLike:
        time = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (jnp.floor(time) if self.staircase else time))
