"""Training on batches from elsewhere: generators, datasets, loaders."""

import threading

import jax
import numpy as np
import pytest

from jkeras import errors
from jkeras.data import PyDataset
from tests.training.networks import data, trainer

X, Y = data(200)


class Batches(PyDataset):
    def __init__(self, size=32, broken=None, **options):
        super().__init__(**options)
        self.size, self.broken = size, broken

    def __len__(self):
        return -(-len(X) // self.size)

    def __getitem__(self, index):
        if index == self.broken:
            raise RuntimeError("unreadable file")
        return X[index * self.size : (index + 1) * self.size], Y[index * self.size : (index + 1) * self.size]


def endless(size=32):
    while True:
        for start in range(0, len(X) - size + 1, size):
            yield X[start : start + size], Y[start : start + size]


@pytest.fixture(scope="module")
def expected():
    t = trainer()
    return t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, shuffle=False, validation_data=(X, Y), verbose=0)[1].history


@pytest.mark.parametrize("make", [Batches, lambda: list_of_batches(), lambda: Batches(workers=2)])
def test_a_source_trains_as_the_arrays_do(make, expected):
    t = trainer()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    _, history = t.fit(t.init(jax.random.key(0)), make(), validation_data=make(), **options)
    assert set(history.history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5)


def list_of_batches():
    return iter_again([(X[i : i + 32], Y[i : i + 32]) for i in range(0, 200, 32)])


class iter_again:
    """An iterable of batches, as loaders are."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def test_a_generator_goes_on_where_it_stopped():
    t = trainer()
    state, history = t.fit(t.init(jax.random.key(0)), endless(), epochs=3, steps_per_epoch=4, verbose=0)
    assert int(state.step) == 12 and len(history.history["loss"]) == 3


def test_a_generator_that_ends_ends_training():
    t = trainer()
    short = ((X[:32], Y[:32]) for _ in range(6))
    with pytest.warns(UserWarning, match="2 of 4 batches in epoch 2"):
        state, history = t.fit(t.init(jax.random.key(0)), short, epochs=3, steps_per_epoch=4, verbose=0)
    assert int(state.step) == 6 and len(history.history["loss"]) == 2


def test_evaluate_and_predict_on_a_source():
    t = trainer()
    state = t.init(jax.random.key(0))
    logs = t.evaluate(state, X, Y, verbose=0)
    for name, value in t.evaluate(state, Batches(), verbose=0).items():
        np.testing.assert_allclose(value, logs[name], rtol=1e-6)
    np.testing.assert_allclose(t.predict(state, Batches(), verbose=0), t.predict(state, X, verbose=0), rtol=1e-5)


def test_a_broken_batch_is_named():
    t = trainer()
    with pytest.raises(RuntimeError, match="unreadable") as error:
        t.fit(t.init(jax.random.key(0)), Batches(broken=3), verbose=0, shuffle=False)
    assert "while reading batch 4 of epoch 1" in error.value.__notes__


def test_wrong_labels_are_named_with_their_batch():
    def batches():
        for index in range(5):
            yield X[:32], Y[:32] + (10 if index == 2 else 0)

    t = trainer()
    with pytest.raises(errors.DataError, match="0 <= label < 10") as error:
        t.fit(t.init(jax.random.key(0)), batches(), verbose=0)
    assert "in batch 3 of epoch 1" in error.value.__notes__


def test_batches_cannot_be_split():
    t = trainer()
    state = t.init(jax.random.key(0))
    with pytest.raises(errors.DataError, match="validation_data"):
        t.fit(state, Batches(), validation_split=0.2, verbose=0)
    with pytest.raises(errors.DataError):
        t.fit(state, Batches(), Y, verbose=0)


def test_no_thread_stays():
    before = threading.active_count()
    t = trainer()
    t.fit(t.init(jax.random.key(0)), Batches(workers=2), verbose=0)
    with pytest.raises(RuntimeError):
        t.fit(t.init(jax.random.key(0)), Batches(workers=2, broken=4), verbose=0)
    assert threading.active_count() <= before + 1  # a pool's thread may take a moment to go
