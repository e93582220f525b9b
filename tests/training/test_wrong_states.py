"""Something else where a trainer's state is meant, and data that no model can mean: refused before any work."""

import functools

import jax
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers
from tests.training.networks import data, trainer

X, Y = data(32)
KEY = jax.random.key(0)
METHODS = {
    "fit": lambda t, state: t.fit(state, X, Y, verbose=0),
    "evaluate": lambda t, state: t.evaluate(state, X, Y, verbose=0),
    "predict": lambda t, state: t.predict(state, X, verbose=0),
    "train_on_batch": lambda t, state: t.train_on_batch(state, X, Y),
    "test_on_batch": lambda t, state: t.test_on_batch(state, X, Y),
    "predict_on_batch": lambda t, state: t.predict_on_batch(state, X),
}
PLAIN, THREE = trainer(), trainer(replicas=3)


@functools.cache
def state_of(t):
    """The first state of a trainer, made when a test asks for it: modules are imported by every worker."""
    return t.init(KEY)


VARIABLES = functools.cache(lambda: PLAIN.model.init(KEY))
STATES = {  # the trainer, what it is given, and what the message says
    "data": (PLAIN, lambda: X, ("must be the state", "shape (32, 64)", "trainer.init(")),
    "nothing": (PLAIN, lambda: None, ("must be the state", "NoneType", "trainer.init(")),
    "variables": (PLAIN, VARIABLES, ("variables", "TrainState", "trainer.state_of(variables)")),
    "two trees": (PLAIN, lambda: tuple(VARIABLES()), ("variables", "tuple", "trainer.state_of(variables)")),
    "one network": (THREE, lambda: state_of(PLAIN), ("3 replicas", "one network", "(3,)", "trainer.init(")),
    "replicas": (PLAIN, lambda: state_of(THREE), ("one network", "3 replicas", "(3,)", "leaf[0]")),
    "fewer replicas": (
        trainer(replicas=2),
        lambda: state_of(THREE),
        ("2 replicas", "3 replicas", "(2,)", "trainer.init("),
    ),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", STATES)
def test_what_is_no_state_of_this_trainer(case, method):
    t, given, parts = STATES[case]
    with pytest.raises(errors.StateError) as error:
        METHODS[method](t, given())
    message = str(error.value)
    assert f"Trainer.{method}(state)" in message and all(part in message for part in parts), message
    assert len(message.splitlines()) <= 6 and isinstance(error.value, TypeError | ValueError)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
@pytest.mark.parametrize(("mine", "others"), [("adam", "sgd"), ("sgd", "adam"), ("lion", "rmsprop")])
def test_the_state_of_another_optimizer_cannot_be_trained(mine, others, method):
    state = trainer(optimizer=others).init(KEY)
    with pytest.raises(errors.StateError, match=r"opt_state(.|\n)*hyperparams(.|\n)*trainer.state_of"):
        METHODS[method](trainer(optimizer=mine), state)


def test_the_state_of_another_optimizer_can_be_evaluated():
    state = trainer(optimizer="sgd").init(KEY)
    assert METHODS["evaluate"](PLAIN, state) == METHODS["evaluate"](PLAIN, PLAIN.init(KEY))


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_the_state_of_other_metrics(method):
    t = trainer(metrics=["accuracy", "mse"])
    with pytest.raises(errors.StateError, match=r"mse(.|\n)*reset_metrics"):
        METHODS[method](t, PLAIN.init(KEY))


@pytest.mark.parametrize("method", METHODS)
def test_complex_inputs(method, monkeypatch):
    monkeypatch.setitem(globals(), "X", X.astype("complex64"))
    with pytest.raises(errors.DataError, match=r"x: `x` must be real, got complex64(.|\n)*np.stack"):
        METHODS[method](PLAIN, PLAIN.init(KEY))


class Words(jkeras.Model):
    """A model without a graph."""

    def __init__(self):
        super().__init__()
        self.words, self.head = layers.Embedding(5, 3), layers.Dense(10)

    def call(self, inputs):
        return self.head(self.words(inputs["ids"]).mean(1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("index", [5, -1])
def test_an_index_without_a_row_in_a_model_without_a_graph(method, index, monkeypatch):
    ids = np.zeros((32, 4), "int32")
    t = trainer(Words())
    state = t.init(KEY, {"ids": ids})
    ids[3, 2] = index
    monkeypatch.setitem(globals(), "X", {"ids": ids})
    with pytest.raises(errors.DataError) as error:
        METHODS[method](t, state)
    assert all(part in str(error.value) for part in ("words", "x['ids']", f"index {index} at [3, 2]", "index < 5"))


def test_values_by_keras_names():
    model = PLAIN.model
    trainable, non_trainable = model.init(KEY)
    expected, _ = model.stateless_call(trainable, non_trainable, X)
    named = {"trainable_variables": trainable, "non_trainable_variables": non_trainable}
    np.testing.assert_array_equal(model.stateless_call(**named, inputs=X)[0], expected)
    for wrong in (lambda: model.stateless_call(inputs=X), lambda: model.stateless_call(trainable, {}, X, **named)):
        with pytest.raises(errors.ArgumentError, match="trainable_variables` once"):
            wrong()
