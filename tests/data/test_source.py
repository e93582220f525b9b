"""Sources: epochs, peeks, ends, and batches that must look alike."""

import warnings

import grain
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.data import Arrays, Source, adapt, prefetch, unpack_x_y_sample_weight
from jkeras.errors import DataError, UnknownNameError
from jkeras.utils import PyDataset, pack_x_y_sample_weight
from tests.data.datasets import Numbered
from tests.oracle import keras


def batches(count, start=0):
    """A generator of batches `(x, y)`; x holds the batch's number."""
    for index in range(start, start + count):
        yield np.full((2, 3), index, "float32"), np.array([0, 1])


class Repeatable:
    """What can be iterated again and again, as a data loader can."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return batches(self.count)


def numbers(source, epoch):
    return [int(x[0, 0]) for x, _, _ in source.epoch(epoch)]


# forms of batches

X, Y, W = np.ones((2, 3)), np.zeros(2), np.ones(2)


@pytest.mark.parametrize("batch", [X, (X,), [X], (X, Y), [X, Y], (X, Y, W), {"a": X}, ([X, X], {"b": Y})])
def test_a_batch_has_the_parts_that_keras_finds_in_it(batch):
    ours = unpack_x_y_sample_weight(batch)
    theirs = keras.utils.unpack_x_y_sample_weight(batch)
    assert [type(part) for part in ours] == [type(part) for part in theirs]
    assert type(pack_x_y_sample_weight(*ours)) is type(keras.utils.pack_x_y_sample_weight(*theirs))
    ((x, y, sample_weight),) = adapt(iter([batch])).epoch(0)
    assert [part is None for part in (x, y, sample_weight)] == [part is None for part in ours]


def test_weights_without_labels_are_kept():
    batch = pack_x_y_sample_weight(X, None, W)
    assert batch == (X, None, W)  # Keras drops them
    ((_, y, weight),) = adapt(iter([batch])).epoch(0)
    assert y is None
    assert weight.tolist() == [1, 1]


def test_a_batch_of_four_parts_is_refused_by_number():
    source = adapt(iter([(X, Y), (X, Y, W, W)]))
    with pytest.raises(DataError, match="one to three parts") as error:
        list(source.epoch(2))
    assert "in batch 2 of epoch 3" in error.value.__notes__


# what is adapted


def test_arrays_stay_arrays():
    for x in (X, jnp.ones((2, 3)), {"a": X, "b": [1, 2]}, [X, X], (X,), [0.5, 1.5]):
        assert isinstance(adapt(x, Y, W), Arrays)


def test_class_weights_become_sample_weights():
    assert adapt(X, np.array([0, 1]), class_weight={0: 2.0, 1: 3.0}).sample_weight.tolist() == [2, 3]
    source = adapt(batches(2), class_weight={0: 2.0, 1: 3.0})
    assert [weight.tolist() for _, _, weight in source.epoch(0)] == [[2, 3], [2, 3]]


def test_a_class_without_weight_is_told_once():
    source = adapt(batches(3), class_weight={0: 2.0})
    with pytest.warns(UserWarning, match=r"lacks the classes \[1\]") as told:
        assert len(list(source.epoch(0))) == 3
    assert len(told) == 1


def test_class_weights_and_weights_of_the_batch_exclude_each_other():
    with pytest.raises(DataError, match="batch 1 of epoch 1 must not have sample weights"):
        list(adapt(iter([(X, Y, W)]), class_weight={0: 1.0}).epoch(0))


@pytest.mark.parametrize(
    ("options", "write"),
    [
        ({"y": Y}, "yield x, y "),
        ({"sample_weight": W}, "yield x, y, sample_weight "),
        ({"batch_size": 8}, "batch_size=None"),
    ],
)
@pytest.mark.parametrize("data", [batches(1), Repeatable(1), Numbered()], ids=["generator", "iterable", "PyDataset"])
def test_what_goes_with_arrays_only_is_refused(data, options, write):
    with pytest.raises(DataError) as error:
        adapt(data, **options)
    assert write in str(error.value)
    assert type(data).__name__ in str(error.value)


@pytest.mark.parametrize(
    "data", ["text", b"bytes", {1, 2}, 3, object(), batches, lambda: None, np.random.default_rng(0)]
)
def test_what_holds_no_data_is_refused_with_what_does(data):
    with pytest.raises(DataError) as error:
        adapt(data)
    message = str(error.value)
    assert "PyDataset" in message
    assert "generator" in message
    assert len(message.splitlines()) <= 6


def test_a_generator_function_is_to_be_called():
    with pytest.raises(DataError, match=r"batches\(\)"):
        adapt(batches)


def test_nothing_at_all_is_refused():
    with pytest.raises(DataError, match="`x` must be an array"):
        adapt(None)


@pytest.mark.parametrize("data", [Numbered(None), grain.MapDataset.range(8).batch(2).repeat()])
def test_data_without_end_needs_steps(data):
    with pytest.raises(DataError, match="the data is infinite") as error:
        adapt(data)
    assert "steps_per_epoch" in str(error.value)
    with pytest.raises(DataError, match="`validation_steps`"):
        adapt(data, epochs=None, name="validation_data")
    assert adapt(data, steps=2).steps == 2


def test_a_source_of_ones_own():
    class Own(Source):
        def read(self, epoch):
            return batches(2, start=10 * epoch)

    source = adapt(Own(), steps=2, epochs=2)
    assert [numbers(source, 0), numbers(source, 1)] == [[0, 1], [10, 11]]


# epochs


def test_a_generator_goes_on_across_epochs():
    source = adapt(batches(6), steps=2, epochs=3)
    assert [numbers(source, epoch) for epoch in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert not source.exhausted


def test_only_what_epochs_need_is_taken_of_a_generator():
    endless = batches(10**9)
    source = adapt(endless, steps=2, epochs=2)
    source.peek(0)
    for epoch in range(2):
        with prefetch(source.epoch(epoch), depth=5) as found:
            assert len(list(found)) == 2
    assert int(next(endless)[0][0, 0]) == 4


def test_a_peek_loses_nothing():
    source = adapt(batches(4), steps=2, epochs=7)
    assert source.peek(5)[0][0, 0] == source.peek(5)[0][0, 0] == 0
    assert source.batch_size == 2
    assert [numbers(source, 5), numbers(source, 6)] == [[0, 1], [2, 3]]


def test_a_peek_into_another_epoch_loses_nothing():
    source = adapt(Repeatable(3))
    source.peek(0)
    assert numbers(source, 4) == [0, 1, 2]
    generator = adapt(batches(3))
    generator.peek(0)
    assert numbers(generator, 4) == [0, 1, 2]


def test_a_generator_that_runs_out_is_told_and_ends():
    source = adapt(batches(2), steps=5)
    with pytest.warns(UserWarning, match="produced 2 of 5 batches in epoch 1"):
        assert numbers(source, 0) == [0, 1]
    assert source.exhausted
    assert numbers(source, 1) == []


def test_a_generator_that_ends_between_epochs_is_told():
    source = adapt(batches(2), steps=2, epochs=2)
    assert numbers(source, 0) == [0, 1]
    with pytest.warns(UserWarning, match="produced 0 of 2 batches in epoch 2"):
        assert numbers(source, 1) == []
    assert source.exhausted


def test_a_generator_without_steps_is_one_epoch():
    source = adapt(batches(3), epochs=1)
    assert numbers(source, 0) == [0, 1, 2]
    assert source.exhausted
    with pytest.warns(UserWarning, match="ended after 3 batches in epoch 1 of 4"):
        numbers(adapt(batches(3), epochs=4), 0)


def test_passes_over_an_iterable_go_on_across_epochs_of_some_steps():
    source = adapt(Repeatable(3), steps=2, epochs=9)
    assert [numbers(source, epoch) for epoch in range(3)] == [[0, 1], [2, 0], [1, 2]]


def test_an_epoch_longer_than_a_pass_is_told():
    source = adapt(Repeatable(3), steps=5)
    with pytest.warns(UserWarning, match="produced 3 of 5 batches"):
        assert numbers(source, 0) == [0, 1, 2]
    assert source.exhausted


@pytest.mark.parametrize("data", [iter(()), Repeatable(0), Numbered(0)])
@pytest.mark.parametrize("how", ["epoch", "peek"])
def test_no_batches_at_all_is_an_error(data, how):
    with pytest.raises(DataError, match="at least one batch"):
        list(getattr(adapt(data), how)(3))


def test_an_exception_of_a_generator_says_where():
    def failing():
        yield from batches(1)
        raise ZeroDivisionError("in the generator")

    with pytest.raises(ZeroDivisionError, match="in the generator") as error:
        list(adapt(failing()).epoch(0))
    assert error.value.__notes__ == ["while reading batch 2 of epoch 1"]


def test_values_are_looked_at_in_the_first_batch():
    data = [np.full((2, 1), np.nan)] * 3
    with pytest.warns(UserWarning, match="2 of 2 values of x are NaN") as told:
        list(adapt(iter(data)).epoch(0))
    assert len(told) == 1


# batches that differ


def reading(*data, **options):
    return list(adapt(iter(data), **options).epoch(0))


def test_a_smaller_batch_is_fine():
    assert [len(x) for x, _, _ in reading((X, Y), (X[:1], Y[:1]))] == [2, 1]


@pytest.mark.parametrize(
    ("batch", "path", "expected", "received"),
    [
        ((np.ones((2, 4)), Y), "x: ", "shape (batch, 3)", "shape (2, 4)"),
        ((np.ones((2, 3, 1)), Y), "x: ", "shape (batch, 3)", "shape (2, 3, 1)"),
        ((X, np.zeros((2, 1))), "y: ", "shape (batch,)", "shape (2, 1)"),
        (X, "", "x, y", "x"),
        ((X, Y, W), "", "x, y", "x, y, sample_weight"),
        (({"a": X}, Y), "", "x, y", "x/a, y"),
    ],
)
def test_a_batch_unlike_the_first_is_refused_by_number(batch, path, expected, received):
    with pytest.raises(DataError) as error:
        reading((X, Y), (X, Y), batch)
    message = str(error.value)
    assert message.startswith(f"{path}batch 3 of epoch 1 must have the s")
    assert f"expected: {expected}\n" in message
    assert f"received: {received}" in message.splitlines()[2]
    assert ("jkeras.Input((None,))" in message) == (received == "shape (2, 4)")


def test_lists_where_tuples_were_are_told_apart():
    with pytest.raises(DataError) as error:
        reading(((X, X), Y), ([X, X], Y))
    assert "[*, *]" in str(error.value).splitlines()[2]
    assert "(*, *)" in str(error.value).splitlines()[1]


def test_axes_may_vary_where_that_is_allowed_but_not_their_number():
    longer = np.ones((2, 7))
    assert [x.shape for x, _, _ in reading((X, Y), (longer, Y), same_shapes=False)] == [(2, 3), (2, 7)]
    with pytest.raises(DataError, match=r"\(batch, any\)"):
        reading((X, Y), (X[None], Y[:1]), same_shapes=False)


@pytest.mark.parametrize(
    ("batch", "problem", "received"),
    [
        ((X, Y[:1]), "the same number of examples", "x: 2, y: 1"),
        ((X[:0], Y[:0]), "batch 1 of epoch 1 must not be empty", "x: 0, y: 0"),
        ((None, Y), "batch 1 of epoch 1 must have inputs", "y: 2"),
        (((), None), "must have inputs", "nothing"),
    ],
)
def test_a_batch_that_is_none_is_refused(batch, problem, received):
    with pytest.raises(DataError, match=problem) as error:
        reading(batch)
    assert received in str(error.value)


@pytest.mark.parametrize(
    ("dtype", "cost"),
    [("float64", "converted to float32"), ("float16", "compiled once more"), ("int32", "compiled once more")],
)
def test_another_dtype_is_told_once(dtype, cost):
    first, other = (X.astype("float32"), Y), (X.astype(dtype), Y)
    with pytest.warns(UserWarning) as told:
        reading(first, first, other, first, other)
    assert len(told) == 1
    message = str(told[0].message)
    assert message.startswith(
        f"x: the dtype of batch 3 of epoch 1 should be float32, that of the first batch, got {dtype}: "
    )
    assert cost in message


def test_what_all_batches_share_holds_across_epochs():
    source = adapt(iter([(X, Y), (X, Y), (X, Y), (X[:, :2], Y)]), steps=2)
    assert len(list(source.epoch(0))) == 2
    with pytest.raises(DataError, match="batch 2 of epoch 2"):
        list(source.epoch(1))


def test_keras_names():
    assert issubclass(Numbered, PyDataset)
    assert not issubclass(DataError, UnknownNameError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapt(X, Y)
