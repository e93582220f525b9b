"""Schedules that follow a cosine, with a warm-up or with restarts."""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import optax

from jkeras.optimizers.schedules.base import FAMILY, BuiltInSchedule
from jkeras.typing import Array, ArrayLike


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class CosineDecay(BuiltInSchedule):
    """Half a cosine from the initial rate down to `alpha` times it, after a linear warm-up where there is a target.

        warmup:  initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps
        decay:   top * ((1 - alpha) * (1 + cos(pi * min(s / decay_steps, 1))) / 2 + alpha)

    `s` are the steps after the warm-up, `top` is the target, or the initial rate without one.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: number of steps of the decay.
        alpha: the last rate as a share of the top one.
        name: kept in the config.
        warmup_target: the rate to which the warm-up leads; `None` for no warm-up.
        warmup_steps: number of steps of the warm-up.

    >>> schedule = CosineDecay(0.0, decay_steps=10, warmup_target=1.0, warmup_steps=4)
    >>> print(schedule(1), schedule(4), schedule(9).round(4), schedule(14))
    0.25 1.0 0.5 0.0

    The sources are Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), and, for the
    warm-up, Goyal et al., "Accurate, Large Minibatch SGD" (2017).
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    intervals: ClassVar[Mapping[str, str]] = {
        **BuiltInSchedule.decay,
        "alpha": "[0, inf)",
        "warmup_target": "[0, inf)",
        "warmup_steps": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        rate: ArrayLike
        if self.warmup_target is None:
            rate = optax.cosine_decay_schedule(self.initial_learning_rate, self.decay_steps, self.alpha)(step)
            return rate
        decay = optax.cosine_decay_schedule(self.warmup_target, self.decay_steps, self.alpha)
        if not self.warmup_steps:
            rate = decay(step)
            return rate
        warmup = optax.linear_schedule(self.initial_learning_rate, self.warmup_target, self.warmup_steps)
        rate = optax.join_schedules([warmup, decay], [self.warmup_steps])(step)
        return rate


@FAMILY.register()
@dataclasses.dataclass(frozen=True)
class CosineDecayRestarts(BuiltInSchedule):
    """Half cosines, one after the other, each `t_mul` times as long and `m_mul` times as high as the one before.

        rate = initial_learning_rate * ((1 - alpha) * m_mul**i * (1 + cos(pi * f)) / 2 + alpha)

    `i` counts the restarts, `f` is the share of the present half cosine that has passed.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: number of steps of the first half cosine.
        t_mul: how much longer each is, at least 1.
        m_mul: how much higher each starts.
        alpha: the lowest rate as a share of the initial one.
        name: kept in the config.

    >>> schedule = CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)
    >>> print(schedule(0), schedule(5).round(4), schedule(10), schedule(20).round(4))
    1.0 0.5 0.5 0.25

    The source is Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    intervals: ClassVar[Mapping[str, str]] = {
        "initial_learning_rate": "[0, inf)",
        "first_decay_steps": "(0, inf)",
        "t_mul": "[1, inf)",
        "m_mul": "[0, inf)",
        "alpha": "[0, inf)",
    }

    def _at(self, step: Array) -> ArrayLike:
        time = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = jnp.floor(time)
            share = time - restarts
        else:
            # The first n half cosines take (t_mul**n - 1) / (t_mul - 1) units of time. The quotient errs by about 1e-6:
            # without the 1e-5 a restart could come a step late, after a step at the lowest rate.
            restarts = jnp.floor(jnp.log(1 - time * (1 - self.t_mul)) / math.log(self.t_mul) + 1e-5)
            length = self.t_mul**restarts
            share = (time - (1 - length) / (1 - self.t_mul)) / length
        cosine = 0.5 * self.m_mul**restarts * (1 + jnp.cos(jnp.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)
