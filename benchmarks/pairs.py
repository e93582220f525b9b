"""The pairs that are compared: one network by hand, the same with jkeras, and data for both."""

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
    """Of one pair: initial states, and steps that are not compiled yet."""

    hand: tuple[Any, Callable[..., Any]]
    jkeras: tuple[Any, Callable[..., Any]]

    def leaves(self) -> dict[str, int]:
        return {"hand": len(jax.tree.leaves(self.hand[0])), "jkeras": len(jax.tree.leaves(self.jkeras[0]))}


def train_steps(pair: Pair) -> Sides:
    """The two training steps of a pair, each with its initial state."""
    init, step = networks.make_step(pair.hand())
    trainer = models.make_trainer(pair.model())
    key = jax.random.key(0)
    return Sides((init(key), step), (trainer.init(key, pair.inputs[:1]), trainer.train_step))


def forwards(pair: Pair, training: bool) -> Sides:
    """The two forward passes of a pair, each with its variables: `forward(variables, x)`."""
    network, model = pair.hand(), pair.model()
    key = jax.random.key(0)

    def by_hand(variables: Any, x: jax.Array) -> Any:
        return network.apply(*variables, x, training)

    def with_jkeras(variables: Any, x: jax.Array) -> Any:
        return model.stateless_call(*variables, x, training=training)

    return Sides((network.init(key), by_hand), (model.init(key, pair.inputs[:1]), with_jkeras))
