"""Nadam."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jkeras.optimizers.lookup import register
from jkeras.optimizers.moments import TwoMoments
from jkeras.typing import Array, ArrayTree, PyTree

SCHEDULE_DECAY = 0.96  # of the paper's momentum schedule, per step


@register
@dataclasses.dataclass(frozen=True)
class Nadam(TwoMoments):
    """`Adam` with Nesterov momentum that warms up.

        u(t) = beta_1 * (1 - 0.96**t / 2)                        the momentum at step t;  U(t) = u(1) * ... * u(t)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        n = u(t+1) * m / (1 - U(t+1)) + (1 - u(t)) * g / (1 - U(t))
        w -= learning_rate * n / (sqrt(v / (1 - beta_2**t)) + epsilon)

    `optax.nadam` keeps the momentum constant.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_1, beta_2: decay of the first and of the second moment, in [0, 1).
        epsilon: keeps the quotient finite.

    Shapes: the state holds two arrays per parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Nadam(0.1)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.1063 0.1063

    The source is Dozat, "Incorporating Nesterov Momentum into Adam" (2016).
    """

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return optax.chain(
            _scale_by_nadam(hyper["beta_1"], hyper["beta_2"], hyper["epsilon"]),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )


class _NadamState(NamedTuple):
    count: Array  # type: ignore[assignment]  # hides tuple.count
    product: Array  # U(t)
    mu: PyTree
    nu: PyTree


def _scale_by_nadam(beta_1: Array, beta_2: Array, epsilon: Array) -> optax.GradientTransformation:
    def init(params: ArrayTree) -> _NadamState:
        zeros = optax.tree.zeros_like(params)
        return _NadamState(jnp.zeros((), "int32"), jnp.ones((), "float32"), zeros, optax.tree.zeros_like(params))

    def update(updates: ArrayTree, state: _NadamState, params: ArrayTree | None = None) -> tuple[PyTree, _NadamState]:
        count = optax.safe_increment(state.count)
        now = beta_1 * (1 - 0.5 * SCHEDULE_DECAY**count)
        following = beta_1 * (1 - 0.5 * SCHEDULE_DECAY ** (count + 1))
        product = state.product * now
        of_moment, of_gradient = following / (1 - product * following), (1 - now) / (1 - product)
        mu = optax.tree.update_moment(updates, state.mu, beta_1, 1)
        nu = optax.tree.update_moment_per_elem_norm(updates, state.nu, beta_2, 2)
        updates = jax.tree.map(
            lambda m, g, v: (of_moment * m + of_gradient * g) / (jnp.sqrt(v) + epsilon),
            mu,
            updates,
            optax.tree.bias_correction(nu, beta_2, count),
        )
        return updates, _NadamState(count, product, mu, nu)

    return optax.GradientTransformation(init, update)
