"""Layers as packages for Keras write them: what their `build` and `__init__` do beside declaring weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from tests.core.samples import KEY


@pytest.fixture(autouse=True)
def broadcasting():
    """Such layers broadcast as NumPy does, which the suite forbids elsewhere."""
    with jax.numpy_rank_promotion("allow"):
        yield


class SaysBuilt(jkeras.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight("factor", shape=(input_shape[-1],), initializer="ones")
        self.built = True

    def call(self, x):
        return x * self.factor


class SaysBuiltAtOnce(SaysBuilt):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = False

    def build(self, input_shape):
        super().build(input_shape)
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")
        self.built = True

    def call(self, x):
        return super().call(x) + self.offset


class BaseFirst(jkeras.Layer):
    def build(self, input_shape):
        super().build(input_shape)
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


class BaseLast(jkeras.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        super().build(input_shape)

    def call(self, x):
        return x * self.factor


class BaseBetweenParts(jkeras.Layer):
    """Makes one part in `__init__`, one in `build`, and builds the first only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(3, kernel_initializer="ones")

    def build(self, input_shape):
        self.first.build(input_shape)
        super().build(input_shape)
        self.second = layers.Dense(2, kernel_initializer="ones")
        self.built = True

    def call(self, x):
        return self.second(self.first(x))


class ModelWithBuild(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def build(self, input_shape):
        self.dense.build(input_shape)
        super().build(input_shape)

    def call(self, x):
        return self.dense(x)


class WiderDense(layers.Dense):
    """A built-in layer with a further weight."""

    def build(self, input_shape):
        super().build(input_shape)
        self.gain = self.add_weight(shape=(self.units,), initializer="ones", name="gain")
        self.built = True

    def call(self, x):
        return super().call(x) * self.gain


class BuiltWrapper(layers.Wrapper):
    def build(self, input_shape=None):
        super().build(input_shape)
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")
        self.built = True

    def call(self, x):
        return self.layer(x) * self.gain


class CallsCallOfItsLayer(layers.Wrapper):
    def call(self, x):
        return 2 * self.layer.call(x)


class WindowMask(jkeras.Layer):
    """Keeps an array that operations computed in `build`."""

    def build(self, input_shape):
        steps = ops.arange(input_shape[-1])
        self.mask = ops.where(steps % 2 == 0, 1.0, 0.0)
        self.as_numpy = np.asarray(self.mask)
        self.as_weight = self.add_weight(
            shape=self.mask.shape, initializer=lambda shape, dtype: jnp.asarray(self.as_numpy, dtype), trainable=False
        )
        self.as_variable = jkeras.Variable(self.mask, trainable=False)
        super().build(input_shape)

    def call(self, x):
        return x * self.mask * self.as_numpy * self.as_weight * self.as_variable


def wrapped(kind):
    def make():
        return kind(layers.Dense(2, kernel_initializer="ones"))

    make.__name__ = kind.__name__
    return make


LAYERS = {
    SaysBuilt: (["factor"], [1.0, 2.0]),
    SaysBuiltAtOnce: (["factor", "offset"], [1.0, 2.0]),
    BaseFirst: (["factor"], [1.0, 2.0]),
    BaseLast: (["factor"], [1.0, 2.0]),
    BaseBetweenParts: (["first/bias", "first/kernel", "second/bias", "second/kernel"], [9.0, 9.0]),
    ModelWithBuild: (["dense/bias", "dense/kernel"], [3.0, 3.0]),
    lambda: WiderDense(2, kernel_initializer="ones"): (["bias", "gain", "kernel"], [3.0, 3.0]),
    wrapped(BuiltWrapper): (["gain", "layer/bias", "layer/kernel"], [3.0, 3.0]),
    wrapped(CallsCallOfItsLayer): (["layer/bias", "layer/kernel"], [6.0, 6.0]),
    WindowMask: ([], [1.0, 0.0]),
}


@pytest.mark.parametrize("make", LAYERS, ids=lambda make: make.__name__)
def test_a_layer_as_packages_write_it(make):
    paths, expected = LAYERS[make]
    x = jnp.array([[1.0, 2.0]])
    for init in (lambda layer: layer.init(KEY, x), lambda layer: jax.jit(lambda key: layer.init(key, x))(KEY)):
        layer = make()
        variables = init(layer)
        assert sorted(jkeras.tree.flatten(variables.trainable)) == paths
        assert layer.stateless_call(*variables, x)[0].tolist() == [expected]
        assert layer.built


@pytest.mark.parametrize("make", LAYERS, ids=lambda make: make.__name__)
def test_such_a_layer_inside_other_transforms(make):
    _, expected = LAYERS[make]
    model = jkeras.Sequential([make()])
    variables = jax.vmap(lambda key: model.init(key, (1, 2)))(jax.random.split(KEY, 3))
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(variables))
    spec = jax.eval_shape(lambda key: jkeras.Sequential([make()]).init(key, (None, 2)), KEY)
    assert jax.tree.structure(spec) == jax.tree.structure(variables)
    inputs = jkeras.Input((2,))
    assert jkeras.Model(inputs, make()(inputs)).output_shape == (None, len(expected))


