"""Wrong use of the Trainer is a lesson, and is noticed before any work is done."""

import json

import jax
import numpy as np
import optax
import pytest

import jkeras
from jkeras import errors
from tests.training.networks import data, mlp, trainer

X, Y = data(64)


@pytest.fixture(scope="module")
def setup():
    t = trainer()
    return t, t.init(jax.random.key(0))


def lesson(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) <= 6, message
    for part in parts:
        assert part in message, message


def refused(setup, kind, *parts, x=X, y=Y, **options):
    """`fit` raises, says what it should, and leaves the state alive."""
    t, state = setup
    with pytest.raises(kind) as error:
        t.fit(state, x, y, **{"verbose": 0, **options})
    lesson(error, *parts)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_lengths_differ(setup):
    refused(setup, errors.DataError, "x: 64", "y: 60", "one length", y=Y[:60])


def test_empty(setup):
    refused(setup, errors.DataError, "must have at least one example", "0 examples", x=X[:0], y=Y[:0])


def test_no_inputs(setup):
    refused(setup, errors.DataError, "`x` must be an array", x=None)


def test_text_is_no_data(setup):
    refused(setup, errors.DataError, "numeric array", "dtype", x=np.array(["a"] * 64))


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_batch_size(setup, size):
    refused(setup, errors.ArgumentError, "batch_size", "int >= 1", repr(size), "batch_size=32", batch_size=size)


@pytest.mark.parametrize("epochs", [-1, 1.5])
def test_epochs(setup, epochs):
    refused(setup, errors.ArgumentError, "epochs", "int >= 0", repr(epochs), epochs=epochs)


@pytest.mark.parametrize("split", [1.5, -0.1, 1.0, "half"])
def test_validation_split(setup, split):
    refused(setup, errors.ArgumentError, "validation_split", "[0, 1)", repr(split), "=0.2", validation_split=split)


def test_split_leaves_nothing(setup):
    refused(
        setup, errors.DataError, "`validation_split` must leave", "1 examples", x=X[:1], y=Y[:1], validation_split=0.5
    )


def test_unknown_argument(setup):
    refused(setup, errors.UnknownNameError, "'epoch'", "did you mean", "'epochs'", epoch=3)


def test_labels_outside_the_classes(setup):
    wrong = Y.copy()
    wrong[7] = 10
    refused(setup, errors.DataError, "y", "0 <= label < 10", "10", "7", y=wrong)
    wrong[7] = -1
    refused(setup, errors.DataError, "-1", y=wrong)


def test_labels_of_validation_are_checked_before_training(setup):
    wrong = Y.copy()
    wrong[3] = 12
    refused(setup, errors.DataError, "12", validation_data=(X, wrong))


def test_wrong_last_axis(setup):
    refused(setup, errors.ShapeError, "sequential", "(None, 64)", "(32, 63)", "jkeras.Input((63,))", x=X[:, :63])


def test_wrong_rank(setup):
    refused(setup, errors.ShapeError, "sequential", "(None, 64)", "shape (32,)", "rank 1 -> 2", x=X[:, 0])


def test_no_labels(setup):
    refused(setup, errors.DataError, "labels", "trainer.fit(state, x, y)", y=None)


def test_consumed_state():
    t = trainer()
    state = t.init(jax.random.key(0))
    t.fit(state, X, Y, verbose=0)
    for call in (t.fit, t.evaluate):
        with pytest.raises(errors.ConsumedStateError) as error:
            call(state, X, Y, verbose=0)
        lesson(error, "consumed", "state, history = trainer.fit(state, x, y)")


def test_unknown_names():
    with pytest.raises(errors.UnknownNameError) as error:
        trainer(optimizer="adm")
    lesson(error, "optimizer", "'adm'", "'adam' (did you mean it?)")
    with pytest.raises(errors.UnknownNameError) as error:
        trainer(loss="sparse_categorical_crossentropi")
    lesson(error, "loss", "did you mean")
    with pytest.raises(errors.UnknownNameError) as error:
        trainer(metrics=["acuracy"])
    lesson(error, "metric", "did you mean")


def test_compile_config():
    t = trainer(optimizer="adam", metrics=["accuracy", jkeras.metrics.SparseTopKCategoricalAccuracy(3)])
    config = json.loads(json.dumps(t.get_compile_config()))
    again = jkeras.Trainer.from_compile_config(t.model, config)
    assert again.get_compile_config() == t.get_compile_config()
    assert again.optimizer == t.optimizer
    with pytest.raises(errors.SerializationError):
        trainer(optimizer=optax.adam(1e-3)).get_compile_config()


def test_trainer_without_a_model():
    with pytest.raises(errors.ArgumentError) as error:
        jkeras.Trainer("network")
    lesson(error, "a Layer or Model", "str")


def test_both_kinds_of_weights(setup):
    refused(setup, errors.ArgumentError, "class_weight", class_weight={0: 1.0}, sample_weight=np.ones(64))


def test_a_model_that_does_not_know_its_inputs():
    model = jkeras.Sequential([jkeras.layers.Dense(3)])
    with pytest.raises(errors.BuildError) as error:
        jkeras.Trainer(model, loss="mse").init(jax.random.key(0))
    lesson(error, "ShapeDtypeStruct")


def test_steps_per_execution():
    with pytest.raises(errors.ArgumentError) as error:
        trainer(mlp(), steps_per_execution=0)
    lesson(error, "int >= 1")
