"""Layers as packages for Keras write them: what their `build` and `__init__` do beside declaring weights."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from tests.core.samples import KEY
from tests.oracle import asking_keras, keras


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


class InsistsOnItsMask(jkeras.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        assert mask is not None and mask.shape == x.shape[:2]
        return x * mask[..., None]


class InsistsOnItsMaskAndSaysItsShape(InsistsOnItsMask):
    def compute_output_shape(self, input_shape):
        return input_shape


class NeedsTwoMasks(InsistsOnItsMask):
    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x, mask=None):
        assert isinstance(mask, list) and [each.shape for each in mask] == [each.shape[:2] for each in x]
        return sum(each * one[..., None] for each, one in zip(x, mask, strict=True))


def test_masks_reach_symbolic_calls_through_layers_and_models():
    ids = jkeras.Input((3,), dtype="int32")
    embedded = layers.Embedding(5, 4, mask_zero=True)(ids)
    x = layers.LSTM(4, return_sequences=True)(InsistsOnItsMask()(embedded))
    first = jkeras.Model(ids, InsistsOnItsMaskAndSaysItsShape()(x))
    chain = jkeras.Sequential([first, layers.Dense(4), InsistsOnItsMask()])
    other = layers.Masking()(jkeras.KerasTensor((None, 3, 4)))
    assert NeedsTwoMasks()([InsistsOnItsMask()(chain(ids)), other]).shape == (None, 3, 4)
    given = jkeras.Input((3, 4)), jkeras.Input((3,), dtype="bool")
    assert InsistsOnItsMask()(given[0], mask=given[1]).shape == (None, 3, 4)
    model = jkeras.Model(ids, NeedsTwoMasks()([chain(ids), embedded]))
    outputs, _ = model.stateless_call(*model.init(KEY), jnp.array([[1, 2, 0]]))
    assert outputs.shape == (1, 3, 4)
    assert outputs.any(axis=-1).tolist() == [[True, True, False]]
    with pytest.raises(AssertionError):  # nothing upstream makes one
        InsistsOnItsMask()(layers.Dense(4)(jkeras.Input((3, 4))))


S = (None, 5, 4)
SHAPES = [  # layer, arguments, then calls by position and by name
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [(S, (None, 7, 4)), (S, (None, 7, 4), (None, 7, 6))]),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3},
        [{"query_shape": S, "value_shape": (None, 7, 4), "key_shape": (None, 7, 6)}],
    ),
    (
        "GroupQueryAttention",
        {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1},
        [(S, (None, 7, 4)), {"query_shape": S, "value_shape": (None, 7, 4)}],
    ),
    *[
        (name, {"units": 3, option: True}, [(S,), {"sequences_shape": S}, (S, [(None, 3)] * n)])
        for name, n in (("SimpleRNN", 1), ("GRU", 1), ("LSTM", 2))
        for option in ("return_sequences", "return_state")
    ],
    ("ConvLSTM1D", {"filters": 2, "kernel_size": 2}, [((None, 5, 6, 3),), {"sequences_shape": (None, 5, 6, 3)}]),
    ("Attention", {}, [([S, (None, 7, 4)],), {"input_shape": [S, (None, 7, 4)]}]),
    ("AdditiveAttention", {}, [([S, (None, 7, 4)],), {"input_shape": [S, (None, 7, 4)]}]),
    ("Dot", {"axes": 2}, [([S, (None, 7, 4)],), {"input_shape": [S, (None, 7, 4)]}]),
    ("Concatenate", {"axis": 1}, [([S, (None, 7, 4)],), {"input_shape": [S, (None, 7, 4)]}]),
    ("Add", {}, [([S, S],), {"input_shape": [S, S]}]),
    ("Dense", {"units": 2}, [(S,), {"input_shape": S}]),
]


@pytest.mark.parametrize(("name", "arguments", "calls"), SHAPES)
def test_output_shapes_by_keras_s_arguments(name, arguments, calls):
    for call in calls:
        found = []
        for library in (jkeras, keras):
            layer = getattr(library.layers, name)(**arguments)
            with asking_keras():
                by_name = isinstance(call, dict)
                found.append(layer.compute_output_shape(**call) if by_name else layer.compute_output_shape(*call))
        assert found[0] == found[1], call


def test_methods_take_keras_s_arguments():
    """Of every layer that both have: `call`, `build`, `compute_mask`, `compute_output_shape`, under Keras's names."""
    known = {  # Keras takes no such name by position here, or names data otherwise
        "CenterCrop.call", "Resizing.call", "RMSNormalization.call", "SimpleRNNCell.call", "Pipeline.call",
    }  # fmt: skip
    wrong = set()
    for name in dir(keras.layers):
        theirs, ours = getattr(keras.layers, name), getattr(layers, name, None)
        if ours is None or not isinstance(theirs, type) or not issubclass(theirs, keras.Layer):
            continue
        for method in ("call", "build", "compute_mask", "compute_output_shape"):
            expected, taken = (inspect.signature(getattr(kind, method)).parameters for kind in (theirs, ours))
            names = [p.name for p in expected.values() if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "_"]
            kinds = {p.kind for p in taken.values()}
            if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds:
                continue
            if not set(names) <= set(taken):
                wrong.add(f"{name}.{method}")
    assert wrong == known


def test_a_layer_of_a_constant_in_a_functional_model():
    inputs, x = jkeras.Input((12,), dtype="int32"), ops.arange(0, 12)
    position_embedding = layers.Embedding(12, 16, name="position_embedding")
    with pytest.raises(RuntimeError, match="cannot be called on arrays by itself") as error:
        position_embedding(x)
    line = str(error.value).splitlines()[-1].strip()
    names = {"layers": layers, "position_embedding": position_embedding, "inputs": inputs, "x": x}
    outputs = layers.Embedding(40, 16)(inputs) + eval(line, names)  # what the message says to write
    model = jkeras.Model(inputs, outputs)
    variables = model.init(KEY)
    assert variables.trainable["position_embedding"]["embeddings"].shape == (12, 16)
    found, _ = model.stateless_call(*variables, jnp.zeros((2, 12), int))
    table = variables.trainable["position_embedding"]["embeddings"]
    np.testing.assert_allclose(found[1] - found[1, :1], table - table[:1], atol=1e-6)


def test_chains_in_chains_take_vectors():
    for dims in ((1,), (5,), (1, 1)):
        model = jkeras.Sequential([jkeras.Sequential([jkeras.Sequential([layers.Activation("relu")])])])
        x = -jnp.ones(dims)
        assert model.stateless_call(*model.init(KEY, x), x)[0].shape == dims
