"""Gradient descent, with momentum."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum where asked.

        velocity = momentum * velocity - learning_rate * g
        w += velocity                                           nesterov: w += momentum * velocity - learning_rate * g

    The learning rate is inside the velocity: after a change of it, old gradients keep the rate they came with.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        momentum: share of the last step that is kept, in [0, 1].
        nesterov: whether to look ahead along the velocity.

    Shapes: the state holds one array per parameter where there is momentum, else none.

    >>> import jax.numpy as jnp
    >>> optimizer = SGD(0.1, momentum=0.5)
    >>> opt_state = optimizer.init(jnp.zeros(2))
    >>> for _ in range(2):
    ...     updates, opt_state = optimizer.update(jnp.array([1.0, -2.0]), opt_state)
    >>> print(updates)
    [-0.15  0.3 ]

    The source is Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
    """

    learning_rate: LearningRate = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    intervals: ClassVar[Mapping[str, str]] = {**Optimizer.intervals, "momentum": "[0, 1]"}

    def hyperparameters(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        descent = optax.scale_by_learning_rate(hyper["learning_rate"])
        return optax.chain(descent, optax.trace(hyper["momentum"], self.nesterov)) if self.momentum else descent
