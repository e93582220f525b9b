"""Validation: the same batches in every epoch, and what is wrong with its data known before the first step."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers, optimizers
from jkeras.data import PyDataset, Source
from tests.training.networks import data, trainer

X, Y = data(40)
SIZE = 8


class Loader:
    """What can be iterated again and again, as the loaders of other libraries can."""

    def __init__(self, *parts):
        self.parts = parts

    def __iter__(self):
        lengths = range(0, max(len(part) for part in self.parts), SIZE)
        return (tuple(part[start : start + SIZE] for part in self.parts) for start in lengths)


class Dataset(PyDataset):
    def __init__(self, *parts, **options):
        super().__init__(**options)
        self.batches = list(Loader(*parts))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Own(Source):
    """A source of one's own."""

    def __init__(self, *parts):
        super().__init__()
        self.loader = Loader(*parts)

    def read(self, epoch):
        return iter(self.loader)


def still():
    """A trainer that never changes a weight."""
    model = jkeras.Sequential([jkeras.Input(X.shape[1:]), layers.Dense(10)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return jkeras.Trainer(model, optimizers.SGD(0.0), loss)


# -- the same batches


@pytest.mark.parametrize("make", [Loader, Dataset, Own, lambda *parts: Dataset(*parts, workers=2)])
def test_every_evaluation_of_data_that_can_be_read_again_sees_the_same_batches(make):
    t = still()
    state = t.init(jax.random.key(0))
    expected = t.evaluate(state, X[:16], Y[:16], batch_size=SIZE, verbose=0)["loss"]
    source = make(X, Y)
    for _ in range(2):
        assert t.evaluate(state, source, steps=2, verbose=0)["loss"] == pytest.approx(expected, rel=1e-6)
    options = {"epochs": 3, "validation_data": make(X, Y), "validation_steps": 2, "verbose": 0}
    _, history = t.fit(state, X, Y, **options)
    np.testing.assert_allclose(history.history["val_loss"], [expected] * 3, rtol=1e-6)


def test_a_generator_goes_on_in_the_next_evaluation():
    t = still()
    state = t.init(jax.random.key(0))
    parts = [t.evaluate(state, X[i : i + 16], Y[i : i + 16], verbose=0)["loss"] for i in (0, 16)]
    options = {"epochs": 2, "validation_data": iter(Loader(X, Y)), "validation_steps": 2, "verbose": 0}
    _, history = t.fit(state, X, Y, **options)
    np.testing.assert_allclose(history.history["val_loss"], parts, rtol=1e-6)


def test_an_evaluation_of_fewer_batches_than_were_asked_for_says_so_once():
    t = still()
    options = {"epochs": 3, "validation_data": Loader(X, Y), "validation_steps": 7, "verbose": 0}
    with pytest.warns(UserWarning, match="validation_data produced 5 of 7 batches") as told:
        _, history = t.fit(t.init(jax.random.key(0)), X, Y, **options)
    assert len(told) == 1 and len(set(history.history["val_loss"])) == 1 and len(history.epoch) == 3
    with pytest.warns(UserWarning, match="The data produced 5 of 7 batches, so the evaluation"):
        t.evaluate(t.init(jax.random.key(0)), iter(Loader(X, Y)), steps=7, verbose=0)


def test_a_generator_without_steps_serves_one_evaluation():
    t = still()
    used = {"validation_data": iter(Loader(X, Y)), "verbose": 0}
    with pytest.raises(errors.DataError, match="read once") as error:
        t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, **used)
    assert int(error.value.state.step) == 0
    for part in ("validation_data: ", "for 2 evaluations", "validation_steps=10"):
        assert part in str(error.value)
    _, history = t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, validation_freq=[2], **used)
    assert len(history.history["val_loss"]) == 1


def test_a_generator_that_ran_out_is_no_empty_evaluation():
    t = still()
    options = {"epochs": 2, "validation_data": iter(Loader(X, Y)), "validation_steps": 5, "verbose": 0}
    with pytest.raises(errors.DataError, match="validation_data: the data must have at least one batch") as error:
        t.fit(t.init(jax.random.key(0)), X, Y, **options)
    assert len(error.value.history.epoch) == 1


def test_the_loop_says_how_often_it_validates():
    told = []

    class Look(jkeras.callbacks.Callback):
        def on_train_begin(self, logs, state):
            told.append(self.loop.params["validation_freq"])

    t = still()
    for options in ({}, {"validation_split": 0.2}, {"validation_split": 0.2, "validation_freq": [1]}):
        t.fit(t.init(jax.random.key(0)), X, Y, callbacks=Look(), verbose=0, **options)
    assert told == [None, 1, [1]]
    stopping = jkeras.callbacks.EarlyStopping("val_loss", patience=5)
    options = {"epochs": 3, "validation_split": 0.2, "validation_freq": 2, "callbacks": stopping, "verbose": 0}
    _, history = t.fit(t.init(jax.random.key(0)), X, Y, **options)
    assert len(history.epoch) == 3 and stopping.best == history.history["val_loss"][0]


