"""Files: HDF5 files of named arrays that are whole or not there, and that know when they are damaged.

Written under another name, forced to the disk, renamed: whoever looks sees the file before or the new one, whatever
kills the process or the machine. Each array has a SHA-256 digest over its name, dtype, shape, attributes and bytes, the
file one over all of these; reading compares them. HDF5 itself notices a damaged structure at times, never a damaged
value. Files without any digest, of versions that wrote none, are read as they are.
"""

import collections
import contextlib
import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import numpy as np

from jkeras.errors import DamagedFileError, FileWriteError, JKerasError
from jkeras.saving import disk

Encoded: TypeAlias = tuple[np.ndarray, dict[str, str]]  # what HDF5 holds of a leaf, and the attributes that say more

Item = TypeVar("Item")
Result = TypeVar("Result")

DIGEST = "sha256"
DIGEST_BYTES = 32
SHOWN = 3  # so that a message has at most six lines
SUPERBLOCK_BYTES = 96
END_OF_FILE_AT = {0: 40, 1: 44, 2: 28, 3: 28}  # where a superblock of each version says how long the file is
_WRITING = threading.Lock()  # so that a temporary file of this process in which nobody writes is stale


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """The name of a temporary file, which takes the place of another in one step when the block ends without error.

    Temporary files that killed processes of this host have left for the same path are removed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as temporary:
    ...         _ = shutil.copyfile("/dev/null", temporary)
    ...     os.listdir(folder)
    ['a.txt']
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    with _WRITING:
        _remove_stale(path)
        temporary = f"{path}.{socket.gethostname()}-{os.getpid()}.tmp"
        try:
            yield temporary
            _force_to_disk(temporary)
            os.replace(temporary, path)
            _force_to_disk(folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """The name of a temporary folder, which becomes a new one of another name when the block ends without error.

    Raises `FileWriteError` where there is something of that name: nothing can take the place of a folder in one step.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with new_folder(f"{place}/a") as folder:
    ...         _ = shutil.copyfile("/dev/null", f"{folder}/b")
    ...     os.listdir(place), os.listdir(f"{place}/a")
    (['a'], ['b'])
    """
    path = os.fspath(path)
    if os.path.exists(path):
        raise FileWriteError(
            "a folder must be a new one.",
            path=path,
            expected="a path that does not exist",
            received="a path that exists",
            write=f"shutil.rmtree({path!r})   # or another path",
        )
    temporary = f"{path}.{socket.gethostname()}-{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    try:
        yield temporary
        for place, _, names in os.walk(temporary):
            for name in names:
                _force_to_disk(os.path.join(place, name))
            _force_to_disk(place)
        os.rename(temporary, path)
        _force_to_disk(os.path.dirname(os.path.abspath(path)))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _force_to_disk(path: str) -> None:
    if os.name != "posix" and os.path.isdir(path):  # other systems open no folders
        return
    number = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove_stale(path: str) -> None:
    folder, name = os.path.split(os.path.abspath(path))
    beginning = f"{name}.{socket.gethostname()}-"
    for found in os.listdir(folder):
        if not found.startswith(beginning) or not found.endswith(".tmp"):
            continue
        number = found[len(beginning) :].partition(".")[0]
        if number.isdigit() and (int(number) == os.getpid() or not runs(int(number))):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                os.remove(os.path.join(folder, found))


def runs(pid: int) -> bool:
    """Whether a process of this host runs.

    >>> runs(os.getpid())
    True
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it runs for another user
        return True
    return True


def copy_file(source: str, target: str) -> None:
    """Copies a file; the copy is whole or not there."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def write_leaves(path: str | os.PathLike[str], leaves: Mapping[str, Encoded]) -> None:
    """Writes encoded leaves by their paths. Raises `FileWriteError` where the file cannot be written."""
    with writing(path, leaves), replacing(path) as temporary:
        write_hdf5(temporary, leaves)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], leaves: Mapping[str, Encoded]) -> Iterator[None]:
    """In the block, what HDF5 and the system say of a disk that is full or closed is a `FileWriteError`.

    >>> with writing("a.h5", {}):
    ...     raise OSError("no space")
    Traceback (most recent call last):
    jkeras.errors.FileWriteError: a.h5: the file cannot be written, because of OSError.
      ...
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # HDF5's words for a disk that is full are either
        if isinstance(error, JKerasError):
            raise
        needed = sum(values.nbytes for values, _ in leaves.values())
        raise FileWriteError(
            f"the file cannot be written, because of {type(error).__name__}.",
            path=os.fspath(path),
            expected=f"room for {needed:,} bytes, {_free(path)}, and the right to write there",
            received=f"{type(error).__name__}: {error}",
        ) from error


def write_hdf5(path: str, leaves: Mapping[str, Encoded]) -> None:
    """Writes encoded leaves into a new file, with their digests.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_hdf5(f"{folder}/a.h5", {"kernel": (np.zeros(2), {})})
    ...     sorted(read_leaves(f"{folder}/a.h5", ["kernel"])[1])
    ['kernel']
    """
    import h5py

    def hashed(leaf: tuple[str, Encoded]) -> tuple[str, np.ndarray, Mapping[str, str], bytes]:
        name, (values, attributes) = leaf
        values = np.require(values, requirements="C")
        return name, values, attributes, digest_of(name, values, attributes)

    with disk.written(path) as opened, h5py.File(opened, "w") as file:
        digests = {}
        for name, values, attributes, digest in ahead(hashed, leaves.items()):
            digests[name] = digest
            _write_leaf(h5py, file, name, values, digest)
            if attributes:
                file[name].attrs.update(attributes)
        file.attrs.create(DIGEST, np.frombuffer(_digest_of_all(digests), "uint8"))


