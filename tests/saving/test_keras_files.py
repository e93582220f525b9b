"""Files of models and weights, written by Keras and read here, and the other way."""

import json

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers, lora, registry, saving
from jkeras.errors import ArgumentError, LeafError
from tests.descriptors.layers import ROWS
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 24, dtype="float32").reshape(4, 6)


def model_of(*parts, shape=(6,)):
    model = jkeras.Sequential([Input(shape), *parts])
    return model, model.init(KEY)


def two_branches():
    inputs = Input((6,), name="x")
    shared = layers.Dense(5, activation="tanh", name="shared")
    inner = jkeras.Sequential([layers.Dense(5), layers.BatchNormalization()])
    joined = layers.Concatenate()([shared(inputs), inner(inputs), shared(inputs * 2.0)])
    return jkeras.Model(inputs, [layers.Dense(2)(joined), layers.LayerNormalization()(joined)])


@registry.register_keras_serializable("tests")
class Own(jkeras.Model):
    """Parts in lists, dicts and private attributes, some alphabetically behind `layers`."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [layers.Dense(6), layers.Dense(6)]
        self.branches = {"z": layers.Dense(6), "a": [layers.Dense(6), layers.LayerNormalization()]}
        self.out = layers.Dense(units)
        self._private = layers.Dense(6)

    def call(self, x):
        for part in (*self.blocks, self.branches["z"], *self.branches["a"], self._private):
            x = part(x)
        return self.out(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class OwnOfKeras(keras.Model):
    """The same for Keras."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [keras.layers.Dense(6), keras.layers.Dense(6)]
        self.branches = {"z": keras.layers.Dense(6), "a": [keras.layers.Dense(6), keras.layers.LayerNormalization()]}
        self.out = keras.layers.Dense(units)
        self._private = keras.layers.Dense(6)

    def call(self, x):
        for part in (*self.blocks, self.branches["z"], *self.branches["a"], self._private):
            x = part(x)
        return self.out(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def outputs_of(model, variables, x=X):
    return jax.tree.leaves(model.stateless_call(*variables, x)[0])


def keras_outputs(model, x=X):
    with asking_keras():
        return jax.tree.leaves(model(x))


def randomized(variables):
    """Other values in every leaf, so that one in another place is noticed."""
    leaves, form = jax.tree.flatten(variables)
    generator = np.random.default_rng(0)
    return jax.tree.unflatten(
        form,
        [
            jnp.asarray(generator.uniform(0.5, 1.5, leaf.shape), leaf.dtype)
            if jnp.issubdtype(leaf.dtype, jnp.floating)
            else leaf
            for leaf in leaves
        ],
    )


MODELS = {
    "chain": lambda: model_of(layers.Dense(4, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5))[0],
    "graph": two_branches,
    "mixed precision": lambda: model_of(layers.Dense(4, dtype="mixed_bfloat16"), layers.Dense(2, dtype="bfloat16"))[0],
    "recurrent": lambda: model_of(layers.Bidirectional(layers.LSTM(3)), layers.Dense(2), shape=(3, 2))[0],
    "attention": lambda: attention_model(),
    "low rank": lambda: model_of(layers.Dense(4, lora_rank=2))[0],
}


def attention_model():
    x = Input((3, 2))
    y = layers.MultiHeadAttention(2, 3)(x, x)
    return jkeras.Model(x, layers.GroupQueryAttention(2, 4, 2, use_gate=True)(y, y))


def input_of(model):
    return X if model.input_shape == (None, 6) else X.reshape(4, 3, 2)


@pytest.mark.parametrize("name", MODELS)
def test_keras_reads_our_file_and_we_read_keras_s(name, tmp_path):
    model = MODELS[name]()
    variables, x = randomized(model.init(KEY)), input_of(model)
    model.save(tmp_path / "ours.keras", variables)
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "ours.keras")
        theirs.save(tmp_path / "theirs.keras")
    ulps = 2**18 if name == "mixed precision" else 64  # bfloat16 has 16 bits less than float32
    for ours, other in zip(outputs_of(model, variables, x), keras_outputs(theirs, x), strict=True):
        assert_close(ours.astype("float32"), other, ulps=ulps)
    again, values = jkeras.models.load_model(tmp_path / "theirs.keras")
    for ours, other in zip(outputs_of(model, variables, x), outputs_of(again, values, x), strict=True):
        assert_close(other.astype("float32"), ours.astype("float32"), ulps=ulps)


