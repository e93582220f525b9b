"""What tests of callbacks share: a state without a network, one tiny trainer, and Keras's callbacks without a model."""

import functools
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers, optimizers
from jkeras.callbacks import Loop
from jkeras.training import TrainState


def a_state(mark: float = 0.0, learning_rate: float = 0.5) -> TrainState:
    """A state whose one weight has a given value."""
    trainable = {"dense": {"kernel": jnp.full((2,), mark)}}
    return TrainState(
        step=jnp.int32(0),
        trainable=trainable,
        non_trainable={},
        opt_state=optimizers.SGD(learning_rate).init(trainable),
        metrics={},
    )


def in_loop(callback, **loop):
    """The callback with a loop of its own."""
    callback.set_loop(Loop(loop.pop("params", {}), **loop))
    return callback


class KerasModel(SimpleNamespace):
    """As much of a Keras model as its callbacks touch; `mark` stands for the weights."""

    def __init__(self, learning_rate: float = 0.5):
        super().__init__(mark=None, stop_training=False, saved=[], metrics=[])
        self.optimizer = KerasOptimizer(learning_rate)

    def get_weights(self):
        return self.mark

    def set_weights(self, mark):
        self.mark = mark

    def save(self, path, overwrite):
        self.saved.append(path)


class KerasOptimizer:
    """A learning rate in float32, as Keras's optimizers keep it."""

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def __setattr__(self, name, value):
        super().__setattr__(name, np.float32(value))


@functools.cache
def trainer() -> jkeras.Trainer:
    """One trainer for all tests, so that its programs are compiled once. Several batches a call, but not all."""
    model = jkeras.Sequential(
        [jkeras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dropout(0.1), layers.Dense(1)]
    )
    return jkeras.Trainer(model, optimizer=optimizers.Adam(0.05), loss="mse", metrics=["mae"], steps_per_execution=2)


@functools.cache
def data() -> tuple[np.ndarray, np.ndarray]:
    """40 examples of a smooth function: 5 batches of 8."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    return x, np.sin(x.sum(-1, keepdims=True))
