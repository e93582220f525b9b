"""Callbacks in a real training."""

import csv
import math
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from jkeras import callbacks, errors, optimizers
from jkeras.callbacks import Callback, LambdaCallback, read_state
from tests.callbacks.setup import data, in_loop, trainer
from tests.oracle import asking_keras, keras

X, Y = data()
FIT = {"batch_size": 8, "verbose": 0}
VALIDATED = {**FIT, "validation_data": (X[:16], Y[:16])}


def fresh():
    return trainer().init(jax.random.key(0))


def assert_same(a, b):
    """The same program on the same machine: not a bit differs."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    chex.assert_trees_all_equal(a, b)


def leaves_of(callback):
    return [leaf for leaf in jax.tree.leaves(vars(callback)) if isinstance(leaf, jax.Array | np.ndarray)]


def test_several_at_once(tmp_path):
    used = [
        callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate),
        callbacks.EarlyStopping(patience=10, restore_best_weights=True),
        callbacks.ModelCheckpoint(tmp_path / "{epoch}.h5"),
        callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_best_only=True, save_weights_only=True),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.TerminateOnNaN(),
        callbacks.TensorBoard(tmp_path / "events", histogram_freq=1),
    ]
    state, history = trainer().fit(fresh(), X, Y, epochs=3, callbacks=used, **VALIDATED)
    logs = history.history
    assert logs["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125], rel=1e-6)
    assert float(optimizers.get_learning_rate(state.opt_state)) == logs["learning_rate"][-1]
    for epoch in range(3):
        saved = read_state(tmp_path / f"{epoch + 1}.h5", state)
        assert int(saved.step) == 5 * (epoch + 1)
        assert trainer().evaluate(saved, X[:16], Y[:16], batch_size=8, verbose=0)["loss"] == logs["val_loss"][epoch]
    best = trainer().model.load_weights(tmp_path / "best.weights.h5", fresh().variables)
    assert_same(best, state.variables)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == logs["val_loss"]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert not any(leaves_of(each) for each in used)


def test_the_best_weights_come_back():
    def train(**options):
        stopping = callbacks.EarlyStopping(patience=2, **options)
        worse = callbacks.LearningRateScheduler(lambda epoch: 0.01 if epoch < 3 else 10.0)
        state, history = trainer().fit(fresh(), X, Y, epochs=20, callbacks=[worse, stopping], **VALIDATED)
        loss = trainer().evaluate(state, X[:16], Y[:16], batch_size=8, verbose=0)["loss"]
        return stopping, state, loss, history.history["val_loss"]

    stopping, state, loss, losses = train(restore_best_weights=True)
    assert len(losses) == 5 and np.argmin(losses) == 2  # two epochs of patience
    assert loss == min(losses) == stopping.best
    assert stopping.best_epoch == 2 and stopping.stopped_epoch == 4
    assert int(state.step) == 25  # only the weights go back
    assert leaves_of(stopping) == []
    _, _, loss, losses = train()
    assert loss == losses[-1] > min(losses)


def test_a_rate_on_a_plateau_falls_within_a_training():
    plateau = callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=100.0)
    state, history = trainer().fit(fresh(), X, Y, epochs=3, callbacks=plateau, **VALIDATED)
    assert history.history["learning_rate"] == pytest.approx([0.05, 0.05, 0.025], rel=1e-6)
    assert float(optimizers.get_learning_rate(state.opt_state)) == pytest.approx(0.0125)


# -- hooks


def recorder(base, names):
    calls = []

    def hook(name):
        def run(self, *args):
            calls.append((name, *(arg for arg in args if isinstance(arg, int))))

        return run

    def hook_of_keras(name):
        def run(self, *args, logs=None):
            hook(name)(self, *args)

        return run

    make = hook if base is Callback else hook_of_keras
    return type("Recorder", (base,), {"every_batch": True, **{name: make(name) for name in names}})(), calls


def test_the_order_of_hooks_is_that_of_keras():
    names = callbacks.callback.HOOKS
    assert all(hasattr(keras.callbacks.Callback, name) for name in names)
    ours, calls = recorder(Callback, names)
    theirs, expected = recorder(keras.callbacks.Callback, names)
    state, _ = trainer().fit(fresh(), X, Y, epochs=3, validation_freq=2, callbacks=[ours], **VALIDATED)
    trainer().evaluate(state, X[:12], Y[:12], batch_size=8, callbacks=[ours], verbose=0)
    trainer().predict(state, X[:12], batch_size=8, callbacks=[ours], verbose=0)
    with asking_keras():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, Y, epochs=3, validation_freq=2, callbacks=[theirs], **VALIDATED)
        model.evaluate(X[:12], Y[:12], batch_size=8, callbacks=[theirs], verbose=0)
        model.predict(X[:12], batch_size=8, callbacks=[theirs], verbose=0)
    assert calls == expected


def test_hooks_run_once_a_call():
    batches = []
    keep = LambdaCallback(
        on_train_batch_begin=lambda batch, logs, state: batches.append(batch),
        on_train_batch_end=lambda batch, logs, state: batches.append(-batch),
    )
    trainer().fit(fresh(), X, Y, callbacks=keep, **FIT)
    assert batches == [0, -1, 2, -3, 4, -4]  # two batches a call


def test_a_state_from_a_test_hook_is_for_the_evaluation_alone():
    def zeros(logs, state):
        return state.replace(trainable=jax.tree.map(jnp.zeros_like, state.trainable))

    state, history = trainer().fit(fresh(), X, Y, callbacks=LambdaCallback(on_test_begin=zeros), **VALIDATED)
    plain, _ = trainer().fit(fresh(), X, Y, **VALIDATED)
    assert_same(state.trainable, plain.trainable)
    assert history.history["val_loss"] == pytest.approx([float((Y[:16] ** 2).mean())], rel=1e-5)
    used = {"callbacks": LambdaCallback(on_predict_begin=zeros), "verbose": 0}
    assert not trainer().predict(plain, X, **used).any() and trainer().predict(plain, X, verbose=0).any()


def test_a_state_from_any_other_hook_stays():
    def add(amount):
        return lambda logs, state: state.replace(step=state.step + amount)

    def add_by_epoch(amount):
        return lambda epoch, logs, state: state.replace(step=state.step + amount)

    hooks = {"on_train_begin": add(1), "on_train_end": add(10)}
    hooks |= {"on_epoch_begin": add_by_epoch(100), "on_epoch_end": add_by_epoch(1000)}
    state, _ = trainer().fit(fresh(), X, Y, epochs=2, callbacks=LambdaCallback(**hooks), **FIT)
    assert int(state.step) == 2211 + 10


def test_a_training_stops_within_an_epoch():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs, state):
            self.loop.stop_training = batch == 1

    state, history = trainer().fit(fresh(), X, Y, epochs=3, callbacks=Stop(), **VALIDATED)
    assert int(state.step) == 2
    assert history.epoch == [0] and "val_loss" in history.history  # as in Keras, the epoch is brought to its end


def test_a_training_that_diverges_stops(capsys):
    broken = callbacks.LearningRateScheduler(lambda epoch: math.inf if epoch == 1 else 0.05)
    _, history = trainer().fit(fresh(), X, Y, epochs=9, callbacks=[broken, callbacks.TerminateOnNaN()], **FIT)
    assert history.epoch == [0, 1] and not math.isfinite(history.history["loss"][-1])
    assert "training stops" in capsys.readouterr().out


def test_looking_for_nan_never_waits():
    class Unread(dict):
        def get(self, *args):
            raise AssertionError("the logs were read")

    terminate = in_loop(callbacks.TerminateOnNaN())
    terminate.on_epoch_begin(0, {}, None)
    terminate.on_train_batch_end(0, Unread(), None)  # these logs are those of the call that was just made
    terminate.on_train_batch_end(1, {"loss": 1.0}, None)
    terminate.looked = time.perf_counter() + 60  # a look a moment ago
    terminate.on_train_batch_end(2, Unread(), None)
    terminate.on_epoch_begin(1, {}, None)
    terminate.on_train_batch_end(0, Unread(), None)


# -- events


def events(folder):
    """What a folder's event files hold: {tag: [(step, value)]}, histograms as their number of values."""
    found = {}
    for file in sorted(Path(folder).iterdir()):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])  # then the checksum of the length, the record, its checksum
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            for value in event.summary.value:
                number = value.histo.num if value.HasField("histo") else value.simple_value
                found.setdefault(value.tag, []).append((event.step, number))
    return found


