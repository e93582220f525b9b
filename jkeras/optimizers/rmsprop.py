"""RMSprop."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class RMSprop(Optimizer):
    """Gradients over the root of their mean square.

        v = rho * v + (1 - rho) * g**2
        a = rho * a + (1 - rho) * g                              centered; else a = 0
        step = momentum * step + learning_rate * g / sqrt(v - a**2 + epsilon)
        w -= step

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        rho: decay of the averages, in [0, 1].
        momentum: share of the last step that is kept, in [0, 1].
        epsilon: keeps the quotient finite; it stands under the root.
        centered: whether to divide by the standard deviation of the gradients instead.

    Shapes: the state holds one array per parameter, one more with `momentum`, one more if `centered`.

    >>> import jax.numpy as jnp
    >>> optimizer = RMSprop(0.1, rho=0.75)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.2000 0.2000

    The sources are Tieleman and Hinton, "Lecture 6.5: rmsprop" (2012), and, centered, Graves, "Generating Sequences
    With Recurrent Neural Networks" (2013), arXiv:1308.0850.
    """

    learning_rate: LearningRate = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "rho": "[0, 1]",
        "momentum": "[0, 1]",
        "epsilon": "[0, inf)",
    }

    def hyperparameters(self) -> tuple[str, ...]:
        return ("rho", "epsilon", *(("momentum",) if self.momentum else ()))

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        scale = optax.scale_by_stddev if self.centered else optax.scale_by_rms
        steps = [
            scale(hyper["rho"], hyper["epsilon"], eps_in_sqrt=True),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        ]
        return optax.chain(*steps, *([optax.trace(hyper["momentum"])] if self.momentum else []))
