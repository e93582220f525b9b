"""Bad data and options, each with a message that is judged by one rubric.

A message earns a point each for: coming before a step runs on what is bad; being of the right type; naming the
argument, layer or batch; saying what was expected and what was received; and one hint. None earns less than four, all
together at least 4.6 in the mean, and none is longer than six lines.
"""

import functools
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers
from tests.data.datasets import Failing

X, Y = np.ones((16, 4), "float32"), np.zeros(16, "int64")
SPARSE = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(units: int = 3, inputs: int = 4) -> jkeras.Sequential:
    return jkeras.Sequential([jkeras.Input((inputs,)), layers.Dense(units, name="head")])


def words() -> jkeras.Sequential:
    table = layers.Embedding(5, 2, name="words")
    return jkeras.Sequential([jkeras.Input((3,), dtype="int32"), table, layers.Flatten(), layers.Dense(3)])


def named_input() -> jkeras.Model:
    a = jkeras.Input((4,), name="a")
    return jkeras.Model({"a": a}, layers.Dense(3)(a))


def batches(count: int, bad: int | None = None, batch: Callable[[], Any] | None = None):
    for index in range(count):
        yield batch() if index == bad and batch is not None else (X, Y)


def raising():
    raise OSError("the disk is gone")


class Gate(jkeras.Layer):
    def call(self, inputs):
        if inputs.sum() > 0:
            return inputs
        return -inputs


class Maker(jkeras.Layer):
    def call(self, inputs):
        return layers.Dense(4)(inputs)


class Declarer(jkeras.Layer):
    def build(self, input_shape):
        pass

    def call(self, inputs):
        return inputs + self.add_weight((4,), name="shift").value


def within(layer: jkeras.Layer) -> jkeras.Sequential:
    return jkeras.Sequential([jkeras.Input((4,)), layers.Dense(4), layer])


def nothing(y_true, y_pred):
    """A loss that forgets to return."""


def one(y_pred):
    return y_pred


class Nothing(jkeras.Loss):
    def call(self, y_true, y_pred):
        nothing(y_true, y_pred)


class One(jkeras.Loss):
    def call(self, y_pred):
        return y_pred


class OwnNothing(jkeras.Trainer):
    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        nothing(y, y_pred)


class OwnVector(jkeras.Trainer):
    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        return y_pred


def fit(x=X, y=Y, loss=SPARSE, model=None, metrics=(), kind=jkeras.Trainer, **options):
    """Trains, and says of an exception or a warning whether its state may still be used, and how far it came."""
    trainer = kind(model or network(), "sgd", loss, metrics=list(metrics))
    state = trainer.init(jax.random.key(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.fit(state, x, y, **{"verbose": 0, **options})


class Row(NamedTuple):
    """A row of the table of bad inputs, and what its message must have."""

    number: str
    go: Callable[[], Any]
    kind: type[BaseException]
    name: str = ""
    expected: str = ""
    received: str = ""
    hint: str = ""
    steps: int = 0  # that are made before


def rows() -> list[Row]:
    data, shape, argument = errors.DataError, errors.ShapeError, errors.ArgumentError
    return [
        Row("1", lambda: fit(np.ones((16, 7))), shape, "^sequential:", r"\(None, 4\)", r"\(16, 7\)",
            r"Input\(\(7,\)\)"),
        Row("2", lambda: fit(y=np.ones((16, 7)), loss="mse"), data, "^y:", r"\(batch, 3\)", r"\(batch, 7\)", "Dense.7"),
        Row("3", lambda: fit(y=np.ones((16, 1)), loss="mse"), data, "^y:", r"\(batch, 3\)", r"\(batch, 1\)", "Dense.1"),
        Row("3i", lambda: fit(y=Y[:, None], loss="mse"), data, "^y:", r"\(batch, 3\)", r"\(batch, 1\)", "one_hot"),
        Row("5", lambda: fit(y=Y[:15]), data, "^x, y:", "one length", "x: 16, y: 15", "x.:15., y.:15."),
        Row("5d", lambda: fit({"a": X}, {"p": Y[:15]}), data, "x/a, y/p", "one length", "x/a: 16, y/p: 15", "write"),
        Row("6", lambda: fit(y=Y + 9), data, "^y:", "0 <= label < 3", "label 9 at index 0; 16 of 16", r"Dense\(10\)"),
        Row("7", lambda: fit(y=Y - 1), data, "^y:", "0 <= label < 3", "label -1 at index 0; 16 of 16", "class=-1"),
        Row("7s", lambda: fit(y=Y - 1, loss="sparse_categorical_crossentropy"), data, "^y", "< 3", "-1 at", "=-1"),
        Row("8", lambda: fit(y=Y + 0.7), data, "^y:", "integers", "float32 label 0.7 at index 0", '"mse"'),
        Row("9", lambda: fit(y=np.array(["a"] * 16)), data, "^y:", "numeric", "dtype <U1",
            r"np.unique\(.*inverse=True"),
        Row("10", lambda: fit(y=np.array([1, None] * 8)), data, "^y:", "type int", "row 1 is .*NoneType", "np.array"),
        Row("11", lambda: fit([[1, 2], [1]], [0, 0]), data, "^x:", "row 0.*length 2", "row 1 .*length 1", "np.pad"),
        Row("12", lambda: fit(X * np.nan), UserWarning, "of x are", "finite", "64 of 64.*0, 0", "nan_to_num"),
        Row("13", lambda: fit(X[:0], Y[:0]), data, "^x, y:", "at least one", "0 examples", "write"),
        Row("14", lambda: fit(batch_size=0), argument, "batch_size=", "int >= 1", " 0\n", "batch_size=32"),
        Row("15", lambda: fit(batch_size=-1), argument, "batch_size=", "int >= 1", "-1\n", "batch_size=32"),
        Row("16", lambda: fit(epochs=-1), argument, "epochs=", "int >= 0", "-1\n", "epochs=1"),
        Row("17", lambda: network().fit(X, Y), AttributeError, "^Sequential:", "a Trainer", r"\.fit",
            r"Trainer\(model"),
        Row("28", lambda: fit(np.full((16, 3), 99), model=words()), data, "'words'", "< 5", r"99 at \[0, 0\]",
            "100, 2"),
        Row("28n", lambda: fit(np.full((16, 3), -1), model=words()), data, "^x:.*'words'", "0 <=", "-1 at", r"min\(\)"),
        Row("29", lambda: jkeras.optimizers.SGD(np.nan), argument, "SGD.learning_rate", "a finite number >= 0", "nan",
            "rate=0.01"),
        Row("30", lambda: fit(batches(2), None, steps_per_epoch=5), UserWarning, "The data", "of 5", "2 of",
            "repeats", 2),
        Row("31", lambda: fit(batches(3, 1, raising), None), OSError, "batch 2 of epoch 1", "", "the disk", "", 1),
        Row("41", lambda: fit(y=Y + np.arange(16) % 3, class_weight={0: 1.0}), UserWarning, "^`class_weight`",
            r"\[1, 2\]",
            "lacks", r"class_weight\[1\] = class_weight\[2\] = 1.0"),
        Row("42", lambda: fit(sample_weight=np.ones(15)), data, "^sample_weight", "one length", "weight: 15", "write"),
        Row("43", lambda: fit(validation_split=1.5), argument, "validation_split=", r"\[0, 1\)", "1.5", "=0.2"),
        Row("44", lambda: fit({"b": X}, model=named_input()), shape, "^functional:", r"\['a'\]", r"\['b'\]",
            "'a': ..."),
        Row("45", lambda: fit(np.full((16, 4), 2**40)), UserWarning, "of x do", "int32", "64 of 64.*2?1099511627776",
            "x64"),
        Row("46", lambda: fit(batches(9, 6, lambda: (np.ones((16, 5)), Y)), None), data, "^x: batch 7 of epoch 1",
            r"\(batch, 4\)", r"\(16, 5\)", r"Input\(\(None,\)\)", 6),
        Row("47", lambda: fit(batches(3, 2, lambda: (X.astype("float64"), Y)), None), UserWarning,
            "^x: .*batch 3 of epoch 1", "should be float32", "got float64", "astype.'float32'.", 2),
        Row("48", lambda: fit(model=within(Gate(name="gate"))), jax.errors.TracerBoolConversionError, "'gate' .Gate.",
            "known only when", r"test_bad_inputs.py:\d+", "jnp.where.*jax.lax.cond"),
        Row("49", lambda: fit(model=within(Declarer(name="declarer"))), errors.BuildError, "^declarer:", "in `build`",
            "'shift'", "not in `call`"),
        Row("49l", lambda: fit(model=within(Maker(name="maker"))), errors.BuildError, "^maker/dense:",
            "made in `__init__`",
            "Dense .*made in `call`", r"self.dense = Dense\("),
        Row("50", lambda: fit(loss=nothing), argument, "^nothing:", "each example", "None", "return jnp.mean"),
        Row("51", lambda: fit(loss=one), argument, "^one:", r"\(y_true, y_pred\)", r"\(y_pred\)", "def one.y_true"),
        Row("52", lambda: fit(loss=lambda y, p: 1j * p), argument, "^<lambda>:", "real numbers", "complex", "return"),
        Row("53", lambda: fit(loss=Nothing()), argument, "^nothing:", "each example", "None", "return jnp.mean"),
        Row("54", lambda: fit(loss=One()), argument, "^One.call:", r"\(y_true, y_pred\)", r"\(y_pred\)", "def call"),
        Row("55", lambda: fit(metrics=[nothing]), argument, "^nothing:", "each example", "None", "return jnp.mean"),
        Row("56", lambda: fit(metrics=[one]), argument, "^one:", r"\(y_true, y_pred\)", r"\(y_pred\)", "def one"),
        Row("57", lambda: fit(kind=OwnNothing), argument, "^OwnNothing.compute_loss", "real", "None", "return"),
        Row("58", lambda: fit(kind=OwnVector), argument, "^OwnVector.compute_loss", "a scalar", r"\(16, 3\)", "return"),
    ]  # fmt: skip


ROWS = {row.number: row for row in rows()}


@functools.cache
def outcome(number: str) -> tuple[str, BaseException]:
    """The message of a row with its notes, and the exception."""
    row = ROWS[number]
    with pytest.raises(BaseException) as caught:  # which it is, is judged below
        row.go()
    notes = [note for note in getattr(caught.value, "__notes__", []) if "JAX has removed" not in note]
    return "\n".join([str(caught.value), *notes]), caught.value


def points(row: Row) -> dict[str, bool]:
    message, error = outcome(row.number)
    state = getattr(error, "state", None)
    return {
        "before": state is None or (int(state.step) == row.steps),
        "type": isinstance(error, row.kind),
        "name": re.search(row.name, message) is not None,
        "expected and received": bool(re.search(row.expected, message) and re.search(row.received, message + "\n")),
        "hint": row.hint != "" and re.search(row.hint, message) is not None,
    }


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_message_is_a_lesson(row):
    earned = points(row)
    message, error = outcome(row.number)
    assert earned["before"] and earned["type"] and sum(earned.values()) >= 4, f"{earned}\n{message}"
    if row.hint:
        assert all(earned.values()), f"{earned}\n{message}"
    assert len(str(error).splitlines()) <= 6 and "\x1b" not in message, message


def test_messages_are_good_in_the_mean():
    earned = [sum(points(row).values()) for row in ROWS.values()]
    assert sum(earned) / len(earned) >= 4.6


def test_row_4_flat_labels_go_with_one_number_per_example():
    x, y = np.arange(8.0).reshape(4, 2), np.array([1.0, 2.0, 3.0, 4.0])
    trainer = jkeras.Trainer(network(1, 2), "sgd", "mse", metrics=["mae"])
    state = trainer.init(jax.random.key(0))
    logs = trainer.evaluate(state, x, y, verbose=0)
    error = y - trainer.predict(state, x, verbose=0)[:, 0]
    np.testing.assert_allclose([logs["loss"], logs["mae"]], [np.mean(error**2), np.mean(abs(error))], rtol=1e-5)
    assert float(jkeras.losses.MeanSquaredError()(y, np.zeros((4, 1)))) == np.mean(y**2)  # and not all pairs


def consumed(state) -> bool:
    return any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize("number", ["1", "6", "28", "44"])
def test_what_is_refused_before_a_step_leaves_the_state_as_it_is(number):
    _, error = outcome(number)
    assert int(error.state.step) == 0 and not consumed(error.state)


@pytest.mark.parametrize("number", ["31", "46", "47"])
def test_an_exception_brings_the_state_of_the_last_step(number):
    row, (_, error) = ROWS[number], outcome(number)
    assert int(error.state.step) == row.steps and error.history.history == {}
    trainer = jkeras.Trainer(network(), "sgd", SPARSE)
    state, _ = trainer.fit(error.state, X, Y, verbose=0)
    assert int(state.step) == row.steps + 1


class Numbered(Failing):
    """Batch 3 fails; the labels fit a network with one output."""

    def __getitem__(self, index):
        x, _ = super().__getitem__(index)
        return x, x[:, 0]


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ("raising", ["raised an exception", "KeyError: 'three'", "by_raising", "while reading batch 4 of epoch 2"]),
        (
            "death",
            ["was killed by SIGKILL", "exit code -9", "PyDataset(workers=...)", "while reading batch 4 of epoch 2"],
        ),
        ("hanging", ["did not answer within 3 s", "by_hanging", "while reading batch 4 of epoch 2"]),
    ],
)
def test_row_32_a_worker_that_fails_is_named_and_leaves_the_last_state(how, parts):
    trainer = jkeras.Trainer(network(1, 3), "sgd", "mse")
    dataset = LateFailing(how, workers=1, use_multiprocessing=True, timeout=3)
    with pytest.raises(errors.WorkerError) as caught:
        trainer.fit(trainer.init(jax.random.key(0)), dataset, epochs=3, shuffle=False, verbose=0)
    error = caught.value
    message = "\n".join([str(error), *error.__notes__])
    for part in (f"worker process {error.pid}", "dataset[3]", *parts):
        assert part in message, message
    assert error.index == 3 and len(str(error).splitlines()) <= 6
    assert int(error.state.step) == 6 + 3 and len(error.history.history["loss"]) == 1
    assert not consumed(error.state)


