"""tf.data as it is: its data sets and tensors."""

import os
from itertools import chain

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from jkeras.data import adapt
from jkeras.data.host import host_arrays, is_array
from jkeras.errors import DataError
from tests.loaders.setup import SIZE, X, Y, labels, trains_and_validates_as_arrays_do

ROWS = tf.data.Dataset.from_tensor_slices((X, Y))
DTYPES = ["float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_become_arrays_of_their_dtype(dtype):
    tensor = tf.cast([[0, 1], [2, 3]], dtype)
    assert is_array(tensor)
    found = host_arrays({"a": tensor}, "x")["a"]
    assert found.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(
        np.asarray(found).astype("complex64").real, [[0, 1], [1, 1]] if dtype == "bool" else [[0, 1], [2, 3]]
    )


def test_variables_and_float64():
    assert host_arrays(tf.Variable([1.0, 2.0]), "x").tolist() == [1.0, 2.0]
    assert host_arrays(tf.ones(2, "float64"), "x").dtype == "float32"


def test_strings_and_ragged_tensors_are_refused():
    with pytest.raises(DataError, match="strings"):
        host_arrays(tf.constant(["a", "b"]), "x")
    with pytest.raises(DataError, match="rows"):
        host_arrays(tf.ragged.constant([[1, 2], [3]]), "x")


@pytest.mark.parametrize(
    "more", [lambda d: d, lambda d: d.cache().prefetch(2), lambda d: d.map(lambda x, y: (x, y), 2)]
)
def test_a_dataset_trains_and_validates_as_the_arrays_do(more):
    trains_and_validates_as_arrays_do(lambda: more(ROWS.batch(SIZE)))


def test_datasets_say_how_long_they_are():
    assert adapt(ROWS.batch(SIZE)).steps == 4
    source = adapt(ROWS.filter(lambda x, y: y < 5).batch(SIZE))  # of unknown length
    assert source.steps is None
    assert len(labels(source, 0)) == source.steps


def test_a_dataset_without_end_needs_steps():
    endless = ROWS.batch(SIZE).repeat()
    with pytest.raises(DataError, match="the data is infinite"):
        adapt(endless)
    batches = [Y[start : start + SIZE].tolist() for start in range(0, 64, SIZE)]
    source = adapt(endless, steps=3, epochs=2)
    assert [labels(source, 0), labels(source, 1)] == [batches[:3], [batches[3], *batches[:2]]]


def test_a_shuffled_dataset_has_another_order_in_each_epoch():
    source = adapt(ROWS.shuffle(64, seed=0).batch(SIZE), epochs=2)
    first, second = labels(source, 0), labels(source, 1)
    assert first != second
    assert all(sorted(chain.from_iterable(epoch)) == sorted(Y.tolist()) for epoch in (first, second))


def test_its_numpy_iterator_is_read_once():
    source = adapt(ROWS.batch(SIZE).as_numpy_iterator(), steps=2, epochs=2)
    batches = [Y[start : start + SIZE].tolist() for start in range(0, 64, SIZE)]
    assert [labels(source, 0), labels(source, 1)] == [batches[:2], batches[2:]]


def test_batches_in_dicts():
    ((x, y, _),) = list(adapt(ROWS.map(lambda x, y: ({"a": x}, y)).batch(64)).epoch(0))
    assert x["a"].shape == (64, 64) and y.tolist() == Y.tolist()


def test_an_error_in_a_transformation_names_the_batch():
    def look(x, y):
        return tf.debugging.check_numerics(x / tf.cast(y != Y[40], "float32"), "in a transformation"), y

    bad = tf.data.Dataset.from_tensor_slices((X + 1, Y)).skip(32).map(look)
    with pytest.raises(tf.errors.OpError) as error:
        list(adapt(bad.batch(SIZE)).epoch(0))
    assert "while reading batch 1 of epoch 1" in error.value.__notes__
