"""Adadelta."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class Adadelta(Optimizer):
    """Gradients in the units of the parameters: over their own mean square, times that of the steps.

        v = rho * v + (1 - rho) * g**2
        step = sqrt(d + epsilon) / sqrt(v + epsilon) * g
        d = rho * d + (1 - rho) * step**2
        w -= learning_rate * step

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have. The paper's is 1.
        rho: decay of both averages, in [0, 1].
        epsilon: starts the steps, and keeps the quotient finite.

    Shapes: the state holds two arrays per parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Adadelta(1.0, rho=0.75, epsilon=0.01)
    >>> updates, _ = optimizer.update(jnp.array([2.0, -2.0]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.3f} {updates[1]:.3f}")
    -0.199 0.199

    The source is Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012), arXiv:1212.5701.
    """

    learning_rate: LearningRate = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    intervals: ClassVar[Mapping[str, str]] = {**Optimizer.intervals, "rho": "[0, 1]", "epsilon": "[0, inf)"}

    def hyperparameters(self) -> tuple[str, ...]:
        return ("rho", "epsilon")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_adadelta(hyper["rho"], hyper["epsilon"]),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )
