"""Files `.safetensors`: a header in JSON that says where each array lies, and the bytes of the arrays.

The header is read here and not by the library `safetensors`: so shapes, dtypes and places are known and checked without
an extra, arrays of 16 and 8 bits come in the dtypes of JAX, and one array is read at a time. Files are
written by the library, the extra `jkeras[safetensors]`. Ours have the SHA-256 digest of each array in the metadata of
the header, which other readers pass over.

Source: the format's description, https://huggingface.co/docs/safetensors.
"""

import concurrent.futures
import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras.errors import MissingExtraError
from jkeras.saving.entries import (
    MAX_JSON,
    Entry,
    Source,
    Weights,
    check_dtypes,
    parse_untrusted,
    refused,
    truncated,
)
from jkeras.saving.files import DIGEST, replacing, writing
from jkeras.saving.keras_weights import damaged

DTYPES = {
    name: np.dtype(dtype)
    for name, dtype in (
        *(("BOOL", "bool"), ("U8", "uint8"), ("I8", "int8"), ("U16", "uint16"), ("I16", "int16"), ("U32", "uint32")),
        *(("I32", "int32"), ("U64", "uint64"), ("I64", "int64"), ("F16", "float16"), ("F32", "float32")),
        *(("F64", "float64"), ("C64", "complex64"), ("BF16", jnp.bfloat16), ("F8_E4M3", jnp.float8_e4m3fn)),
        *(("F8_E5M2", jnp.float8_e5m2), ("F8_E8M0", jnp.float8_e8m0fnu)),
    )
}
NAMES = {dtype.name for dtype in DTYPES.values()}
METADATA = "__metadata__"
DIGESTS = f"jkeras.{DIGEST}"  # of the metadata: a JSON object of digests by name
FORM = "a header of names, dtypes, shapes and places that follow one another"
LENGTH = 8  # bytes that say how long the header is


def open_safetensors(path: str) -> Weights:
    """The arrays of a file `.safetensors`.

    Raises:
        UnsafeFileError: the header is not one, or says what cannot be.
        DamagedFileError: the file is truncated.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/a.safetensors", {"dense.kernel": np.ones((2, 3), "float32")})
    ...     open_safetensors(f"{folder}/a.safetensors")["dense.kernel"].read().tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(LENGTH)
        length = int.from_bytes(head, "little")
        if len(head) == LENGTH and length > MAX_JSON:
            raise refused("header-too-large", f"the header must not have more than {MAX_JSON:,} bytes", path, FORM)
        if size < LENGTH + length or len(head) < LENGTH:
            raise truncated(path, size, LENGTH + length)
        header = parse_untrusted(file.read(length), path)
    metadata = header.pop(METADATA, {})
    digests = _digests(metadata, path)
    begin, source = LENGTH + length, Source(path)
    found = {name: _place(name, entry, path) for name, entry in header.items()}
    _check_places(found, size - begin, path, begin)
    entries = {
        name: Entry(name, shape, dtype, source, _loader(path, name, begin + start, shape, dtype, digests.get(name)))
        for name, (dtype, shape, start, _) in found.items()
    }
    return Weights(source, entries)


def _digests(metadata: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(metadata, Mapping):
        raise refused("header", f"{METADATA!r} must be an object of strings", path, FORM, metadata)
    text = metadata.get(DIGESTS)
    return parse_untrusted(text.encode(), path) if isinstance(text, str) else {}


Place = tuple[np.dtype, tuple[int, ...], int, int]  # dtype, shape, where the bytes begin and end


def _place(name: str, entry: Any, path: str) -> Place:
    """What the header says of one array, if it can be."""
    where = f"{path}: {name[:80]!r}"
    if not isinstance(entry, Mapping) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refused("header", "an array must have a dtype, a shape and data offsets", where, FORM, entry)
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise refused("dtype", "the dtype of an array must be known", where, f"one of {', '.join(DTYPES)}", entry)
    shape, offsets = entry["shape"], entry["data_offsets"]
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise refused("header", "shapes and offsets must be lists of integers", where, FORM, numbers)
    dtype = DTYPES[entry["dtype"]]
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise refused("size", f"an array of shape {tuple(shape)} must be stored whole", where, FORM, offsets)
    return dtype, tuple(shape), offsets[0], offsets[1]


def _check_places(found: Mapping[str, Place], stored: int, path: str, begin: int) -> None:
    """Raises unless the arrays follow one another and fill the file."""
    end = 0
    for name, (_, _, start, stop) in sorted(found.items(), key=lambda item: item[1][2:]):
        if start != end:
            kind = "overlap" if start < end else "hole"
            raise refused(kind, "arrays must follow one another", f"{path}: {name[:80]!r}", f"offset {end}", start)
        end = stop
    if stored < end:
        raise truncated(path, begin + stored, begin + end)
    if stored > end:
        raise refused("undeclared-bytes", "the file must end with its last array", path, f"{end} bytes", stored)


def _loader(path: str, name: str, start: int, shape: tuple[int, ...], dtype: np.dtype, digest: Any) -> Any:
    def load() -> np.ndarray:
        size = math.prod(shape) * dtype.itemsize
        with open(path, "rb") as file:
            file.seek(start)
            values = np.fromfile(file, np.uint8, size)
        if values.size < size:
            raise truncated(path, start + values.size, start + size)
        if digest is not None and hashlib.sha256(values.data).hexdigest() != digest:
            raise damaged(path, f"other values in {name!r}")
        return values.view(dtype).reshape(shape)

    return load


def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays with their digests; the file appears complete or not at all.

    Raises:
        MissingExtraError: the library `safetensors` is not installed.
        ArgumentError: the format has no such dtype.
        FileWriteError: the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/a.safetensors", {"kernel": np.ones(2)})
    ...     list(open_safetensors(f"{folder}/a.safetensors"))
    ['kernel']
    """
    save_file = _save_file()
    check_dtypes(path, arrays, lambda dtype: dtype.name in NAMES, ".safetensors")
    whole = {name: np.require(array, requirements="C") for name, array in arrays.items()}
    with concurrent.futures.ThreadPoolExecutor() as pool:  # hashing lets go of the interpreter
        digests = dict(zip(whole, pool.map(_digest, whole.values()), strict=True))
    metadata = {"format": "np", DIGESTS: json.dumps(digests)}
    with writing(path, {name: (array, {}) for name, array in whole.items()}), replacing(path) as temporary:
        save_file(whole, temporary, metadata=metadata)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data if array.size else b"").hexdigest()


def _save_file() -> Any:
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise MissingExtraError.of("writing `.safetensors`", "safetensors", "safetensors", "save_weights") from error
    return save_file
