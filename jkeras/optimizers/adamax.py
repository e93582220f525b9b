"""Adamax."""

import dataclasses
from collections.abc import Mapping

import jax
import optax

from jkeras.optimizers.lookup import register
from jkeras.optimizers.moments import TwoMoments
from jkeras.typing import Array, ArrayTree, PyTree


@register
@dataclasses.dataclass(frozen=True)
class Adamax(TwoMoments):
    """`Adam` with the infinity norm in place of the second moment.

        m = beta_1 * m + (1 - beta_1) * g
        u = max(beta_2 * u, |g|)
        w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)

    `optax.adamax` adds `epsilon` to `|g|` inside the maximum; here it is added to the maximum.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_1, beta_2: decay of the first moment and of the norm, in [0, 1).
        epsilon: keeps the quotient finite.

    Shapes: the state holds two arrays per parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Adamax(0.1)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.1000 0.1000

    The source is Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), section 7.1.
    """

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            _scale_by_adamax(hyper["beta_1"], hyper["beta_2"], hyper["epsilon"]),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )


def _scale_by_adamax(beta_1: Array, beta_2: Array, epsilon: Array) -> optax.GradientTransformation:
    def update(
        updates: ArrayTree, state: optax.ScaleByAdamState, params: ArrayTree | None = None
    ) -> tuple[PyTree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        mu = optax.tree.update_moment(updates, state.mu, beta_1, 1)
        nu = optax.tree.update_infinity_moment(updates, state.nu, beta_2, 0.0)
        corrected = optax.tree.bias_correction(mu, beta_1, count)
        updates = jax.tree.map(lambda m, u: m / (u + epsilon), corrected, nu)
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adamax().init, update)
