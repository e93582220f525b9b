"""The networks of `networks`, written with jkeras."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import jkeras
from benchmarks.networks import CLASSES, LEARNING_RATE, attend
from jkeras import layers


def mlp(depth: int, width: int, inputs: int = 64) -> jkeras.Sequential:
    hidden = [layers.Dense(width, activation="relu") for _ in range(depth)]
    return jkeras.Sequential([jkeras.Input((inputs,)), *hidden, layers.Dense(CLASSES)])


def convnet(filters: tuple[int, ...] = (16, 32)) -> jkeras.Sequential:
    stack: list[jkeras.Layer] = []
    for each in filters:
        stack += [
            layers.Conv2D(each, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    return jkeras.Sequential([jkeras.Input((8, 8, 1)), *stack, layers.Flatten(), layers.Dense(CLASSES)])


class Transformer(jkeras.Model):
    """One pre-norm block between embeddings and the mean over time."""

    def __init__(self, width: int = 64, heads: int = 4, time: int = 16, vocabulary: int = 100) -> None:
        super().__init__()
        self.heads, self.time = heads, time
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(time, width)
        self.norm_attention, self.norm_dense = layers.LayerNormalization(), layers.LayerNormalization()
        self.query, self.key, self.value, self.mixed = (layers.Dense(width) for _ in range(4))
        self.wide, self.narrow = layers.Dense(4 * width, activation="gelu"), layers.Dense(width)
        self.head = layers.Dense(CLASSES)

    def call(self, inputs: jax.Array, training: bool | None = None, mask: Any = None) -> jax.Array:
        positions = self.positions(jnp.arange(self.time))  # (t, i)
        x = self.tokens(inputs) + jnp.expand_dims(positions, 0)  # (b, t, i)
        y = self.norm_attention(x)
        x = x + self.mixed(attend(self.query(y), self.key(y), self.value(y), self.heads))
        x = x + self.narrow(self.wide(self.norm_dense(x)))
        return self.head(jnp.mean(x, 1))


def make_trainer(model: jkeras.Model) -> jkeras.Trainer:
    """The training that `networks.make_step` writes by hand."""
    return jkeras.Trainer(
        model,
        optimizer=optax.adam(LEARNING_RATE),
        loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
