"""What a schedule is: a frozen configuration that is a function of the step."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax.numpy as jnp

from jkeras import families, registry
from jkeras.errors import SerializationError
from jkeras.optimizers.checks import check_number, optional_fields
from jkeras.typing import Array, ArrayLike, Config, Identifier

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
class BuiltInSchedule(LearningRateSchedule):
    """A built-in: its fields are its config, its numbers lie in `intervals`, its formula is in float32."""

    intervals: ClassVar[Mapping[str, str]] = {}
    decay: ClassVar[Mapping[str, str]] = {"initial_learning_rate": "[0, inf)", "decay_steps": "(0, inf)"}
    """The intervals of the two numbers with which most of them begin."""

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


def get(identifier: Identifier) -> Any:
    """The schedule of a name, a config, or of a schedule; any function of the step is one as it is.

    >>> get({"class_name": "InverseTimeDecay", "config": {"initial_learning_rate": 1.0, "decay_steps": 10,
    ...      "decay_rate": 1.0}}).decay_steps
    10
    """
    return FAMILY.get(identifier)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The config of a schedule, in Keras's envelope.

    >>> from jkeras.optimizers.schedules import PolynomialDecay
    >>> serialize(PolynomialDecay(0.1, 100))["class_name"]
    'PolynomialDecay'
    """
    return FAMILY.serialize(learning_rate_schedule)


def deserialize(config: Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule of a config, of ours or of Keras's.

    >>> from jkeras.optimizers.schedules import PolynomialDecay
    >>> deserialize(serialize(PolynomialDecay(0.1, 100))) == PolynomialDecay(0.1, 100)
    True
    """
    return FAMILY.deserialize(config, custom_objects)
