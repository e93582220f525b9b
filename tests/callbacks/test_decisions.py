"""The same logs lead to the same decisions as in Keras.

Logs, deltas and thresholds are multiples of 1/64, exact in the float32 in which Keras compares and in ours.
"""

import numpy as np
import pytest

from jkeras import callbacks, metrics, optimizers
from tests.callbacks.setup import KerasModel, a_state, in_loop
from tests.oracle import asking_keras, keras

EPOCHS = 14


def exact(rng, low, high):
    return float(rng.integers(64 * low, 64 * high)) / 64


def series(rng, mode):
    """Values that get better, with plateaus and setbacks."""
    steps = rng.choice([-8, -4, -2, 0, 0, 2, 4], EPOCHS)
    values = 2 + np.cumsum(steps) / 64
    return [float(value) for value in (values if mode == "min" else 4 - values)]


def early_stopping_options(rng, mode):
    return {
        "patience": int(rng.integers(0, 4)),
        "min_delta": exact(rng, -1, 1) / 8,
        "mode": mode,
        "baseline": None if rng.random() < 0.5 else exact(rng, 1, 3),
        "restore_best_weights": bool(rng.random() < 0.7),
        "start_from_epoch": int(rng.integers(0, 4)),
    }


@pytest.mark.parametrize("seed", range(40))
def test_early_stopping(seed):
    rng = np.random.default_rng(seed)
    mode = ["min", "max"][seed % 2]
    options, values = early_stopping_options(rng, mode), series(rng, mode)

    ours = in_loop(callbacks.EarlyStopping("quality", **options))
    state = a_state()
    ours.on_train_begin({}, state)
    for epoch, value in enumerate(values):
        state = a_state(epoch)
        ours.on_epoch_end(epoch, {"quality": value}, state)
        if ours.loop.stop_training:
            break
    state = ours.on_train_end({}, state) or state

    model = KerasModel()
    with asking_keras():
        theirs = keras.callbacks.EarlyStopping("quality", **options)
        theirs.set_model(model)
        theirs.on_train_begin()
        for epoch, value in enumerate(values):
            model.mark = epoch
            theirs.on_epoch_end(epoch, {"quality": value})
            if model.stop_training:
                break
        theirs.on_train_end()

    for name in ("best", "best_epoch", "wait", "stopped_epoch"):
        assert getattr(ours, name) == getattr(theirs, name), (name, options, values)
    assert state.trainable["dense"]["kernel"].tolist() == [model.mark] * 2
    assert ours.best_weights is None  # nothing is kept after training


@pytest.mark.parametrize("seed", range(20))
def test_reduce_lr_on_plateau(seed):
    rng = np.random.default_rng(seed)
    mode = ["min", "max"][seed % 2]
    options = {
        "factor": [0.5, 0.1, 0.0][seed % 3],
        "patience": int(rng.integers(0, 4)),
        "mode": mode,
        "min_delta": abs(exact(rng, -1, 1)) / 8,
        "cooldown": int(rng.integers(0, 3)),
        "min_lr": [0.0, 0.01][seed % 2],
    }
    values = series(rng, mode)
    ours = in_loop(callbacks.ReduceLROnPlateau("quality", **options))
    state, rates = a_state(), []
    ours.on_train_begin({}, state)
    for epoch, value in enumerate(values):
        state = ours.on_epoch_end(epoch, {"quality": value}, state) or state
        rates.append(float(optimizers.get_learning_rate(state.opt_state)))

    model, expected = KerasModel(), []
    with asking_keras():
        theirs = keras.callbacks.ReduceLROnPlateau("quality", **options)
        theirs.set_model(model)
        theirs.on_train_begin()
        for epoch, value in enumerate(values):
            theirs.on_epoch_end(epoch, {"quality": value})
            expected.append(float(model.optimizer.learning_rate))
    assert rates == expected, (options, values)
    assert len(set(rates)) > 1


@pytest.mark.parametrize("threshold", [None, 2.0])
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("best", [True, False])
def test_model_checkpoint_by_epoch(best, mode, threshold):
    values = series(np.random.default_rng(3), mode)
    options = {"save_best_only": best, "mode": mode, "initial_value_threshold": threshold}
    path = "{epoch:02d}-{quality:.4f}.h5"
    files = []
    ours = in_loop(callbacks.ModelCheckpoint(path, "quality", **options, writer=lambda path, _: files.append(path)))
    state, model = a_state(), KerasModel()
    with asking_keras():
        theirs = keras.callbacks.ModelCheckpoint(path, "quality", **options)
        theirs.set_model(model)
        for epoch, value in enumerate(values):
            ours.on_epoch_end(epoch, {"quality": value}, state)
            theirs.on_epoch_end(epoch, {"quality": value})
    assert files == model.saved
    assert ours.best == theirs.best
    assert ours.written == files[-1]


