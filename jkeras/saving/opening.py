"""`open_weights`: the arrays of a file of anybody's, by name, read one by one."""

import os
from collections.abc import Callable, Mapping

import numpy as np

from jkeras.errors import ArgumentError
from jkeras.saving.archive import WEIGHTS, opened
from jkeras.saving.entries import Entry, Source, Weights, opening
from jkeras.saving.hdf5 import Stored
from jkeras.saving.keras_weights import arrays_of, damaged, read_array
from jkeras.saving.legacy import layers_of, short_names
from jkeras.saving.npz_files import open_npz
from jkeras.saving.safetensors_files import open_safetensors
from jkeras.saving.sharded import beside, hdf5, open_shards, read_index


def open_weights(path: str | os.PathLike[str]) -> Weights:
    """The arrays of a file, by name: `{name: entry}`, where an entry has a `shape`, a `dtype` and `read()`.

    The file may be anybody's: all that it says of itself is checked first, and nothing of it is run. An array is read
    when its entry is asked for it, in the dtype of the file.

    Args:
        path: of the file. Its end says what it is:

            - `.safetensors`, or `.safetensors.index.json`, the index of several: names such as `h.0.ln_1.weight`;
            - `.weights.h5`, or `.weights.json`, the index of several: Keras's names, such as `layers/dense/vars/0`;
            - `.h5`, `.hdf5`: Keras's older form, whose names are `layer/weight`; of other files the names in them;
            - `.keras`: those of the model's `.weights.h5`;
            - `.npz`: the names of the arrays.

    Returns:
        A read-only mapping, in the order of the file. `with` closes the file; without it, it is closed when neither the
        mapping nor an entry is held.

    Raises:
        ArgumentError: the path ends otherwise.
        FileNotFoundError: there is no file.
        UnsafeFileError: the file holds what does not belong into a file of weights. `code` says what.
        DamagedFileError: it is truncated, or a shard is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", kernel=np.arange(6.0).reshape(2, 3))
    ...     with open_weights(f"{folder}/a.npz") as weights:
    ...         print(weights["kernel"], weights["kernel"].read().sum())
    <Entry 'kernel', shape=(2, 3), dtype=float64> 15.0
    """
    path = os.fspath(path)
    for suffix, opener in OPENERS.items():
        if path.endswith(suffix):
            return opener(path)
    raise ArgumentError(
        f"`path` must end in one of {', '.join(map(repr, OPENERS))}, got {path!r}.",
        path="open_weights",
        expected="the path of a file of weights",
        received=repr(path),
        write="weights = jkeras.saving.open_weights('model.safetensors')",
    )


def _open_hdf5(path: str) -> Weights:
    with opening(path) as source:
        return _weights(source, hdf5(path, source)[1], {})


def _open_legacy(path: str) -> Weights:
    """The arrays of a file of Keras's older form, or of any other HDF5 file."""
    with opening(path) as source:
        file, found = hdf5(path, source)
        layers = layers_of(file, found, path)
        if layers is None:
            return _weights(source, found, {})
        names = short_names(layers)
        return _weights(source, {name: found[name] for name in names}, names)


def _open_shards(path: str) -> Weights:
    with opening(path) as source:
        return _weights(source, open_shards(path, source), {})


def _weights(source: Source, found: Mapping[str, Stored], names: Mapping[str, str]) -> Weights:
    def entry(name: str, stored: Stored) -> Entry:
        def load() -> np.ndarray:
            return read_array(stored, name, source.path)

        return Entry(names.get(name, name), stored.shape, stored.dtype, source, load)

    return Weights(source, {names.get(name, name): entry(name, stored) for name, stored in found.items()})


def _open_index(path: str) -> Weights:
    """The arrays of all shards of a `.safetensors.index.json`."""
    index, _ = read_index(path, ".safetensors")
    shards: dict[str, Weights] = {}
    entries = {}
    with opening(path) as source:
        for name, places in index.items():
            shard = places[0] if places else ""
            if shard and shard not in shards:
                shards[shard] = source.enter_context(open_safetensors(beside(path, shard)))
            if not shard or name not in shards[shard]:
                raise damaged(f"{path}: weight_map/{name[:80]}", f"no such array in the shard {shard!r}")
            entries[name] = shards[shard][name]
        return Weights(source, entries)


def _open_model(path: str) -> Weights:
    """The arrays of a `.keras` file."""
    with opening(path) as source:
        archive = source.enter_context(opened(path))
        file = source.enter_context(archive.open(WEIGHTS))
        return _weights(source, source.enter_context(arrays_of(file, path)), {})


OPENERS: Mapping[str, Callable[[str], Weights]] = {
    ".keras": _open_model,
    ".safetensors": open_safetensors,
    ".safetensors.index.json": _open_index,
    ".weights.h5": _open_hdf5,
    ".weights.json": _open_shards,
    ".h5": _open_legacy,
    ".hdf5": _open_legacy,
    ".npz": open_npz,
}
