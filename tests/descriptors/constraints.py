"""One row per public constraint and way to make it. Between them the rows move each argument off its default."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import constraints


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A public name and the arguments of its constructor."""

    name: str
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.kwargs.items())])

    def of(self, library: Any) -> Any:
        """The constraint of `jkeras.constraints` or `keras.constraints`."""
        return getattr(library, self.name)(**self.kwargs)

    def make(self) -> Any:
        """Ours."""
        return self.of(constraints)


def sample(dtype: str = "float32") -> jax.Array:
    """A (2, 3, 4) weight of both signs whose norms over any axes lie on both sides of the rows' bounds."""
    scales = np.array([0.05, 0.6, 2.0, 6.0])
    return jnp.asarray(np.random.default_rng(2).normal(size=(2, 3, 4)) * scales, dtype)


ROWS = (
    Constraint("Constraint"),
    Constraint("NonNeg"),
    Constraint("MaxNorm"),
    Constraint("MaxNorm", {"max_value": 0.7, "axis": [0, 1]}),
    Constraint("UnitNorm"),
    Constraint("UnitNorm", {"axis": (0, 1)}),
    Constraint("MinMaxNorm"),
    Constraint("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.25, "axis": -1}),
)