# -- what is wrong, before the first step

W = np.ones(len(X), "float32")
FAULTS = {
    "no labels": ((X,), ("must have labels", "write:")),
    "labels of another shape": ((X, np.zeros((40, 10), "float32")), ("y: ", "(batch, 10)")),
    "a label that is no class": ((X, Y + 10), ("y: ", "0 <= label < 10")),
    "labels that are no integers": ((X, Y + 0.5), ("y: ",)),
    "inputs of another shape": ((X[:, :5], Y), ("(8, 5)",)),
    "inputs of another rank": ((X.reshape(-1, 4, 16), Y), ("(8, 4, 16)",)),
    "labels that are strings": (
        (X, Y.astype(str)),
        (
            "y: ",
            "got strings",
        ),
    ),
    "weights of another shape": ((X, Y, np.ones((40, 3), "float32")), ("3",)),
}
FORMS = {
    "arrays": lambda *parts: parts,
    "generator": lambda *parts: iter(Loader(*parts)),
    "loader": Loader,
    "dataset": Dataset,
    "own": Own,
}


def first_error(given, **options):
    t = trainer()
    with pytest.raises(Exception) as error:
        t.fit(t.init(jax.random.key(0)), X, Y, validation_data=given, batch_size=SIZE, verbose=0, **options)
    assert int(error.value.state.step) == 0
    message = "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])
    assert "validation_data" in message, message
    return error.value, message


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_validation_data_is_known_before_the_first_step(fault, form):
    parts, said = FAULTS[fault]
    error, message = first_error(FORMS[form](*parts))
    for part in said:
        assert part in message, message
    if isinstance(error, errors.JKerasError):
        assert str(error).startswith("validation_data: ") and len(str(error).splitlines()) <= 6, message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((X, Y, W, W), "one to three parts"),
        ((X, Y[:-1]), "the same number of examples"),
        ((X[:0], Y[:0]), "at least one example"),
        ((None, Y), "`x` must be an array"),
        (iter(()), "at least one batch"),
        (Loader(X[:0], Y[:0]), "at least one batch"),
        (object(), "`x` must be arrays or"),
        ((Loader(X, Y), Y), "`y` must be None"),
    ],
)
def test_what_is_no_validation_data_is_refused(given, said):
    error, message = first_error(given)
    assert str(error).startswith("validation_data: ") and said in message


def test_what_the_split_holds_back_is_named():
    labels = Y.copy()
    labels[-1] = 10
    t = trainer()
    with pytest.raises(errors.DataError, match=r"validation_split: y: .*") as error:
        t.fit(t.init(jax.random.key(0)), X, labels, validation_split=0.2, verbose=0)
    assert int(error.value.state.step) == 0


def test_values_of_validation_data_are_told_as_such():
    holes = X.copy()
    holes[3, 2] = np.nan
    t = still()
    for given in ((holes, Y), Loader(holes, Y)):
        with pytest.warns(UserWarning, match=r"^validation_data: 1 of \d+ values of x are NaN"):
            t.fit(t.init(jax.random.key(0)), X, Y, validation_data=given, verbose=0)


def test_a_later_batch_is_looked_at_when_it_is_read():
    labels = Y.copy()
    labels[17] = 10
    t = trainer()
    with pytest.raises(errors.DataError, match=r"^validation_data: y: ") as error:
        t.fit(t.init(jax.random.key(0)), X, Y, validation_data=Loader(X, labels), verbose=0)
    assert "in batch 3" in error.value.__notes__
    with pytest.raises(errors.DataError, match=r"^y: ") as error:
        t.evaluate(t.init(jax.random.key(0)), Loader(X, labels), verbose=0)
    assert "in batch 3" in error.value.__notes__


def test_a_metric_of_ones_own_that_fails_on_it_is_known_before_the_first_step():
    def first_of_eight(y_true, y_pred):
        return y_pred.reshape(8, -1)[0]  # fails for the batch of 7 that validation has

    t = trainer(metrics=[first_of_eight])
    with pytest.raises(TypeError) as error:
        t.fit(t.init(jax.random.key(0)), X, Y, batch_size=8, validation_data=(X[:7], Y[:7]), verbose=0)
    assert int(error.value.state.step) == 0 and "in validation_data" in error.value.__notes__


def test_the_trace_that_is_made_before_is_the_one_that_is_used():
    traced = []

    class Model(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(10)

        def call(self, x, training=False):
            if not training:
                traced.append(x.shape)
            return self.dense(x)

    t = jkeras.Trainer(Model(), "sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    state = t.init(jax.random.key(0), X[:SIZE])
    t.evaluate(state, X, Y, batch_size=SIZE, verbose=0)
    alone = len(traced)
    for given in ((X, Y), Loader(X, Y)):
        traced.clear()
        t = jkeras.Trainer(t.model, "sgd", t.objective.loss)
        state, _ = t.fit(t.init(jax.random.key(0), X[:SIZE]), X, Y, batch_size=SIZE, validation_data=given, verbose=0)
        assert len(traced) <= alone + 1  # and the shapes of the training's outputs
