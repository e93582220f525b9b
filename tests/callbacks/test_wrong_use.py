"""Wrong use of callbacks is a lesson."""

import sys

import numpy as np
import optax
import pytest

from jkeras import callbacks, errors
from jkeras.callbacks import Callback, CallbackList, LambdaCallback, ModelCheckpoint
from jkeras.data import prefetch
from tests.callbacks.setup import a_state, in_loop
from tests.data.datasets import Numbered


def lesson(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) <= 6, message
    for part in parts:
        assert part in message, message


def refused(kind, make, *parts):
    with pytest.raises(kind) as error:
        make()
    lesson(error, *parts)


MONITORS = {
    "EarlyStopping": lambda name: callbacks.EarlyStopping(name, start_from_epoch=5),
    "ReduceLROnPlateau": callbacks.ReduceLROnPlateau,
    "ModelCheckpoint": lambda name: ModelCheckpoint("a.h5", name, save_best_only=True),
}


@pytest.mark.parametrize("owner", MONITORS)
def test_an_unknown_monitor(owner):
    callback = in_loop(MONITORS[owner]("val_acuracy"))
    logs = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.25, "val_loss": 1.5}
    refused(
        errors.UnknownNameError,
        lambda: callback.on_epoch_end(0, logs, a_state()),
        *(owner, "'val_acuracy'", "'val_accuracy' (did you mean it?)", "accuracy, loss, val_accuracy, val_loss"),
    )


@pytest.mark.parametrize("owner", MONITORS)
def test_a_monitor_of_a_validation_that_there_is_not(owner):
    callback = in_loop(MONITORS[owner]("val_loss"), params={"validation_freq": None})
    refused(
        errors.UnknownNameError,
        lambda: callback.on_epoch_end(0, {"loss": 1.0}, a_state()),
        *(owner, "`fit` has no validation data", "validation_split=0.1", f"{owner}(monitor='loss')"),
    )


@pytest.mark.parametrize("frequency", [2, [2, 5]])
def test_a_monitor_of_a_validation_at_times_waits_for_it(frequency):
    callback = in_loop(callbacks.EarlyStopping("val_loss", patience=1), params={"validation_freq": frequency})
    callback.on_epoch_end(0, {"loss": 1.0}, None)
    callback.on_epoch_end(1, {"loss": 1.0, "val_loss": 1.0}, None)
    callback.on_epoch_end(2, {"loss": 1.0}, None)
    assert callback.best == 1.0 and callback.wait == 0 and not callback.loop.stop_training


