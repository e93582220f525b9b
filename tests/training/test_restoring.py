"""Checkpoints of a training: in Keras's forms, the best or the latest of them, and back from a folder."""

import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers
from jkeras.callbacks import BackupAndRestore, ModelCheckpoint, write_state
from jkeras.errors import DamagedFileError, FileWriteError, LeafError
from tests.oracle import asking_keras, keras
from tests.repository import ROOT

X = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
Y = X[:, :3] ** 2


def trainer_of(units=4):
    return jkeras.Trainer(jkeras.Sequential([Input((6,)), layers.Dense(units, "tanh"), layers.Dense(3)]), "adam", "mse")


def fit(trainer, callbacks, epochs=3, state=None):
    state = trainer.init(jax.random.key(0)) if state is None else state
    return trainer.fit(state, X, Y, batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0)[0]


def assert_equal(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_checkpoints_in_keras_s_forms_are_read_by_keras(tmp_path):
    trainer = trainer_of()
    state = fit(
        trainer,
        [ModelCheckpoint(tmp_path / "a.weights.h5", save_weights_only=True), ModelCheckpoint(tmp_path / "a.keras")],
    )
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "a.keras")
        whole = theirs.predict(X, verbose=0)
        theirs.load_weights(tmp_path / "a.weights.h5")
        weights = theirs.predict(X, verbose=0)
    ours = trainer.predict(state, X, verbose=0)
    np.testing.assert_allclose(whole, ours, atol=1e-5)
    np.testing.assert_allclose(weights, ours, atol=1e-5)
    assert theirs.optimizer.iterations == 6
    assert_equal(trainer.restore(tmp_path / "a.keras"), state)


def test_the_latest_files_stay(tmp_path):
    state = fit(trainer_of(), ModelCheckpoint(tmp_path / "{epoch}.keras", keep=2), epochs=5)
    assert sorted(os.listdir(tmp_path)) == ["4.keras", "5.keras"]
    assert_equal(trainer_of().restore(tmp_path), state)


def test_the_best_files_stay(tmp_path):
    checkpoint = ModelCheckpoint("{epoch}.h5", "loss", save_best_only=True, keep=2, writer=lambda path, state: None)
    checkpoint.set_loop(jkeras.callbacks.Loop({}))
    removed = []
    checkpoint._delete_outdated = lambda: (removed.extend(checkpoint.outdated), checkpoint.outdated.clear())
    for epoch, loss in enumerate([0.5, 0.7, 0.6, 0.9, 0.4, 0.1]):
        checkpoint.on_epoch_end(epoch, {"loss": loss}, None)
    checkpoint.close()
    assert removed == ["2.h5", "3.h5", "1.h5"]
    assert checkpoint.best == 0.1
    assert sorted(checkpoint.kept) == [(0.1, "6.h5"), (0.4, "5.h5")]


def test_the_newest_file_is_the_one_with_the_most_steps(tmp_path):
    trainer = trainer_of()
    last = fit(trainer, ModelCheckpoint(tmp_path / "{epoch}.h5"), epochs=11)
    fit(trainer, BackupAndRestore(tmp_path, delete_checkpoint=False), epochs=2)
    shutil.copytree(tmp_path, tmp_path / "copy")
    for name in os.listdir(tmp_path / "copy"):
        os.utime(tmp_path / "copy" / name, (1, 1))
    assert_equal(trainer.restore(tmp_path / "copy"), last)


@pytest.mark.parametrize("damage", [flipped, lambda path: path.write_bytes(path.read_bytes()[:-100]), os.truncate])
def test_a_damaged_file_is_set_aside_for_the_one_before(tmp_path, damage):
    trainer = trainer_of()
    fit(trainer, ModelCheckpoint(tmp_path / "{epoch}.keras"), epochs=3)
    before = trainer.restore(tmp_path / "2.keras")
    if damage is os.truncate:
        os.truncate(tmp_path / "3.keras", 0)
    else:
        damage(tmp_path / "3.keras")
    with pytest.warns(UserWarning, match=r"3\.keras cannot be read and was renamed .*2\.keras is used"):
        assert_equal(trainer.restore(tmp_path), before)
    assert sorted(os.listdir(tmp_path)) == ["1.keras", "2.keras", "3.keras.damaged"]


def test_where_all_are_damaged_nothing_is_changed(tmp_path):
    trainer = trainer_of()
    fit(trainer, ModelCheckpoint(tmp_path / "{epoch}.h5"), epochs=2)
    for name in os.listdir(tmp_path):
        os.truncate(tmp_path / name, 50)
    with pytest.raises(DamagedFileError, match="none of the files can be read"):
        trainer.restore(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["1.h5", "2.h5"]
    with pytest.raises(FileNotFoundError, match="has no file that ends in"):
        trainer.restore(os.path.dirname(__file__))


def test_the_files_of_another_network_are_an_error(tmp_path):
    fit(trainer_of(), [ModelCheckpoint(tmp_path / "a.h5"), ModelCheckpoint(tmp_path / "a.keras")])
    for name in ("a.h5", "a.keras"):
        with pytest.raises(LeafError, match=r"kernel|vars/0"):
            trainer_of(5).restore(tmp_path / name)


HOLDING = """
import sys, time
from jkeras.saving.lock import Lock
Lock(sys.argv[1]).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_two_trainings_in_one_folder_are_refused_until_the_first_is_dead(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path / "run"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(FileWriteError, match=f"process {process.pid} on this host"):
        fit(trainer_of(), BackupAndRestore(tmp_path / "run"))
    process.kill()
    process.wait()
    process.stdout.close()
    fit(trainer_of(), BackupAndRestore(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_a_lock_of_another_host_stays(tmp_path):
    (tmp_path / "run.lock").write_text("1 elsewhere")
    with pytest.raises(FileWriteError, match="process 1 on elsewhere"):
        fit(trainer_of(), BackupAndRestore(tmp_path / "run"))


def test_a_state_that_write_state_wrote_is_restored(tmp_path):
    trainer = trainer_of()
    state = fit(trainer, None)
    write_state(tmp_path / "a.h5", state)
    assert_equal(trainer.restore(tmp_path), state)
