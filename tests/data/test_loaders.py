"""grain as it is: its data sets, with and without order, threads and an end, as training and as validation data."""

import threading

import grain
import jax
import numpy as np
import pytest

from jkeras.data import adapt
from tests.training.networks import data, trainer

X, Y = data(64)
SIZE = 16


class Rows:
    """The rows of the digits, one by one: a data source of grain."""

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return X[index], Y[index]


def rows():
    return grain.MapDataset.source(Rows())


def loader(shuffle=False):
    sampler = grain.samplers.IndexSampler(len(X), shuffle=shuffle, seed=1, num_epochs=1)
    operations = [grain.transforms.Batch(SIZE)]
    return grain.DataLoader(data_source=Rows(), sampler=sampler, operations=operations)


KINDS = {
    "map": lambda: rows().batch(SIZE),
    "iterable": lambda: rows().to_iter_dataset().batch(SIZE),
    "threads": lambda: rows().to_iter_dataset(grain.ReadOptions(num_threads=2)).batch(SIZE),
    "loader": loader,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_trains_and_validates_as_the_arrays_do(kind):
    t = trainer()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    arrays = {"batch_size": SIZE, "validation_data": (X[:32], Y[:32])}
    _, expected = t.fit(t.init(jax.random.key(0)), X, Y, **options, **arrays)
    given = {"validation_data": KINDS[kind](), "validation_steps": 2}
    state, history = t.fit(t.init(jax.random.key(0)), KINDS[kind](), **options, **given)
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5)
    np.testing.assert_allclose(
        t.predict(state, KINDS[kind](), verbose=0), t.predict(state, X, verbose=0), rtol=1e-5, atol=1e-5
    )


def seen(source, epoch):
    return [y.tolist() for _, y, _ in source.epoch(epoch)]


def test_datasets_say_how_long_they_are_where_they_know():
    assert adapt(KINDS["map"]()).steps == 4
    source = adapt(KINDS["iterable"]())
    assert source.steps is None
    assert seen(source, 0) == seen(source, 1) and source.steps == 4


def test_a_dataset_that_repeats_goes_on_across_epochs():
    source = adapt(rows().batch(SIZE).repeat(), steps=3, epochs=4)
    batches = [Y[start : start + SIZE].tolist() for start in range(0, 64, SIZE)]
    assert [seen(source, epoch) for epoch in range(3)] == [
        batches[:3],
        [batches[3], *batches[:2]],
        batches[2:] + batches[:1],
    ]


def test_its_own_order_is_kept():
    shuffled = rows().seed(3).shuffle().batch(SIZE)
    assert (
        seen(adapt(shuffled), 0)
        == [shuffled[index][1].tolist() for index in range(4)]
        != seen(adapt(KINDS["map"]()), 0)
    )
    assert seen(adapt(loader(shuffle=True)), 0) != seen(adapt(loader()), 0)


def test_its_iterator_is_read_once_and_its_place_can_be_kept():
    iterator = iter(KINDS["iterable"]())
    source = adapt(iterator, steps=2, epochs=2)
    assert seen(source, 0) == [Y[:16].tolist(), Y[16:32].tolist()]
    state = iterator.get_state()
    assert seen(source, 1) == [Y[32:48].tolist(), Y[48:].tolist()]
    iterator.set_state(state)
    assert seen(adapt(iterator, steps=2), 0) == [Y[32:48].tolist(), Y[48:].tolist()]


def test_an_error_in_a_transformation_names_the_batch():
    def fail(index):
        if index == 40:
            raise ZeroDivisionError("in a transformation")
        return X[index], Y[index]

    with pytest.raises(ZeroDivisionError, match="in a transformation") as error:
        list(adapt(grain.MapDataset.range(64).map(fail).batch(SIZE)).epoch(0))
    assert "while reading batch 3 of epoch 1" in error.value.__notes__


def test_no_thread_of_a_dataset_stays_with_it():
    before = threading.active_count()
    t = trainer()
    for _ in range(3):
        t.fit(t.init(jax.random.key(0)), KINDS["threads"](), verbose=0)
    assert threading.active_count() <= before + 4  # grain ends its pools when it comes to it
