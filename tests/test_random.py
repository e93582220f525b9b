"""Random numbers: those of Keras for the same key, the seeds that may be given, streams in layers, graphs."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import random
from jkeras.core import KerasTensor
from jkeras.errors import ArgumentError, GraphError, OutsideScopeError, ShapeError
from tests.oracle import asking_keras, keras

X = np.arange(12, dtype="float32").reshape(4, 3)
LOGITS = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 1e-9]], "float32"))
CALLS = {
    "normal": ((4, 3), {"mean": 2.0, "stddev": 0.5}),
    "truncated_normal": ((4, 3), {"mean": 2.0, "stddev": 0.5}),
    "uniform": ((4, 3), {"minval": -1.0, "maxval": 3.0}),
    "randint": ((4, 3), {"minval": -2, "maxval": 9, "dtype": "int16"}),
    "gamma": ((1000,), {"alpha": 50.0}),
    "beta": ((1000,), {"alpha": 30.0, "beta": 10.0}),
    "binomial": ((1000,), {"counts": 10, "probabilities": 0.5}),
    "categorical": (LOGITS, {"num_samples": 5}),
    "shuffle": (X, {"axis": 1}),
    "dropout": (X, {"rate": 0.4, "noise_shape": (None, 1)}),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_numbers_are_those_of_keras(name):
    """Bit by bit: both call one generator with the key `[7, 0]`. So the moments are Keras's too."""
    first, arguments = CALLS[name]
    ours = getattr(random, name)(first, **arguments, seed=7)
    with asking_keras():
        given = jnp.asarray(first) if isinstance(first, np.ndarray) else first
        theirs = getattr(keras.random, name)(given, **arguments, seed=7)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_array_equal(ours, theirs)


def test_signatures_are_those_of_keras():
    for name in random.__all__:
        ours, theirs = (
            [(p.name, p.default) for p in inspect.signature(getattr(library, name)).parameters.values()]
            for library in (random, keras.random)
        )
        assert ours == [pair for pair in theirs if pair[0] != "kwargs"], name
    assert {name for name in vars(keras.random) if not name.startswith("_")} <= set(random.__all__)


def test_parameters_may_be_arrays_and_tracers():
    mean = np.array([0.0, 100.0, 200.0], "float32")

    @jax.jit
    def draw(mean, key):
        return random.normal((4, 3), mean, jnp.full((4, 1), 0.1), seed=key)

    np.testing.assert_allclose(draw(mean, jax.random.key(0)), np.broadcast_to(mean, (4, 3)), atol=1)
    for draw, arguments in {
        random.gamma: (mean,),
        random.beta: (mean, 1.0),
        random.binomial: (mean, np.full((4, 1), 0.5)),
        random.uniform: (mean, 300.0),
        random.truncated_normal: (mean, mean),
    }.items():
        assert jax.eval_shape(lambda: draw((4, 3), *arguments, seed=0)).shape == (4, 3)  # noqa: B023
    ints = random.randint((5, 2), jnp.array([0, 100]), jnp.array([10, 110]), seed=0)
    assert (np.asarray(ints) // 100).tolist() == [[0, 1]] * 5


def test_half_precision_and_floatx():
    for draw in (random.normal, random.truncated_normal, random.uniform):
        assert jax.eval_shape(lambda: draw((2,), dtype="bfloat16", seed=0)).dtype == "bfloat16"  # noqa: B023
        assert jax.eval_shape(lambda: draw((2,), seed=0)).dtype == "float32"  # noqa: B023


def test_a_shuffle_keeps_the_entries_of_each_line():
    shuffled = np.asarray(random.shuffle(np.tile(np.arange(20), (3, 1)), axis=1, seed=0))
    assert np.sort(shuffled, axis=1).tolist() == [list(range(20))] * 3
    assert len({tuple(row) for row in shuffled}) == 3


@pytest.mark.parametrize("name", CALLS)
def test_a_seed_is_always_given(name):
    first, arguments = CALLS[name]
    with pytest.raises(ArgumentError, match=rf"random\.{name}\(\.\.\., seed=jax\.random\.key\(0\)\)"):
        getattr(random, name)(first, **arguments)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-1, "`seed` must be"),
        (1.5, "`seed` must be"),
        (True, "`seed` must be"),
        (np.zeros(2), "`seed` must be"),
        (jnp.zeros(2), r"float32\[2\]"),
        (jax.random.split(jax.random.key(0), 3), "jax.vmap"),
    ],
    ids=str,
)
def test_what_is_no_seed(seed, message):
    with pytest.raises(ArgumentError, match=message):
        random.uniform((2,), seed=seed)


