"""Writer: how callbacks keep a state in a file, and how it comes back.

A writer is any `Callable[[path, state], None]`, a reader any `Callable[[path, like], state]`. A writer copies what it
needs before it returns, because `fit` reuses the memory of its state; it may write the copy later. The pair here is
plain: an HDF5 file with a dataset for each leaf at the leaf's path, and digests of all of them (`files.py`). What HDF5
cannot hold is written as unsigned integers of the same bits (bfloat16 and its kind, named in the attribute `dtype`) or
as key data (typed PRNG keys, whose implementation is the attribute `key`).
"""

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.errors import LeafError
from jkeras.saving.files import SHOWN, Encoded, read_leaves, write_leaves
from jkeras.typing import Array, PyTree

Writer: TypeAlias = Callable[[str, PyTree], None]
Reader: TypeAlias = Callable[[str, PyTree], PyTree]


def write_state(path: str | os.PathLike[str], state: PyTree) -> None:
    """Writes every leaf of a tree into an HDF5 file.

    The file appears complete or not at all, even if the process or the machine dies: it is written under another name,
    forced to the disk, and then renamed. Folders are made where they are missing.

    Args:
        path: of the file; one that exists is replaced.
        state: arrays, scalars and typed PRNG keys in any tree.

    Raises:
        LeafError: two leaves have the same path.
        FileWriteError: the disk is full, or the folder cannot be written.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state(f"{folder}/a.h5", {"kernel": jnp.arange(3.0), "epoch": 7})
    ...     state = read_state(f"{folder}/a.h5", {"kernel": jnp.zeros(3), "epoch": 0})
    >>> state["kernel"].tolist(), state["epoch"]
    ([0.0, 1.0, 2.0], 7)
    """
    write_leaves(path, {name: encoded(leaf) for name, leaf in by_path(state).items()})


def read_state(path: str | os.PathLike[str], like: PyTree) -> PyTree:
    """The tree that `write_state` wrote. Its digests are compared with what is read.

    Args:
        path: of the file.
        like: a tree of the same form: arrays (whose values do not matter, and which may be deleted), specs, scalars.

    Returns:
        A tree of that form. Arrays come with the sharding of the array or spec in their place.

    Raises:
        LeafError: a leaf is missing in the file, is there and not in `like`, or has another shape or dtype. Names
            every such path.
        FileNotFoundError: there is no file.
        DamagedFileError: the file is truncated, or its contents are not those that were written.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state(f"{folder}/a.h5", {"kernel": jnp.zeros(3)})
    ...     read_state(f"{folder}/a.h5", {"kernel": jnp.zeros(2)})
    Traceback (most recent call last):
    jkeras.errors.LeafError: .../a.h5: the file does not fit the state:
        'kernel' has shape (3,), expected (2,)
    """
    path = os.fspath(path)
    found, names = read_leaves(path, by_path(like))
    return _filled(path, found, names, like)


def _filled(path: str, found: Mapping[str, Encoded], names: Collection[str], like: PyTree) -> PyTree:
    """A tree with what was found in the places of its leaves."""
    expected = by_path(like)
    problems = [f"{name!r} is missing" for name in expected if name not in names]
    problems += [f"{name!r} is unknown" for name in sorted(names) if name not in expected]
    values = {name: decoded(*found[name]) for name in expected if name in found}
    problems += [line for name, value in values.items() if (line := _misfit(name, value, expected[name]))]
    if problems:
        raise LeafError("the file does not fit the state:\n    " + "\n    ".join(shortened(problems)), path=path)
    return tree.map_with_path(lambda name, leaf: placed(values[name or ROOT], leaf), like)


ROOT = "value"  # where a tree is a single leaf


def by_path(state: PyTree) -> dict[str, Any]:
    """The leaves of a tree by their paths. Raises `LeafError` where two have the same."""
    leaves: dict[str, Any] = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(state):
        name = tree.key_path(keys) or ROOT
        if name in leaves:
            raise LeafError("the path of every leaf must be unique, and two leaves have this one.", path=name)
        leaves[name] = leaf
    return leaves


def _is_key(leaf: object) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def encoded(leaf: Array | np.ndarray) -> Encoded:
    """What HDF5 holds of a leaf, and the attributes that say what it was."""
    if _is_key(leaf):
        return np.asarray(jax.random.key_data(leaf)), {"key": str(jax.random.key_impl(leaf))}
    values = np.asarray(leaf)
    if values.dtype.kind == "V":
        return values.view(f"uint{8 * values.dtype.itemsize}"), {"dtype": values.dtype.name}
    return values, {}


def decoded(values: np.ndarray, attributes: Mapping[str, str]) -> Any:
    """The leaf that was encoded."""
    if "key" in attributes:
        return jax.random.wrap_key_data(jnp.asarray(values), impl=attributes["key"])
    return values.view(np.dtype(attributes["dtype"])) if "dtype" in attributes else values


def _misfit(name: str, value: Array | np.ndarray, leaf: Array | np.ndarray) -> str | None:
    """What is wrong with a value in the place of a leaf."""
    spec = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    if value.shape != spec.shape:
        return f"{name!r} has shape {value.shape}, expected {spec.shape}"
    if value.dtype != spec.dtype:
        return f"{name!r} has dtype {value.dtype}, expected {spec.dtype}"
    return None


def placed(value: Array | np.ndarray, leaf: Array | np.ndarray) -> Any:
    """A value in the place of a leaf: an array with its sharding, or what else the leaf is.

    >>> placed(np.ones(2), np.zeros(2)).tolist(), placed(np.array(3), 7)
    ([1.0, 1.0], 3)
    """
    if isinstance(
        leaf, jax.Array
    ):  # one that JAX may move stays so: a committed one in its place would be compiled for
        return jax.device_put(value, leaf.sharding if leaf.committed else None)
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.device_put(value, leaf.sharding)
    return value if isinstance(leaf, np.ndarray) else value.item()


def shortened(problems: list[str]) -> list[str]:
    """Lines for the first, and the paths of all others in one.

    >>> shortened([f"'{name}' is missing" for name in "abcde"])
    ["'a' is missing", "'b' is missing", "'c' is missing", 'and 2 more: d, e']
    """
    if len(problems) <= SHOWN + 1:
        return problems
    others = ", ".join(problem.split("'")[1] for problem in problems[SHOWN:])
    return [*problems[:SHOWN], f"and {len(problems) - SHOWN} more: {others}"]