AHEAD = 2


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of a function for items, in their order, from a thread that is at most two ahead.

    >>> list(ahead(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    pending: collections.deque[Future[Result]] = collections.deque()
    with ThreadPoolExecutor(1) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _free(path: str | os.PathLike[str]) -> str:
    try:
        return f"of {shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free:,} that are free"
    except OSError:
        return "in a folder that can be read"


def _write_leaf(h5py: Any, file: Any, name: str, values: np.ndarray, digest: bytes) -> None:
    """`file[name] = values` in a quarter of the time, by HDF5's own calls: a state has hundreds of small leaves."""
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    links.set_char_encoding(h5py.h5t.CSET_UTF8)
    space = h5py.h5s.create_simple(values.shape) if values.ndim else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, space, lcpl=links)
    if values.size:
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    room = h5py.h5s.create_simple((DIGEST_BYTES,))
    h5py.h5a.create(dataset, DIGEST.encode(), h5py.h5t.NATIVE_UINT8, room).write(np.frombuffer(digest, "uint8"))


def digest_of(name: str, values: np.ndarray, attributes: Mapping[str, str]) -> bytes:
    """The digest of one array.

    >>> digest_of("kernel", np.zeros(2), {}) == digest_of("bias", np.zeros(2), {})
    False
    """
    texts = sorted((key, value if isinstance(value, str) else repr(value)) for key, value in attributes.items())
    found = hashlib.sha256(json.dumps([name, values.dtype.str, values.shape, texts]).encode())  # ours are all strings
    found.update(values.data if values.size else b"")
    return found.digest()


def _digest_of_all(digests: Mapping[str, bytes]) -> bytes:
    return hashlib.sha256(b"".join(name.encode() + digest for name, digest in sorted(digests.items()))).digest()


def read_leaves(path: str | os.PathLike[str], wanted: Collection[str]) -> tuple[dict[str, Encoded], set[str]]:
    """What a file holds of the leaves with some names, and the names of all that it holds.

    Raises:
        FileNotFoundError: there is no file.
        DamagedFileError: it is truncated, or not what was written.
    """
    path = os.fspath(path)
    check_length(path)
    try:
        return _read(path, wanted)
    except JKerasError:
        raise
    except Exception as error:  # OSError, RuntimeError, KeyError, ValueError: HDF5 has many words for damage
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def check_length(path: str) -> None:
    """Raises `DamagedFileError` where an HDF5 file is shorter than its head says.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     check_length(file.name)
    Traceback (most recent call last):
    jkeras.errors.DamagedFileError: ...: the file is truncated: 0 of at least 96 bytes.
      ...
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(SUPERBLOCK_BYTES)
    at = END_OF_FILE_AT.get(head[8], 0) if len(head) == SUPERBLOCK_BYTES else 0
    whole = int.from_bytes(head[at : at + 8], "little") if at else SUPERBLOCK_BYTES
    if size < whole:
        least = "" if at else "at least "
        raise DamagedFileError(
            f"the file is truncated: {size} of {least}{whole} bytes.",
            path=path,
            expected=f"{least}{whole} bytes",
            received=f"{size} bytes",
            write="read_state(earlier_path, like)   # another file, from before",
        )


def _read(path: str, wanted: Collection[str]) -> tuple[dict[str, Encoded], set[str]]:
    import h5py

    found: dict[str, Encoded] = {}
    digests: dict[str, bytes | None] = {}
    with h5py.File(path, "r") as file:
        whole = file.attrs.get(DIGEST)

        def visit(name: str, item: object) -> None:
            if not isinstance(item, h5py.Dataset):
                return
            attributes = dict(item.attrs)
            digest = attributes.pop(DIGEST, None)
            digests[name] = None if digest is None else bytes(digest)
            if name in wanted:
                if item.id.get_storage_size() != item.size * item.dtype.itemsize:  # before memory is asked for
                    raise _damaged(path, f"{name!r} has shape {item.shape}, and not as many bytes")
                found[name] = np.asarray(item[()]), attributes

        file.visititems(visit)
    if whole is not None or any(digests.values()):
        _verify(path, found, digests, whole)
    return found, set(digests)


def _verify(path: str, found: Mapping[str, Encoded], digests: Mapping[str, bytes | None], whole: Any) -> None:
    """Raises `DamagedFileError` unless all digests are those of what is there."""
    wrong = [repr(name) for name, encoded in found.items() if digest_of(name, *encoded) != digests[name]]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise _damaged(path, f"other values in {', '.join(wrong[:SHOWN])}{more}")
    known = {name: digest for name, digest in digests.items() if digest is not None}
    if len(known) < len(digests) or whole is None or bytes(whole) != _digest_of_all(known):
        raise _damaged(path, "other names, or other digests")


def _damaged(path: str, received: str) -> DamagedFileError:
    return DamagedFileError(
        "the file is damaged.",
        path=path,
        expected="the contents that were written, by their SHA-256 digests",
        received=received,
        write="read_state(earlier_path, like)   # another file, from before",
    )
