"""torch as it is: its tensors of every kind, and its `DataLoader` with and without processes."""

import multiprocessing
from itertools import chain

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from jkeras.data import adapt
from jkeras.data.host import host_arrays, is_array
from jkeras.errors import DataError
from tests.loaders.setup import SIZE, X, Y, labels, trains_and_validates_as_arrays_do

DATASET = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
DTYPES = ["float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_become_arrays_of_their_dtype(dtype):
    tensor = torch.tensor([[0, 1], [2, 3]]).to(getattr(torch, dtype))
    assert is_array(tensor)
    found = host_arrays({"a": tensor}, "x")["a"]
    assert found.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(
        np.asarray(found).astype("complex64").real, [[0, 1], [1, 1]] if dtype == "bool" else [[0, 1], [2, 3]]
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.clone().requires_grad_(),
        lambda t: t.t().contiguous().t(),  # columns lie side by side
        lambda t: t.flip(1).flip(1),
        torch.nn.Parameter,
    ],
)
def test_tensors_of_any_kind(make):
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    np.testing.assert_array_equal(host_arrays(make(values), "x"), values.numpy())


def test_a_tensor_of_float64_becomes_floatx():
    assert host_arrays(torch.ones(2, dtype=torch.float64), "x").dtype == "float32"


def test_a_scalar_and_an_empty_tensor_are_refused():
    with pytest.raises(DataError, match="got a scalar"):
        adapt(torch.tensor(1.0))
    with pytest.raises(DataError, match="at least one example"):
        adapt(torch.zeros(0, 3))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_trains_and_validates_as_the_arrays_do(workers):
    trains_and_validates_as_arrays_do(
        lambda: DataLoader(DATASET, SIZE, num_workers=workers, multiprocessing_context="spawn" if workers else None)
    )
    assert not multiprocessing.active_children()


def test_a_loader_says_its_length_and_its_batch_size():
    source = adapt(DataLoader(DATASET, 24, drop_last=True))
    assert (source.steps, source.batch_size) == (2, 24)
    assert len(labels(source, 0)) == 2


def test_a_shuffled_loader_has_another_order_in_each_epoch():
    source = adapt(DataLoader(DATASET, SIZE, shuffle=True, generator=torch.Generator().manual_seed(0)), epochs=2)
    first, second = labels(source, 0), labels(source, 1)
    assert first != second
    assert all(sorted(chain.from_iterable(epoch)) == sorted(Y.tolist()) for epoch in (first, second))


def test_an_iterable_dataset_has_no_length():
    class Stream(IterableDataset):
        def __iter__(self):
            return zip(torch.from_numpy(X), torch.from_numpy(Y), strict=True)

    source = adapt(DataLoader(Stream(), SIZE))
    assert source.steps is None
    assert len(labels(source, 0)) == source.steps == 4


def test_batches_in_dicts_and_lists():
    rows = [{"a": X[i], "b": np.float32(i)} for i in range(8)]
    ((x, y, weight),) = list(adapt(DataLoader(rows, 8)).epoch(0))
    assert x["a"].shape == (8, 64) and x["b"].tolist() == list(range(8)) and y is None and weight is None


class Failing(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        if index == 40:
            raise ZeroDivisionError("in the dataset")
        return X[index], Y[index]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_the_dataset_names_the_batch(workers):
    loader = DataLoader(Failing(), SIZE, num_workers=workers, multiprocessing_context="spawn" if workers else None)
    with pytest.raises(ZeroDivisionError, match="in the dataset") as error:
        list(adapt(loader).epoch(0))
    assert "while reading batch 3 of epoch 1" in error.value.__notes__
