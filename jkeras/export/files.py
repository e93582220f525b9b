"""Files of exported programs: what `jax.export` serializes, then what says whether it is whole.

    program | facts, JSON | length of the facts, 8 bytes | SHA-256 of all before, 32 bytes | MAGIC

The facts come last so that `jax.export.deserialize` reads the file as it is: a FlatBuffer ends where its tables say. So
a server needs neither jkeras nor the class of the model. Every version of the format ends with the digest and MAGIC.
"""

import hashlib
import json
import os
from typing import Any

import numpy as np

from jkeras.errors import DamagedFileError, FileVersionError
from jkeras.saving.files import Encoded, replacing, writing

MAGIC = b"jkeras.export\r\n\x00"  # a transfer as text changes it
VERSION = 1
DIGEST_BYTES, LENGTH_BYTES = 32, 8
END_BYTES = LENGTH_BYTES + DIGEST_BYTES + len(MAGIC)


def write(path: str | os.PathLike[str], program: bytes, facts: dict[str, Any]) -> None:
    """Writes a serialized program; the file appears complete or not at all.

    Raises:
        FileWriteError: the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a", b"program", {"values": "inside"})
    ...     read(f"{folder}/a")
    (b'program', {'version': 1, 'values': 'inside'})
    """
    text = json.dumps({"version": VERSION, **facts}).encode()
    end = text + len(text).to_bytes(LENGTH_BYTES, "little")
    digest = hashlib.sha256(program)
    digest.update(end)
    needed: dict[str, Encoded] = {"program": (np.frombuffer(program, "uint8"), {})}
    with writing(path, needed), replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(program)
        file.write(end + digest.digest() + MAGIC)


def read(path: str | os.PathLike[str]) -> tuple[bytes, dict[str, Any]]:
    """The program of a file, and the facts. The digest is compared before anything is read of either.

    Raises:
        FileNotFoundError: there is no file.
        DamagedFileError: it is truncated, or not what was written.
        FileVersionError: it is of a newer version.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        contents = file.read()
    if len(contents) < END_BYTES or not contents.endswith(MAGIC):
        raise _damaged("the file is truncated, or not an exported program of jkeras.", path, f"{len(contents)} bytes")
    end = len(contents) - len(MAGIC)
    body, digest = memoryview(contents)[: end - DIGEST_BYTES], contents[end - DIGEST_BYTES : end]
    found = hashlib.sha256(body).digest()
    if found != digest:
        raise _damaged("the file is damaged.", path, f"the digest {found.hex()[:12]}..., not {digest.hex()[:12]}...")
    length = int.from_bytes(body[-LENGTH_BYTES:], "little")
    begin = len(body) - LENGTH_BYTES - length
    facts = json.loads(bytes(body[begin:-LENGTH_BYTES]))
    if facts["version"] > VERSION:
        raise FileVersionError(
            f"the file must be of version {VERSION} or older, got version {facts['version']}.",
            path=path,
            expected=f"version {VERSION}, which this jkeras writes",
            received=f"version {facts['version']}",
            write="pip install --upgrade jkeras",
        )
    return bytes(body[:begin]), facts


def _damaged(problem: str, path: str, received: str) -> DamagedFileError:
    return DamagedFileError(
        problem,
        path=path,
        expected="the contents that `save` wrote, by their SHA-256 digest",
        received=received,
        write="jkeras.export.export(model, variables).save(path)",
    )
