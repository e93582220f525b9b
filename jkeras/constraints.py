"""Constraints: projections, pure functions from a weight to a weight, applied after each update.

A norm here is the Euclidean norm over `axis`: one norm for each index into the other axes. It is computed in float32 at
least; the result has the dtype of the weight.

| kernel of        | shape                      | `axis` for one norm per output |
|------------------|----------------------------|--------------------------------|
| `Dense`          | (inputs, outputs)          | `0`                            |
| `Conv2D`         | (h, w, inputs, outputs)    | `(0, 1, 2)`                    |
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jkeras import arguments, config, families
from jkeras.configurable import Configurable
from jkeras.functional.roots import root
from jkeras.typing import Array, Axes, Config, Identifier


class Constraint(Configurable):
    """The base of constraints: subclasses define `__call__(w)`. The base itself changes nothing.

    >>> from jkeras import constraints
    >>> class Clip(constraints.Constraint):
    ...     def __call__(self, w):
    ...         return w.clip(-1, 1)
    >>> Clip()(jnp.array([0.5, 3.0])).tolist()
    [0.5, 1.0]

    Source: `keras.constraints.Constraint`.
    """

    def __call__(self, w: Array) -> Array:
        """The nearest weight that satisfies the constraint."""
        return w


family = families.Family("constraint", "keras.constraints", base=Constraint)
family.register()(Constraint)


@family.register()
class NonNeg(Constraint):
    """No element below zero: `max(w, 0)`.

    >>> from jkeras import constraints
    >>> constraints.NonNeg()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]

    Source: `keras.constraints.NonNeg`.
    """

    def __call__(self, w: Array) -> Array:
        """The weight with its negative elements set to zero."""
        w = jnp.asarray(w)
        return jnp.maximum(w, 0)


class _NormConstraint(Constraint):
    """A constraint on the norms over `axis`; subclasses say what a norm should become."""

    def __init__(self, axis: Axes) -> None:
        self.axis = _checked_axis(axis, type(self).__name__)
        self._epsilon = config.epsilon()

    def __call__(self, w: Array) -> Array:
        """The weight, rescaled so that its norms are what the constraint allows."""
        w = jnp.asarray(w)
        dtype = jnp.result_type(w, 0.0)
        wide = jnp.asarray(w, jnp.promote_types(dtype, "float32"))
        norms = root(jnp.sum(jnp.square(wide), axis=self.axis, keepdims=True))
        # Keras's quotient: `epsilon` in the denominator keeps zero vectors at zero.
        factor = self._desired(norms) / (self._epsilon + norms)
        return (wide * jnp.broadcast_to(factor, wide.shape)).astype(dtype)

    def _desired(self, norms: Array) -> Array:
        raise NotImplementedError

    def _axis_config(self) -> Any:
        return list(self.axis) if isinstance(self.axis, tuple) else self.axis


@family.register()
class MaxNorm(_NormConstraint):
    """Norms at most `max_value`: longer vectors are shortened to it.

        w * min(|w|, max_value) / (epsilon + |w|)

    Args:
        max_value: the largest norm, >= 0.
        axis: the axis or axes of a vector.

    Raises:
        ArgumentError: an argument that is not one of these.

    >>> from jkeras import constraints
    >>> [round(v, 3) for v in constraints.MaxNorm(2.5)(jnp.array([3.0, 4.0])).tolist()]  # norm 5
    [1.5, 2.0]

    Source: Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html, section 5.1.
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        super().__init__(axis)
        self.max_value = _norm(max_value, "max_value", "MaxNorm")

    def _desired(self, norms: Array) -> Array:
        return jnp.minimum(norms, self.max_value)

    def get_config(self) -> Config:
        """`{"max_value", "axis"}`."""
        return {"max_value": self.max_value, "axis": self._axis_config()}


