"""Learning rate schedules: frozen configurations that are functions of the step.

A schedule is called with a step, a scalar counting from 0, and returns a float32 scalar. It stands wherever an optax
schedule does, and an optax schedule stands wherever one of these does. The formulas are optax's where it has them.
"""

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

import jax.numpy as jnp
import optax

from jkeras import families, registry
from jkeras.errors import ArgumentError, SerializationError
from jkeras.optimizers.checks import check_number, optional_fields
from jkeras.typing import Array, ArrayLike, Config, Identifier

T = TypeVar("T", bound=type)
MODULE = "keras.optimizers.schedules"


class LearningRateSchedule(abc.ABC):
    """A function of the step that has a config.

    A schedule of your own has `__call__`, and `get_config` where it is to be saved.

    >>> class Harmonic(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.5 / (step + 1)
    >>> Harmonic()(4)
    0.1
    """

    @abc.abstractmethod
    def __call__(self, step: ArrayLike) -> ArrayLike:
        """The learning rate at a step, which is a scalar, possibly traced."""

    def get_config(self) -> Config:
        """The arguments by name."""
        raise SerializationError(
            "a schedule must define `get_config` to be written, and this one does not.",
            path=type(self).__name__,
            write="def get_config(self): return {...}",
        )

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The schedule of a config."""
        return cls(**config)


FAMILY = families.Family("schedule", MODULE, LearningRateSchedule)


@dataclasses.dataclass(frozen=True)
class _Schedule(LearningRateSchedule):
    """A built-in: its fields are its config, its numbers lie in `intervals`, its formula is in float32."""

    intervals: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        optional = optional_fields(self)
        for name, interval in self.intervals.items():
            value = getattr(self, name)
            if value is not None or name not in optional:
                number = check_number(value, name, type(self).__name__, interval)
                # Whole steps stay ints, as configs write them; whatever else was given becomes a float.
                object.__setattr__(self, name, value if isinstance(value, int) else number)

    def __call__(self, step: ArrayLike) -> Array:
        return jnp.asarray(self._at(jnp.asarray(step, "float32")), "float32")

    @abc.abstractmethod
    def _at(self, step: Array) -> ArrayLike:
        """The formula."""

    def get_config(self) -> Config:
        return {field.name: registry.serialize(getattr(self, field.name)) for field in dataclasses.fields(self)}


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class ExponentialDecay(_Schedule):
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

    intervals: ClassVar[Mapping[str, str]] = {
        "initial_learning_rate": "[0, inf)",
        "decay_steps": "(0, inf)",
        "decay_rate": "(0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        decay = optax.exponential_decay(
            self.initial_learning_rate, self.decay_steps, self.decay_rate, staircase=self.staircase
        )
        rate: ArrayLike = decay(step)
        return rate


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class PiecewiseConstantDecay(_Schedule):
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
class PolynomialDecay(_Schedule):
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
        "initial_learning_rate": "[0, inf)",
        "decay_steps": "(0, inf)",
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


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class InverseTimeDecay(_Schedule):
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

    intervals: ClassVar[Mapping[str, str]] = {
        "initial_learning_rate": "[0, inf)",
        "decay_steps": "(0, inf)",
        "decay_rate": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        time = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (jnp.floor(time) if self.staircase else time))


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class CosineDecay(_Schedule):
    """Half a cosine from the initial rate down to `alpha` times it, after a linear warm-up where there is a target.

        warmup:  initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps
        decay:   top * ((1 - alpha) * (1 + cos(pi * min(s / decay_steps, 1))) / 2 + alpha)

    `s` are the steps after the warm-up, `top` is the target, or the initial rate without one.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: number of steps of the decay.
        alpha: the last rate as a share of the top one.
        name: kept in the config.
        warmup_target: the rate to which the warm-up leads; `None` for no warm-up.
        warmup_steps: number of steps of the warm-up.

    >>> schedule = CosineDecay(0.0, decay_steps=10, warmup_target=1.0, warmup_steps=4)
    >>> print(schedule(1), schedule(4), schedule(9).round(4), schedule(14))
    0.25 1.0 0.5 0.0

    The sources are Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), and, for the
    warm-up, Goyal et al., "Accurate, Large Minibatch SGD" (2017).
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    intervals: ClassVar[Mapping[str, str]] = {
        "initial_learning_rate": "[0, inf)",
        "decay_steps": "(0, inf)",
        "alpha": "[0, inf)",
        "warmup_target": "[0, inf)",
        "warmup_steps": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        rate: ArrayLike
        if self.warmup_target is None:
            rate = optax.cosine_decay_schedule(self.initial_learning_rate, self.decay_steps, self.alpha)(step)
            return rate
        decay = optax.cosine_decay_schedule(self.warmup_target, self.decay_steps, self.alpha)
        if not self.warmup_steps:
            rate = decay(step)
            return rate
        warmup = optax.linear_schedule(self.initial_learning_rate, self.warmup_target, self.warmup_steps)
        rate = optax.join_schedules([warmup, decay], [self.warmup_steps])(step)
        return rate


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class CosineDecayRestarts(_Schedule):
    """Half cosines, one after the other, each `t_mul` times as long and `m_mul` times as high as the one before.

        rate = initial_learning_rate * ((1 - alpha) * m_mul**i * (1 + cos(pi * f)) / 2 + alpha)

    `i` counts the restarts, `f` is the share of the present half cosine that has passed.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: number of steps of the first half cosine.
        t_mul: how much longer each is, at least 1.
        m_mul: how much higher each starts.
        alpha: the lowest rate as a share of the initial one.
        name: kept in the config.

    >>> schedule = CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)
    >>> print(schedule(0), schedule(5).round(4), schedule(10), schedule(20).round(4))
    1.0 0.5 0.5 0.25

    The source is Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    intervals: ClassVar[Mapping[str, str]] = {
        "initial_learning_rate": "[0, inf)",
        "first_decay_steps": "(0, inf)",
        "t_mul": "[1, inf)",
        "m_mul": "[0, inf)",
        "alpha": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        time = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = jnp.floor(time)
            share = time - restarts
        else:
            # The first n half cosines take (t_mul**n - 1) / (t_mul - 1) units of time. The quotient errs by about 1e-6:
            # without the 1e-5 a restart could come a step late, after a step at the lowest rate.
            restarts = jnp.floor(jnp.log(1 - time * (1 - self.t_mul)) / math.log(self.t_mul) + 1e-5)
            length = self.t_mul**restarts
            share = (time - (1 - length) / (1 - self.t_mul)) / length
        cosine = 0.5 * self.m_mul**restarts * (1 + jnp.cos(jnp.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


def get(identifier: Identifier) -> Any:
    """The schedule of a name, a config, or of a schedule; any function of the step is one as it is.

    >>> get({"class_name": "InverseTimeDecay", "config": {"initial_learning_rate": 1.0, "decay_steps": 10,
    ...      "decay_rate": 1.0}}).decay_steps
    10
    """
    return FAMILY.get(identifier)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The config of a schedule, in Keras's envelope.

    >>> serialize(PolynomialDecay(0.1, 100))["class_name"]
    'PolynomialDecay'
    """
    return FAMILY.serialize(learning_rate_schedule)


def deserialize(config: Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule of a config, of ours or of Keras's.

    >>> deserialize(serialize(PolynomialDecay(0.1, 100))) == PolynomialDecay(0.1, 100)
    True
    """
    return FAMILY.deserialize(config, custom_objects)


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
