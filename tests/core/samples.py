"""Small layers that the tests of the core share."""

import jax
import jax.numpy as jnp

from jkeras.core import Layer, SeedGenerator

KEY = jax.random.key(0)


class Scale(Layer):
    """`x * factor`, one trainable weight."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * jnp.broadcast_to(self.factor.value, inputs.shape)


class RunningMean(Layer):
    """Scales its inputs; in training it keeps a decaying mean of them and counts calls, as BatchNormalization does."""

    def build(self, input_shape):
        self.mean = self.add_weight(shape=(input_shape[-1],), initializer="zeros", trainable=False, name="mean")
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="count")

    def call(self, inputs, training=False):
        if training:
            batch = jnp.mean(inputs, axis=tuple(range(inputs.ndim - 1)))
            self.mean.assign(0.5 * self.mean.value + 0.5 * batch)
            self.count.assign_add(1)
        return inputs * jnp.broadcast_to(self.gain.value, inputs.shape)


class Noise(Layer):
    """Adds uniform noise from a stream of its own."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def call(self, inputs):
        return inputs + jax.random.uniform(self.generator.next(), inputs.shape)


class Penalty(Layer):
    """Returns its inputs; their sum is a loss."""

    def call(self, inputs):
        self.add_loss(jnp.sum(inputs))
        return inputs


class Chain(Layer):
    """Calls layers one after the other."""

    def __init__(self, *parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = list(parts)

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


class Run(Layer):
    """A layer around a function `(layer, x) -> outputs`, whose attributes are given as keywords."""

    def __init__(self, function, **attributes):
        super().__init__()
        vars(self).update(attributes)
        self.function = function

    def call(self, inputs):
        return self.function(self, inputs)


def run(function, *inputs, training=False, **attributes):
    """What a function computes inside a scope: `(outputs, non_trainable)`."""
    layer = Run(function, **attributes)
    variables = layer.init(KEY, *inputs)
    return layer.stateless_call(*variables, *inputs, training=training)
