"""HDF5 files of others, looked at before anything in them is read.

A file may say that its arrays are in other files, behind links, in cycles, or a million times as large as what it
stores. Here links and headers are read first, by HDF5's own calls, which follow nothing; what does not belong into a
file of weights is refused by its path.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jkeras.errors import JKerasError, UnsafeFileError

MAX_DEPTH = 64
MAX_LINKS = 200_000
MAX_RATIO = 1000  # of what an array declares to what is stored of it
KINDS = "biuf"  # of NumPy: booleans and numbers
FILTERS = frozenset({1, 2, 3})  # deflate, shuffle, fletcher32
HALF = np.dtype("V2")  # Keras's form of bfloat16, with an attribute that says so
EXTENDED: dict[str, np.dtype] = {  # dtypes that HDF5 and NumPy's files have no name for
    name: np.dtype(getattr(jnp, name))
    for name in ("bfloat16", *(name for name in dir(jnp) if name.startswith("float8_")), "int4", "uint4")
}


class Stored(NamedTuple):
    """An array in a file.

    Attributes:
        dataset: of h5py.
        shape, dtype: of the array that it becomes.
    """

    dataset: Any
    shape: tuple[int, ...]
    dtype: np.dtype


def datasets(file: Any, path: str) -> dict[str, Stored]:
    """The arrays of an open file by their names.

    Args:
        file: of h5py.
        path: of the file, for messages.

    Raises:
        UnsafeFileError: a link leaves the file or leads back, or an array is not one of numbers that are stored there.
    """
    import h5py

    try:
        return _datasets(h5py, file, path)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:  # h5py's words for odd headers
        if isinstance(error, JKerasError):
            raise
        raise _unsafe("structure", f"the structure must be that of HDF5, got {error!r}"[:200], path, "/") from error


def _datasets(h5py: Any, file: Any, path: str) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    root = file["/"]
    seen: set[Any] = {_address(h5py, root)}
    level = [("", root)]
    links = depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _unsafe("too-deep", f"groups must not be nested more than {MAX_DEPTH} deep", path, level[0][0])
        inner = []
        for prefix, group in level:
            for name in group:
                if isinstance(name, bytes):  # h5py cannot decode it
                    raise _unsafe("bad-name", "the names of members must be UTF-8", path, repr(name)[:80])
                links += 1
                place = f"{prefix}/{name}" if prefix else name
                if links > MAX_LINKS:
                    raise _unsafe("too-many", f"a file must not have more than {MAX_LINKS:,} members", path, place)
                if group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type != h5py.h5l.TYPE_HARD:
                    raise _unsafe("external-link", "links must lead to members of the file itself", path, place)
                member = group[name]
                if _address(h5py, member) in seen:
                    raise _unsafe("cycle", "a member must have one place", path, place)
                seen.add(_address(h5py, member))
                if isinstance(member, h5py.Group):
                    inner.append((place, member))
                elif isinstance(member, h5py.Dataset):
                    found[place] = _checked(h5py, member, path, place)
                else:
                    raise _unsafe("dtype", "members must be groups and arrays", path, place)
        level = inner
    return found


ALIGNMENT = 64  # of memory that JAX takes on CPUs as it is, without a copy


def read(stored: Stored) -> np.ndarray:
    """The contents of an array as they are stored, in memory that JAX need not copy on CPUs."""
    dataset = stored.dataset
    if not dataset.size or not dataset.shape:
        return np.asarray(dataset[()])
    size = dataset.size * dataset.dtype.itemsize
    memory = np.empty(size + ALIGNMENT, "uint8")
    start = -memory.ctypes.data % ALIGNMENT
    values: np.ndarray = memory[start : start + size].view(dataset.dtype).reshape(dataset.shape)
    dataset.read_direct(values)
    return values


def _address(h5py: Any, member: Any) -> Any:
    info = h5py.h5o.get_info(member.id)
    return info.fileno, info.addr


def _checked(h5py: Any, dataset: Any, path: str, place: str) -> Stored:
    kept = dataset.id.get_create_plist()
    if kept.get_external_count():
        raise _unsafe("external-storage", "the bytes of an array must be in the file itself", path, place)
    if kept.get_layout() not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise _unsafe("virtual", "an array must not be put together from others", path, place)
    unknown = [number for index in range(kept.get_nfilters()) if (number := kept.get_filter(index)[0]) not in FILTERS]
    if unknown:
        raise _unsafe(
            "filter", f"arrays must be compressed by deflate or not at all, got filter {unknown[0]}", path, place
        )
    dtype, name = dataset.dtype, _attribute(dataset, "dtype")
    if dtype.kind not in KINDS and not (dtype == HALF and name == "bfloat16"):
        raise _unsafe("dtype", f"arrays must hold numbers, got {dtype}", path, place)
    if name:
        if name not in EXTENDED or EXTENDED[name].itemsize != dtype.itemsize:
            raise _unsafe("dtype", f"an array of {dtype} must have the bytes of {name[:40]!r}", path, place)
        dtype = EXTENDED[name]
    shape = dataset.shape
    stored, declared = dataset.id.get_storage_size(), dtype.itemsize * _product(shape or ())
    if shape is None or declared > MAX_RATIO * max(stored, 1) or (stored < declared and not kept.get_nfilters()):
        raise _unsafe("size", f"an array of shape {shape} must be stored whole, got {stored} bytes", path, place)
    return Stored(dataset, shape, dtype)


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for dim in shape:
        size *= int(dim)
    return size


def _attribute(member: Any, name: str) -> str:
    value = member.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def _unsafe(code: str, rule: str, path: str, place: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{rule}.",
        code=code,
        path=f"{path}: {place!r}",
        expected="a file of weights: groups, and arrays of numbers in them",
    )