class LateFailing(Numbered):
    """Batch 3 fails in the second epoch."""

    epoch = 0

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, index):
        if self.epoch == 0:
            return np.ones((2, 3), "float32"), np.ones(2, "float32")
        return super().__getitem__(index)


def test_an_exception_in_a_callback_brings_the_state_too():
    class Stumbling(jkeras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs, state):
            if epoch == 1:
                raise ZeroDivisionError

    trainer = jkeras.Trainer(network(), "sgd", SPARSE)
    with pytest.raises(ZeroDivisionError) as caught:
        trainer.fit(trainer.init(jax.random.key(0)), X, Y, epochs=3, callbacks=[Stumbling()], verbose=0)
    assert int(caught.value.state.step) == 2 and not consumed(caught.value.state)
    assert len(caught.value.history.history["loss"]) == 1


def test_a_batch_that_the_step_cannot_take_is_named():
    class Bare(jkeras.Model):
        """Has no graph, so nothing is known of its inputs before they come."""

        def __init__(self):
            super().__init__()
            self.head = layers.Dense(3)

        def call(self, inputs):
            return self.head(inputs)

    trainer = jkeras.Trainer(Bare(), "sgd", SPARSE)
    with pytest.raises(errors.ShapeError) as caught:
        trainer.fit(
            trainer.init(jax.random.key(0), X), batches(4, 2, lambda: (np.ones((16, 5), "float32"), Y)), verbose=0
        )
    assert "in batch 3 of epoch 1" in caught.value.__notes__
    assert int(caught.value.state.step) == 2
