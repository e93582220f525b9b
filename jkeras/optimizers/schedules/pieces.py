"""Schedules of pieces: constants between boundaries, and a polynomial that ends or begins again."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import optax

from jkeras.errors import ArgumentError
from jkeras.optimizers.checks import check_number
from jkeras.optimizers.schedules.base import FAMILY, BuiltInSchedule
from jkeras.typing import Array, ArrayLike


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class PiecewiseConstantDecay(BuiltInSchedule):
    """`values[i]` for steps up to and with `boundaries[i]`, the last value after them.

    Args:
        boundaries: increasing steps.
        values: one more than boundaries.
        name: kept in the config.

    >>> schedule = PiecewiseConstantDecay([100, 110], [1.0, 0.5, 0.25])
    >>> print(schedule(100), schedule(101), schedule(111))
    1.0 0.5 0.25
    """

    boundaries: tuple[float, ...]
    values: tuple[float, ...]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        for name in ("boundaries", "values"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # hashable, and safe from the caller's edits
            for number in getattr(self, name):
                check_number(number, name, type(self).__name__, "[0, inf)")
        if len(self.boundaries) != len(self.values) - 1:
            raise ArgumentError(
                f"`values` must have one entry more than `boundaries`, got {len(self.values)}.",
                path=type(self).__name__,
                expected=f"{len(self.boundaries) + 1} values",
                received=f"{len(self.values)} values",
                write=f"{type(self).__name__}(boundaries=[1000], values=[0.1, 0.01])",
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise ArgumentError(
                f"`boundaries` must be strictly increasing, got {self.boundaries}.",
                path=type(self).__name__,
                expected="increasing steps",
                received=self.boundaries,
                write=f"{type(self).__name__}(boundaries={sorted(set(self.boundaries))}, values=[...])",
            )

    def _at(self, step: Array) -> ArrayLike:
        boundaries = jnp.asarray(self.boundaries, "float32")  # (pieces - 1,)
        piece = jnp.searchsorted(boundaries, step, side="left", method="compare_all")
        return jnp.asarray(self.values, "float32")[piece]


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class PolynomialDecay(BuiltInSchedule):
    """`(initial_learning_rate - end_learning_rate) * (1 - min(step / decay_steps, 1)) ** power + end_learning_rate`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: number of steps until the end.
        end_learning_rate: the rate from there on.
        power: of the polynomial.
        cycle: whether the decay goes on towards the next multiple of `decay_steps` instead of ending.
        name: kept in the config.

    >>> schedule = PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.0, power=2.0)
    >>> print(schedule(0), schedule(5), schedule(20))
    1.0 0.25 0.0
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    intervals: ClassVar[Mapping[str, str]] = {
        **BuiltInSchedule.decay,
        "end_learning_rate": "[0, inf)",
        "power": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        first, last = self.initial_learning_rate, self.end_learning_rate
        if not self.cycle:
            rate: ArrayLike = optax.polynomial_schedule(first, last, self.power, self.decay_steps)(step)
            return rate
        cycles = jnp.maximum(jnp.ceil(step / self.decay_steps), 1.0)
        return (first - last) * (1 - step / (self.decay_steps * cycles)) ** self.power + last