def test_a_log_without_a_direction():
    callback = in_loop(callbacks.EarlyStopping("largest"), directions={"largest": None})
    callback.on_epoch_end(0, {"largest": 1.0}, None)
    refused(
        errors.ArgumentError,
        lambda: callback.on_epoch_end(1, {"largest": 1.0}, None),
        *("EarlyStopping", "'largest'", "mode='max'"),
    )


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: callbacks.EarlyStopping(patience=-1), ("patience", "int >= 0", "-1")),
        (lambda: callbacks.EarlyStopping(patience=1.5), ("patience", "1.5")),
        (lambda: callbacks.EarlyStopping(mode="minimum"), ("mode", "'min' (did you mean it?)")),
        (lambda: callbacks.EarlyStopping(min_delta="0.1"), ("min_delta", "number")),
        (lambda: callbacks.EarlyStopping(baseline=float("nan")), ("baseline", "number")),
        (lambda: callbacks.EarlyStopping(3), ("monitor", "3")),
        (lambda: callbacks.ReduceLROnPlateau(factor=1.0), ("factor", "[0, 1)", "1.0")),
        (lambda: callbacks.ReduceLROnPlateau(cooldown=-1), ("cooldown",)),
        (lambda: ModelCheckpoint("run/a.npz"), ("in .keras or .h5", "'run/a.npz'", "ModelCheckpoint('run/a.keras')")),
        (lambda: ModelCheckpoint("a.weights.h5"), (".keras or .h5",)),
        (lambda: ModelCheckpoint("a.keras", keep=2), ("must have a field", "'{epoch}'", "'a.keras'")),
        (lambda: ModelCheckpoint("{epoch}.keras", keep=0), ("keep", "0")),
        (lambda: ModelCheckpoint("a.h5", save_weights_only=True), (".weights.h5",)),
        (lambda: ModelCheckpoint("a.h5", save_freq="batch"), ("save_freq", "'epoch'", "'batch'")),
        (lambda: ModelCheckpoint("a.h5", save_freq=0), ("save_freq", "int >= 1")),
        (lambda: ModelCheckpoint("{}.h5"), ("must have a name",)),
        (lambda: ModelCheckpoint("{epoch.h5"), ("filepath", "format string")),
        (lambda: ModelCheckpoint("{batch}.h5"), ("{batch}", "save_freq=100")),
        (lambda: ModelCheckpoint("{val_loss}.h5", save_freq=3), ("'val_loss'", "save_freq='epoch'")),
        (lambda: ModelCheckpoint("a.h5", save_best_only=True, save_freq=3), ("'val_loss'", "save_freq='epoch'")),
        (lambda: callbacks.BackupAndRestore(""), ("backup_dir", "empty")),
        (lambda: callbacks.BackupAndRestore("a", save_freq=-1), ("save_freq", "-1")),
        (lambda: callbacks.CSVLogger("a", separator=""), ("separator", "one character")),
        (lambda: callbacks.LearningRateScheduler(0.1), ("schedule", "lambda epoch, rate")),
        (lambda: callbacks.LearningRateScheduler(lambda a, b, c: 0.1), ("schedule(epoch)", "(a, b, c)")),
        (lambda: callbacks.TensorBoard(update_freq="sometimes"), ("update_freq", "'sometimes'")),
        (lambda: callbacks.TensorBoard(histogram_freq=-1), ("histogram_freq",)),
        (lambda: callbacks.TensorBoard(profile_batch=(3, 2)), ("profile_batch", "(3, 2)")),
        (lambda: LambdaCallback(on_epoch_finish=lambda: None), ("'on_epoch_finish'", "did you mean it?")),
        (
            lambda: LambdaCallback(on_epoch_end=lambda epoch: None),
            ("on_epoch_end", "(epoch, logs, state)", "(epoch, logs=None)", "lambda epoch, logs, state: ..."),
        ),
        (lambda: LambdaCallback(on_epoch_end=3), ("on_epoch_end", "3")),
        (lambda: CallbackList([callbacks.EarlyStopping]), ("the class EarlyStopping", "EarlyStopping(...)")),
        (lambda: CallbackList([print]), ("must be instances of `Callback`", "print")),
    ],
)
def test_constructors(make, parts):
    refused(errors.ArgumentError, make, *parts)


COUNTS = {
    "EarlyStopping": (callbacks.EarlyStopping, ["patience", "start_from_epoch"]),
    "ReduceLROnPlateau": (callbacks.ReduceLROnPlateau, ["patience", "cooldown"]),
    "ModelCheckpoint": (lambda **given: ModelCheckpoint("a.h5", "loss", **given), ["save_freq"]),
    "BackupAndRestore": (lambda **given: callbacks.BackupAndRestore("a", **given), ["save_freq"]),
    "TensorBoard": (lambda **given: callbacks.TensorBoard("a", **given), ["histogram_freq", "update_freq"]),
    "PyDataset": (lambda **given: Numbered(**given), ["workers", "max_queue_size"]),
    "prefetch": (lambda **given: prefetch([], **given).close(), ["depth"]),
}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, (_, names) in COUNTS.items() for name in names])
def test_counts_are_integers_of_any_kind_and_nothing_else(owner, name):
    make, _ = COUNTS[owner]
    for count in (2, np.int64(2), np.uint8(2)):
        made = make(**{name: count})
        assert type(getattr(made, name, 2)) is int
    for wrong in (True, 1.5, "2", -1, None, np.float32(2)):
        refused(errors.ArgumentError, lambda wrong=wrong: make(**{name: wrong}), owner, name, repr(wrong), "write:")


