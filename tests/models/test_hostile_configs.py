"""Every kind of object in every slot: `get` and `deserialize` take what belongs there, and refuse anything else.

Also configs that are ambiguous, or made to exhaust their reader: they are refused at once, with our own errors.
"""

import json
import time

import jax
import pytest

import jkeras
from jkeras import activations, layers, losses, optimizers, registry
from jkeras.errors import ArgumentError, JKerasError
from jkeras.models import model_from_json

THINGS = {"layer": layers.ReLU(), "loss": losses.Huber(), "optimizer": optimizers.SGD()}


@pytest.mark.parametrize(
    ("argument", "kind"), [("loss", "optimizer"), ("metrics", "layer"), ("optimizer", "loss"), ("loss", "layer")]
)
def test_a_trainer_is_not_read_from_things_in_wrong_slots(argument, kind):
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    config = jkeras.Trainer(model, "sgd", "mse").get_compile_config()
    thing = registry.serialize(THINGS[kind])
    with pytest.raises(JKerasError):
        jkeras.Trainer.from_compile_config(model, {**config, argument: [thing] if argument == "metrics" else thing})


def changed(**entries):
    """The JSON of a small model, its Dense changed."""
    config = json.loads(jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)]).to_json())
    dense = config["config"]["layers"][1]
    for name, value in entries.items():
        (dense if name in dense else dense["config"])[name] = value
    return json.dumps(config)


HOSTILE = {
    "class_name None": changed(class_name=None),
    "class_name list": changed(class_name=["Dense"]),
    "units": changed(units=10**30),
    "more digits than Python reads": changed(units=0).replace('"units": 0', '"units": 1' + "0" * 10_000),
    "dtype": changed(dtype="object"),
    "a key twice": changed().replace('"units": 2', '"units": 2, "units": 3'),
    "depth": "[" * 100_000 + "]" * 100_000,
    "depth of objects": '{"a":' * 1000 + "1" + "}" * 1000,
    "no JSON": "{'class_name': 1}",
    "an optimizer": json.dumps(registry.serialize(optimizers.Adam())),
    "an optimizer as a layer": changed(class_name="Adam", module="keras.optimizers", config={}),
    "an optimizer as an activation": changed(activation=registry.serialize(optimizers.Adam())),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_config_is_refused_at_once(text):
    started = time.perf_counter()
    with pytest.raises(JKerasError) as caught:
        model_from_json(text)
    assert time.perf_counter() - started < 2
    assert len(str(caught.value).splitlines()) <= 6


def test_text_in_strings_does_not_count_as_nesting():
    name = "layer" + "[" * 300 + '"\\'
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Lambda(activations.relu, name=None)], name=name)
    assert model_from_json(model.to_json()).name == name


KERAS_2 = {
    "name": "m",
    "layers": [
        {
            "class_name": "InputLayer",
            "config": {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "name": "i"},
            "name": "i",
            "inbound_nodes": [],
        },
        {
            "class_name": "Dense",
            "config": {
                "name": "d",
                "units": 2,
                "activation": "linear",
                "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            },
            "name": "d",
            "inbound_nodes": [[["i", 0, 0, {}]]],
        },
    ],
    "input_layers": [["i", 0, 0]],
    "output_layers": [["d", 0, 0]],
}


def test_configs_of_keras_2_are_read():
    assert jkeras.Model.from_config(KERAS_2).output_shape == (None, 2)
    functional = {"class_name": "Functional", "config": KERAS_2, "keras_version": "2.12.0", "backend": "tensorflow"}
    assert model_from_json(json.dumps(functional)).output_shape == (None, 2)
    chain = {
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [{key: layer[key] for key in ("class_name", "config")} for layer in KERAS_2["layers"]],
        },
        "keras_version": "2.12.0",
    }
    model = model_from_json(json.dumps(chain))
    assert jax.tree.map(jax.numpy.shape, model.init(jax.random.key(0)).trainable) == {
        "d": {"kernel": (3, 2), "bias": (2,)}
    }


def test_code_is_never_read():
    with pytest.raises(ArgumentError, match="`safe_mode` must be true"):
        jkeras.saving.deserialize_keras_object({"class_name": "__ellipsis__", "config": {}}, safe_mode=False)
