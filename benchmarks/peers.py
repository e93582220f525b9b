"""The same training, epoch by epoch, as the users of other libraries write it.

A peer is made for a network, data and a batch size, and returns a function that trains one epoch and waits for it. The
hand-written loop and those of the JAX libraries feed their compiled step from NumPy, batch by batch, as their guides
do; Keras and jkeras are given the arrays.
"""

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import optax

import jkeras
from benchmarks import models, networks

os.environ.setdefault("KERAS_BACKEND", "jax")

Epoch = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """What is trained: hidden layers of one width, or a convolutional network, on examples that fill whole batches."""

    name: str
    widths: tuple[int, ...]
    x: np.ndarray
    y: np.ndarray
    batch: int
    convolutional: bool = False

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self.x) // self.batch

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The epoch, batch by batch."""
        for start in range(0, len(self.x), self.batch):
            yield self.x[start : start + self.batch], self.y[start : start + self.batch]


def mlp(name: str, widths: tuple[int, ...], steps: int, batch: int = 32) -> Task:
    """A task for a multilayer perceptron on 64 inputs and 10 classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * batch, 64)).astype("float32")
    return Task(name, widths, x, rng.integers(0, 10, len(x)).astype("int32"), batch)


def convolutional(name: str, filters: tuple[int, ...], steps: int, batch: int) -> Task:
    """A task for a convolutional network on images of 8 by 8."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * batch, 8, 8, 1)).astype("float32")
    return Task(name, filters, x, rng.integers(0, 10, len(x)).astype("int32"), batch, True)


def by_hand(task: Task) -> Epoch:
    """A jitted step, called for each batch."""
    network = networks.convnet(task.widths) if task.convolutional else networks.mlp(len(task.widths), task.widths[0])
    values = jax.jit(network.init)(jax.random.key(0))
    optimizer = optax.adam(networks.LEARNING_RATE)
    holder = [*values, optimizer.init(values[0])]

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(params: Any, statistics: Any, opt_state: Any, x: Any, y: Any) -> Any:
        def objective(params: Any) -> Any:
            logits, new = network.apply(params, statistics, x, True)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), new

        (loss, new), gradients = jax.value_and_grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), new, opt_state, loss

    def epoch() -> Any:
        for x, y in task.batches():
            *holder[:], loss = step(*holder, x, y)
        return jax.block_until_ready(loss)

    return epoch


def trainer_of(task: Task, **options: Any) -> tuple[jkeras.Trainer, Any]:
    """A trainer and a state to begin from."""
    model = models.convnet(task.widths) if task.convolutional else models.mlp(len(task.widths), task.widths[0])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = jkeras.Trainer(model, optimizer=optax.adam(networks.LEARNING_RATE), loss=loss, **options)
    return trainer, trainer.init(jax.random.key(0))


def with_jkeras(task: Task, **options: Any) -> Epoch:
    """`Trainer.fit`."""
    trainer, state = trainer_of(task)
    holder = [state]

    def epoch() -> Any:
        fit = {"batch_size": task.batch, "verbose": 0, **options}
        holder[0], history = trainer.fit(holder[0], task.x, task.y, **fit)
        return history.history["loss"]

    return epoch


def with_keras(task: Task) -> Epoch:
    """`Model.fit` of Keras on JAX."""
    import keras

    from jkeras import registry

    model = models.convnet(task.widths) if task.convolutional else models.mlp(len(task.widths), task.widths[0])
    twin = keras.saving.deserialize_keras_object(registry.serialize(model))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(keras.optimizers.Adam(networks.LEARNING_RATE), loss)
    return lambda: twin.fit(task.x, task.y, batch_size=task.batch, epochs=1, verbose=0)


def with_nnx(task: Task) -> Epoch:
    """Flax NNX with its cached step."""
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            sizes = (64, *task.widths, networks.CLASSES)
            self.layers = nnx.List([nnx.Linear(i, o, rngs=rngs) for i, o in itertools.pairwise(sizes)])

        def __call__(self, x: Any) -> Any:
            for layer in self.layers[:-1]:
                x = nnx.relu(layer(x))
            return self.layers[-1](x)

    model = Network(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(networks.LEARNING_RATE), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        def objective(model: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        loss, gradients = nnx.value_and_grad(objective)(model)
        optimizer.update(model, gradients)
        return loss

    cached = nnx.cached_partial(step, model, optimizer)

    def epoch() -> Any:
        for x, y in task.batches():
            loss = cached(x, y)
        return jax.block_until_ready(loss)

    return epoch


def with_linen(task: Task) -> Epoch:
    """Flax Linen with its TrainState."""
    import flax.linen as nn
    from flax.training.train_state import TrainState

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for width in task.widths:
                x = nn.relu(nn.Dense(width)(x))
            return nn.Dense(networks.CLASSES)(x)

    model = Network()
    params = model.init(jax.random.key(0), task.x[:1])
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(networks.LEARNING_RATE))
    holder = [state]

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        def objective(params: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(state.apply_fn(params, x), y).mean()

        loss, gradients = jax.value_and_grad(objective)(state.params)
        return state.apply_gradients(grads=gradients), loss

    def epoch() -> Any:
        for x, y in task.batches():
            holder[0], loss = step(holder[0], x, y)
        return jax.block_until_ready(loss)

    return epoch


def with_equinox(task: Task) -> Epoch:
    """Equinox with `filter_jit`."""
    import equinox as eqx

    model = eqx.nn.MLP(64, networks.CLASSES, task.widths[0], len(task.widths), key=jax.random.key(0))
    optimizer = optax.adam(networks.LEARNING_RATE)
    holder = [model, optimizer.init(eqx.filter(model, eqx.is_inexact_array))]

    @eqx.filter_jit(donate="all")
    def step(model: Any, opt_state: Any, x: Any, y: Any) -> Any:
        def objective(model: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()

        loss, gradients = eqx.filter_value_and_grad(objective)(model)
        updates, opt_state = optimizer.update(gradients, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, loss

    def epoch() -> Any:
        for x, y in task.batches():
            holder[0], holder[1], loss = step(holder[0], holder[1], x, y)
        return jax.block_until_ready(loss)

    return epoch


PEERS: dict[str, Callable[[Task], Epoch]] = {
    "by hand": by_hand,
    "jkeras": with_jkeras,
    "Keras": with_keras,
    "Flax NNX": with_nnx,
    "Flax Linen": with_linen,
    "Equinox": with_equinox,
}
"""All of them; those of perceptrons alone come after Keras."""
