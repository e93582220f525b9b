"""The archive of a model: a zip of `metadata.json`, `config.json` and `model.weights.h5`, as Keras's `.keras` files.

Members are stored as they are, and `metadata.json` has the SHA-256 digest of each, which Keras passes over. A file of
others is looked at before anything is made of it: members that do not belong there, that would be larger than they
say, or that are not whole are refused.
"""

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from jkeras.errors import DamagedFileError, JKerasError, UnsafeFileError
from jkeras.saving.files import Encoded, new_folder, replacing, write_hdf5, writing
from jkeras.saving.parsing import parse
from jkeras.version import __version__

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets/"
KERAS_VERSION = "3.15.1"  # whose form it is
MAX_CONFIG = 64 * 2**20  # bytes
ORDINARY_FLAGS = 0x80E  # of a member: how it was deflated, its sizes behind it, its name in UTF-8; no encryption
NO_ZIP = (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError)  # zipfile's words for what it cannot open
MAX_RATIO = 100  # of a member's size to what is stored of it
COPIED = 2**20  # bytes at a time


def write(
    path: str | os.PathLike[str],
    config: Mapping[str, Any],
    leaves: Mapping[str, Encoded],
    assets: str | None = None,
    *,
    zipped: bool = True,
) -> None:
    """Writes an archive, complete or not at all.

    Args:
        path: of the archive.
        config: of the model.
        leaves: its weights, by their names in the file of weights.
        assets: a folder of files that its layers wrote.
        zipped: whether it is a zip; else a new folder of the same members.

    Raises:
        FileWriteError: it cannot be written, or is a folder that exists.
    """
    text = json.dumps(config).encode()
    files = dict(_files_in(assets, ASSETS)) if assets is not None else {}
    if zipped:
        with writing(path, leaves), replacing(path) as temporary:
            weights = f"{temporary.removesuffix('.tmp')}.weights.tmp"
            try:
                write_hdf5(weights, leaves)
                _zip(temporary, text, {WEIGHTS: weights, **files})
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(weights)
        return
    with writing(path, leaves), new_folder(path) as folder:
        weights = os.path.join(folder, WEIGHTS)
        write_hdf5(weights, leaves)
        for name, file in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copyfile(file, os.path.join(folder, name))
        for name, content in ((METADATA, _metadata(text, {WEIGHTS: weights, **files})), (CONFIG, text)):
            with open(os.path.join(folder, name), "wb") as member:
                member.write(content)


def _zip(path: str, config: bytes, files: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(METADATA, _metadata(config, files))
        archive.writestr(CONFIG, config)
        for name, file in files.items():
            archive.write(file, name)


def _metadata(config: bytes, files: Mapping[str, str]) -> bytes:
    digests = {CONFIG: hashlib.sha256(config).hexdigest(), **{name: _digest(file) for name, file in files.items()}}
    metadata = {
        "keras_version": KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "jkeras_version": __version__,
        "sha256": digests,
    }
    return json.dumps(metadata).encode()


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_in(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The names of the files below a folder, after a prefix and with slashes, and their paths."""
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(place, name)
            yield prefix + os.path.relpath(path, folder).replace(os.sep, "/"), path


class Archive:
    """An archive that is open for reading.

    Args:
        path: what errors name.
        members: the members by their names, each a function that opens it.

    Attributes:
        metadata: versions and digests, parsed.
        config: of the model, parsed.
    """

    digests: Mapping[str, Any] = {}  # none while the metadata is read, which has them

    def __init__(self, path: str, members: Mapping[str, Any]) -> None:
        self.path, self.members = path, members
        for name in (CONFIG, WEIGHTS):
            if name not in members:
                raise _unsafe("missing-member", f"the file must have a member {name!r}", path, sorted(members)[:8])
        metadata = self._json(METADATA) if METADATA in members else {}
        self.metadata: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        found = self.metadata.get("sha256")
        self.digests = found if isinstance(found, Mapping) else {}
        self.config = self._json(CONFIG)

    def _json(self, name: str) -> Any:
        with self.open(name) as file:
            text = file.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise _unsafe("config-too-large", f"{name!r} must not have more than {MAX_CONFIG:,} bytes", self.path, None)
        try:
            return parse(text.decode(), f"{self.path}: {name}")
        except UnicodeDecodeError as error:
            raise _unsafe("encoding", f"{name!r} must be UTF-8", self.path, error) from None

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A member as a binary file that can be searched. Its digest is compared first, where the archive has one.

        Raises `DamagedFileError` where the member is not what was written.
        """
        try:
            expected = self.digests.get(name)
            if expected is not None:
                with self.members[name]() as file:
                    found = _digest_of(file)
                if found != expected:
                    raise _damaged(self.path, f"other contents in {name!r}")
            with self.members[name]() as file:
                yield file
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            if isinstance(error, JKerasError):
                raise
            raise _damaged(self.path, f"{name!r}: {error}") from error


def _digest_of(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while chunk := file.read(COPIED):
        found.update(chunk)
    return found.hexdigest()


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """An archive, zipped or a folder of the same names.

    Raises:
        FileNotFoundError: there is none.
        UnsafeFileError: it holds what does not belong into the archive of a model.
        DamagedFileError: it is not whole.
    """
    path = os.fspath(path)
    found: list[Archive] = []
    try:
        with _opened(path) as archive:
            found.append(archive)
            yield archive
    except JKerasError as error:
        version = found[0].metadata.get("jkeras_version") if found else None
        if isinstance(version, str) and _numbers(version) > _numbers(__version__):
            error.add_note(f"{path} was written by jkeras {version}; this is {__version__}.")
        raise


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdigit()]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Archive]:
    if os.path.isdir(path):
        names = [name for name in (METADATA, CONFIG, WEIGHTS) if os.path.isfile(os.path.join(path, name))]
        files = {name: os.path.join(path, name) for name in names}
        files |= dict(_files_in(os.path.join(path, ASSETS.rstrip("/")), ASSETS))
        for name, member in files.items():
            if os.path.islink(member):
                raise _unsafe("link", "members must not be links", path, name)
        yield Archive(path, {name: _opener(member) for name, member in files.items()})
        return
    with open(path, "rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except NO_ZIP as error:
            raise _damaged(path, f"{os.path.getsize(path):,} bytes that are no zip: {error}") from error
        with archive:
            yield Archive(path, {info.filename: _member(archive, info) for info in _checked(archive, path)})


def _opener(path: str) -> Any:
    return lambda: open(path, "rb")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """A function that opens a member; one that is compressed is unpacked into a temporary file, to be searched."""
    if info.compress_type == zipfile.ZIP_STORED:
        return lambda: archive.open(info)

    def unpacked() -> IO[bytes]:
        whole = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with archive.open(info) as file:
            while chunk := file.read(COPIED):
                whole.write(chunk)
        whole.seek(0)
        return whole

    return unpacked


def _checked(archive: zipfile.ZipFile, path: str) -> list[zipfile.ZipInfo]:
    """The members, if all of them belong into the archive of a model."""
    members, end = archive.infolist(), 0
    for info in sorted(members, key=lambda info: info.header_offset):
        name = info.filename
        if name not in (CONFIG, METADATA, WEIGHTS) and not name.startswith(ASSETS):
            raise _unsafe("undeclared-member", "the file must have members of a model alone", path, name)
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or "\0" in name:
            raise _unsafe("bad-name", "the name of a member must not lead out of the archive", path, name)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _unsafe("link", "members must not be links", path, name)
        if info.flag_bits & ~ORDINARY_FLAGS or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _unsafe("compression", "members must be stored or deflated, and not encrypted", path, name)
        if info.file_size > MAX_RATIO * max(info.compress_size, 1) and info.file_size > COPIED:
            raise _unsafe("size", "a member must not be so much larger than what is stored of it", path, name)
        if info.header_offset < end:
            raise _unsafe("overlap", "members must not overlap", path, name)
        end = info.header_offset + info.compress_size
    names = [info.filename for info in members]
    if len({*names}) < len(names):
        raise _unsafe("duplicate-member", "members must have names that differ", path, names[:8])
    return members


def _unsafe(code: str, rule: str, path: str, received: object) -> UnsafeFileError:
    expected = f"{METADATA}, {CONFIG}, {WEIGHTS}, and assets of layers"
    return UnsafeFileError(f"{rule}.", code=code, path=path, expected=expected, received=repr(received)[:80])


def _damaged(path: str, received: str) -> DamagedFileError:
    return DamagedFileError(
        "the file is damaged.",
        path=path,
        expected="an archive that is whole, with the contents that were written",
        received=received,
        write="model, variables = jkeras.models.load_model(earlier_path)   # another file, from before",
    )
