"""Clones: the same network out of new layers."""

import chex
import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError
from jkeras.models import clone_model
from tests.models.networks import NETWORKS, off_default
from tests.oracle import asking_keras, keras

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_clone_computes_the_same_with_the_same_values(name):
    network = NETWORKS[name]
    model = network.build(jkeras)
    clone = clone_model(model)
    assert type(clone) is type(model)
    assert clone.name == model.name
    assert not {id(layer) for layer in clone.layers} & {id(layer) for layer in model.layers}
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    variables = off_default(model.init(KEY))
    outputs, _ = model.stateless_call(*variables, network.inputs)
    again, _ = clone.stateless_call(*variables, network.inputs)
    chex.assert_trees_all_equal(outputs, again)


def test_a_layer_that_is_used_twice_is_cloned_once():
    clone = clone_model(NETWORKS["siamese"].build(jkeras))
    assert len(clone.get_layer("dense").nodes) == 2


def test_explicit_names_and_names_after_changes_are_kept():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2), layers.Dense(2, name="dense_2")])
    model.add(layers.Dense(4))
    assert list(clone_model(model).addresses()) == list(model.addresses()) == ["dense", "dense_2", "dense_1"]


def test_an_unbuilt_chain():
    clone = clone_model(jkeras.Sequential([layers.Dense(2), layers.Dense(1)]))
    assert not clone.built
    assert list(clone.init(KEY, X).trainable) == ["dense", "dense_1"]


@pytest.mark.parametrize("kind", ["chain", "graph"])
def test_input_tensors(kind):
    inputs = jkeras.Input((3,))
    dense = layers.Dense(2)
    model = jkeras.Sequential([inputs, dense]) if kind == "chain" else jkeras.Model(inputs, dense(inputs))
    given = jkeras.Input((3,), batch_size=4, name="given")
    clone = clone_model(model, input_tensors=given)
    assert clone.input_shape == (4, 3)
    assert clone.input_names == ["given"]
    with pytest.raises(ArgumentError, match="input_tensors"):
        clone_model(model, input_tensors=[given, given])


def wide(layer):
    """Twice the units."""
    config = layer.get_config()
    return type(layer).from_config({**config, "units": 2 * config["units"]} if "units" in config else config)


def test_a_clone_function():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2), layers.Dense(1)])
    clone = clone_model(model, clone_function=wide)
    assert clone.output_shape == (None, 2)
    assert clone.init(KEY).trainable["dense"]["kernel"].shape == (3, 4)


def test_a_call_function():
    """Puts a layer behind every dense one."""

    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        return layers.Dropout(0.5)(outputs) if isinstance(layer, layers.Dense) else outputs

    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, layers.Dense(2)(layers.Dense(4)(inputs)) + 1.0)
    clone = clone_model(model, call_function=call)
    assert [type(layer).__name__ for layer in clone.layers] == ["InputLayer", "Dense", "Dropout", "Dense", "Dropout"]
    with pytest.raises(ArgumentError, match="call_function"):
        clone_model(jkeras.Sequential([layers.Dense(2)]), call_function=call)


@pytest.mark.parametrize("recursive", [False, True])
def test_models_inside(recursive):
    seen = []

    def clone(layer):
        seen.append(type(layer).__name__)
        return type(layer).from_config(layer.get_config())

    model = NETWORKS["nested"].build(jkeras)
    again = clone_model(model, clone_function=clone, recursive=recursive)
    assert again.get_layer("inner") is not model.get_layer("inner")
    assert ("Dense" in seen) == recursive
    assert ("Functional" in seen) != recursive
    assert jax.tree.structure(again.init(KEY)) == jax.tree.structure(model.init(KEY))


def test_recursion_is_keras_s():
    """Which layers the function sees, in both libraries."""

    def seen_by(library, clone):
        seen = []

        def function(layer):
            seen.append(type(layer).__name__)
            return type(layer).from_config(layer.get_config())

        clone(NETWORKS["nested"].build(library), clone_function=function, recursive=True)
        return sorted(name for name in seen if name != "InputLayer")

    with asking_keras():
        theirs = seen_by(keras, keras.models.clone_model)
    assert seen_by(jkeras, clone_model) == theirs


def test_a_subclass_is_cloned_through_its_config():
    class Small(jkeras.Model):
        def __init__(self, units=2):
            super().__init__()
            self.units, self.dense = units, layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    clone = clone_model(Small(5))
    assert clone.units == 5
    with pytest.raises(ArgumentError, match="clone_function"):
        clone_model(Small(), clone_function=wide)


def test_unknown_arguments():
    with pytest.raises(ArgumentError, match="unknown arguments"):
        clone_model(jkeras.Sequential([layers.Dense(2)]), depth=3)
