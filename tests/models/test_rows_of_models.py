"""What Keras's models have beside layers: operations, state trees, and summaries with columns of the user's widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.errors import ArgumentError, ConfigError, LeafError
from tests.core.samples import KEY


def network():
    inputs = jkeras.Input((3,), name="inputs")
    return jkeras.Model(inputs, ops.relu(layers.Dense(2, name="dense")(layers.BatchNormalization(name="norm")(inputs))))


def test_operations_are_layers_and_functions():
    assert [operation.name for operation in network().operations] == ["inputs", "norm", "dense", "relu"]
    chain = jkeras.Sequential([layers.Dense(2)])
    assert chain.operations == chain.layers


def test_a_state_tree_there_and_back():
    model = network()
    variables, others = model.init(KEY), model.init(jax.random.key(1))
    state_tree = model.get_state_tree(variables, value_format="numpy_array")
    assert isinstance(state_tree["trainable_variables"]["dense"]["kernel"], np.ndarray)
    again = model.set_state_tree(others, state_tree)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(variables), strict=True))
    part = model.set_state_tree(variables, {"non_trainable_variables": {"norm": {"moving_mean": jnp.ones(3)}}})
    assert part.non_trainable["norm"]["moving_mean"].tolist() == [1, 1, 1]
    assert np.array_equal(part.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])


def test_a_state_tree_that_does_not_fit_is_refused():
    model, variables = network(), network().init(KEY)
    for state_tree, message in [
        ({"optimizer_variables": {}}, "opt_state"),
        ({"trainable_variables": {"dense": {"kernels": jnp.ones((3, 2))}}}, "dense/kernel"),
        ({"trainable_variables": {"dense": {"kernel": jnp.ones((2, 3))}}}, r"has shape \(2, 3\)"),
    ]:
        with pytest.raises(LeafError, match=message):
            model.set_state_tree(variables, state_tree)
    with pytest.raises(ArgumentError, match="numpy_array"):
        model.get_state_tree(variables, value_format="list")


def test_a_summary_takes_the_places_of_all_columns():
    model, lines = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)]), []
    model.summary(positions=[0.3, 0.6, 0.8, 1.0], show_trainable=True, line_length=100, print_fn=lines.append)
    assert any("Trainable" in line for line in lines)
    by_fractions, by_characters = [], []
    for positions, printed in (([0.4, 0.7, 1.0], by_fractions), ([40, 70, 100], by_characters)):
        model.summary(positions=positions, show_trainable=True, line_length=100, print_fn=printed.append)
    assert by_fractions == by_characters
    with pytest.raises(ArgumentError, match="Layer"):
        model.summary(positions=[0.3, 1.0], print_fn=lines.append)


def test_transforms_of_plain_functions_are_those_of_jax():
    def double(x):
        return 2 * x

    ones = jnp.ones(2)
    assert jkeras.remat(double)(ones).tolist() == [2, 2]
    assert jkeras.remat(lambda x, negate: -x if negate else x)(ones, negate=True).tolist() == [-1, -1]
    assert jkeras.vmap(double)(ones).tolist() == [2, 2]
    assert jkeras.scan(lambda carry, x: (carry + x, x), 0.0, ones)[0] == 2
    assert jkeras.cond(True, double, lambda x: x, 3) == 6
    assert jax.grad(lambda x: jkeras.remat(jnp.sin)(x))(0.0) == 1


def test_errors_of_configs_are_errors_of_values_too():
    assert issubclass(ConfigError, ValueError) and issubclass(ConfigError, TypeError)
