"""SeedGenerator: randomness as a leaf of the non-trainable tree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import registry, tree
from jkeras.core import SeedGenerator
from jkeras.errors import ArgumentError, OutsideScopeError
from tests.core.samples import KEY, Chain, Noise, run
from tests.oracle import asking_keras, keras


def draws(seed, count, ordered=True):
    """The states before each of `count` draws, and the last one."""

    def draw(layer, x):
        return [jax.random.key_data(layer.stream.next(ordered=ordered)) for _ in range(count)]

    outputs, state = run(draw, jnp.ones(1), stream=SeedGenerator(seed))
    return [key.tolist() for key in outputs], state["stream"]["seed_generator_state"].tolist()


def test_the_state_is_what_keras_stores():
    with asking_keras():
        theirs = keras.random.SeedGenerator(7).state
    ours = SeedGenerator(7).state
    assert (ours.shape, ours.dtype, ours.trainable, ours.name) == ((2,), theirs.dtype, theirs.trainable, theirs.name)
    np.testing.assert_array_equal(ours.initialize(KEY), np.asarray(theirs.value))


def test_the_address():
    layer = Chain(Noise())
    variables = layer.init(KEY, (1, 2))
    assert list(tree.flatten(variables.non_trainable)) == ["parts/0/generator/seed_generator_state"]
    assert layer.variables[0].path == "parts/0/generator/seed_generator_state"


def test_ordered_draws_count():
    keys, state = draws(7, 3)
    assert keys == [[7, 0], [7, 1], [7, 2]] and state == [7, 3]


def test_unordered_draws_scramble():
    keys, state = draws(7, 3, ordered=False)
    assert keys[0] == [7, 0] and len({tuple(key) for key in [*keys, state]}) == 4


def test_the_first_key_is_keras_s():
    keys, _ = draws(7, 1)
    with asking_keras():
        theirs = keras.random.uniform((4,), seed=keras.random.SeedGenerator(7))
    key = jax.random.wrap_key_data(jnp.array(keys[0], "uint32"))
    np.testing.assert_array_equal(jax.random.uniform(key, (4,)), np.asarray(theirs))


def test_a_generator_gives_new_values_each_call_and_repeats_from_its_state():
    layer, x = Noise(seed=1), jnp.zeros((1, 2))
    variables = layer.init(KEY, x)
    first, state = layer.stateless_call(*variables, x)
    second, _ = layer.stateless_call({}, state, x)
    again, _ = layer.stateless_call(*variables, x)
    assert first.tolist() == again.tolist() != second.tolist()


def test_unseeded_streams_differ_between_places_and_between_keys():
    layer = Chain(Noise(), Noise())
    one, two = (jax.tree.leaves(layer.init(jax.random.key(seed), (1, 2))) for seed in (0, 1))
    assert len({int(state[0]) for state in (*one, *two)}) == 4
    assert all(int(state[1]) == 0 for state in (*one, *two))


def test_every_member_of_an_ensemble_has_a_stream_of_its_own():
    layer, x = Noise(), jnp.zeros((1, 2))
    variables = jax.vmap(lambda key: layer.init(key, x))(jax.random.split(KEY, 3))
    outputs, state = jax.vmap(lambda v: layer.stateless_call(*v, x))(variables)
    assert len(np.unique(outputs)) == 6
    assert state["generator"]["seed_generator_state"][:, 1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("seed", ["a", 1.5, True, -1])
def test_seeds_are_ints(seed):
    with pytest.raises(ArgumentError, match="`seed` must be"):
        SeedGenerator(seed)


@pytest.mark.parametrize("seed", [3, None])
def test_configs(seed):
    generator = SeedGenerator(seed, name="stream")
    assert generator.get_config() == {"seed": seed, "name": "stream"}
    again = registry.deserialize(registry.serialize(generator))
    assert (again.seed, again.explicit_name) == (seed, "stream")


def test_keras_reads_our_config_and_we_read_theirs():
    ours = SeedGenerator(3)
    with asking_keras():
        assert keras.random.SeedGenerator.from_config(ours.get_config()).get_config()["seed"] == 3
        assert SeedGenerator.from_config(keras.random.SeedGenerator(4).get_config()).seed == 4


def test_next_outside_a_scope():
    with pytest.raises(OutsideScopeError, match=r"seed_generator_state'\.value"):
        SeedGenerator().next()
