"""The pairs that are compared: one network by hand, the same with jkeras, and values and data for both."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import models, networks

BATCH = 32


@dataclass(frozen=True)
class Pair:
    """One network, twice. `hand` and `model` make the two sides; `inputs` is one batch of input."""

    name: str
    hand: Callable[[], networks.Network]
    model: Callable[[], Any]
    inputs: np.ndarray

    @property
    def batch(self) -> tuple[jax.Array, jax.Array]:
        labels = np.arange(BATCH) % networks.CLASSES
        return jnp.asarray(self.inputs), jnp.asarray(labels, "int32")

    @functools.cached_property
    def values(self) -> tuple[Any, Any]:
        """Initial values; both sides are given the same ones."""
        return jax.jit(self.hand().init)(jax.random.key(0))


def mlp(depth: int) -> Pair:
    inputs = np.random.default_rng(0).normal(size=(BATCH, 64)).astype("float32")
    return Pair(f"MLP of {depth}", lambda: networks.mlp(depth, 64), lambda: models.mlp(depth, 64), inputs)


def convnet() -> Pair:
    inputs = np.random.default_rng(0).normal(size=(BATCH, 8, 8, 1)).astype("float32")
    return Pair("convolutional", networks.convnet, models.convnet, inputs)


def transformer() -> Pair:
    inputs = np.random.default_rng(0).integers(0, 100, size=(BATCH, 16)).astype("int32")
    return Pair("Transformer block", networks.transformer, models.Transformer, inputs)


@dataclass(frozen=True)
class Sides:
    """Of one pair: what the functions take first, and the functions, not compiled yet."""

    hand: tuple[Any, Callable[..., Any]]
    jkeras: tuple[Any, Callable[..., Any]]

    def leaves(self) -> dict[str, int]:
        return {"hand": len(jax.tree.leaves(self.hand[0])), "jkeras": len(jax.tree.leaves(self.jkeras[0]))}


def train_steps(pair: Pair) -> Sides:
    """The two training steps of a pair, each with its initial state: `step(state, (x, y))`."""
    start, step = networks.make_step(pair.hand())
    trainer = models.make_trainer(pair.model())
    ours = trainer.state_of(pair.values, pair.inputs[:1])
    # Steps may be given their state to consume, so none shares a buffer with the other.
    return Sides((_copy(start(pair.values)), step), (_copy(ours), trainer.train_step))


def forwards(pair: Pair, training: bool) -> Sides:
    """The two forward passes of a pair, each with its variables: `forward(variables, x)`."""
    network, model = pair.hand(), pair.model()
    model.build(pair.inputs.shape)

    def by_hand(variables: Any, x: jax.Array) -> Any:
        return network.apply(*variables, x, training)

    def with_jkeras(variables: Any, x: jax.Array) -> Any:
        return model.stateless_call(*variables, x, training=training)

    return Sides((pair.values, by_hand), (pair.values, with_jkeras))


def _copy(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), tree)
