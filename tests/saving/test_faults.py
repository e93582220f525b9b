"""Disks that fail, hooks that raise, files of other versions: what was there stays, and nothing is left beside it."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import zipfile

import h5py
import jax
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers
from jkeras.errors import FileWriteError, JKerasError
from jkeras.saving import files
from tests.repository import ROOT
from tests.saving import golden

KEY = jax.random.key(0)


def model_of(width=3):
    model = jkeras.Sequential([Input((5,)), layers.Dense(width), layers.Dense(2)])
    return model, model.init(KEY)


class Fails:
    """A function that fails at its n-th call, as a disk may."""

    def __init__(self, function, number, code):
        self.function, self.left, self.code = function, number, code

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))
        return self.function(*args, **kwargs)


DOORS = {
    "a.keras": lambda model, variables, path: model.save(path, variables),
    "a.weights.h5": lambda model, variables, path: model.save_weights(path, variables),
    "trainer.keras": lambda model, variables, path: (lambda trainer: trainer.save(path, trainer.state_of(variables)))(
        jkeras.Trainer(model, "adam", "mse")
    ),
}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize(("module", "name"), [(os, "fsync"), (os, "replace"), (os, "open"), (os, "makedirs")])
@pytest.mark.parametrize("door", DOORS)
def test_a_call_that_fails_leaves_the_old_file(door, module, name, code, tmp_path, monkeypatch):
    model, variables = model_of()
    path = tmp_path / door
    DOORS[door](model, variables, path)
    before = path.read_bytes()
    changed = jax.tree.map(lambda leaf: leaf + 1, variables)
    for number in range(1, 9):
        failing = Fails(getattr(module, name), number, code)
        with monkeypatch.context() as patched:
            patched.setattr(files.os, name, failing)
            try:
                DOORS[door](model, changed, path)
            except FileWriteError as error:
                assert str(path) in str(error)
            else:
                assert failing.left > 0 or name == "open"  # the call did not happen any more
                break
        if path.read_bytes() != before:  # the folder is forced to the disk after the file has its name
            assert name in ("fsync", "open")
            with jkeras.saving.open_weights(path) as weights:
                assert all(entry.read() is not None for entry in weights.values())
        assert os.listdir(tmp_path) == [door]
        DOORS[door](model, variables, path)
        before = path.read_bytes()
    assert os.listdir(tmp_path) == [door]


def test_a_full_disk_says_how_much_is_missing(tmp_path):
    model, variables = model_of(3000)
    small, few = model_of()
    small.save(tmp_path / "a.keras", few)
    before = (tmp_path / "a.keras").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(FileWriteError, match="room for 96,008 bytes"):
            model.save(tmp_path / "a.keras", variables)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "a.keras").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.keras"]


class Raising(layers.Dense):
    def get_config(self):
        raise RuntimeError("no config today")


def test_a_config_that_raises_writes_nothing(tmp_path):
    model, variables = model_of()
    model.save(tmp_path / "a.keras", variables)
    before = (tmp_path / "a.keras").read_bytes()
    other = jkeras.Sequential([Input((5,)), Raising(3)])
    with pytest.raises(RuntimeError, match="no config today"):
        other.save(tmp_path / "a.keras", other.init(KEY))
    assert (tmp_path / "a.keras").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.keras"]


WRITING = """
import sys, time, jax, jkeras
model = jkeras.Sequential([jkeras.Input((5,)), jkeras.layers.Dense(3), jkeras.layers.Dense(2)])
variables = jax.tree.map(lambda leaf: jax.numpy.full_like(leaf, float(sys.argv[2])), model.init(jax.random.key(0)))
print("begun", flush=True)
end = time.time() + 3
while time.time() < end:
    model.save(sys.argv[1], variables)
"""


def test_two_writers_of_one_path_and_readers_meanwhile(tmp_path):
    path = tmp_path / "a.keras"
    model, variables = model_of()
    model.save(path, jax.tree.map(lambda leaf: leaf * 0 + 1, variables))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITING, path, str(number)], stdout=subprocess.PIPE, env=environment)
        for number in (1, 2)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"begun\n"
    read = 0
    while any(writer.poll() is None for writer in writers):
        _, values = jkeras.models.load_model(path)
        assert len({float(number) for leaf in jax.tree.leaves(values) for number in np.unique(leaf)}) == 1
        read += 1
    for writer in writers:
        writer.stdout.close()
        assert writer.returncode == 0
    assert read > 3
    assert os.listdir(tmp_path) == ["a.keras"]


def test_weights_that_are_not_finite_are_named(tmp_path):
    model, variables = model_of()
    poisoned = jax.tree.map(lambda leaf: leaf.at[0].set(np.nan) if leaf.ndim == 2 else leaf, variables)
    model.save(tmp_path / "a.keras", poisoned)
    with pytest.warns(UserWarning, match=r"these weights have NaN or infinity: dense/kernel, dense_1/kernel\."):
        jkeras.models.load_model(tmp_path / "a.keras")


def test_a_newer_file_that_cannot_be_read_says_who_wrote_it(tmp_path):
    model, variables = model_of()
    model.save(tmp_path / "a.keras", variables)
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        members = {name: file.read(name) for name in file.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["class_name"] = "FromTheFuture"
    metadata = {**json.loads(members["metadata.json"]), "jkeras_version": "99.1.0", "sha256": {}}
    members |= {"config.json": json.dumps(config), "metadata.json": json.dumps(metadata)}
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(JKerasError) as error:
        jkeras.models.load_model(tmp_path / "a.keras")
    assert "was written by jkeras 99.1.0; this is" in error.value.__notes__[0]


VERSIONS = sorted(path.name.removesuffix(".outputs.npz") for path in golden.FOLDER.glob("*.outputs.npz"))


@pytest.mark.parametrize("version", VERSIONS)
def test_files_of_every_version_are_read(version):
    trainer, state = jkeras.Trainer.load(golden.FOLDER / f"{version}.keras")
    assert trainer.optimizer == golden.trainer().optimizer
    assert int(state.step) == 3
    with np.load(golden.FOLDER / f"{version}.outputs.npz") as file:
        expected = dict(file)
    outputs = trainer.predict(state, golden.X, verbose=0)
    weights = trainer.model.load_weights(golden.FOLDER / f"{version}.weights.h5", trainer.init(KEY).variables)
    for name in ("a", "b"):
        np.testing.assert_allclose(outputs[name], expected[name], rtol=1e-5)
    for one, other in zip(jax.tree.leaves(weights), jax.tree.leaves(state.variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_golden_files_are_there():
    assert VERSIONS
    with h5py.File(golden.FOLDER / f"{VERSIONS[0]}.weights.h5") as file:
        assert "layers" in file
