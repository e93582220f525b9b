"""Configs: what one library writes, the other reads, and computes the same with the same weights."""

import json

import chex
import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers, models, registry
from jkeras.errors import ConfigError, GraphError, SerializationError, UnknownNameError
from tests.models.networks import NETWORKS, off_default
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)


@pytest.fixture(params=NETWORKS, ids=str)
def network(request):
    return NETWORKS[request.param]


def assert_same_outputs(ours, theirs, inputs):
    """Runs both with the same weights, which are paired in the order of `weights`."""
    variables = off_default(ours.init(KEY))
    outputs, _ = ours.stateless_call(*variables, inputs)
    with asking_keras():
        assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
        theirs.set_weights(ours.get_weights(variables))
        expected = theirs(inputs, training=False)
    assert as_json(outputs) == as_json(expected)
    for one, other in zip(jax.tree.leaves(outputs), jax.tree.leaves(expected), strict=True):
        assert_close(one, other, ulps=256)  # a dozen layers, each a few roundings of sums


def as_json(structure):
    """The structure of a value after a journey through JSON, which has no tuples."""
    return json.dumps(jax.tree.map(lambda leaf: None, structure))


def keras_built(network):
    with asking_keras():
        keras.utils.clear_session()
        return network.build(keras)


def test_keras_reads_our_json(network):
    ours = network.build(jkeras)
    with asking_keras():
        theirs = keras.models.model_from_json(ours.to_json())
    assert_same_outputs(ours, theirs, network.inputs)


def test_keras_reads_our_object(network):
    ours = network.build(jkeras)
    with asking_keras():
        theirs = keras.saving.deserialize_keras_object(registry.serialize(ours))
    assert [layer.name for layer in theirs.layers] == [layer.name for layer in ours.layers]


def test_we_read_keras_s_json(network):
    theirs = keras_built(network)
    ours = models.model_from_json(theirs.to_json())
    assert_same_outputs(ours, theirs, network.inputs)
    assert ours.name == theirs.name
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]


def test_keras_s_config_comes_back(network):
    """Theirs, read by us, written by us, read by them: the same network again."""
    theirs = keras_built(network)
    ours = models.model_from_json(theirs.to_json())
    with asking_keras():
        again = keras.models.model_from_json(ours.to_json())
    assert_same_outputs(ours, again, network.inputs)


def test_our_config_comes_back(network):
    model = network.build(jkeras)
    again = models.model_from_json(model.to_json())
    assert type(again) is type(model)
    assert again.to_json() == model.to_json()
    chex.assert_trees_all_equal(again.init(KEY), model.init(KEY))
    assert jax.tree.structure(again.init(KEY)) == jax.tree.structure(model.init(KEY))


def without(config, *names):
    """A config without the keys that only one library writes."""
    if isinstance(config, dict):
        return {key: without(value, *names) for key, value in config.items() if key not in names}
    return [without(item, *names) for item in config] if isinstance(config, list) else config


@pytest.mark.parametrize("name", ["mlp", "convolutional", "siamese", "shared"])
def test_the_configs_are_keras_s(name):
    """Key by key, but for these: Keras writes a `compile_config`, and a registered name that is the class's own; which
    layers write a `build_config` or an `activity_regularizer` without content differs."""
    network = NETWORKS[name]
    ours, theirs = json.loads(network.build(jkeras).to_json()), json.loads(keras_built(network).to_json())
    dropped = ("compile_config", "registered_name", "activity_regularizer", "build_config")
    assert without(ours, *dropped) == without(theirs, *dropped)


def test_the_build_configs_of_layers_are_keras_s():
    network = NETWORKS["mlp"]
    ours, theirs = json.loads(network.build(jkeras).to_json()), json.loads(keras_built(network).to_json())
    for one, other in zip(ours["config"]["layers"], theirs["config"]["layers"], strict=True):
        assert one.get("build_config") == other.get("build_config")
    assert ours["build_config"] == theirs["build_config"]


def test_an_unbuilt_chain_stays_unbuilt():
    model = models.model_from_json(jkeras.Sequential([layers.Dense(2)]).to_json())
    assert not model.built
    with asking_keras():
        theirs = keras.models.model_from_json(model.to_json())
    assert not theirs.built
    assert not models.model_from_json(theirs.to_json()).built


def test_a_part_of_a_graph_begins_with_inputs():
    inputs = jkeras.Input((3,))
    hidden = layers.Dense(4)(inputs)
    part = jkeras.Model(hidden, layers.Dense(2)(hidden))
    again = models.model_from_json(part.to_json())
    assert (again.input_shape, again.output_shape) == ((None, 4), (None, 2))
    with asking_keras():
        theirs = keras.models.model_from_json(part.to_json())
    assert_same_outputs(part, theirs, np.ones((2, 4), "float32"))


