"""Files of states: what is read is what was written, or an error; what was there stays until the new one is whole."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

from jkeras import errors
from jkeras.callbacks import BackgroundWriter, BackupAndRestore, read_state, write_state
from jkeras.saving import files
from tests.callbacks.setup import a_state, in_loop, trainer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a file, what it holds, and the form of that."""
    path = tmp_path_factory.mktemp("written") / "a.h5"
    content = {"epoch": 2, "batch": 1, "steps": 5, "state": trainer().init(jax.random.key(0))}
    content["half"] = np.arange(4).astype("bfloat16")
    write_state(path, content)
    return path.read_bytes(), content


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(one), np.asarray(two)) for one, two in pairs)


def flipped(content, draw):
    at = draw.randrange(8 * len(content))
    found = bytearray(content)
    found[at // 8] ^= 1 << at % 8
    return found


def overwritten(content, draw):
    at, size = draw.randrange(len(content) - 64), draw.choice([1, 8, 64])
    return content[:at] + draw.randbytes(size) + content[at + size :]


def zeroed(content, draw):
    at = draw.randrange(len(content) - 512)
    return content[:at] + bytes(512) + content[at + 512 :]


@pytest.mark.parametrize("damage", [flipped, overwritten, zeroed])
def test_damage_is_noticed_or_does_no_harm(tmp_path, written, damage):
    content, expected = written
    draw, noticed = random.Random(0), 0
    for number in range(120):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(bytes(damage(content, draw)))
        try:
            found = read_state(path, expected)
        except errors.DamagedFileError as error:
            noticed += 1
            assert str(error).startswith(f"{path}: the file is damaged.") and len(str(error).splitlines()) <= 6
        else:
            assert same(found, expected)  # what was hit holds nothing
    assert noticed > 20


def test_every_value_and_every_name_counts(tmp_path, written):
    content, expected = written
    path = tmp_path / "a.h5"
    for change in (
        lambda file: file["state/trainable/dense/kernel"].__setitem__((0, 0), 7.0),
        lambda file: file.move("state/trainable/dense/kernel", "state/trainable/dense/karnel"),
        lambda file: file.move("batch", "botch") or file.move("steps", "batch") or file.move("botch", "steps"),
        lambda file: file.__delitem__("half"),
        lambda file: file.create_dataset("more", data=1),
        lambda file: file["half"].attrs.__setitem__("dtype", "float16"),
        lambda file: file["epoch"].attrs.__delitem__(files.DIGEST),
        lambda file: file.attrs.__delitem__(files.DIGEST),
    ):
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(errors.DamagedFileError, match="SHA-256"):
            read_state(path, expected)


def test_damaged_leaves_are_named(tmp_path, written):
    content, expected = written
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        file["epoch"][()] = 99
    with pytest.raises(errors.DamagedFileError, match="other values in 'epoch'"):
        read_state(path, expected)


def test_the_length_of_a_truncated_file_is_told(tmp_path, written):
    content, expected = written
    path = tmp_path / "a.h5"
    size = len(content)
    for kept in (0, 1, 50, 95, 96, size // 10, size // 2, 9 * size // 10, size - 1):
        path.write_bytes(content[:kept])
        whole = f"{size} bytes" if kept >= files.SUPERBLOCK_BYTES else "at least 96 bytes"
        with pytest.raises(errors.DamagedFileError) as error:
            read_state(path, expected)
        assert str(error.value).startswith(f"{path}: the file is truncated: {kept} of {whole}.\n")


def test_a_file_that_claims_more_than_it_has_takes_no_memory(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", shape=(2**40,), dtype="float32")  # nothing is written of it
    with pytest.raises(errors.DamagedFileError, match="not as many bytes"):
        read_state(path, {"a": np.zeros(3, "float32")})


def test_what_is_no_file_of_ours_is_named(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"PK" + bytes(1000))
    with pytest.raises(errors.DamagedFileError, match=r"a\.h5: the file is damaged") as error:
        read_state(path, {})
    assert isinstance(error.value, OSError)
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        read_state(tmp_path / "none.h5", {})


def test_a_file_without_digests_is_read(tmp_path, written):
    content, expected = written
    path = tmp_path / "a.h5"
    path.write_bytes(content)

    def forget(name, item):
        item.attrs.pop(files.DIGEST, None)

    with h5py.File(path, "r+") as file:
        file.visititems(forget)
        del file.attrs[files.DIGEST]
    assert same(read_state(path, expected), expected)


# -- writing


class Fails:
    """A function that fails at its n-th call, as a disk may."""

    def __init__(self, function, number):
        self.function, self.left = function, number

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.EIO, "the disk does not answer")
        return self.function(*args, **kwargs)


@pytest.mark.parametrize(
    ("module", "name", "number"),
    [
        (os, "fsync", 1),
        (os, "replace", 1),
        (os, "makedirs", 1),
        (os, "listdir", 1),
        (h5py, "File", 1),
        (h5py.h5d, "create", 2),
        (h5py.h5a, "create", 1),
    ],
)
def test_a_write_that_fails_leaves_the_file_before(tmp_path, monkeypatch, module, name, number):
    path = tmp_path / "a.h5"
    write_state(path, {"a": 1, "b": 1})
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, Fails(getattr(module, name), number))
        with pytest.raises(errors.FileWriteError, match="the disk does not answer") as error:
            write_state(path, {"a": 2, "b": 2})
    assert isinstance(error.value, OSError) and str(error.value).startswith(f"{path}: the file cannot be written")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.h5"]


def test_a_folder_that_cannot_be_forced_to_the_disk_is_an_error_and_the_file_is_new(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_state(path, {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", Fails(os.fsync, 2))
        with pytest.raises(errors.FileWriteError):
            write_state(path, {"a": 2})
    assert read_state(path, {"a": 0})["a"] == 2 and os.listdir(tmp_path) == ["a.h5"]


def test_the_file_then_its_name_then_its_folder_are_forced_to_the_disk(tmp_path, monkeypatch):
    calls = []

    def watched(name, function, shown):
        def run(*args):
            calls.append((name, shown(*args)))
            return function(*args)

        monkeypatch.setattr(os, name, run)

    target = Path(tmp_path / "a.h5")
    watched("fsync", os.fsync, lambda number: os.path.basename(os.readlink(f"/proc/self/fd/{number}")))
    watched("replace", os.replace, lambda source, target: os.path.basename(target))
    write_state(target, {"a": 1})
    (first, temporary), *others = calls
    assert first == "fsync" and temporary.startswith("a.h5.") and temporary.endswith(".tmp")
    assert others == [("replace", "a.h5"), ("fsync", tmp_path.name)]


def test_a_full_disk_names_the_path_and_what_was_needed(tmp_path):
    path = tmp_path / "a.h5"
    write_state(path, {"a": np.zeros(10)})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(errors.FileWriteError) as error:
            write_state(path, {"a": np.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for part in (str(path), "8,000,000 bytes", "that are free"):
        assert part in str(error.value)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.h5"]
    write_state(path, {"a": np.zeros(1_000_000)})
    assert read_state(path, {"a": np.ones(1_000_000)})["a"].sum() == 0


def test_what_fails_in_the_background_is_raised_by_the_next_write(tmp_path, monkeypatch):
    write = BackgroundWriter()
    monkeypatch.setattr(os, "replace", Fails(os.replace, 1))
    write(tmp_path / "a.h5", {"a": 1})
    with pytest.raises(errors.FileWriteError, match=r"a\.h5"):
        write(tmp_path / "b.h5", {"a": 1})
    write(tmp_path / "b.h5", {"a": 1})
    write.wait()
    assert os.listdir(tmp_path) == ["b.h5"]


WRITER = """
    import sys
    import numpy as np
    from jkeras.callbacks import write_state
    number = 0
    while True:
        write_state(sys.argv[1], {f"leaf_{i}": np.full(40_000, number) for i in range(8)})
        number += 1
"""
LIKE = {f"leaf_{i}": np.zeros(40_000, int) for i in range(8)}


def test_a_writer_that_is_killed_leaves_the_file_before_or_the_new_one(tmp_path):
    """Real processes, killed at random times; meanwhile the file is read again and again."""
    draw, writers = random.Random(0), {}
    for number in range(6):
        path = tmp_path / str(number) / "a.h5"
        writers[path] = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(path)], cwd=ROOT)
    left = 0
    try:
        for path, writer in writers.items():
            give_up = time.monotonic() + 100
            while not path.exists() and time.monotonic() < give_up:
                time.sleep(0.05)
            until = time.monotonic() + draw.uniform(0.05, 0.3)
            while time.monotonic() < until:
                assert len({int(value) for leaf in read_state(path, LIKE).values() for value in set(leaf)}) == 1
            writer.kill()
            assert writer.wait(10) == -signal.SIGKILL
            assert len({int(value) for leaf in read_state(path, LIKE).values() for value in set(leaf)}) == 1
            left += len(os.listdir(path.parent)) - 1
            write_state(path, {"a": 1})
            assert os.listdir(path.parent) == ["a.h5"]  # what the killed writer had begun is gone
    finally:
        for writer in writers.values():
            writer.kill()
            writer.wait(10)
    assert left > 0  # else nobody was killed while writing


def test_only_files_that_nobody_writes_are_removed(tmp_path):
    host, path = os.uname().nodename, tmp_path / "a.h5"
    kept = [f"a.h5.{host}-{os.getppid()}.tmp", f"a.h5.elsewhere-{2**22 + 1}.tmp", "a.h5.tmp", "b.h5.1.tmp", "a.h5.bkp"]
    stale = [f"a.h5.{host}-{os.getpid()}.tmp", f"a.h5.{host}-{2**22 + 1}.tmp"]  # a number above all of Linux's
    for name in (*kept, *stale):
        (tmp_path / name).write_text("")
    write_state(path, {"a": 1})
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "a.h5"])


# -- backups


def backup_of(folder, **options):
    return in_loop(BackupAndRestore(folder, double_checkpoint=True, **options), params={"steps": 5})


def deleted(path):
    path.unlink()


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def another_value(path):
    with h5py.File(path, "r+") as file:
        file["state/trainable/dense/kernel"][0] = 7.0


def another_name(path):
    with h5py.File(path, "r+") as file:
        file.move("epoch", "epoque")


def no_group(path):
    with h5py.File(path, "r+") as file:
        del file["state/trainable"]


def no_hdf5(path):
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = [deleted, emptied, halved, another_value, another_name, no_group, no_hdf5]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_set_aside_and_the_one_before_used(tmp_path, damage):
    backup = backup_of(tmp_path)
    for epoch in range(2):
        backup.on_epoch_end(epoch, {}, a_state(float(epoch + 1)))
    damage(tmp_path / "latest.h5")
    backup = backup_of(tmp_path)
    with pytest.warns(UserWarning) as told:
        state = backup.on_train_begin({}, a_state())
    assert state.trainable["dense"]["kernel"].tolist() == [1.0, 1.0] and backup.loop.initial_epoch == 1
    (message,) = {str(each.message) for each in told}
    assert str(tmp_path / "latest.h5.bkp") in message and str(tmp_path / "latest.h5 ") in message
    set_aside = [] if damage is deleted else ["latest.h5.damaged"]
    assert sorted(os.listdir(tmp_path)) == ["latest.h5.bkp", *set_aside]
    backup.on_epoch_end(1, {}, a_state(5.0))  # the good one stays until the new one is there
    assert backup_of(tmp_path).on_train_begin({}, a_state()).trainable["dense"]["kernel"].tolist() == [5.0, 5.0]
    assert (
        read_state(tmp_path / "latest.h5.bkp", {"epoch": 0, "batch": 0, "steps": 0, "state": a_state()})["epoch"] == 1
    )


@pytest.mark.parametrize("damage", DAMAGES[1:])
def test_a_training_never_begins_anew_in_silence(tmp_path, damage):
    backup = backup_of(tmp_path)
    for epoch in range(2):
        backup.on_epoch_end(epoch, {}, a_state(1.0))
    before = sorted(os.listdir(tmp_path))
    for name in before:
        damage(tmp_path / name)
    with pytest.raises(errors.DamagedFileError, match=r"latest\.h5: ") as error:
        backup_of(tmp_path).on_train_begin({}, a_state())
    assert "latest.h5.bkp" in error.value.__notes__[0]
    assert sorted(os.listdir(tmp_path)) == before


def test_whatever_a_reader_raises_the_backup_before_is_used(tmp_path):
    def reader(path, like):
        if path.endswith(".bkp"):
            return like
        raise ZeroDivisionError("in the reader")

    backup = backup_of(tmp_path)
    for epoch in range(2):
        backup.on_epoch_end(epoch, {}, a_state())
    with pytest.warns(UserWarning, match="in the reader"):
        backup_of(tmp_path, reader=reader).on_train_begin({}, a_state())


def test_which_backup_is_the_last_does_not_depend_on_the_clock(tmp_path):
    backup = backup_of(tmp_path)
    for epoch in range(2):
        backup.on_epoch_end(epoch, {}, a_state(float(epoch + 1)))
    os.utime(tmp_path / "latest.h5", (0, 0))
    backup = backup_of(tmp_path)
    assert backup.on_train_begin({}, a_state()).trainable["dense"]["kernel"].tolist() == [2.0, 2.0]


def test_a_copy_is_whole_or_not_there(tmp_path, monkeypatch):
    backup = backup_of(tmp_path)
    for epoch in range(2):
        backup.on_epoch_end(epoch, {}, a_state(float(epoch + 1)))
    before = (tmp_path / "latest.h5.bkp").read_bytes()
    monkeypatch.setattr(files.shutil, "copyfile", Fails(files.shutil.copyfile, 1))
    with pytest.raises(OSError, match="does not answer"):
        backup.on_epoch_end(2, {}, a_state(3.0))
    assert (tmp_path / "latest.h5.bkp").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["latest.h5", "latest.h5.bkp"]