def test_keys_typed_and_raw():
    key = jax.random.key(3)
    for seed in (key, jax.random.key_data(key)):
        np.testing.assert_array_equal(random.uniform((2,), seed=seed), jax.random.uniform(key, (2,)))


def test_bad_arguments():
    for draw in (random.normal, random.truncated_normal, random.uniform):
        with pytest.raises(ArgumentError, match="floating"):
            draw((2,), dtype="int32", seed=0)
    with pytest.raises(ArgumentError, match="integer dtype"):
        random.randint((2,), 0, 3, dtype="float32", seed=0)
    with pytest.raises(ArgumentError, match="rate"):
        random.dropout(X, 1.5, seed=0)
    with pytest.raises(ShapeError, match="logits"):
        random.categorical(LOGITS[0], 3, seed=0)
    with pytest.raises(ShapeError, match="`noise_shape` must"):
        random.dropout(X, 0.5, noise_shape=(1,), seed=0)


# -- streams


class Noisy(jkeras.Layer):
    """Adds noise twice, from one stream."""

    def __init__(self, rate=0.5, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.generator = random.SeedGenerator(seed)

    def call(self, inputs):
        noise = random.normal(inputs.shape, seed=self.generator)
        return random.dropout(inputs + noise, self.rate, seed=self.generator)


def test_a_stream_in_a_layer_advances_with_each_draw():
    layer = Noisy(seed=5)
    variables = layer.init(jax.random.key(0), X)
    run = jax.jit(lambda state: layer.stateless_call({}, state, X))
    outputs, state = run(variables.non_trainable)
    assert state["generator"]["seed_generator_state"].tolist() == [5, 2]
    keys = [jax.random.wrap_key_data(jnp.array([5, count], "uint32")) for count in (0, 1)]
    expected = random.dropout(X + random.normal(X.shape, seed=keys[0]), 0.5, seed=keys[1])
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)  # one sum and one product, perhaps fused
    again, state = run(state)
    assert state["generator"]["seed_generator_state"].tolist() == [5, 4]
    assert not np.array_equal(outputs, again)


@pytest.mark.parametrize("rate", [0, 1])
def test_what_is_certain_uses_no_key(rate):
    layer = Noisy(rate, seed=5)
    variables = layer.init(jax.random.key(0), X)
    assert layer.stateless_call(*variables, X)[1]["generator"]["seed_generator_state"].tolist() == [5, 1]


def test_a_stream_outside_a_scope():
    with pytest.raises(OutsideScopeError, match="seed_generator_state"):
        random.uniform((2,), seed=random.SeedGenerator(3))


# -- graphs


def test_draws_of_symbolic_tensors_become_part_of_the_graph():
    inputs = jkeras.Input((3,))
    outputs = random.dropout(random.shuffle(inputs, axis=1, seed=1), 0.5, seed=2)
    assert outputs.shape == (None, 3)
    assert random.categorical(inputs, 7, seed=1).shape == (None, 7)
    assert random.normal((4, 3), KerasTensor((4, 3)), seed=1).shape == (4, 3)
    model = jkeras.Model(inputs, outputs)
    variables = model.init(jax.random.key(0))
    found, _ = model.stateless_call(*variables, X)
    np.testing.assert_array_equal(found, random.dropout(random.shuffle(X, 1, 1), 0.5, seed=2))


def test_a_graph_holds_neither_keys_nor_streams():
    for seed in (jax.random.key(0), random.SeedGenerator(1)):
        with pytest.raises(GraphError, match="neither keys nor streams"):
            random.dropout(KerasTensor((None, 3)), 0.5, seed=seed)
        with pytest.raises(GraphError, match="neither keys nor streams"):
            random.shuffle(KerasTensor((None, 3)), 1, seed)
    with pytest.raises(ArgumentError, match="`seed` must be given"):
        random.dropout(KerasTensor((None, 3)), 0.5)
