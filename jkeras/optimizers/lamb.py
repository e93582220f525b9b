"""Lamb."""

import dataclasses
from collections.abc import Mapping

import optax

from jkeras.optimizers.lookup import register
from jkeras.optimizers.moments import TwoMoments
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class Lamb(TwoMoments):
    """`Adam` whose step on each array is as long as the array, for large batches.

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        s = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)
        w -= learning_rate * s * |w| / |s|                       the ratio is 1 where a norm is 0

    Weight decay is the decoupled one of all optimizers, not the paper's term inside `s`.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_1, beta_2: decay of the first and of the second moment, in [0, 1).
        epsilon: keeps the quotient finite.

    Shapes: the state holds two arrays per parameter. `update` needs the parameters.

    >>> import jax.numpy as jnp
    >>> optimizer = Lamb(0.1)
    >>> params = jnp.array([3.0, 4.0])
    >>> updates, _ = optimizer.update(jnp.array([2.0, 0.0]), optimizer.init(params), params)
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.5000 -0.0000

    The source is You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes" (2020),
    arXiv:1904.00962.
    """

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_adam(hyper["beta_1"], hyper["beta_2"], hyper["epsilon"]),
            optax.scale_by_trust_ratio(),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )
