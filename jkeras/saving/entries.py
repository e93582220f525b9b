"""Weights and Entry: the arrays of a file by name, whose shapes are known and whose values are read one by one.

A reader of a format (`hdf5_files.py`, `safetensors_files.py`, `npz_files.py`) opens a file, checks everything that the
file says of itself, and gives an `Entry` for each array. Nothing of an array is read before its entry is asked for it.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from jkeras.errors import ArgumentError, ConfigError, DamagedFileError, UnknownNameError, UnsafeFileError, did_you_mean
from jkeras.saving.keras_weights import reading
from jkeras.saving.parsing import parse

MAX_JSON = 64 * 2**20  # bytes of an index or a header


class Source(contextlib.ExitStack):
    """A file that is open for reading, and what has to be closed with it.

    Args:
        path: what errors name.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.is_closed = path, False

    def close(self) -> None:
        """Closes the file. Entries cannot be read after that."""
        self.is_closed = True
        super().close()


@contextlib.contextmanager
def opening(path: str) -> Iterator[Source]:
    """A source that stays open after the block, unless that raises.

    >>> with opening("a.npz") as source:
    ...     pass
    >>> source.is_closed
    False
    """
    source = Source(path)
    try:
        yield source
    except BaseException:
        source.close()
        raise


class Entry:
    """One array of a file: its shape and its dtype are known, its values come from `read()`.

    Args:
        name: the name in the file.
        shape, dtype: of the array.
        source: the file, which stays open as long as an entry is held.
        load: a function that reads the values.
    """

    __slots__ = ("_load", "_source", "dtype", "name", "shape")

    def __init__(
        self, name: str, shape: tuple[int, ...], dtype: Any, source: Source, load: Callable[[], np.ndarray]
    ) -> None:
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)
        self._source, self._load = source, load

    def read(self) -> np.ndarray:
        """The values, in the dtype of the file. A digest is compared, where the file has one.

        Raises:
            DamagedFileError: the contents are not those that were written.
            ArgumentError: the file was closed.
        """
        if self._source.is_closed:
            raise ArgumentError(
                "the file must be open while its entries are read, and it was closed.",
                path=f"{self._source.path}: {self.name!r}",
                expected="`read()` inside the `with` block",
                write="with jkeras.saving.open_weights(path) as weights: array = weights[name].read()",
            )
        with reading(self._source.path):
            return self._load()

    def __repr__(self) -> str:
        return f"<Entry {self.name!r}, shape={self.shape}, dtype={self.dtype}>"


class Weights(Mapping[str, Entry]):
    """The arrays of a file by their names. `with` closes the file; without it, it is closed when nothing holds it.

    Args:
        source: the open file.
        entries: by name, in the order of the file.
    """

    def __init__(self, source: Source, entries: Mapping[str, Entry]) -> None:
        self._source, self._entries = source, entries

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            raise _missing(name, self._source.path, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Closes the file."""
        self._source.close()

    def __enter__(self) -> "Weights":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Weights of {self._source.path!r}: {len(self)} arrays>"


class _MissingEntry(UnknownNameError, KeyError):
    """No array has the name: a `KeyError` too, as of any mapping."""

    __str__ = Exception.__str__


def _missing(name: str, path: str, known: Mapping[str, Entry]) -> _MissingEntry:
    return _MissingEntry(f"the file has no array {name!r}.", path=path, expected=did_you_mean(str(name), known))


def refused(code: str, rule: str, path: str, expected: str, received: object = None) -> UnsafeFileError:
    """The error of a file that is refused before anything is made of it.

    >>> raise refused("bad-name", "a shard must lie beside its index", "a.json", "a plain name", "../b.h5")
    Traceback (most recent call last):
    jkeras.errors.UnsafeFileError: a.json: a shard must lie beside its index.
      expected: a plain name
      received: '../b.h5'
    """
    shown = None if received is None else repr(received)[:80]
    return UnsafeFileError(f"{rule}.", code=code, path=path, expected=expected, received=shown)


def truncated(path: str, size: int, whole: int) -> DamagedFileError:
    """The error of a file that is shorter than it says.

    >>> raise truncated("a.safetensors", 10, 20)
    Traceback (most recent call last):
    jkeras.errors.DamagedFileError: a.safetensors: the file is truncated: 10 of 20 bytes.
      expected: 20 bytes
      received: 10 bytes
    """
    return DamagedFileError(
        f"the file is truncated: {size} of {whole} bytes.",
        path=path,
        expected=f"{whole} bytes",
        received=f"{size} bytes",
    )


def parse_untrusted(text: bytes, path: str) -> dict[str, Any]:
    """The JSON object in a file of others. Raises `UnsafeFileError` where the bytes are not one.

    >>> parse_untrusted(b'{"a": 1}', "a.json")
    {'a': 1}
    """
    try:
        value = parse(text.decode(), path)
    except (ConfigError, UnicodeDecodeError) as error:
        received = error.received if isinstance(error, ConfigError) else error
        raise refused("json", "the text must be a JSON object with distinct keys", path, "JSON", received) from None
    if not isinstance(value, dict):
        raise refused("json", "the text must be a JSON object", path, "an object", type(value).__name__)
    return value


def read_json(path: str) -> dict[str, Any]:
    """The JSON object of a small file.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.json").write_text('{"a": 1}')
    ...     read_json(f"{folder}/a.json")
    {'a': 1}
    """
    if (size := os.path.getsize(path)) > MAX_JSON:
        raise refused("json-too-large", f"the file must not have more than {MAX_JSON:,} bytes", path, "an index", size)
    with open(path, "rb") as file:
        return parse_untrusted(file.read(), path)


def check_dtypes(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], fits: Callable[[np.dtype], bool], form: str
) -> None:
    """Raises `ArgumentError` where a format has no name for the dtype of an array.

    >>> check_dtypes("a.npz", {"kernel": np.ones(2)}, lambda dtype: dtype.kind == "f", ".npz")
    """
    for name, array in arrays.items():
        if not fits(array.dtype):
            raise ArgumentError(
                f"the dtype of each array must be one of `{form}`, got {array.dtype} of {name!r}.",
                path=os.fspath(path),
                expected="floats, integers or booleans",
                received=str(array.dtype),
                write="model.save_weights('a.weights.h5', variables)",
            )
