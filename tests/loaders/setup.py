"""What tests of loaders share. Their environment has jkeras, torch, TensorFlow and pytest: see the Makefile."""

import jax
import numpy as np

from tests.training.networks import data, trainer

X, Y = data(64)
SIZE = 16


def trains_and_validates_as_arrays_do(make) -> None:
    """Two epochs over what `make()` yields, all digits in batches of 16, are those over the arrays."""
    t = trainer()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    arrays = {"batch_size": SIZE, "validation_data": (X[:32], Y[:32])}
    _, expected = t.fit(t.init(jax.random.key(0)), X, Y, **options, **arrays)
    given = {"validation_data": make(), "validation_steps": 2}
    state, history = t.fit(t.init(jax.random.key(0)), make(), **options, **given)
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5)
    logs = t.evaluate(state, X, Y, batch_size=SIZE, verbose=0)
    for name, value in t.evaluate(state, make(), verbose=0).items():
        np.testing.assert_allclose(value, logs[name], rtol=1e-5)
    np.testing.assert_allclose(
        t.predict(state, make(), verbose=0), t.predict(state, X, verbose=0), rtol=1e-5, atol=1e-5
    )


def labels(source, epoch: int) -> list[list[int]]:
    """The labels of an epoch's batches."""
    return [np.asarray(y).tolist() for _, y, _ in source.epoch(epoch)]
