"""Arrays of other libraries: pandas and SciPy as they are, and what speaks a protocol.

Those of torch and TensorFlow are in `tests/loaders`.
"""

import jax.numpy as jnp
import numpy as np
import pandas
import pytest
import scipy.sparse

from jkeras.data import check_arrays
from jkeras.data.host import host_arrays, is_array
from jkeras.errors import DataError


class OnlyArray:
    """An array of a library that speaks NumPy's protocol."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values


class OnlyDLPack:
    """An array of a library that speaks DLPack."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


VALUES = np.arange(6, dtype="float32").reshape(3, 2)
KINDS = [pandas.DataFrame, OnlyArray, OnlyDLPack, np.asarray, jnp.asarray]


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
    assert host_arrays(pandas.Series(np.arange(3)), "x").shape == (3, 1)
    assert host_arrays(pandas.Index(np.arange(3)), "x").shape == (3,)


NUMBERS = {
    "int and float": (pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), [[1, 0.5], [2, 1.5]]),
    "bool and float": (pandas.DataFrame({"a": [True, False], "b": [0.5, 1.5]}), [[1, 0.5], [0, 1.5]]),
    "nullable": (pandas.DataFrame({"a": pandas.array([1, 2], dtype="Int64")}), [[1], [2]]),
    "nullable of two kinds": (
        pandas.DataFrame({"a": pandas.array([1, 2], dtype="Int64"), "b": pandas.array([0.5, 1.5], dtype="Float32")}),
        [[1, 0.5], [2, 1.5]],
    ),
    "objects": (pandas.DataFrame({"a": pandas.Series([1, 2.5], dtype=object)}), [[1], [2.5]]),
    "an index of its own": (pandas.DataFrame({"a": [1, 2]}, index=[9, 7]), [[1], [2]]),
    "one name twice": (pandas.DataFrame([[True, 0.5], [False, 1.5]], columns=["a", "a"]), [[1, 0.5], [0, 1.5]]),
    "categories of numbers": (pandas.Series([3, 1], dtype="category"), [[3], [1]]),
    "sparse": (pandas.DataFrame({"a": pandas.arrays.SparseArray([0.0, 1.5])}), [[0], [1.5]]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_columns_of_numbers_are_an_array(kind):
    table, expected = NUMBERS[kind]
    found = host_arrays(table, "x")
    assert found.dtype.kind in "fi"
    assert found.tolist() == expected


def test_a_value_that_is_missing_is_nan():
    found = host_arrays(pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64")}), "x")
    assert np.isnan(found[1, 0]) and found[0, 0] == 1


def test_float64_becomes_floatx_and_other_dtypes_stay():
    values = {name: np.ones(2, name) for name in ("float64", "float16", "int64", "uint8", "bool", "complex64")}
    values["bfloat16"] = np.ones(2, jnp.bfloat16)
    values[str(np.dtype(np.longdouble))] = np.ones(2, np.longdouble)
    found = {name: str(array.dtype) for name, array in host_arrays(values, "x").items()}
    wide = {"float64", str(np.dtype(np.longdouble))}
    assert found == {name: "float32" if name in wide else name for name in values}


def test_lists_of_numbers_are_arrays_and_tuples_are_structures():
    found = host_arrays(([[1, 2], [3, 4]], {"a": [1.5]}, None), "x")
    assert found[0].tolist() == [[1, 2], [3, 4]]
    assert found[1]["a"].tolist() == [1.5]
    assert found[2] is None


RAGGED = np.empty(3, object)
RAGGED[:] = [[1, 2], [1, 2], [1]]
OBJECTS = np.empty(2, object)
OBJECTS[:] = [np.ones(2), object()]
STACKED = np.empty(2, object)
STACKED[:] = [np.ones(2), np.ones(2)]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ([[1, 2], [3]], ["row 0, which is a list of length 2", "row 1 is a list of length 1", "np.pad"]),
        (RAGGED, ["row 0, which is a list of length 2", "row 2 is a list of length 1"]),
        (OBJECTS, ["an array of shape (2,)", "row 1 is of type object"]),
        (np.array([None, None]), ["dtype object", "row 0 is of type NoneType"]),
        (np.array([[None]]), ["dtype object", "None of type NoneType at [0, 0]"]),
        (np.array([[1, 2], [3, "a"]], object), ["'a' of type str at [1, 1]"]),
        (np.array([1, 2.5, True], object), ["dtype object, 3 numbers", "np.asarray(y/label, 'float32')"]),
        (STACKED, ["row 0 is an array of shape (2,)", "np.stack"]),
        (pandas.DataFrame({"a": [1, 2], "name": ["x", "y"]}), ["column 'name'", "1 of 2", "drop(columns=['name'])"]),
        (pandas.DataFrame({"a": [1, 2], "b": pandas.to_datetime(["2020-01-01"] * 2)}), ["column 'b'", "datetime64"]),
        (pandas.Series(["x", "y"]), ["strings", "np.unique"]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), ["1 of 2 values are masked", "filled(0)"]),
        (np.array([1, 2], "m8[s]"), ["numeric array", "timedelta64[s]"]),
        (np.array(["cat", "dog"]), ["strings", "<U3", "'cat'", "np.unique(labels, return_inverse=True)"]),
        (["cat", "dog"], ["strings", "'cat'"]),
        (np.array(["cat", 1], object), ["strings", "np.unique"]),
        (np.array(["2020-01-01"], "datetime64[D]"), ["numeric array", "datetime64[D]"]),
        (np.float32(3), ["got a scalar"]),
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
