"""Adagrad."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class Adagrad(Optimizer):
    """Gradients over the root of the sum of their squares.

        a += g**2
        w -= learning_rate * g / sqrt(a + epsilon)

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        initial_accumulator_value: where `a` starts, at least 0.
        epsilon: keeps the quotient finite; it stands under the root.

    Shapes: the state holds one array per parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Adagrad(0.1, initial_accumulator_value=0.0)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -2.0]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.1000 0.1000

    The source is Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (2011).
    """

    learning_rate: LearningRate = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "initial_accumulator_value": "[0, inf)",
        "epsilon": "[0, inf)",
    }

    def hyperparameters(self) -> tuple[str, ...]:
        return ("epsilon",)

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_rss(self.initial_accumulator_value, hyper["epsilon"]),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )
