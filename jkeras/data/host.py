"""Arrays of other libraries as NumPy, recognised by their methods, without importing any of these libraries.

| array | method |
|---|---|
| torch tensors | `.detach().cpu().numpy()`, DLPack for dtypes that NumPy lacks |
| pandas, polars, pyarrow | `.to_numpy()`; a pandas series becomes a column `(b, 1)`, columns of unlike numbers floats |
| TensorFlow tensors | `.numpy()` |
| scipy.sparse matrices | `.toarray()` |
| anything else | `__array__`, `__dlpack__`, numbers |

JAX arrays are not converted. float64 becomes `floatx`, as JAX would silently do later.
"""

import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import config, tree
from jkeras.errors import DataError
from jkeras.jax_compat import has_64_bits, with_auto_axes
from jkeras.typing import PyTree

STRINGS = (str, bytes)


def host_arrays(value: object, name: str, *, cast: bool = True) -> PyTree:
    """A structure of arrays, of any library, as one of NumPy or JAX arrays.

    A list of numbers, or of lists of numbers, is one array. `None` is an empty structure.

    Args:
        value: the structure.
        name: its name in errors.
        cast: whether float64 becomes `floatx`.

    Raises:
        DataError: a leaf is not an array of numbers, or has no axis.

    >>> host_arrays({"a": [1, 2, 3], "b": [[1.0], [2.0], [3.0]]}, "x")["b"].shape
    (3, 1)
    """
    if is_array(value):
        array = _host_array(value, name)
        return cast_float64(array) if cast else array
    paths_and_leaves, structure = jax.tree_util.tree_flatten_with_path(value, is_leaf=_is_literal)
    leaves = [_host_array(leaf, tree.join(name, tree.key_path(path))) for path, leaf in paths_and_leaves]
    return jax.tree.unflatten(structure, [cast_float64(leaf) for leaf in leaves] if cast else leaves)


def cast_float64(value: np.ndarray) -> Any:
    """A NumPy array of float64, or of a wider float, as `floatx`; where JAX works with 64 bits, as float64.

    >>> cast_float64(np.ones(2)).dtype
    dtype('float32')
    """
    if isinstance(value, jax.Array) or value.dtype not in (np.float64, np.longdouble):
        return value
    if has_64_bits():
        return value.astype("float64", copy=False)
    return value.astype(config.floatx())


def is_array(value: object) -> bool:
    """Whether a value is one array, of any library.

    >>> is_array(np.ones(2)), is_array([1.0, 2.0]), is_array(iter([1.0]))
    (True, False, False)
    """
    return hasattr(value, "shape") and any(
        hasattr(value, able) for able in ("__array__", "__dlpack__", "detach", "to_numpy", "numpy", "toarray")
    )


def _is_literal(value: object) -> bool:
    """Whether something is a list that spells out one array: of numbers or strings, or of lists of these."""
    return isinstance(value, list) and bool(value) and all(_is_scalar(item) or _is_literal(item) for item in value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, (numbers.Number, *STRINGS))


def _host_array(value: object, path: str) -> Any:
    if isinstance(value, jax.Array):
        value = with_auto_axes(value)
    else:
        value = _foreign(value, path)
        if not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool) or value.dtype.kind == "m":
            raise _no_numbers(value, path)
    if value.ndim == 0:
        raise DataError(
            "the array must have an axis of examples, got a scalar.",
            path=path,
            expected="an array whose first axis counts the examples",
            received="shape ()",
            write=f"{path} = np.reshape({path}, (1,))   # one example",
        )
    return value


def _foreign(value: object, path: str) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(
            "the array must not have masked values: the network would read them.",
            path=path,
            expected="an array without a mask",
            received=f"{np.ma.count_masked(value)} of {value.size} values are masked",
            write=f"{path} = {path}.filled(0)   # with a sample_weight of 0 for them",
        )
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):
        return _torch(value)
    if hasattr(value, "iloc"):
        return _pandas(value, path)
    for method in ("to_numpy", "numpy", "toarray"):
        if callable(getattr(value, method, None)):
            return np.asarray(getattr(value, method)())
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        return np.asarray(jax.dlpack.from_dlpack(value))
    try:
        return np.asarray(value)
    except ValueError:
        raise _ragged(value, path) from None


def _pandas(value: Any, path: str) -> np.ndarray:
    table = np.asarray(value.to_numpy())
    if table.ndim == 1:
        return table[:, None]
    if table.dtype != object:
        return table
    columns = [np.asarray(value.iloc[:, place].to_numpy()) for place in range(table.shape[1])]
    wrong = [place for place, column in enumerate(columns) if not _is_numeric(column)]
    if wrong:
        names = [value.columns[place] for place in wrong]
        dtype = f"dtype {value.dtypes.iloc[wrong[0]]}"
        raise DataError(
            f"the column {names[0]!r} must hold numbers, got {dtype}.",
            path=path,
            expected="columns of numbers",
            received=f"{dtype}; {len(wrong)} of {len(columns)} columns hold something else",
            write=f"{path} = {path}.drop(columns={names!r})   # or pandas.get_dummies({path}, columns={names!r})",
        )
    return np.stack([column.astype("float64") for column in columns], axis=-1)  # such as bool beside float


def _is_numeric(column: np.ndarray) -> bool:
    return column.dtype.kind in "biuf" or (column.dtype == object and all(map(_is_number, column)))


def _torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    try:
        array: np.ndarray = tensor.numpy()
        return array
    except TypeError:  # bfloat16 and the float8 types
        return np.asarray(jax.dlpack.from_dlpack(tensor))


def _no_numbers(value: np.ndarray, path: str) -> DataError:
    if value.dtype.kind in "US" or (value.size and isinstance(value.flat[0], STRINGS)):
        received = f"dtype {value.dtype}, {value.size} of them, the first {value.ravel()[:1].tolist()}"
        write = "names, indices = np.unique(labels, return_inverse=True)   # an index per class"
        problem = "the array must hold numbers, got strings."
        return DataError(problem, path=path, expected="a numeric array", received=received, write=write)
    if value.dtype != object:
        rule, write = "the array must hold numbers", f"{path} = {path}.astype('int64')"
        mends = value.dtype.kind in "mM"
        received = f"dtype {value.dtype}"
        return DataError.must(rule, received, path=path, expected="a numeric array", write=write if mends else None)
    kinds = [_is_number(each) for each in value.flat]
    if all(kinds):
        return DataError(
            "an array of Python objects must be converted to numbers.",
            path=path,
            expected="a numeric array",
            received=f"dtype object, {value.size} numbers",
            write=f"{path} = np.asarray({path}, 'float32')",
        )
    if value.ndim == 1:
        return _ragged(value, path)
    first = tuple(int(each) for each in np.unravel_index(kinds.index(False), value.shape))
    return DataError(
        f"the array must hold only numbers, got a {type(value[first]).__name__}.",
        path=path,
        expected="a numeric array",
        received=f"dtype object, {value[first]!r:.40} of type {type(value[first]).__name__} at {list(first)}",
        write=f"{path} = np.asarray({path}, 'float32')   # once all are numbers; None becomes NaN",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real | np.bool_)


def _ragged(rows: Any, path: str) -> DataError:
    """The error for rows that do not form one array: it shows the first that is unlike row 0."""
    odd = next((index for index, row in enumerate(rows) if _form(row) != _form(rows[0])), None)
    if odd is None:
        shown = f"dtype object, row 0 is {_form(rows[0])}" if len(rows) else "dtype object"
        stacked = len(rows) > 0 and hasattr(rows[0], "__len__")
        return DataError(
            "an array of Python objects must be converted to numbers.",
            path=path,
            expected="a numeric array",
            received=shown,
            write=f"{path} = np.stack({path})" if stacked else None,
        )
    return DataError(
        "all rows must have the same form, to be one array.",
        path=path,
        expected=f"rows like row 0, which is {_form(rows[0])}",
        received=f"row {odd} is {_form(rows[odd])}",
        write="np.stack([np.pad(row, (0, longest - len(row))) for row in rows])   # pad to one length"
        if hasattr(rows[odd], "__len__")
        else "np.array(rows, 'float32')   # numbers only, None becomes NaN",
    )


def _form(row: object) -> str:
    """The form of a row, without its values."""
    if hasattr(row, "shape"):
        return f"an array of shape {tuple(row.shape)}"
    kind = type(row).__name__
    return f"a {kind} of length {len(row)}" if hasattr(row, "__len__") else f"of type {kind}"