@pytest.mark.parametrize("calls", [[1] * 7, [3, 3, 1], [7]], ids=["1", "3", "all"])
@pytest.mark.parametrize("frequency", [1, 2, 5])
def test_model_checkpoint_by_batch(frequency, calls):
    path, files = "{epoch}-{batch}.h5", []
    options = {"save_freq": frequency}
    ours = in_loop(callbacks.ModelCheckpoint(path, "loss", **options, writer=lambda path, _: files.append(path)))
    state, model = a_state(), KerasModel()
    with asking_keras():
        theirs = keras.callbacks.ModelCheckpoint(path, "loss", **options)
        theirs.set_model(model)
        for epoch in range(3):
            ours.on_epoch_begin(epoch, {}, state)
            theirs.on_epoch_begin(epoch)
            for batch in np.cumsum(calls) - 1:
                ours.on_train_batch_end(int(batch), {"loss": 1.0}, state)
                theirs.on_train_batch_end(int(batch), {"loss": 1.0})
            ours.on_epoch_end(epoch, {"loss": 1.0}, state)
            theirs.on_epoch_end(epoch, {"loss": 1.0})
    assert files == model.saved


def test_learning_rate_scheduler():
    def schedule(epoch, rate):
        return rate * 0.9 if epoch % 2 else rate

    ours = in_loop(callbacks.LearningRateScheduler(schedule))
    state, model = a_state(), KerasModel()
    with asking_keras():
        theirs = keras.callbacks.LearningRateScheduler(schedule)
        theirs.set_model(model)
        for epoch in range(5):
            state = ours.on_epoch_begin(epoch, {}, state)
            theirs.on_epoch_begin(epoch)
            logs = {"loss": 1.0}
            theirs.on_epoch_end(epoch, logs)
            assert {"loss": 1.0, **ours.epoch_logs(epoch, state)} == logs


LOGS = {
    "validation": [{"loss": 0.5, "val_loss": 1.0, "mae": 2.5}, {"loss": 0.25, "val_loss": 1.5, "mae": 2.25}],
    "validation at times": [{"mae": 0.5, "loss": 0.75}, {"mae": 0.5, "loss": 0.75, "val_mae": 1.0, "val_loss": 2.0}],
    "new logs": [{"loss": 0.5}, {"loss": 0.25, "other": 1.0}],
}


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("logs", LOGS.values(), ids=LOGS.keys())
def test_csv_logger(tmp_path, logs, append):
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    for _ in range(2):  # two trainings
        mine = in_loop(callbacks.CSVLogger(ours, ";", append))
        mine.on_train_begin({}, None)
        with asking_keras():
            reference = keras.callbacks.CSVLogger(str(theirs), ";", append)
            reference.on_train_begin()
        for epoch, each in enumerate(logs):
            mine.on_epoch_end(epoch, each, None)
            reference.on_epoch_end(epoch, each)
        mine.on_train_end({}, None)
        reference.on_train_end()
    assert ours.read_bytes() == theirs.read_bytes()
    assert ours.read_text().count("epoch") == 1


@pytest.mark.parametrize("loss", [1.0, float("nan"), float("inf"), float("-inf")])
def test_terminate_on_nan(loss, capsys):
    ours = in_loop(callbacks.TerminateOnNaN())
    ours.on_epoch_begin(0, {}, None)
    ours.on_train_batch_end(0, {"loss": 1.0}, None)
    ours.on_train_batch_end(1, {"loss": loss}, None)
    model = KerasModel()
    with asking_keras():
        theirs = keras.callbacks.TerminateOnNaN()
        theirs.set_model(model)
        theirs.on_train_batch_end(1, {"loss": loss})
    assert ours.loop.stop_training == model.stop_training
    ours = in_loop(callbacks.TerminateOnNaN())
    ours.on_epoch_end(0, {"loss": loss}, None)
    assert ours.loop.stop_training == model.stop_training


@pytest.mark.parametrize(
    ("kind", "name"),
    [("MeanSquaredError", "m"), ("BinaryAccuracy", "m"), ("KLDivergence", "m"), ("TopKCategoricalAccuracy", "m")],
)
def test_the_direction_is_that_of_the_metric(kind, name):
    metric = getattr(metrics, kind)(name=name)
    ours = in_loop(callbacks.Monitor("val_m"), directions={"m": metric.direction})
    with asking_keras():
        model = KerasModel()
        container = keras.src.trainers.compile_utils.MetricsList([getattr(keras.metrics, kind)(name=name)])
        model.metrics = [container]
        theirs = keras.callbacks.EarlyStopping("val_m")
        theirs.set_model(model)
        theirs._set_monitor_op()
        assert ours.goes_up() == (theirs.monitor_op is keras.ops.greater)


def test_nan_is_never_best():
    """Keras takes a first NaN for the best value, on which nothing ever improves."""
    stopping = in_loop(callbacks.EarlyStopping("loss", patience=3))
    for epoch, loss in enumerate([float("nan"), 1.0, 0.5, float("nan")]):
        stopping.on_epoch_end(epoch, {"loss": loss}, None)
    assert stopping.best == 0.5 and stopping.wait == 1 and not stopping.loop.stop_training
