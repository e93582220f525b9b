"""Arrays of other libraries, played by objects that can do what theirs can."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from jkeras.data import check_arrays
from jkeras.data.host import host_arrays, is_array
from jkeras.errors import DataError


class Tensor:
    """What torch, TensorFlow, pandas and others have in common."""

    def __init__(self, values, shape=None):
        self.values = np.asarray(values)
        self.shape = self.values.shape


class TorchTensor(Tensor):
    def detach(self):
        return TorchDetached(self.values)


class TorchDetached(Tensor):
    def cpu(self):
        return TorchOnHost(self.values)


class TorchOnHost(Tensor):
    def numpy(self):
        return self.values


class TorchBfloat16(TorchOnHost):
    """NumPy has no such dtype, so torch refuses; it hands the memory over by DLPack."""

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        raise TypeError("Got unsupported ScalarType BFloat16")

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class EagerTensor(Tensor):
    def numpy(self):
        return self.values


class Frame(Tensor):
    def to_numpy(self):
        return self.values

    @property
    def iloc(self):
        return self


class PolarsFrame(Tensor):
    def to_numpy(self):
        return self.values


class OnlyArray(Tensor):
    def __array__(self, dtype=None, copy=None):
        return self.values


class OnlyDLPack(Tensor):
    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


VALUES = np.arange(6, dtype="float32").reshape(3, 2)
KINDS = [TorchTensor, TorchBfloat16, EagerTensor, Frame, PolarsFrame, OnlyArray, OnlyDLPack, np.asarray, jnp.asarray]


@pytest.mark.parametrize("kind", [*KINDS, scipy.sparse.csr_matrix, np.ndarray.tolist])
def test_arrays_of_any_library_become_arrays(kind):
    found = host_arrays({"a": kind(VALUES)}, "x")["a"]
    assert isinstance(found, np.ndarray | jnp.ndarray)
    np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize("kind", [*KINDS, scipy.sparse.csr_matrix])
def test_arrays_are_known_as_arrays(kind):
    assert is_array(kind(VALUES))


@pytest.mark.parametrize("value", [None, 3, "text", [1.0], iter([]), range(3), print])
def test_nothing_else_is_known_as_an_array(value):
    assert not is_array(value)


def test_a_series_is_a_column_as_in_keras():
    assert host_arrays(Frame(np.arange(3)), "x").shape == (3, 1)


def test_float64_becomes_floatx_and_other_dtypes_stay():
    values = {name: np.ones(2, name) for name in ("float64", "float16", "int64", "uint8", "bool", "complex64")}
    values["bfloat16"] = np.ones(2, jnp.bfloat16)
    found = {name: str(array.dtype) for name, array in host_arrays(values, "x").items()}
    assert found == {name: name for name in values} | {"float64": "float32"}


def test_lists_of_numbers_are_arrays_and_tuples_are_structures():
    found = host_arrays(([[1, 2], [3, 4]], {"a": [1.5]}, None), "x")
    assert found[0].tolist() == [[1, 2], [3, 4]]
    assert found[1]["a"].tolist() == [1.5]
    assert found[2] is None


RAGGED = np.empty(3, object)
RAGGED[:] = [[1, 2], [1, 2], [1]]
OBJECTS = np.empty(2, object)
OBJECTS[:] = [np.ones(2), object()]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ([[1, 2], [3]], ["row 0, which is a list of length 2", "row 1 is a list of length 1", "np.pad"]),
        (RAGGED, ["row 0, which is a list of length 2", "row 2 is a list of length 1"]),
        (OBJECTS, ["an array of shape (2,)", "row 1 is of type object"]),
        (np.array([None, None]), ["dtype object", "row 0 is of type NoneType"]),
        (np.array([[None]]), ["dtype object"]),
        (np.array(["cat", "dog"]), ["strings", "<U3", "'cat'", "np.unique(labels, return_inverse=True)"]),
        (["cat", "dog"], ["strings", "'cat'"]),
        (np.array(["cat", 1], object), ["strings", "np.unique"]),
        (np.array(["2020-01-01"], "datetime64[D]"), ["numeric array", "datetime64[D]"]),
        (np.float32(3), ["a scalar has no examples"]),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(value, parts):
    with pytest.raises(DataError) as error:
        check_arrays(np.ones((3, 1)), {"label": value})
    message = str(error.value)
    assert message.startswith("y/label: ")
    assert len(message.splitlines()) <= 6
    for part in parts:
        assert part in message, message
