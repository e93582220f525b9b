"""Learning rate schedules against Keras's, as functions of the step, and as configs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jkeras.errors import ArgumentError, UnknownNameError
from jkeras.optimizers import SGD, get_learning_rate, schedules
from tests.descriptors.optimizers import SCHEDULES
from tests.oracle import asking_keras, assert_close, keras

STEPS = np.array([*range(33), 100, 1000])


@pytest.mark.parametrize("row", SCHEDULES, ids=str)
def test_values_are_keras_s(row):
    with asking_keras():
        theirs = jax.vmap(row.make(keras.optimizers.schedules))(STEPS)
    ours = jax.vmap(row.make(schedules))(STEPS)
    # A handful of operations, each with one rounding; a power or a cosine has two or three. The argument of the cosine
    # reaches pi, whose rounding error is as large as the last bits of a rate near zero: hence in units of the first.
    assert_close(ours, theirs, ulps=16, scale=0.75, err_msg=str(row))


@pytest.mark.parametrize("row", SCHEDULES, ids=str)
def test_a_rate_is_a_strong_float32_scalar_for_every_kind_of_step(row):
    schedule = row.make(schedules)
    for step in (3, jnp.int32(3), jnp.float32(3)):
        rate = schedule(step)
        assert rate.shape == () and rate.dtype == "float32" and not rate.weak_type
        assert rate == schedule(3)


def test_restarts_come_at_their_step():
    # The third restart is after 1 + 1.1 + 1.21 = 3.31 units of 1000 steps, where the quotient of logarithms may round
    # to just below 3: then this step would have the lowest rate instead of the highest.
    schedule = schedules.CosineDecayRestarts(1.0, 1000, t_mul=1.1)
    assert_close([schedule(2100), schedule(3310)], [1.0, 1.0], ulps=64)


def test_schedules_are_values():
    one, other = (schedules.PiecewiseConstantDecay(boundaries, [1.0, 0.5]) for boundaries in ([3], (3,)))
    assert one == other and hash(one) == hash(other)
    assert one != schedules.PiecewiseConstantDecay([4], [1.0, 0.5])
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "other"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 0.5}),
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.0}),
        ("ExponentialDecay", {"initial_learning_rate": -0.1, "decay_steps": 5, "decay_rate": 0.5}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": -1, "decay_rate": 0.5}),
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}),
        ("PolynomialDecay", {"initial_learning_rate": "0.1", "decay_steps": 1}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 1, "warmup_target": -1.0}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 0}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 1, "t_mul": 0.5}),
        ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [0.1, 0.2]}),
        ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [0.1, 0.2, 0.3]}),
        ("PiecewiseConstantDecay", {"boundaries": [1], "values": [0.1, -0.2]}),
    ],
)
def test_bad_arguments_raise_at_construction(name, arguments):
    with pytest.raises(ArgumentError, match=name):
        getattr(schedules, name)(**arguments)


def test_get_knows_names_configs_functions_and_schedules():
    schedule = schedules.PolynomialDecay(0.1, 10)
    assert schedules.get(schedules.serialize(schedule)) == schedule
    assert schedules.get(schedule) is schedule
    function = optax.linear_schedule(0.1, 0.0, 10)
    assert schedules.get(function) is function
    with pytest.raises(UnknownNameError, match="PolynomialDecay"):
        schedules.get("PolynomalDecay")


def test_a_schedule_of_the_user_s_drives_an_optimizer():
    class Harmonic(schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (step + 1)

        def get_config(self):
            return {"first": self.first}

    optimizer = SGD(Harmonic(0.5))
    state = optimizer.init(jnp.zeros(2))
    for expected in (-0.5, -0.25):
        updates, state = optimizer.update(jnp.ones(2), state)
        assert updates.tolist() == [expected, expected]
    assert get_learning_rate(state) == 0.25
    assert Harmonic.from_config(Harmonic(0.5).get_config()).first == 0.5


def test_a_schedule_of_optax_s_drives_an_optimizer():
    optimizer = SGD(optax.piecewise_constant_schedule(1.0, {1: 0.5}))
    state = optimizer.init(jnp.zeros(()))
    first, state = optimizer.update(jnp.ones(()), state)
    second, _ = optimizer.update(jnp.ones(()), state)
    assert (float(first), float(second)) == (-1.0, -0.5)


def test_a_schedule_without_a_config_says_what_is_missing():
    class Silent(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    with pytest.raises(NotImplementedError, match="get_config"):
        schedules.serialize(Silent())