@pytest.mark.parametrize("name", MODELS)
def test_our_file_comes_back_to_the_bit(name, tmp_path):
    model = MODELS[name]()
    variables = randomized(model.init(KEY))
    model.save(tmp_path / "a.keras", variables)
    again, values = jkeras.models.load_model(tmp_path / "a.keras", key=jax.random.key(7))
    assert jax.tree.structure(values) == jax.tree.structure(variables)
    for one, other in zip(jax.tree.leaves(values), jax.tree.leaves(variables), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), strict=True)
    assert again.to_json() == model.to_json()


def test_a_subclassed_model_with_lists_and_dicts_both_ways(tmp_path):
    model = Own()
    variables = randomized(model.init(KEY, X))
    model.save_weights(tmp_path / "ours.weights.h5", variables)
    with asking_keras():
        theirs = OwnOfKeras()
        theirs(X)
        theirs.load_weights(tmp_path / "ours.weights.h5")
        assert_close(outputs_of(model, variables)[0], keras_outputs(theirs)[0])
        theirs.save_weights(tmp_path / "theirs.weights.h5")
    back = model.load_weights(tmp_path / "theirs.weights.h5", model.init(jax.random.key(1), X))
    assert_close(outputs_of(model, back)[0], outputs_of(model, variables)[0])
    model.save(tmp_path / "own.keras", variables)
    again, values = jkeras.models.load_model(tmp_path / "own.keras")
    assert isinstance(again, Own)
    assert_close(outputs_of(again, values)[0], outputs_of(model, variables)[0])


def arrays_in(path):
    """The arrays of a file by name, without what Keras passes over."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return {name: value for name, value in found.items() if not name.startswith("jkeras/")}


@pytest.mark.parametrize("name", [row.name for row in ROWS if row.keras is True and row.tree])
def test_keras_writes_what_it_read_of_every_layer(name, tmp_path):
    row = next(row for row in ROWS if row.name == name)
    layer = row.make()
    args, kwargs = row.arrays()
    variables = randomized(layer.init(KEY, *args, **kwargs, **row.static))
    saving.save_weights(layer, tmp_path / "ours.weights.h5", variables)
    with asking_keras():
        theirs = keras.saving.deserialize_keras_object(json.loads(json.dumps(registry.serialize(layer))))
        if not theirs.built:
            theirs(*jax.tree.map(np.asarray, args), **jax.tree.map(np.asarray, kwargs), **row.static)
        keras.src.saving.saving_lib.load_weights_only(theirs, tmp_path / "ours.weights.h5")
        keras.src.saving.saving_lib.save_weights_only(theirs, tmp_path / "theirs.weights.h5")
    ours, expected = arrays_in(tmp_path / "ours.weights.h5"), arrays_in(tmp_path / "theirs.weights.h5")
    assert ours.keys() == expected.keys()
    for place, value in ours.items():
        np.testing.assert_array_equal(value, expected[place], strict=True)
    back = saving.load_weights(layer, tmp_path / "theirs.weights.h5", variables)
    saving.save_weights(layer, tmp_path / "again.weights.h5", back)
    for place, value in arrays_in(tmp_path / "again.weights.h5").items():
        np.testing.assert_array_equal(value, expected[place], strict=True)


def test_what_does_not_fit_is_told_before_anything_changes(tmp_path):
    model, variables = model_of(layers.Dense(4), layers.Dense(2))
    model.save_weights(tmp_path / "a.weights.h5", variables)
    other, values = model_of(layers.Dense(4), layers.Dense(3), layers.Dense(1))
    with pytest.raises(LeafError) as caught:
        other.load_weights(tmp_path / "a.weights.h5", values)
    assert "'layers/dense_1/vars/0' has shape (4, 2), expected (4, 3)" in str(caught.value)
    assert "'layers/dense_2/vars' has 0 arrays, expected 2" in str(caught.value)
    with pytest.warns(UserWarning, match="dense_1"):
        partly = other.load_weights(tmp_path / "a.weights.h5", values, skip_mismatch=True)
    np.testing.assert_array_equal(partly.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])
    np.testing.assert_array_equal(partly.trainable["dense_1"]["kernel"], values.trainable["dense_1"]["kernel"])
    with pytest.raises(ArgumentError, match=r"`path` must end in '\.keras'"):
        model.save(tmp_path / "a.h5", variables)


def test_a_file_goes_on_after_lora_and_keras_has_the_sum(tmp_path):
    model, variables = model_of(layers.Dense(4), layers.Dense(2))
    variables = randomized(lora.enable(model, 2, variables, KEY))
    model.save(tmp_path / "a.keras", variables)
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "a.keras")
    assert_close(keras_outputs(theirs)[0], outputs_of(model, variables)[0])
    again, values = jkeras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(
        values.trainable["dense"]["lora_kernel_b"], variables.trainable["dense"]["lora_kernel_b"]
    )
    assert_close(outputs_of(again, values)[0], outputs_of(model, variables)[0])