def test_a_name_of_a_file_that_is_no_log():
    callback = in_loop(ModelCheckpoint("{acc:.2f}.h5"))
    refused(
        errors.UnknownNameError,
        lambda: callback.on_epoch_end(0, {"accuracy": 1.0}, a_state()),
        *("'acc'", "'accuracy' (did you mean it?)", "{acc:.2f}.h5"),
    )


@pytest.mark.parametrize("rate", [None, "fast", float("nan"), [0.1, 0.2]])
def test_a_schedule_that_gives_no_number(rate):
    callback = callbacks.LearningRateScheduler(lambda epoch: rate)
    refused(
        errors.ArgumentError,
        lambda: callback.on_epoch_begin(3, {}, a_state()),
        "must return a number",
        "epoch 3",
        "a float",
    )


def test_an_optimizer_without_a_learning_rate_in_its_state():
    state = a_state()
    state = state.replace(opt_state=optax.sgd(0.1).init(state.trainable))
    refused(
        errors.ArgumentError,
        lambda: callbacks.LearningRateScheduler(lambda epoch: 0.1).on_epoch_begin(0, {}, state),
        "inject_hyperparams",
    )


def test_a_hook_that_returns_no_state():
    hooks = CallbackList([LambdaCallback(on_epoch_end=lambda epoch, logs, state: len(logs))])
    refused(
        errors.ArgumentError,
        lambda: hooks.on_epoch_end(0, {}, a_state()),
        *("LambdaCallback.on_epoch_end", "a TrainState", "a int"),
    )


def test_a_loss_that_is_not_finite_is_an_error_if_asked():
    callback = in_loop(callbacks.TerminateOnNaN(raise_error=True))
    callback.on_epoch_begin(2, {}, None)
    callback.on_train_batch_end(0, {"loss": 1.0}, None)
    refused(
        errors.NonFiniteError,
        lambda: callback.on_train_batch_end(4, {"loss": float("inf")}, None),
        *("epoch 3", "batch 5", "inf"),
    )
    assert issubclass(errors.NonFiniteError, RuntimeError)


def test_an_extra_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    callback = in_loop(callbacks.TensorBoard(tmp_path))
    refused(
        errors.MissingExtraError,
        lambda: callback.on_epoch_end(0, {"loss": 1.0}, a_state()),
        "jkeras[tensorboard]",
    )


def test_the_backup_of_another_network(tmp_path):
    backup = in_loop(callbacks.BackupAndRestore(tmp_path))
    backup.on_epoch_end(0, {}, {"kernel": 1.0})
    refused(
        errors.LeafError,
        lambda: backup.on_train_begin({}, {"bias": 1.0}),
        *("latest.h5", "'state/bias' is missing", "'state/kernel' is unknown"),
    )


def test_the_backup_of_another_epoch(tmp_path):
    backup = in_loop(callbacks.BackupAndRestore(tmp_path, 2), params={"steps": 5})
    backup.on_epoch_begin(1, {}, a_state())
    backup.on_train_batch_end(1, {}, a_state())
    backup = in_loop(callbacks.BackupAndRestore(tmp_path, 2), params={"steps": 10})
    refused(
        errors.ArgumentError,
        lambda: backup.on_train_begin({}, a_state()),
        *("after batch 2", "an epoch of 5 batches", "an epoch of 10 batches"),
    )


def test_lists_of_callbacks():
    class Every(Callback):
        every_batch = True

    one, two = Callback(), Every()
    assert CallbackList([one, [two], None]).callbacks == [one, two]
    assert CallbackList(CallbackList(one)).callbacks == [one]
    assert (
        CallbackList([one, two]).every_batch and not CallbackList([one]).every_batch and not CallbackList().every_batch
    )