class Large(jkeras.Layer):
    def build(self, input_shape):
        self.table = jnp.zeros((2**10, 2**8 + 1))

    def call(self, x):
        return x + self.table[0, 0]


def test_a_large_constant_belongs_into_a_weight():
    with pytest.warns(UserWarning, match=r"`table` holds 1.0 MiB of constants(.|\n)*self.add_weight\("):
        Large().init(KEY, (1, 2))


def test_activations_may_be_taken_off():
    x = -jnp.ones((1, 8, 8, 4))
    for layer, inputs in [
        (layers.Dense(3, activation="tanh"), x),
        (layers.EinsumDense("abcd,de->abce", (8, 8, 3), activation="tanh"), x),
        (layers.Conv2D(3, 2, activation="tanh"), x),
        (layers.DepthwiseConv2D(2, activation="tanh"), x),
        (layers.SeparableConv2D(3, 2, activation="tanh"), x),
        (layers.Conv2DTranspose(3, 2, activation="tanh"), x),
        (layers.Activation("tanh"), x),
        (layers.SimpleRNN(3, activation="tanh"), x[0]),
        (layers.GRU(3, activation="tanh"), x[0]),
        (layers.LSTM(3, activation="tanh"), x[0]),
        (layers.ConvLSTM1D(3, 2, activation="tanh"), x),
        (layers.SwiGLU(3, activation="tanh"), x),
    ]:
        variables = layer.init(KEY, inputs)
        before, _ = layer.stateless_call(*variables, inputs)
        layer.activation = None
        linear, _ = layer.stateless_call(*variables, inputs)
        assert layer.get_config()["activation"] == "linear", layer
        assert not np.array_equal(before, linear), layer
        layer.activation = "tanh"
        assert np.array_equal(layer.stateless_call(*variables, inputs)[0], before), layer


class NeedsItsMask(jkeras.Layer):
    def call(self, x, mask=None):
        return x * mask[..., None].astype(x.dtype)


def test_a_layer_that_needs_its_mask_is_called_symbolically():
    inputs = jkeras.Input((5,), dtype="int32")
    vectors = layers.Embedding(7, 4, mask_zero=True, embeddings_initializer="ones")(inputs)
    with pytest.warns(UserWarning, match="does not support masking"):
        outputs = NeedsItsMask()(layers.Dropout(0.5)(vectors))
        model = jkeras.Model(inputs, outputs)
        values, _ = model.stateless_call(*model.init(KEY), jnp.array([[1, 2, 0, 0, 0]]))
    assert outputs.shape == (None, 5, 4)
    assert values[0, :, 0].tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(TypeError, match="NoneType"):
        NeedsItsMask()(jkeras.Input((5, 4)))
    with pytest.raises(TypeError, match="NoneType"):
        NeedsItsMask()(layers.Dense(3)(jkeras.Input((5, 4))))


class ComputeSum(jkeras.Layer):
    """The example of Keras's guide to layers with state, which returns the variable itself."""

    def __init__(self, input_dim):
        super().__init__()
        self.total = self.add_weight(initializer="zeros", shape=(input_dim,), trainable=False)

    def call(self, inputs):
        self.total.assign_add(jnp.sum(inputs, axis=0))
        return self.total


def test_a_variable_may_be_returned():
    layer, x = ComputeSum(2), jnp.ones((2, 2))
    variables = layer.init(KEY, x)
    once, state = layer.stateless_call(*variables, x)
    twice, _ = layer.stateless_call(variables.trainable, state, x)
    assert (once.tolist(), twice.tolist()) == ([2, 2], [4, 4])
    assert layer(jkeras.Input((2,))).shape == (2,)
