"""Lion."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class Lion(Optimizer):
    """The sign of an interpolated momentum: every component moves by the learning rate.

        w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have. A tenth to a third of
            Adam's is usual.
        beta_1: share of the momentum in the direction, in (0, 1].
        beta_2: decay of the momentum, in [0, 1].

    Shapes: the state holds one array per parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Lion(0.1)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(jnp.zeros(2)))
    >>> print(updates)
    [-0.1  0.1]

    The source is Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023), arXiv:2302.06675.
    """

    learning_rate: LearningRate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    intervals: ClassVar[Mapping[str, str]] = {**Optimizer.intervals, "beta_1": "(0, 1]", "beta_2": "[0, 1]"}

    def hyperparameters(self) -> tuple[str, ...]:
        return ("beta_1", "beta_2")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_lion(hyper["beta_1"], hyper["beta_2"]), optax.scale_by_learning_rate(hyper["learning_rate"])
        )
