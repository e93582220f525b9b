"""Constraints against Keras: names, projections, configs."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import config, constraints, registry
from jkeras.errors import ArgumentError, UnknownNameError
from tests.descriptors.constraints import ROWS, sample
from tests.oracle import asking_keras, assert_close, keras

IDS = [pytest.param(row, id=str(row)) for row in ROWS]


def norms(w, axis):
    return np.sqrt(np.sum(np.square(np.asarray(w, "float64")), axis=axis))


def test_the_public_names_are_keras_s():
    public = {name for name in dir(keras.constraints) if not name.startswith("_")}
    assert set(constraints.__all__) == public
    for name in public:
        assert getattr(constraints, name).__name__ == getattr(keras.constraints, name).__name__


def test_the_strings_are_keras_s():
    assert {name: thing.__name__ for name, thing in constraints.family.table.items()} == {
        name: thing.__name__ for name, thing in keras.src.constraints.ALL_OBJECTS_DICT.items()
    }


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_the_signatures_are_keras_s(name):
    ours, theirs = (inspect.signature(getattr(library, name)) for library in (constraints, keras.constraints))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("row", IDS)
def test_projections_are_keras_s(row):
    with asking_keras():
        theirs = row.of(keras.constraints)(sample())
    # A sum of up to 12 squares, a root, two quotients.
    assert_close(row.make()(sample()), theirs, ulps=8)


def test_norms_are_where_they_should_be():
    w = sample()
    before = norms(w, (0, 1))
    assert before.min() < 0.5 and before.max() > 1.5
    # `epsilon` in the denominator shortens a vector of norm n by 1e-7 / n.
    np.testing.assert_allclose(norms(constraints.UnitNorm((0, 1))(w), (0, 1)), 1, rtol=1e-5)
    np.testing.assert_allclose(norms(constraints.MaxNorm(1.5, (0, 1))(w), (0, 1)), np.minimum(before, 1.5), rtol=1e-5)
    half = constraints.MinMaxNorm(0.5, 1.5, 0.5, (0, 1))(w)
    np.testing.assert_allclose(norms(half, (0, 1)), (before + np.clip(before, 0.5, 1.5)) / 2, rtol=1e-5)
    assert constraints.NonNeg()(w).min() == 0.0


def test_zero_vectors_stay_zero():
    for constraint in (constraints.UnitNorm(), constraints.MaxNorm(), constraints.MinMaxNorm(0.5)):
        assert np.all(np.asarray(constraint(jnp.zeros((3, 2)))) == 0.0)


def test_a_norm_beyond_the_range_of_float16_is_computed():
    w = jnp.full((4, 1), 600.0, "float16")  # squares are 360000, the largest float16 is 65504
    assert constraints.UnitNorm()(w).tolist() == [[0.5]] * 4
    assert constraints.MaxNorm(2)(w).tolist() == [[1.0]] * 4


def test_integer_weights_become_floats():
    assert constraints.MaxNorm(2.5)(jnp.array([3, 4])).dtype == jnp.float32


@pytest.mark.parametrize("row", IDS)
def test_configs_go_both_ways(row):
    ours, theirs = row.make(), row.of(keras.constraints)
    mine, yours = constraints.serialize(ours), keras.constraints.serialize(theirs)
    if isinstance(yours["config"].get("axis"), tuple):
        yours["config"]["axis"] = list(yours["config"]["axis"])
    assert mine == yours
    assert constraints.deserialize(yours) == ours
    assert keras.constraints.deserialize(mine).get_config() == mine["config"]


def test_get():
    assert constraints.get(None) is None
    assert constraints.get(jnp.abs) is jnp.abs
    assert constraints.get("max_norm") == constraints.MaxNorm() == constraints.get(constraints.MaxNorm)
    assert constraints.get("NonNeg") == constraints.NonNeg()
    with pytest.raises(UnknownNameError, match=r"'unit_norm' \(did you mean it\?\)"):
        constraints.get("unit_nrom")
    with pytest.raises(ArgumentError, match="the constraint must be"):
        constraints.get(1.0)


@registry.register_keras_serializable("tests")
class Clip(constraints.Constraint):
    def __call__(self, w):
        return jnp.clip(w, -1, 1)


def test_constraints_of_users():
    assert constraints.deserialize(constraints.serialize(Clip())) == Clip() == constraints.get("tests>Clip")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: constraints.MaxNorm(-1), r"MaxNorm: `max_value` must be a number[\s\S]*a number >= 0"),
        (lambda: constraints.MaxNorm("2"), "`max_value` must be a number"),
        (lambda: constraints.MaxNorm(float("nan")), "`max_value` must be a number"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "a number >= 2.0"),
        (lambda: constraints.MinMaxNorm(rate=1.5), r"a number in \[0, 1\]"),
        (lambda: constraints.UnitNorm("0"), "`axis` must be an integer"),
        (lambda: constraints.UnitNorm([]), "`axis` must be an integer"),
        (lambda: constraints.UnitNorm([0, True]), "`axis` must be an integer"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_epsilon_is_read_at_construction():
    before, w = constraints.UnitNorm(), jnp.array([3.0, 4.0])
    value = before(w)
    config.set_epsilon(5.0)
    try:
        np.testing.assert_allclose(constraints.UnitNorm()(w), [0.3, 0.4], rtol=1e-6)
        np.testing.assert_array_equal(before(w), value)
        assert before != constraints.UnitNorm()
    finally:
        config.set_epsilon(1e-7)
