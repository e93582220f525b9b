"""Activations against Keras: names, signatures, values, gradients, extremes, configs."""

import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import activations, registry
from jkeras.activations.base import family
from jkeras.errors import ArgumentError, SerializationError, UnknownNameError
from tests.descriptors.activations import ROWS, sample
from tests.oracle import asking_keras, assert_close, keras

AGREEING = [pytest.param(row, id=str(row)) for row in ROWS if row.keras_agrees]


@registry.register_keras_serializable("tests")
@keras.saving.register_keras_serializable("tests")
def twice(x):
    return 2 * x


def test_the_public_names_are_keras_s():
    public = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert set(activations.__all__) == public


def test_the_strings_are_keras_s():
    assert {name: thing.__name__ for name, thing in family.table.items()} == {
        name: thing.__name__ for name, thing in keras.src.activations.ALL_OBJECTS_DICT.items()
    }


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_the_signatures_are_keras_s(name):
    ours, theirs = (inspect.signature(getattr(library, name)) for library in (activations, keras.activations))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("row", AGREEING)
def test_values_and_gradients_are_keras_s(row):
    @jax.jit
    def both(x):
        values, pulls = zip(*(jax.vjp(row.of(library), x) for library in (activations, keras.activations)), strict=True)
        weights = jnp.cos(jnp.arange(values[0].size, dtype="float32")).reshape(values[0].shape)
        return values, [pull(weights)[0] for pull in pulls]

    with asking_keras():
        values, gradients = both(sample())
    # The same few operations on both sides; they may differ in their order.
    assert_close(*values, ulps=4, err_msg="value")
    assert_close(*gradients, ulps=8, err_msg="gradient")


EXTREMES = [-np.inf, -1e30, -100.0, -0.0, 0.0, 1e-30, 100.0, 1e30, np.inf, np.nan]
# One infinity or NaN spoils a whole slice of these.
SLICED = ("softmax", "log_softmax", "sparsemax", "glu")


# Where a threshold is compared with it, Keras turns NaN into 0; here it stays NaN, in the test after this one.
@pytest.mark.parametrize(
    "row", [pytest.param(r, id=str(r)) for r in ROWS if r.name not in SLICED and "threshold" not in r.kwargs]
)
def test_extreme_values_are_keras_s(row):
    x = jnp.asarray(EXTREMES, "float32")
    with asking_keras():
        theirs = np.asarray(row.of(keras.activations)(x))
    np.testing.assert_allclose(np.asarray(row.make()(x)), theirs, rtol=1e-6)


@pytest.mark.parametrize("negative_slope, below", [(0.0, 0.0), (0.5, -np.inf)])
def test_relu_with_a_threshold_at_extremes(negative_slope, below):
    y = activations.relu(jnp.array([-np.inf, np.nan, np.inf]), negative_slope, threshold=1.0)
    np.testing.assert_array_equal(y, np.array([below, np.nan, np.inf], "float32"))


def test_relu_is_its_formula():
    x = np.linspace(-3, 9, 49, dtype="float32")
    expected = np.where(x >= 6, 6, np.where(x > 1.5, x, 0.25 * (x - 1.5)))
    y = activations.relu(jnp.asarray(x), negative_slope=0.25, max_value=6.0, threshold=1.5)
    np.testing.assert_array_equal(y, expected.astype("float32"))  # 0.25 is a power of two: exact


def test_relu_takes_an_integer_array():
    assert activations.relu(jnp.array([-1, 2])).tolist() == [0, 2]


