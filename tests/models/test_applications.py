"""Networks of keras.applications whose layers Keras defines beside the networks: ConvNeXt and InceptionResNetV2."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.oracle import asking_keras, assert_close, keras


def ours(name):
    """Keras's class of a name."""
    from keras.src.applications import convnext, inception_resnet_v2

    return getattr(inception_resnet_v2 if name == "CustomScaleLayer" else convnext, name)


@pytest.mark.parametrize(
    ("name", "arguments", "inputs"),
    [
        ("LayerScale", {"init_values": 0.5, "projection_dim": 3}, np.ones((2, 4, 3), "float32")),
        ("StochasticDepth", {"drop_path_rate": 0.25}, np.ones((2, 3), "float32")),
        ("CustomScaleLayer", {"scale": 0.25}, [np.ones((2, 3), "float32"), np.full((2, 3), 3, "float32")]),
    ],
)
def test_a_layer_is_that_of_keras_and_configs_go_both_ways(name, arguments, inputs):
    theirs, mine = ours(name)(**arguments), getattr(layers, name)(**arguments)
    outputs, _ = mine.stateless_call(*mine.init(jax.random.key(0), inputs), inputs)
    with asking_keras():
        assert_close(outputs, theirs(inputs))
    config = keras.saving.serialize_keras_object(theirs)
    again = layers.deserialize(config)
    assert type(again) is type(mine)
    back = jkeras.saving.serialize_keras_object(again)
    assert (back["module"], back["class_name"]) == (config["module"], config["class_name"])
    assert ours(name).from_config(back["config"]).get_config().items() >= arguments.items()


def test_stochastic_depth_leaves_out_whole_examples_and_keeps_the_mean():
    layer, x = layers.StochasticDepth(0.25, seed=1), np.ones((4000, 2, 3), "float32")
    outputs, _ = layer.stateless_call(*layer.init(jax.random.key(0), x.shape), x, training=True)
    flat = np.asarray(outputs).reshape(4000, -1)
    assert (flat == flat[:, :1]).all() and set(np.unique(flat)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(flat.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / 4000)  # five standard deviations of the mean


def test_a_convnext_is_read():
    with asking_keras():
        theirs = keras.applications.ConvNeXtTiny(weights=None, input_shape=(32, 32, 3), classes=10)
    model = jkeras.models.model_from_json(theirs.to_json())
    assert model.count_params() == theirs.count_params()
    assert model.output_shape == theirs.output_shape


def test_blocks_of_both_networks_compute_as_keras_s():
    def network(module, scale_layer, layer_scale, depth):
        x = inputs = module.Input((4,))
        for rate in (0.0, 0.5):
            branch = layer_scale(0.5, 4)(module.layers.Dense(4, activation="relu")(x))
            x = module.layers.Add()([x, depth(rate)(branch)])
        return module.Model(inputs, scale_layer(0.1)([x, module.layers.Dense(4)(x)]))

    with asking_keras():
        theirs = network(keras, ours("CustomScaleLayer"), ours("LayerScale"), ours("StochasticDepth"))
    model = jkeras.models.model_from_json(theirs.to_json())
    values = model.set_weights(model.init(jax.random.key(0)), [np.asarray(weight.value) for weight in theirs.weights])
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    with asking_keras():
        assert_close(model.stateless_call(*values, x)[0], theirs(x))
