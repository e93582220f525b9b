"""ScheduleFreeAdamW."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array, ArrayTree


@register
@dataclasses.dataclass(frozen=True)
class ScheduleFreeAdamW(Optimizer):
    """Adam with averaging in place of a learning rate schedule.

        v = beta_2 * v + (1 - beta_2) * g**2
        z -= learning_rate * min(t / warmup_steps, 1) * g / (sqrt(v / (1 - beta_2**t)) + epsilon)
        x = (1 - 1/t) * x + 1/t * z
        w = beta_1 * x + (1 - beta_1) * z

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_1: share of the average `x` in the parameters, in (0, 1].
        beta_2: decay of the second moment, in [0, 1).
        epsilon: keeps the quotient finite.
        warmup_steps: the learning rate grows linearly over so many steps.

    Shapes: the state holds two arrays per parameter. `update` needs the parameters.

    >>> import jax.numpy as jnp
    >>> optimizer = ScheduleFreeAdamW(0.1, warmup_steps=2)
    >>> params = jnp.zeros(2)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(params), params)
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.0500 0.0500

    The source is Defazio et al., "The Road Less Scheduled" (2024), arXiv:2405.15682.
    """

    learning_rate: LearningRate = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "beta_1": "(0, 1]",
        "beta_2": "[0, 1)",
        "epsilon": "[0, inf)",
    }
    minima: ClassVar[Mapping[str, int]] = {**Optimizer.minima, "warmup_steps": 0}

    def hyperparameters(self) -> tuple[str, ...]:
        return ("step", "beta_1", "beta_2", "epsilon")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        warmup = jnp.minimum(hyper["step"] / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        descent = optax.chain(
            optax.scale_by_rms(hyper["beta_2"], hyper["epsilon"], eps_in_sqrt=False, bias_correction=True),
            optax.scale_by_learning_rate(hyper["learning_rate"] * warmup),
        )
        # Power 0 gives every step the same weight in the average.
        averaged = optax.contrib.schedule_free(descent, hyper["learning_rate"], hyper["beta_1"], weight_lr_power=0.0)

        def init(params: ArrayTree) -> optax.contrib.ScheduleFreeState:
            # optax gives its scalars the lowest dtype among the parameters; in bfloat16 the sum of weights ends at 256.
            scalars = averaged.init(jnp.zeros((), "float32"))
            return scalars._replace(base_optimizer_state=descent.init(params), z=jax.tree.map(jnp.array, params))

        return optax.GradientTransformationExtraArgs(init, averaged.update)
