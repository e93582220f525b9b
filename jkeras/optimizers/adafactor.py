"""Adafactor."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array, ArrayTree, PyTree


@register
@dataclasses.dataclass(frozen=True)
class Adafactor(Optimizer):
    """Second moments kept as a row and a column, so that the state is much smaller than the parameters.

        d = 1 - t**beta_2_decay
        r = d * r + (1 - d) * mean(g**2 + epsilon_1, axis=-1)
        c = d * c + (1 - d) * mean(g**2 + epsilon_1, axis=-2)
        v = r * c / mean(r)                                      arrays of rank 0 and 1 keep v itself
        u = g / sqrt(v)
        w -= max(epsilon_2, rms(w)) * min(learning_rate, 1 / sqrt(t)) * u / max(1, rms(u) / clip_threshold)

    The last two axes are factored, whatever their sizes; `optax.adafactor` takes the two largest.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_2_decay: how the decay approaches 1, at most 0.
        epsilon_1: added to squared gradients.
        epsilon_2: the least root mean square of an array that scales its step.
        clip_threshold: largest root mean square of `u`.
        relative_step: kept for the configs of Keras, where, as here, `1 / sqrt(t)` bounds the rate in any case.

    Shapes: for a parameter `(..., n, m)` the state holds arrays `(..., n)` and `(..., m)`. `update` needs the
    parameters.

    >>> import jax.numpy as jnp
    >>> optimizer = Adafactor(0.5)
    >>> params = jnp.full((2, 3), 2.0)
    >>> updates, _ = optimizer.update(jnp.full((2, 3), 4.0), optimizer.init(params), params)
    >>> print(updates[0])
    [-1. -1. -1.]

    The source is Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost" (2018),
    arXiv:1804.04235.
    """

    learning_rate: LearningRate = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 0.001
    clip_threshold: float = 1.0
    relative_step: bool = True

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "beta_2_decay": "(-inf, 0]",
        "epsilon_1": "[0, inf)",
        "epsilon_2": "[0, inf)",
        "clip_threshold": "(0, inf)",
    }

    def hyperparameters(self) -> tuple[str, ...]:
        return ("step", "beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        step = hyper["step"].astype("float32")
        return optax.chain(
            _scale_by_factored_rms(1 - step ** hyper["beta_2_decay"], hyper["epsilon_1"]),
            optax.clip_by_block_rms(hyper["clip_threshold"]),
            optax.scale_by_param_block_rms(hyper["epsilon_2"]),
            optax.scale_by_learning_rate(jnp.minimum(hyper["learning_rate"], jax.lax.rsqrt(step))),
        )


class _FactoredState(NamedTuple):
    rows: PyTree  # means over the last axis; whole second moments where there is no matrix
    columns: PyTree  # means over the last axis but one; empty where there is no matrix


def _rows(x: Array) -> Array:
    return x.mean(-1) if x.ndim > 1 else x


def _columns(x: Array) -> Array:
    return x.mean(-2) if x.ndim > 1 else jnp.zeros(0, x.dtype)


def _scale_by_factored_rms(decay: Array, epsilon: Array) -> optax.GradientTransformation:
    def init(params: ArrayTree) -> _FactoredState:
        zeros = optax.tree.zeros_like(params)
        return _FactoredState(jax.tree.map(_rows, zeros), jax.tree.map(_columns, zeros))

    def scale(g: Array, row: Array, column: Array) -> Array:
        if g.ndim < 2:
            return g * jax.lax.rsqrt(row)
        row = row / row.mean(-1, keepdims=True)
        return g * jnp.expand_dims(jax.lax.rsqrt(row), -1) * jnp.expand_dims(jax.lax.rsqrt(column), -2)

    def update(
        updates: ArrayTree, state: _FactoredState, params: ArrayTree | None = None
    ) -> tuple[PyTree, _FactoredState]:
        squares = jax.tree.map(lambda g: g * g + epsilon, updates)
        rows = optax.tree.update_moment(jax.tree.map(_rows, squares), state.rows, decay, 1)
        columns = optax.tree.update_moment(jax.tree.map(_columns, squares), state.columns, decay, 1)
        return jax.tree.map(scale, updates, rows, columns), _FactoredState(rows, columns)

    return optax.GradientTransformation(init, update)