def test_softmax_does_not_overflow():
    x = jnp.array([[1e4, 0.0, -1e4], [-1e30, -1e30, -1e30]])
    np.testing.assert_allclose(activations.softmax(x), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(activations.log_softmax(x[:1]), [[0, -1e4, -2e4]], rtol=1e-6)


def nearest_on_the_simplex(scores):
    """The projection by trying every size of support: the optimum is the feasible one with the smallest distance."""
    order = np.sort(scores)[::-1]
    candidates = []
    for k in range(1, len(scores) + 1):
        point = np.maximum(scores - (order[:k].sum() - 1) / k, 0)
        if abs(point.sum() - 1) < 1e-9:
            candidates.append(point)
    return min(candidates, key=lambda point: np.sum((point - scores) ** 2))


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_sparsemax_is_the_projection_on_the_simplex(axis):
    scores = np.random.default_rng(3).normal(size=(5, 4, 6)) * 1.5
    expected = np.apply_along_axis(nearest_on_the_simplex, axis, scores)
    supports = np.count_nonzero(expected, axis=axis)
    assert supports.min() == 1 and supports.max() >= 3
    y = activations.sparsemax(jnp.asarray(scores, "float32"), axis)
    # Sums of up to 6 scores of magnitude below 6, rounded to float32.
    np.testing.assert_allclose(y, expected, atol=6 * 6 * 1.2e-7)
    np.testing.assert_allclose(y.sum(axis), 1, atol=6 * 6 * 1.2e-7)


def test_sparsemax_of_a_clear_winner_is_keras_s():
    x = jnp.asarray(np.random.default_rng(4).permutation(np.arange(24.0)).reshape(4, 6) * 1.5, "float32")
    with asking_keras():
        theirs = keras.activations.sparsemax(x)
    assert_close(activations.sparsemax(x), theirs, ulps=32)  # differences of scores up to 36


def test_sparsemax_counts_beyond_the_integers_of_bfloat16():
    y = activations.sparsemax(jnp.zeros(1000, "bfloat16"))
    assert y.dtype == jnp.bfloat16 and np.unique(np.asarray(y, "float32")).tolist() == [float(jnp.bfloat16(0.001))]


@pytest.mark.parametrize("name", sorted(family.table))
def test_names_and_configs_go_both_ways(name):
    ours = activations.get(name)
    assert keras.activations.get(activations.serialize(ours)).__name__ == ours.__name__
    assert activations.get(keras.activations.serialize(keras.activations.get(name))) is ours
    assert keras.saving.deserialize_keras_object(registry.serialize(ours)).__name__ == ours.__name__
    assert activations.get(keras.saving.serialize_keras_object(keras.activations.get(name))) is ours


def test_functions_of_users_go_both_ways():
    config = activations.serialize(twice)
    assert config == keras.activations.serialize(twice)
    assert activations.get(config) is twice is activations.get("tests>twice")
    assert keras.activations.get(config) is twice


def test_custom_objects_name_functions():
    def mine(x):
        return x

    assert activations.deserialize(activations.serialize(mine), {"mine": mine}) is mine
    assert activations.deserialize("mine", custom_objects={"mine": mine}) is mine
    with registry.custom_object_scope({"relu": mine}):
        assert activations.get("relu") is mine


def test_get_passes_callables_and_none():
    assert activations.get(jnp.tanh) is jnp.tanh
    assert activations.get(None) is activations.linear
    x = jnp.ones(2)
    assert activations.linear(x) is x


def test_unknown_names_come_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"unknown activation 'rellu'[\s\S]*'relu' \(did you mean it\?\)"):
        activations.get("rellu")
    with pytest.raises(UnknownNameError, match="twize"):
        activations.deserialize({"class_name": "function", "config": "tests>twize", "registered_name": "function"})
    with pytest.raises(ArgumentError, match="the activation must be"):
        activations.get(3)


def test_a_lambda_has_no_config():
    with pytest.raises(SerializationError, match="lambda"):
        activations.serialize(lambda x: x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hard_shrink", "threshold"])
def test_lists_and_integers_become_floats(name):
    arguments = (0.5, 9.0) if name == "threshold" else ()
    expected = getattr(activations, name)(jnp.array([0.0, 2.0]), *arguments)
    for x in ([0, 2], [0.0, 2.0], jnp.array([0, 2])):
        outputs = getattr(activations, name)(x, *arguments)
        assert outputs.dtype == "float32"
        assert outputs.tolist() == expected.tolist()


# -- on symbolic tensors


SETTINGS = {
    "relu": {"negative_slope": 0.5, "max_value": 6.0},
    "gelu": {"approximate": True},
    "threshold": {"threshold": 0.5, "default_value": -1.0},
    "softmax": {"axis": 1},
    "elu": {"alpha": 0.5},
}
UNSPOKEN = {
    "hard_silu",
    "hard_swish",
    "mish",
    "sparsemax",
    "threshold",
}  # which Keras does not take on symbolic tensors


def graph(library, name, **settings):
    x = library.Input((3, 4), name="x")
    return library.Model(x, getattr(library.activations, name)(x, **settings))


def recorded(config):
    """The operation in a config of a graph, but for the numbers that Keras counts names with."""
    _, entry = json.loads(json.dumps(config))["layers"]
    return entry["module"], entry["class_name"], {k: v for k, v in entry["config"].items() if k != "name"}


@pytest.mark.parametrize("name", sorted(set(activations.__all__) - {"get", "serialize", "deserialize", "linear"}))
def test_a_symbolic_tensor_records_an_activation(name):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    for settings in [SETTINGS[name]] if name == "threshold" else [{}, SETTINGS.get(name, {})]:
        model = graph(jkeras, name, **settings)
        expected = getattr(activations, name)(x, **settings)
        assert_close(model.stateless_call(*model.init(jax.random.key(0)), x)[0], expected)
        if name == "mish":
            with pytest.raises(SerializationError):
                model.get_config()
            continue
        config = model.get_config()
        again = jkeras.Model.from_config(config)
        assert_close(again.stateless_call(*again.init(jax.random.key(0)), x)[0], expected)
        assert again.get_config() == config
        if name not in UNSPOKEN:
            theirs = graph(keras, name, **settings).get_config()
            assert recorded(config) == recorded(theirs)
            read = jkeras.Model.from_config(theirs)
            assert_close(read.stateless_call(*read.init(jax.random.key(0)), x)[0], expected)
            with asking_keras():
                assert_close(np.asarray(keras.Model.from_config(config)(x)), expected)


def test_linear_of_a_symbolic_tensor_is_the_tensor():
    x = jkeras.Input((3,))
    assert activations.linear(x) is x
