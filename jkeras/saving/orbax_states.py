"""States in orbax's folders: for arrays that are spread over devices and processes, of which each writes its own part.

The pair has the form of a writer and a reader (`state.py`): `ModelCheckpoint("{epoch}", writer=write_orbax, keep=2)`.
All processes call it. Orbax writes under another name and renames the folder when every part is there.
"""

import os
from typing import Any

import jax

from jkeras.errors import FileWriteError, LeafError, MissingExtraError
from jkeras.saving.state import by_path, shortened
from jkeras.typing import Array, PyTree


def write_orbax(path: str | os.PathLike[str], state: PyTree) -> None:
    """Writes a state into a new folder of orbax's. Returns when it is there, whole.

    Args:
        path: of the folder, which must not exist.
        state: arrays in any tree; they may be spread over devices and processes.

    Raises:
        MissingExtraError: orbax is not installed.
        FileWriteError: the folder exists.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_orbax(f"{folder}/1", {"kernel": jnp.arange(3.0)})
    ...     state = read_orbax(f"{folder}/1", {"kernel": jnp.zeros(3)})
    >>> state["kernel"].tolist()
    [0.0, 1.0, 2.0]
    """
    checkpointer, path = _checkpointer(), os.path.abspath(os.fspath(path))
    if os.path.exists(path):
        raise FileWriteError(
            "the folder must be a new one, because orbax would delete an old one first.",
            path=path,
            expected="a path that does not exist",
            received="a folder",
            write="ModelCheckpoint('run/{epoch}', writer=write_orbax, keep=2)",
        )
    with checkpointer:
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()


def read_orbax(path: str | os.PathLike[str], like: PyTree) -> PyTree:
    """The state that `write_orbax` wrote, or another program by orbax's `StandardCheckpointer`.

    Args:
        path: of the folder.
        like: a tree of the same form: arrays, whose values do not matter, or specs. Arrays come with the sharding of
            what is in their place, whichever they had when they were written.

    Raises:
        MissingExtraError: orbax is not installed.
        FileNotFoundError: there is no such folder.
        LeafError: the folder has another tree, or arrays of other shapes.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_orbax(f"{folder}/1", {"epoch": jnp.int32(7)})
    ...     state = read_orbax(f"{folder}/1", {"epoch": jnp.int32(0)})
    >>> int(state["epoch"])
    7
    """
    checkpointer, path = _checkpointer(), os.path.abspath(os.fspath(path))
    if not os.path.isdir(path):
        raise FileNotFoundError(f"{path}: there is no folder of orbax's")
    with checkpointer:
        _compare(path, checkpointer.metadata(path).item_metadata, like)  # orbax begins to read before it compares
        return checkpointer.restore(path, jax.tree.map(_spec, like))


def _compare(path: str, metadata: Any, like: PyTree) -> None:
    """Raises `LeafError` where a folder does not have the leaves of a tree, by their paths and shapes."""
    found = {name: tuple(leaf.shape) for name, leaf in by_path(getattr(metadata, "tree", metadata)).items()}
    expected = {name: tuple(leaf.shape) for name, leaf in by_path(like).items()}
    problems = [f"{name!r} is missing" for name in expected if name not in found]
    problems += [f"{name!r} is unknown" for name in found if name not in expected]
    problems += [
        f"{name!r} has shape {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if found.get(name, shape) != shape
    ]
    if problems:
        raise LeafError(
            "the folder does not fit the state:\n    " + "\n    ".join(shortened(problems)),
            path=path,
            write="read_orbax(path, like=trainer.init(jax.random.key(0)))",
        )


def _spec(leaf: Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None))


def _checkpointer() -> Any:
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise MissingExtraError.of("a folder of orbax's", "orbax-checkpoint", "orbax", "jkeras.saving") from error
    return orbax.checkpoint.StandardCheckpointer()
