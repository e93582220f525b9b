"""Layers that act at random: Keras's masks for the same state, one step of a stream per call, inference without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.core import Layer
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import dropout
from tests.oracle import asking_keras, assert_close, keras

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
IMAGE = X[:, None]
VOLUME = X[:, None, None]

RANDOM = [
    ("Dropout", {"rate": 0.4}, X),
    ("Dropout", {"rate": 0.4, "noise_shape": (None, 1, None)}, X),
    ("Dropout", {"rate": 1.0}, X),
    ("AlphaDropout", {"rate": 0.4, "noise_shape": (4, 3, 1)}, X),
    ("GaussianDropout", {"rate": 0.4}, X),
    ("GaussianNoise", {"stddev": 0.4}, X),
    ("SpatialDropout1D", {"rate": 0.4}, X),
    ("SpatialDropout2D", {"rate": 0.4, "data_format": "channels_first"}, IMAGE),
    ("SpatialDropout3D", {"rate": 0.4}, VOLUME),
]


class Pair(Layer):
    """Two dropouts, the first of which is called twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dropout(0.5), layers.Dropout(0.5)

    def call(self, inputs):
        return jnp.stack([self.first(inputs), self.first(inputs), self.second(inputs)])


def seed_state(tree):
    return np.asarray(tree["seed_generator"]["seed_generator_state"])


@pytest.mark.parametrize("name, config, x", RANDOM, ids=lambda value: value if isinstance(value, str) else None)
def test_three_steps_equal_keras(name, config, x):
    ours = getattr(layers, name)(seed=11, **config)
    with asking_keras():
        theirs = getattr(keras.layers, name)(seed=11, **config)
    _, state = ours.init(jax.random.key(0), x)
    for _ in range(3):
        outputs, state = ours.stateless_call({}, state, x, training=True)
        with asking_keras():
            expected = theirs(x, training=True)
        # which entries are dropped is the same bit by bit; scaling and shifting round a few times
        np.testing.assert_array_equal(np.asarray(outputs) == 0, np.asarray(expected) == 0)
        assert_close(outputs, expected, ulps=4)
        np.testing.assert_array_equal(seed_state(state), theirs.seed_generator.state.value)


def test_the_masks_are_equal_for_any_state():
    ours, x = layers.Dropout(0.3), jnp.ones((64,))
    ours.build((64,))
    for words in ([3, 0], [3, 5], [4294967295, 4294967295]):
        state = jnp.array(words, "uint32")
        outputs, _ = ours.stateless_call({}, {"seed_generator": {"seed_generator_state": state}}, x, training=True)
        with asking_keras():
            expected = keras.random.dropout(x, 0.3, seed=state)
        np.testing.assert_array_equal(outputs, expected)


def test_each_call_in_training_advances_the_counter_of_its_own_stream():
    layer, x = Pair(), jnp.ones((200,))
    variables = layer.init(jax.random.key(0), x)
    assert variables.trainable == {}
    (once, again, other), state = layer.stateless_call(*variables, x, training=True)
    assert [seed_state(state[name])[1] for name in ("first", "second")] == [2, 1]
    assert seed_state(state["first"])[0] == seed_state(variables.non_trainable["first"])[0]
    # of 200 entries, two independent masks agree in all with probability 2^-200
    assert not np.array_equal(once, again) and not np.array_equal(once, other)
    (resumed, _, _), _ = layer.stateless_call({}, state, x, training=True)
    assert not np.array_equal(resumed, once) and not np.array_equal(resumed, again)


@pytest.mark.parametrize("training", [False, None])
def test_inference_is_deterministic_and_leaves_the_stream(training):
    layer, x = Pair(), jnp.ones((8,))
    variables = layer.init(jax.random.key(0), x)
    outputs, state = layer.stateless_call(*variables, x, training=training)
    np.testing.assert_array_equal(outputs, np.ones((3, 8)))
    np.testing.assert_array_equal(seed_state(state["first"]), seed_state(variables.non_trainable["first"]))


def test_every_member_of_a_vmap_has_its_own_stream():
    layer, x = layers.Dropout(0.5), jnp.ones((200,))
    layer.build((200,))
    ensemble = jax.vmap(layer.init)(jax.random.split(jax.random.key(0), 3))
    states = ensemble.non_trainable["seed_generator"]["seed_generator_state"]
    assert len({int(seed) for seed in states[:, 0]}) == 3
    outputs, after = jax.vmap(lambda state: layer.stateless_call({}, state, x, training=True))(ensemble.non_trainable)
    assert len({np.asarray(member).tobytes() for member in outputs}) == 3
    np.testing.assert_array_equal(seed_state(after)[:, 1], [1, 1, 1])


def test_an_int_seed_is_the_same_stream_after_every_init():
    layer = layers.Dropout(0.5, seed=9)
    states = [seed_state(layer.init(jax.random.key(key), (2,)).non_trainable) for key in (0, 1)]
    np.testing.assert_array_equal(states, [[9, 0], [9, 0]])


def test_a_call_draws_one_tensor_of_bits():
    layer = layers.Dropout(0.5, noise_shape=(None, 1))
    variables = layer.init(jax.random.key(0), (4, 6))
    program = str(
        jax.make_jaxpr(lambda *call: layer.stateless_call(*call, training=True))(*variables, jnp.ones((4, 6)))
    )
    assert program.count("random_bits[") == 1
    assert "bit_width=32 shape=(4, 1)" in program


def test_nothing_is_declared_where_nothing_is_drawn():
    for layer in (layers.Dropout(0), layers.GaussianNoise(0.0), layers.GaussianDropout(0.0), layers.AlphaDropout(0)):
        assert layer.init(jax.random.key(0), (2,)) == ({}, {})
        assert layer.stateless_call({}, {}, jnp.ones(2), training=True)[0].tolist() == [1, 1]


def test_the_mean_stays_and_the_rate_is_met():
    outputs = np.asarray(dropout(jnp.ones((100, 100)), 0.3, jax.random.key(0)))
    # the share of 10^4 draws has a standard deviation of sqrt(0.3 * 0.7) / 100 = 0.0046: five of them are allowed
    assert abs((outputs == 0).mean() - 0.3) < 5 * 0.0046
    np.testing.assert_allclose(outputs[outputs != 0], 1 / 0.7, rtol=1e-6)


@pytest.mark.parametrize("rate", [-0.1, 1.1, "half", None, True, float("nan")])
def test_a_rate_that_is_no_fraction_is_refused(rate):
    with pytest.raises(ArgumentError, match="rate"):
        layers.Dropout(rate)


@pytest.mark.parametrize("noise_shape", ["ab", 3, (1.0,), (0, 1), (-1,)])
def test_a_noise_shape_that_is_no_shape_is_refused(noise_shape):
    with pytest.raises(ArgumentError, match="noise_shape"):
        layers.Dropout(0.5, noise_shape=noise_shape)


def test_a_noise_shape_of_another_rank_is_refused():
    layer = layers.Dropout(0.5, noise_shape=(None, 1))
    variables = layer.init(jax.random.key(0), X)
    with pytest.raises(ShapeError, match="`noise_shape` must"):
        layer.stateless_call(*variables, X, training=True)


@pytest.mark.parametrize("name", ["GaussianDropout", "AlphaDropout"])
def test_a_rate_of_one_has_no_finite_noise(name):
    with pytest.raises(ArgumentError, match="`rate`"):
        getattr(layers, name)(1.0)


def test_seeds_are_ints():
    with pytest.raises(ArgumentError, match="seed"):
        layers.Dropout(0.5, seed=0.5)
