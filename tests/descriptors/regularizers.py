"""One row per public regularizer and way to make it. Between them the rows move each argument off its default."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import regularizers


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """A public name and the arguments of its constructor."""

    name: str
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.kwargs.items())])

    def of(self, library: Any) -> Any:
        """The regularizer of `jkeras.regularizers` or `keras.regularizers`."""
        return getattr(library, self.name)(**self.kwargs)

    def make(self) -> Any:
        """Ours."""
        return self.of(regularizers)


def sample(dtype: str = "float32") -> jax.Array:
    """A (4, 3) matrix without zeros."""
    values = np.random.default_rng(1).normal(size=(4, 3))
    assert np.abs(values).min() > 0.02
    return jnp.asarray(values, dtype)


ROWS = (
    Regularizer("L1"),
    Regularizer("L1", {"l1": 0.3}),
    Regularizer("L2"),
    Regularizer("L2", {"l2": 0.3}),
    Regularizer("L1L2"),
    Regularizer("L1L2", {"l1": 0.3}),
    Regularizer("L1L2", {"l2": 0.3}),
    Regularizer("L1L2", {"l1": 0.3, "l2": 0.7}),
    Regularizer("OrthogonalRegularizer"),
    Regularizer("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
)
