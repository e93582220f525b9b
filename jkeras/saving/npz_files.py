"""Files `.npz`: a zip of NumPy's arrays, read without pickle.

NumPy has no name for bfloat16 and its kind: their arrays are written as unsigned integers of the same bits, and a
member `jkeras.json` says which they are.
"""

import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from jkeras.errors import JKerasError
from jkeras.saving.archive import NO_ZIP, ORDINARY_FLAGS
from jkeras.saving.entries import MAX_JSON, Entry, Source, Weights, check_dtypes, opening, parse_untrusted, refused
from jkeras.saving.files import replacing, writing
from jkeras.saving.hdf5 import EXTENDED
from jkeras.saving.keras_weights import damaged

SUFFIX = ".npy"
NOTES = "jkeras.json"  # {"dtypes": {name: dtype}}
KINDS = "biufc"  # of NumPy: booleans and numbers
MAX_RATIO = 1000  # of a member's size to what is stored of it
SMALL = 2**20  # bytes to which any member may grow
FORM = "a zip of NumPy arrays of numbers"


def open_npz(path: str) -> Weights:
    """The arrays of a file `.npz`.

    Raises:
        UnsafeFileError: a member is not an array of numbers that is stored whole.
        DamagedFileError: the file is not a zip, or is truncated.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", kernel=np.ones(2))
    ...     with open_npz(f"{folder}/a.npz") as weights:
    ...         weights["kernel"].read().tolist()
    [1.0, 1.0]
    """
    with opening(path) as source:
        try:
            archive = source.enter_context(zipfile.ZipFile(path))
            members = _checked(archive, path)
            dtypes = _dtypes(archive, members, path)
            entries = {}
            for info in members.values():
                if info.filename != NOTES:
                    name = info.filename.removesuffix(SUFFIX)
                    entries[name] = _entry(source, archive, info, name, dtypes.get(name))
        except JKerasError:
            raise
        except (*NO_ZIP, zlib.error) as error:
            raise damaged(path, f"{os.path.getsize(path):,} bytes that are not a whole zip: {error}") from error
        return Weights(source, entries)


def _checked(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    members, end = archive.infolist(), 0
    for info in sorted(members, key=lambda info: info.header_offset):
        name, where = info.filename, f"{path}: {info.filename[:80]!r}"
        if not name.endswith(SUFFIX) and name != NOTES:
            raise refused("undeclared-member", "members must be arrays", where, FORM)
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or "\0" in name:
            raise refused("bad-name", "the name of a member must not lead out of the file", where, FORM)
        if info.flag_bits & ~ORDINARY_FLAGS or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused("compression", "members must be stored or deflated, and not encrypted", where, FORM)
        if info.file_size > max(MAX_RATIO * info.compress_size, SMALL):
            rule = "a member must not be so much larger than the bytes that are stored of it"
            raise refused("size", rule, where, FORM, f"{info.file_size} of {info.compress_size} bytes")
        if info.header_offset < end:
            raise refused("overlap", "members must not overlap", where, FORM)
        end = info.header_offset + info.compress_size
    if len({info.filename for info in members}) < len(members):
        raise refused("duplicate-member", "members must have distinct names", path, FORM)
    return {info.filename: info for info in members}


def _dtypes(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], path: str) -> Mapping[str, Any]:
    """The dtypes that NumPy has no name for, by the names of their arrays."""
    if NOTES not in members:
        return {}
    if members[NOTES].file_size > MAX_JSON:
        raise refused("json-too-large", f"{NOTES!r} must not have more than {MAX_JSON:,} bytes", path, FORM)
    found = parse_untrusted(archive.read(NOTES), f"{path}: {NOTES}").get("dtypes", {})
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found.values()):
        raise refused("json", "`dtypes` must be an object of names", f"{path}: {NOTES}", FORM, found)
    return found


def _entry(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, extended: Any) -> Entry:
    where = f"{source.path}: {name[:80]!r}"
    with archive.open(info) as file:
        shape, dtype, fortran, begin = _header(file, where)
    if dtype.hasobject:
        raise refused("pickle", "arrays must hold numbers, and Python objects are refused", where, FORM, dtype)
    if dtype.kind not in KINDS:
        raise refused("dtype", f"arrays must hold numbers, got {dtype}", where, FORM)
    size = math.prod(shape) * dtype.itemsize
    if begin + size != info.file_size:
        rule = f"an array of shape {shape} must be stored whole, got {info.file_size - begin} bytes"
        raise refused("size", rule, where, FORM)
    kept = dtype.newbyteorder("=") if extended is None else _extended(extended, dtype, where)

    def load() -> np.ndarray:
        buffer, position = np.empty(size, np.uint8), 0
        try:
            with archive.open(info) as file:
                file.read(begin)
                while count := file.readinto(buffer.data[position : position + SMALL]):  # type: ignore[attr-defined]
                    position += count
                file.read(1)  # at the end the checksum is compared
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise damaged(source.path, f"{name!r}: {error}") from error
        values = buffer.view(dtype).reshape(shape, order="F" if fortran else "C")
        return values.view(kept) if extended else values.astype(kept, copy=False)

    return Entry(name, shape, kept, source, load)


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype, bool, int]:
    """The shape and dtype of a member, its order, and where its bytes begin."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise refused("header", "a member must begin with NumPy's header", where, FORM, error) from error
    if not all(type(dim) is int and 0 <= dim < 2**63 for dim in shape):
        raise refused("header", "a shape must be a tuple of integers", where, FORM, shape)
    return shape, dtype, fortran, file.tell()


def _extended(name: str, dtype: np.dtype, where: str) -> np.dtype:
    """The dtype of a name that NumPy does not have, if it has as many bytes."""
    if name not in EXTENDED or EXTENDED[name].itemsize != dtype.itemsize:
        raise refused("dtype", f"an array must have the bytes of its dtype, got {name[:40]!r}", where, FORM, dtype)
    return EXTENDED[name]


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays; the file appears complete or not at all.

    Raises:
        ArgumentError: the format has no such dtype.
        FileWriteError: the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(f"{folder}/a.npz", {"kernel": np.ones(2, "bfloat16")})
    ...     open_npz(f"{folder}/a.npz")["kernel"]
    <Entry 'kernel', shape=(2,), dtype=bfloat16>
    """
    check_dtypes(path, arrays, lambda dtype: dtype.kind in KINDS or dtype.name in EXTENDED, ".npz")
    extended = {name: array.dtype.name for name, array in arrays.items() if array.dtype.name in EXTENDED}
    with (
        writing(path, {name: (array, {}) for name, array in arrays.items()}),
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, array in arrays.items():
            plain = array.view(f"uint{8 * array.dtype.itemsize}") if name in extended else array
            with archive.open(f"{name}{SUFFIX}", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.require(plain, requirements="C"), allow_pickle=False)
        if extended:
            archive.writestr(NOTES, json.dumps({"dtypes": extended}))
