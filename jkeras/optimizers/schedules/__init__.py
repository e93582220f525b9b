"""Learning rate schedules: frozen configurations that are functions of the step.

A schedule is called with a step, a scalar counting from 0, and returns a float32 scalar. It stands wherever an optax
schedule does, and an optax schedule stands wherever one of these does. The formulas are optax's where it has them.
"""

from jkeras.optimizers.schedules.base import LearningRateSchedule, deserialize, get, serialize
from jkeras.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from jkeras.optimizers.schedules.decay import ExponentialDecay, InverseTimeDecay
from jkeras.optimizers.schedules.pieces import PiecewiseConstantDecay, PolynomialDecay

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]
