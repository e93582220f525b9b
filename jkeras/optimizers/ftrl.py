"""Ftrl."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.lookup import register
from jkeras.typing import Array, ArrayTree, PyTree

STRENGTHS = ("l1_regularization_strength", "l2_regularization_strength", "l2_shrinkage_regularization_strength")


@register
@dataclasses.dataclass(frozen=True)
class Ftrl(Optimizer):
    """Follow the regularized leader: sparse weights for shallow models over large, sparse features.

        h = g + 2 * l2_shrinkage * w
        n' = n + g**2
        z += h - (n'**-power - n**-power) / learning_rate * w
        w = (clip(z, -l1, l1) - z) / ((beta + n'**-power) / learning_rate + 2 * l2)

    optax has no such method; the few lines are ours.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have. It must not be 0.
        learning_rate_power: `power`, at most 0; 0 keeps the rate constant.
        initial_accumulator_value: where `n` starts, at least 0.
        l1_regularization_strength: `l1`; weights whose `|z|` stays below it are 0.
        l2_regularization_strength: `l2`.
        l2_shrinkage_regularization_strength: `l2_shrinkage`, a penalty on magnitudes.
        beta: makes the first steps smaller.

    Shapes: the state holds two arrays per parameter. `update` needs the parameters.

    >>> import jax.numpy as jnp
    >>> optimizer = Ftrl(0.5, initial_accumulator_value=0.0, l1_regularization_strength=1.0)
    >>> params = jnp.zeros(2)
    >>> updates, _ = optimizer.update(jnp.array([3.0, 0.5]), optimizer.init(params), params)
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.3333 0.0000

    The source is McMahan et al., "Ad Click Prediction: a View from the Trenches" (2013).
    """

    learning_rate: LearningRate = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "learning_rate": "(0, inf)",
        "learning_rate_power": "(-inf, 0]",
        **dict.fromkeys(("initial_accumulator_value", *STRENGTHS, "beta"), "[0, inf)"),
    }

    def hyperparameters(self) -> tuple[str, ...]:
        return ("learning_rate_power", *STRENGTHS, "beta")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        return _follow_the_leader(hyper, self.initial_accumulator_value)


class _FtrlState(NamedTuple):
    accumulator: PyTree  # n
    linear: PyTree  # z


def _follow_the_leader(hyper: Mapping[str, Array], initial: float) -> optax.GradientTransformation:
    rate, power, l1 = hyper["learning_rate"], -hyper["learning_rate_power"], hyper["l1_regularization_strength"]
    l2, shrinkage = hyper["l2_regularization_strength"], hyper["l2_shrinkage_regularization_strength"]

    def init(params: ArrayTree) -> _FtrlState:
        return _FtrlState(optax.tree.full_like(params, initial), optax.tree.zeros_like(params))

    def advance(g: Array, w: Array, n: Array, new_n: Array, z: Array) -> Array:
        return z + (g + 2 * shrinkage * w) - (new_n**power - n**power) / rate * w

    def target(n: Array, z: Array) -> Array:
        return (jnp.clip(z, -l1, l1) - z) / ((hyper["beta"] + n**power) / rate + 2 * l2)

    def update(updates: ArrayTree, state: _FtrlState, params: ArrayTree | None = None) -> tuple[PyTree, _FtrlState]:
        accumulator = jax.tree.map(lambda n, g: n + g * g, state.accumulator, updates)
        linear = jax.tree.map(advance, updates, params, state.accumulator, accumulator, state.linear)
        updates = jax.tree.map(lambda n, z, w: target(n, z) - w, accumulator, linear, params)
        return updates, _FtrlState(accumulator, linear)

    return optax.GradientTransformation(init, update)