def test_calls_in_other_graphs_are_left_out():
    inputs, dense = jkeras.Input((3,)), layers.Dense(3)
    dense(jkeras.Input((3,)))
    model = jkeras.Model(inputs, dense(dense(inputs)))
    entry = model.get_config()["layers"][1]
    assert [node["args"][0]["config"]["keras_history"][:2] for node in entry["inbound_nodes"]] == [
        ["input_layer", 0],
        ["dense", 0],
    ]
    assert models.model_from_json(model.to_json()).output_shape == (None, 3)


def test_arguments_of_calls_survive():
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, layers.Dropout(0.5)(inputs, training=True))
    again = models.model_from_json(model.to_json())
    variables = again.init(KEY)
    outputs, _ = again.stateless_call(*variables, np.ones((4, 3), "float32"), training=False)
    assert 0.0 in np.asarray(outputs)


def test_the_form_of_keras_2_is_read():
    """Calls as lists `[layer, call, place, kwargs]`."""
    config = NETWORKS["residual"].build(jkeras).get_config()
    for entry in config["layers"]:
        entry["inbound_nodes"] = [
            [
                [*tensor["config"]["keras_history"], {}]
                for tensor in (node["args"][0] if isinstance(node["args"][0], list) else node["args"])
            ]
            for node in entry["inbound_nodes"]
        ]
    model = models.Functional.from_config(config)
    assert model.output_shape == (None, 2)


def test_the_order_of_layers_does_not_matter():
    config = NETWORKS["shared"].build(jkeras).get_config()
    config["layers"].reverse()
    assert models.Functional.from_config(config).output_shape == (None, 3)


def test_a_loop_is_an_error():
    config = NETWORKS["residual"].build(jkeras).get_config()
    dense = config["layers"][1]
    dense["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["add", 0, 0]
    with pytest.raises(GraphError, match="without loops and disconnected calls"):
        models.Functional.from_config(config)


def test_an_unknown_layer_is_named():
    config = NETWORKS["residual"].build(jkeras).get_config()
    config["output_layers"] = ["dens", 0, 0]
    with pytest.raises(UnknownNameError, match="'dense' \\(did you mean it"):
        models.Functional.from_config(config)


@pytest.mark.parametrize("module", ["keras", "keras.models", "keras.src.models.functional"])
def test_functional_is_known_under_several_modules(module):
    config = json.loads(NETWORKS["residual"].build(jkeras).to_json())
    assert models.model_from_json(json.dumps({**config, "module": module})).output_shape == (None, 2)
    chain = json.loads(NETWORKS["mlp"].build(jkeras).to_json())
    if module != "keras.src.models.functional":
        assert models.model_from_json(json.dumps({**chain, "module": module})).output_shape == (None, 2)


def test_constants_are_part_of_the_graph():
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, inputs * np.array([[1.0, 2.0, 3.0]], "float32"))
    again = models.model_from_json(model.to_json())
    assert again.stateless_call({}, {}, np.ones((1, 3), "float32"))[0].tolist() == [[1.0, 2.0, 3.0]]
    with asking_keras():
        theirs = keras.models.model_from_json(model.to_json())
        assert np.asarray(theirs(np.ones((1, 3), "float32"))).tolist() == [[1.0, 2.0, 3.0]]


def test_a_chain_needs_name_and_layers():
    with pytest.raises(ConfigError, match="the keys 'name' and 'layers'"):
        jkeras.Sequential.from_config({"layers": []})


def test_a_config_that_is_no_model_is_an_error():
    with pytest.raises(ConfigError, match="`json_string` must be the config of a model"):
        models.model_from_json(json.dumps(registry.serialize(layers.Dense(2))))


def test_a_lifted_function_of_yours_has_no_config():
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, jkeras.ops.lift(lambda x: x + 1)(inputs))
    with pytest.raises(SerializationError, match="Layer whose `call`"):
        model.to_json()


class Scaled(jkeras.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs, scale=None):
        return inputs * self.factor * (1.0 if scale is None else scale)


class Nameless(jkeras.Layer):
    """A layer whose constructor takes no name."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs):
        return inputs @ self.kernel.value


def test_custom_objects():
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, Scaled(2.0)(inputs, scale=3.0))
    with pytest.raises(UnknownNameError, match="Scaled"):
        models.model_from_json(model.to_json())
    again = models.model_from_json(model.to_json(), custom_objects={"Scaled": Scaled})
    outputs, _ = again.stateless_call({}, {}, np.ones((1, 3), "float32"))
    assert outputs.tolist() == [[6.0, 6.0, 6.0]]


@pytest.mark.parametrize("kind", ["graph", "chain"])
def test_layers_without_a_name_argument_keep_their_address(kind):
    inputs = jkeras.Input((3,))
    two = [Nameless(2), Nameless(4)]
    model = jkeras.Sequential([inputs, *two]) if kind == "chain" else jkeras.Model(inputs, two[1](two[0](inputs)))
    again = models.model_from_json(model.to_json(), custom_objects={"Nameless": Nameless})
    assert jax.tree.map(np.shape, again.init(KEY)) == jax.tree.map(np.shape, model.init(KEY))


def test_options_of_json():
    model = NETWORKS["mlp"].build(jkeras)
    assert model.to_json(indent=2).startswith("{\n  ")
