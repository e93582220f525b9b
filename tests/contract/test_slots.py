"""Every `get` and `deserialize` refuses classes, instances and configs of the other kinds."""

import re
import warnings

import keras
import pytest

import jkeras
from jkeras import activations, constraints, dtypes, initializers, layers, losses, metrics, optimizers, regularizers
from jkeras.errors import ArgumentError, ConfigError, UnknownNameError

SLOTS = {
    "activation": activations,
    "constraint": constraints,
    "initializer": initializers,
    "loss": losses,
    "metric": metrics,
    "optimizer": optimizers,
    "regularizer": regularizers,
    "schedule": optimizers.schedules,
}
THINGS = {
    "constraint": constraints.NonNeg(),
    "initializer": initializers.Zeros(),
    "layer": layers.Flatten(),
    "loss": losses.MeanSquaredError(),
    "metric": metrics.Mean(),
    "optimizer": optimizers.Adam(),
    "regularizer": regularizers.L2(),
    "schedule": optimizers.schedules.ExponentialDecay(0.1, 10, 0.9),
}
FITS = {("metric", "loss"), ("activation", "layer"), *((kind, kind) for kind in THINGS)}


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_takes_its_own_kind_alone(slot, kind):
    room, thing = SLOTS[slot], THINGS[kind]
    config = jkeras.saving.serialize_keras_object(thing)
    if (slot, kind) in FITS:
        assert room.get(thing) is thing
        assert type(room.get(config)) is type(room.deserialize(config)) is type(thing)
        return
    for refused in (lambda: room.get(thing), lambda: room.get(type(thing)), lambda: room.get(config)):
        with pytest.raises(ArgumentError, match=re.escape(kind)):
            refused()
    with pytest.raises(ArgumentError, match=re.escape(kind)):
        room.deserialize(config)


@pytest.mark.parametrize("name", [None, ["Dense"], 3, {"class_name": "Dense"}])
def test_names_of_classes_are_strings(name):
    for config in ({"class_name": name, "config": {}}, {"class_name": "function", "config": name}):
        with pytest.raises(ConfigError, match="must be a string"):
            jkeras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("name", ["object", "str", "datetime64[s]", "S3", "V8"])
def test_dtypes_that_arrays_cannot_have(name):
    with pytest.raises(UnknownNameError):
        layers.Dense(3, dtype=name)


def test_old_name_of_policies():
    config = {"module": "keras", "class_name": "FloatDTypePolicy", "config": {"name": "mixed_bfloat16"}}
    assert layers.Dense.from_config({"units": 3, "dtype": config}).compute_dtype == "bfloat16"
    assert dtypes.FloatDTypePolicy("float16") == dtypes.DTypePolicy("float16")


@pytest.mark.parametrize(
    ("name", "args", "old", "warns"),
    [
        ("Embedding", (10, 4), {"input_length": 3}, True),
        ("LSTM", (3,), {"implementation": 2}, False),
        ("GRU", (3,), {"implementation": 1}, False),
        ("LeakyReLU", (), {"alpha": 0.25}, True),
        ("InputLayer", (), {"input_shape": (3,)}, True),
        ("InputLayer", (), {"batch_input_shape": (None, 3)}, False),
    ],
)
def test_old_arguments(name, args, old, warns):
    made = []
    for room in (layers, keras.layers):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made.append(getattr(room, name)(*args, **old, name="x").get_config())
        assert bool(caught) is warns, [str(each.message) for each in caught]
    ours, theirs = made
    for key in set(ours) & {"negative_slope", "batch_shape", "units", "input_dim", "output_dim"}:
        assert ours[key] == theirs[key], key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"class_name": "Sequential", "class_name": "Dense", "config": {}}', "must be distinct"),
        ("[" * 100_000, "nested more than"),
        ("{", "must be JSON"),
    ],
)
def test_texts_that_are_not_configs(text, why):
    with pytest.raises(ConfigError, match=why):
        jkeras.models.model_from_json(text)
