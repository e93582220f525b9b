"""Many networks in one program."""

import jax
import numpy as np
import pytest

from jkeras import errors, optimizers
from tests.training.networks import data, mlp, trainer

X, Y = data(100)
RATES = [0.0, 0.1, 0.5]


@pytest.fixture(scope="module")
def fitted():
    t = trainer(optimizer=optimizers.SGD(), replicas=3, hyperparameters={"learning_rate": RATES})
    return t, *t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, validation_split=0.2, verbose=0)


def test_each_replica_is_the_network_trained_alone(fitted):
    _, state, history = fitted
    for member, key in enumerate(jax.random.split(jax.random.key(0), 3)):
        alone = trainer(optimizer=optimizers.SGD(RATES[member]))
        single, expected = alone.fit(alone.init(key), X, Y, epochs=2, validation_split=0.2, verbose=0)
        for name, values in expected.history.items():
            # the same numbers from batched products, whose sums may be in another order
            np.testing.assert_allclose([each[member] for each in history.history[name]], values, rtol=1e-6)
        for a, b in zip(jax.tree.leaves(state.trainable), jax.tree.leaves(single.trainable), strict=True):
            assert np.linalg.norm(a[member] - b) <= 1e-6 * np.linalg.norm(b)


def test_outputs_have_an_axis_of_replicas(fitted):
    t, state, _ = fitted
    assert t.predict(state, X, verbose=0).shape == (3, 100, 10)
    assert t.evaluate(state, X, Y, verbose=0)["accuracy"].shape == (3,)
    assert t.train_on_batch(t.init(jax.random.key(0)), X, Y)[1]["loss"].shape == (3,)


def test_progress_shows_the_range(capsys):
    t = trainer(replicas=2)
    t.fit(t.init(jax.random.key(0)), X, Y)
    assert ".." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"replicas": 0}, "int >= 1"),
        ({"hyperparameters": {"learning_rate": [0.1]}}, "replicas=2"),
        ({"replicas": 2, "hyperparameters": {"learning_rate": [0.1]}}, "(2,)"),
    ],
)
def test_wrong_options(options, part):
    with pytest.raises(errors.ArgumentError) as error:
        trainer(mlp(), **options)
    assert part in str(error.value)
