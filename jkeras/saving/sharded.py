"""Weights in several files: shards, and an index in JSON that says which arrays are in which.

Keras's form is `x.weights.json` with `x_00000.weights.h5`, ...; that of published models is
`x.safetensors.index.json` with any names. A shard lies beside its index.

Saving again over an index must leave the old weights or the new ones, whatever kills the process. So new shards take
numbers that the index in place does not use, the index is replaced in one step, and then the old shards are removed.
Keras opens the shard of number 0 before it looks at the index: where that is not in use, it is an empty file.
"""

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jkeras import arguments
from jkeras.errors import ArgumentError, JKerasError
from jkeras.saving.entries import Source, read_json, refused
from jkeras.saving.files import DIGEST, Encoded, check_length, replacing, write_leaves, writing
from jkeras.saving.hdf5 import Stored, datasets
from jkeras.saving.keras_weights import damaged, reading

SHARD_SUFFIX = ".weights.h5"
DIGESTS = f"jkeras.{DIGEST}"  # of the index's metadata: the digest of each shard
GIGABYTE = 2**30
FORM = "an index with a `weight_map` from arrays to shards in the same folder"


def read_index(path: str, suffix: str) -> tuple[dict[str, list[str]], Mapping[str, Any]]:
    """The shards of each array or group of an index, as plain names of files that are there; and the metadata.

    Raises:
        UnsafeFileError: it is not an index, or a name leads out of the folder.
        DamagedFileError: a shard is missing.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.json").write_text('{"weight_map": {"/vars": "../b.weights.h5"}}')
    ...     read_index(f"{folder}/a.json", ".weights.h5")
    Traceback (most recent call last):
    jkeras.errors.UnsafeFileError: ...a.json: weight_map//vars: a shard must lie beside its index, under a plain name.
      ...
    """
    index = read_json(path)
    weight_map, metadata = index.get("weight_map"), index.get("metadata", {})
    if not isinstance(weight_map, Mapping) or not isinstance(metadata, Mapping):
        raise refused("index", "`weight_map` and `metadata` must be JSON objects", path, FORM, sorted(index))
    found = {}
    for key, value in weight_map.items():
        names = value if isinstance(value, list) else [value]
        where = f"{path}: weight_map/{key[:80]}"
        for name in names:
            if not isinstance(name, str) or not name.endswith(suffix) or not is_plain(name):
                rule = "a shard must lie beside its index, under a plain name"
                raise refused("bad-name", rule, where, f"a name that ends in {suffix!r}", name)
            if not os.path.isfile(beside(path, name)):
                raise damaged(where, f"no shard {name!r}")
        found[key] = names
    return found, metadata


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in the folder itself, on any system.

    >>> is_plain("a_00000.weights.h5"), is_plain("../a.weights.h5"), is_plain("C:a.weights.h5")
    (True, False, False)
    """
    return name not in ("", ".", "..") and not re.search(r"[/\\:\0]", name)


def beside(path: str, name: str) -> str:
    """The path of a file in the same folder.

    >>> beside("a/b.json", "c.h5")
    'a/c.h5'
    """
    return os.path.join(os.path.dirname(path), name)


def hdf5(path: str, source: Source) -> tuple[Any, dict[str, Stored]]:
    """An HDF5 file that is open until its source is closed, and its arrays, checked."""
    import h5py

    check_length(path)
    with reading(path):
        file = source.enter_context(h5py.File(path, "r"))
        return file, datasets(file, path)


def open_shards(path: str, source: Source) -> dict[str, Stored]:
    """The arrays of all shards of a `.weights.json`, by their names.

    Raises:
        UnsafeFileError: the index or a shard holds what does not belong there.
        DamagedFileError: a shard is missing, is damaged, or is that of another index.
    """
    index, metadata = read_index(path, SHARD_SUFFIX)
    digests = metadata.get(DIGESTS)
    digests = digests if isinstance(digests, Mapping) else {}
    found: dict[str, Stored] = {}
    for shard in dict.fromkeys(itertools.chain.from_iterable(index.values())):
        file, arrays = hdf5(beside(path, shard), source)
        if shard in digests and _digest(file) != digests[shard]:
            raise damaged(path, f"the shard {shard!r} of another file")
        for name, stored in arrays.items():
            if shard not in index.get(f"/{name.rpartition('/')[0]}", ()):
                continue
            if name in found:
                raise refused("duplicate", f"an array must be in one shard, got several {name!r}", path, FORM, shard)
            found[name] = stored
    return found


def _digest(file: Any) -> str:
    return bytes(file.attrs.get(DIGEST, b"")).hex()


def write_shards(path: str | os.PathLike[str], leaves: Mapping[str, Encoded], max_shard_size: float) -> None:
    """Writes arrays into shards of a largest size, and their index, which Keras reads. Old or new, never less.

    Args:
        path: of the index, `x.weights.json`.
        leaves: by their names in a file of weights.
        max_shard_size: in gigabytes of 2**30 bytes.

    Raises:
        ArgumentError: an array is larger than a shard may be.
        FileWriteError: a file cannot be written.
    """
    import h5py

    path = os.fspath(path)
    arguments.number(max_shard_size, "max_shard_size", "save_weights", interval="(0, inf]")
    parts = list(_parts(path, leaves, max_shard_size * GIGABYTE))
    base = os.path.basename(path).removesuffix(".json").replace(".weights", "")
    old = _in_use(path, base)
    free = (name for name in (f"{base}_{number:05}{SHARD_SUFFIX}" for number in itertools.count()) if name not in old)
    shards = [next(free) for _ in parts]
    weight_map: dict[str, Any] = {}
    digests = {}
    for shard, part in zip(shards, parts, strict=True):
        write_leaves(beside(path, shard), part)
        with h5py.File(beside(path, shard), "r") as file:
            digests[shard] = _digest(file)
        for group in dict.fromkeys(f"/{name.rpartition('/')[0]}" for name in part):
            weight_map.setdefault(group, []).append(shard)
    index = {
        "metadata": {"total_size": sum(values.nbytes for values, _ in leaves.values()), DIGESTS: digests},
        "weight_map": {group: names[0] if len(names) == 1 else names for group, names in weight_map.items()},
    }
    with writing(path, {}), replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(index, file, indent=4)
    _remove(path, old, f"{base}_{0:05}{SHARD_SUFFIX}", shards)


def _parts(path: str, leaves: Mapping[str, Encoded], limit: float) -> Iterator[dict[str, Encoded]]:
    """The leaves in their order, as many at a time as fit into a shard."""
    part: dict[str, Encoded] = {}
    size = 0
    for name, (values, attributes) in leaves.items():
        if values.nbytes > limit:
            raise ArgumentError(
                f"`max_shard_size` must be at least the size of the largest array, got {limit / GIGABYTE:.3g} GB.",
                path=path,
                expected=f"at least {values.nbytes / GIGABYTE:.3g} GB, for {name!r}",
                received=f"{limit / GIGABYTE:.3g} GB",
                write=f"save_weights(path, variables, max_shard_size={2 * values.nbytes / GIGABYTE:.3g})",
            )
        if part and size + values.nbytes > limit:
            yield part
            part, size = {}, 0
        part[name] = values, attributes
        size += values.nbytes
    yield part


def _in_use(path: str, base: str) -> set[str]:
    """The shards of the index in place, as far as they have the names of shards."""
    if not os.path.isfile(path):
        return set()
    try:
        index, _ = read_index(path, SHARD_SUFFIX)
    except JKerasError:  # another file, which is replaced
        return set()
    form = re.compile(rf"{re.escape(base)}_\d{{5}}{re.escape(SHARD_SUFFIX)}")
    return {name for names in index.values() for name in names if form.fullmatch(name)}


def _remove(path: str, old: set[str], first: str, shards: list[str]) -> None:
    """Removes shards that no index names any more, but leaves an empty first one, which Keras opens."""
    if first not in shards:
        write_leaves(beside(path, first), {})
    for name in old - {first}:
        with contextlib.suppress(FileNotFoundError):
            os.remove(beside(path, name))