@family.register()
class UnitNorm(_NormConstraint):
    """Norms of 1: `w / (epsilon + |w|)`.

    Args:
        axis: the axis or axes of a vector.

    Raises:
        ArgumentError: an axis that is neither an int nor a sequence of ints.

    >>> from jkeras import constraints
    >>> [round(v, 3) for v in constraints.UnitNorm()(jnp.array([3.0, 4.0])).tolist()]
    [0.6, 0.8]

    Source: `keras.constraints.UnitNorm`.
    """

    def __init__(self, axis: Axes = 0) -> None:
        super().__init__(axis)

    def _desired(self, norms: Array) -> Array:
        return jnp.ones_like(norms)

    def get_config(self) -> Config:
        """`{"axis": axis}`."""
        return {"axis": self._axis_config()}


@family.register()
class MinMaxNorm(_NormConstraint):
    """Norms pulled into an interval, all the way or part of it.

        w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / (epsilon + |w|)

    Args:
        min_value, max_value: the interval, `0 <= min_value <= max_value`.
        rate: how far towards it, in [0, 1]; at 1 all of the way.
        axis: the axis or axes of a vector.

    Raises:
        ArgumentError: an argument that is not one of these.

    >>> from jkeras import constraints
    >>> constraint = constraints.MinMaxNorm(min_value=1.0, max_value=3.0, rate=0.5)
    >>> [round(v, 3) for v in constraint(jnp.array([3.0, 4.0])).tolist()]  # norm 5, halfway to 3
    [2.4, 3.2]

    Source: `keras.constraints.MinMaxNorm`.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0) -> None:
        super().__init__(axis)
        self.min_value = _norm(min_value, "min_value", "MinMaxNorm")
        self.max_value = _norm(max_value, "max_value", "MinMaxNorm", least=self.min_value)
        self.rate = _norm(rate, "rate", "MinMaxNorm", most=1)

    def _desired(self, norms: Array) -> Array:
        return self.rate * jnp.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms

    def get_config(self) -> Config:
        """`{"min_value", "max_value", "rate", "axis"}`."""
        values = {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate}
        return {**values, "axis": self._axis_config()}


def get(identifier: Identifier) -> Any:
    """The constraint of a name, a config, a class or a callable; `None` for `None`.

    Args:
        identifier: a name such as `"max_norm"`, a config that `serialize` made, a class, or a callable from weight to
            weight, which comes back as it is.

    Raises:
        UnknownNameError: no constraint has the name.
        ArgumentError: the identifier is not one of these.

    >>> from jkeras import constraints
    >>> constraints.get("max_norm")
    MaxNorm(axis=0, max_value=2)
    """
    return family.get(identifier)


def serialize(constraint: object) -> Any:
    """The config of a constraint.

    Args:
        constraint: a constraint.

    >>> from jkeras import constraints
    >>> constraints.serialize(constraints.UnitNorm())
    {'module': 'keras.constraints', 'class_name': 'UnitNorm', 'config': {'axis': 0}, 'registered_name': None}
    """
    return family.serialize(constraint)


def deserialize(config: str | Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint of a config that `serialize` made, here or in Keras, or of a name.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import constraints
    >>> constraints.deserialize({"class_name": "UnitNorm", "config": {"axis": [0, 1]}})
    UnitNorm(axis=(0, 1))
    """
    return family.deserialize(config, custom_objects)


def _norm(value: object, name: str, owner: str, *, least: float = 0, most: float = float("inf")) -> float:
    norm: float = arguments.number(value, name, owner, interval=f"[{least}, {most}]")
    return norm


def _checked_axis(axis: Any, owner: str) -> int | tuple[int, ...]:
    axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    if not axes or not all(isinstance(each, int) and not isinstance(each, bool) for each in axes):
        raise arguments.refusal(axis, "axis", owner, "an integer or a sequence of integers", write=f"{owner}(axis=0)")
    return axes if isinstance(axis, list | tuple) else axis


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]
