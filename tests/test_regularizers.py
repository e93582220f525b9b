"""Regularizers against Keras: names, penalties, gradients, configs."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import config, registry, regularizers
from jkeras.errors import ArgumentError, SerializationError, ShapeError, UnknownNameError
from tests.descriptors.regularizers import ROWS, sample
from tests.oracle import asking_keras, assert_close, keras

IDS = [pytest.param(row, id=str(row)) for row in ROWS]


def test_the_public_names_are_keras_s():
    public = {name for name in dir(keras.regularizers) if not name.startswith("_")}
    assert set(regularizers.__all__) == public
    for name in public:
        assert getattr(regularizers, name).__name__ == getattr(keras.regularizers, name).__name__


def test_the_strings_are_keras_s_and_l1_l2():
    # Keras's documentation says that "l1_l2" is one; its table has forgotten it.
    assert {name: thing.__name__ for name, thing in regularizers.family.table.items()} == {
        **{name: thing.__name__ for name, thing in keras.src.regularizers.ALL_OBJECTS_DICT.items()},
        "l1_l2": "L1L2",
    }


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_the_signatures_are_keras_s(name):
    ours, theirs = (inspect.signature(getattr(library, name)) for library in (regularizers, keras.regularizers))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("row", IDS)
def test_penalties_and_gradients_are_keras_s(row):
    with asking_keras():
        theirs, their_slope = jax.value_and_grad(row.of(keras.regularizers))(sample())
    ours, our_slope = jax.value_and_grad(row.make())(sample())
    # Sums of 12 terms, or of 16 products of 4.
    assert_close(ours, theirs, ulps=8)
    assert_close(our_slope, their_slope, ulps=16)


def test_penalties_are_their_formulas():
    x = jnp.array([[1.0, -2.0], [3.0, 4.0]])
    assert regularizers.L1(0.5)(x) == 5.0
    assert regularizers.L2(0.5)(x) == 15.0
    assert regularizers.L1L2(0.5, 0.5)(x) == 20.0
    # cos = (3 - 8) / (sqrt(5) * 5): one pair
    np.testing.assert_allclose(regularizers.OrthogonalRegularizer(1.0)(x), 1 / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(regularizers.OrthogonalRegularizer(1.0, "columns")(x), 10 / np.sqrt(10 * 20), rtol=1e-6)
    assert regularizers.Regularizer()(x) == 0.0


def test_integers_are_penalised_in_floats():
    assert regularizers.L1(0.5)(jnp.array([1, -2])).item() == 1.5
    assert regularizers.L1L2(0.5, 0.25)(jnp.array([1, -2])).item() == 2.75


def test_one_row_alone_and_rows_of_zeros_cost_nothing():
    penalty = regularizers.OrthogonalRegularizer(1.0)
    assert penalty(jnp.ones((1, 3))) == 0.0
    value, slope = jax.value_and_grad(penalty)(jnp.zeros((2, 3)))
    assert value == 0.0 and np.all(np.asarray(slope) == 0.0)
    assert penalty(jnp.zeros((2, 3), "float16")) == 0.0


@pytest.mark.parametrize("row", IDS)
def test_configs_go_both_ways(row):
    ours, theirs = row.make(), row.of(keras.regularizers)
    mine, yours = regularizers.serialize(ours), keras.regularizers.serialize(theirs)
    # Keras keeps some factors as float32 and writes the rounded ones.
    for key, value in yours["config"].items():
        if isinstance(value, float):
            yours["config"][key] = float(np.float32(value))
            assert float(np.float32(mine["config"][key])) == yours["config"][key]
    assert {**mine, "config": None} == {**yours, "config": None} and mine["config"].keys() == yours["config"].keys()
    assert type(regularizers.deserialize(yours)) is type(ours)
    with asking_keras():
        again = keras.regularizers.deserialize(mine)(sample())
    assert_close(again, ours(sample()), ulps=8)


def test_get():
    def mine(x):
        return x.sum()

    assert regularizers.get(None) is None
    assert regularizers.get(mine) is mine
    assert regularizers.get("l1") == regularizers.L1(0.01) == regularizers.get(regularizers.L1)
    assert regularizers.get("L1L2") == regularizers.get("l1_l2") == regularizers.L1L2(0.0, 0.0)
    assert regularizers.L1(None) == regularizers.L1() and regularizers.L1L2(None, None) == regularizers.L1L2()
    with pytest.raises(UnknownNameError, match=r"'orthogonal_regularizer' \(did you mean it\?\)"):
        regularizers.get("orthogonal_regulariser")
    with pytest.raises(ArgumentError, match="the regularizer must be"):
        regularizers.get(0.01)


@registry.register_keras_serializable("tests")
class Mean(regularizers.Regularizer):
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x.mean()

    def get_config(self):
        return {"factor": self.factor}


def test_regularizers_of_users():
    again = regularizers.deserialize(regularizers.serialize(Mean(2.0)))
    assert again == Mean(2.0) != Mean(3.0) and again(jnp.ones(3)) == 2.0


def test_a_subclass_says_what_its_config_is():
    class Silent(regularizers.Regularizer):
        pass

    with pytest.raises(SerializationError, match="Silent: a regularizer must define `get_config`"):
        regularizers.serialize(Silent())


@pytest.mark.parametrize("factor", [-1, "0.1", float("nan"), float("inf"), True, [0.1]])
@pytest.mark.parametrize(
    "make", [regularizers.L1, regularizers.L2, regularizers.L1L2, regularizers.OrthogonalRegularizer]
)
def test_factors_are_finite_and_not_negative(make, factor):
    with pytest.raises(
        ArgumentError, match=rf"{make.__name__}: `\w+` must be a finite number >= 0[\s\S]*a finite number >= 0"
    ):
        make(factor)


def test_numpy_numbers_are_factors():
    assert regularizers.L1(np.float32(0.5)) == regularizers.L1(0.5)


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match="`mode`"):
        regularizers.OrthogonalRegularizer(mode="row")
    with pytest.raises(ShapeError, match=r"rank 2[\s\S]*\(3,\)"):
        regularizers.OrthogonalRegularizer()(jnp.ones(3))


def test_epsilon_is_read_at_construction():
    before = regularizers.OrthogonalRegularizer(1.0)
    x = jnp.array([[1.0, 0.0], [1.0, 1.0]])
    value = before(x)
    config.set_epsilon(10.0)
    try:
        assert regularizers.OrthogonalRegularizer(1.0)(x) < 0.02 < value == before(x)
    finally:
        config.set_epsilon(1e-7)