def test_events(tmp_path):
    board = callbacks.TensorBoard(tmp_path, 2, update_freq="batch", write_steps_per_second=True)
    state, history = trainer().fit(fresh(), X, Y, epochs=2, callbacks=board, **VALIDATED)
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for name in ("loss", "mae"):
        values = np.float32(history.history[name])
        assert train[f"epoch_{name}"] == [(0, values[0]), (1, values[1])]
        steps, means = zip(*train[f"batch_{name}"], strict=True)
        assert steps == tuple(range(1, 11))
        assert means[4] == values[0] and means[9] == values[1]  # the mean over the epoch so far
        assert len(set(means)) == 10
        values = np.float32(history.history[f"val_{name}"])
        assert validation[f"epoch_{name}"] == [(0, values[0]), (1, values[1])]
        assert validation[f"evaluation_{name}_vs_iterations"] == [(5, values[0]), (10, values[1])]
    assert train["dense/kernel/histogram"] == [(0, 12)]
    assert [value for _, value in train["epoch_learning_rate"]] == pytest.approx([0.05, 0.05])
    assert all(value > 0 for _, value in train["epoch_steps_per_second"])
    # a second training counts on; an evaluation alone writes too
    trainer().fit(state, X, Y, callbacks=callbacks.TensorBoard(tmp_path / "b", update_freq=2), **FIT)
    assert [step for step, _ in events(tmp_path / "b" / "train")["batch_loss"]] == [12, 14]
    trainer().evaluate(fresh(), X, Y, callbacks=callbacks.TensorBoard(tmp_path / "c"), verbose=0)
    assert [step for step, _ in events(tmp_path / "c" / "validation")["evaluation_loss_vs_iterations"]] == [0]


