"""Small networks on real data for the tests of training."""

import functools

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits


@functools.cache
def data(count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The first handwritten digits as vectors in [0, 1] and their labels."""
    (x, y), _ = digits.load_data()
    return (x[:count].reshape(-1, 64) / np.float32(16)), y[:count].astype("int32")


def images(count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The same as images."""
    x, y = data(count)
    return x.reshape(-1, 8, 8, 1), y


def mlp(width: int = 16) -> jkeras.Sequential:
    return jkeras.Sequential([jkeras.Input((64,)), layers.Dense(width, activation="relu"), layers.Dense(10)])


def convnet() -> jkeras.Sequential:
    return jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def trainer(model=None, optimizer="adam", **options) -> jkeras.Trainer:
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return jkeras.Trainer(model or mlp(), **{"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"], **options})