def test_a_profile(tmp_path):
    trainer().fit(fresh(), X, Y, callbacks=callbacks.TensorBoard(tmp_path, profile_batch=3), **FIT)
    assert list(tmp_path.rglob("*.xplane.pb"))


# -- going on after a death


class Dies(Callback):
    """Raises after a batch of an epoch."""

    def __init__(self, epoch, batch):
        self.when = epoch, batch

    def on_epoch_begin(self, epoch, logs, state):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs, state):
        if (self.epoch, batch) == self.when:
            raise KeyError("killed")


@pytest.mark.parametrize(("frequency", "begins"), [("epoch", (2, 0)), (2, (2, 2)), (5, (2, 0))])
def test_a_training_that_died_goes_on(tmp_path, frequency, begins):
    whole, expected = trainer().fit(fresh(), X, Y, epochs=4, **VALIDATED)
    used = [Dies(2, 3), callbacks.BackupAndRestore(tmp_path / "run", frequency)]
    with pytest.raises(KeyError, match="killed"):
        trainer().fit(fresh(), X, Y, epochs=4, callbacks=used, **VALIDATED)
    backup = callbacks.BackupAndRestore(tmp_path / "run", frequency)
    state, history = trainer().fit(fresh(), X, Y, epochs=4, callbacks=backup, **VALIDATED)
    assert (backup.loop.initial_epoch, backup.loop.initial_batch) == begins
    assert history.history == {name: values[2:] for name, values in expected.history.items()}
    assert_same(state, whole)
    assert not (tmp_path / "run").exists()


def test_a_process_that_was_killed(tmp_path):
    program = textwrap.dedent(
        f"""
        import os, signal
        import jax
        from jkeras.callbacks import BackupAndRestore, LambdaCallback
        from tests.callbacks.setup import data, trainer

        def kill(epoch, logs, state):
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        used = [BackupAndRestore({str(tmp_path)!r}), LambdaCallback(on_epoch_end=kill)]
        trainer().fit(trainer().init(jax.random.key(0)), *data(), epochs=3, batch_size=8, verbose=0, callbacks=used)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == ["latest.h5"]
    whole, expected = trainer().fit(fresh(), X, Y, epochs=3, **FIT)
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    state, history = trainer().fit(fresh(), X, Y, epochs=3, callbacks=backup, **FIT)
    assert history.epoch == [2]
    # another process compiled for itself, so the last bits may differ: a few roundings per update, 15 updates
    np.testing.assert_allclose(history.history["loss"], expected.history["loss"][2:], rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), state, whole)
    assert os.listdir(tmp_path) == ["latest.h5"]


def test_a_backup_that_cannot_be_read(tmp_path):
    used = [Dies(2, 3), callbacks.BackupAndRestore(tmp_path, double_checkpoint=True)]
    with pytest.raises(KeyError, match="killed"):
        trainer().fit(fresh(), X, Y, epochs=4, callbacks=used, **FIT)
    (tmp_path / "latest.h5").write_bytes(b"")
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    with pytest.warns(UserWarning, match=r"continues from .*latest.h5.bkp, because .*latest.h5 cannot be read"):
        _, history = trainer().fit(fresh(), X, Y, epochs=4, callbacks=backup, **FIT)
    assert history.epoch == [1, 2, 3]
    (tmp_path / "latest.h5").write_bytes(b"")
    (tmp_path / "latest.h5.bkp").unlink()
    with pytest.raises(errors.DamagedFileError, match=r"latest.h5: the file is truncated: 0 of at least 96 bytes"):
        trainer().fit(fresh(), X, Y, epochs=4, callbacks=backup, **FIT)
    assert sorted(os.listdir(tmp_path)) == ["latest.h5", "latest.h5.damaged"]  # nothing is deleted


def test_a_training_that_the_user_interrupts_keeps_its_backup(tmp_path):
    folder = tmp_path / "run"
    interrupt = LambdaCallback(on_epoch_end=lambda epoch, logs, state: signal.raise_signal(signal.SIGINT))
    backup = callbacks.BackupAndRestore(folder)
    _, history = trainer().fit(fresh(), X, Y, epochs=4, callbacks=[backup, interrupt], **FIT)
    assert history.epoch == [0] and folder.exists()
    _, history = trainer().fit(fresh(), X, Y, epochs=4, callbacks=backup, **FIT)
    assert history.epoch == [1, 2, 3] and not folder.exists()
