"""How `fit` goes over its data, beside Keras: weights, masks, validation, steps, penalties, averages."""

import inspect

import chex
import jax
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers, optimizers
from tests.oracle import asking_keras, keras
from tests.training.twins import assert_same, histories, twin

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 4)).astype("float32"), RNG.normal(size=(24, 1)).astype("float32")
RAMP = np.linspace(0, 1, 24, dtype="float32")
TOKENS = np.array([[1, 2, 0, 0], [3, 4, 5, 0], [6, 0, 0, 0], [7, 8, 9, 1], [2, 2, 0, 0], [5, 0, 0, 0]] * 2, "int32")
TAGS = RNG.integers(0, 3, TOKENS.shape).astype("int32")


def network(**options):
    return jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(1, **options)])


def tagger():
    inputs = jkeras.Input((4,), dtype="int32")
    hidden = layers.Embedding(10, 3, mask_zero=True)(inputs)
    return jkeras.Model(inputs, layers.Dense(3)(hidden))


def of_tags(library):
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {"loss": loss, "metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}


MASKS = {
    "masks": {},
    "masks, temporal weights": {"sample_weight": np.linspace(0.5, 2, 48).reshape(12, 4).astype("float32")},
    "masks, a smaller last batch": {"batch_size": 5},
}


@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS.keys())
def test_masks_of_an_embedding(options):
    validation = (TOKENS[:6], TAGS[:6])
    more = {"batch_size": 6, "validation_data": validation, **options}
    ours, expected = histories(tagger(), TOKENS, TAGS, rate=0.5, arguments=of_tags, **more)
    for name in ("accuracy", "weighted_accuracy"):  # in training, Keras's metrics lose the mask on JAX
        assert np.isfinite(ours.pop(name)).all() and expected.pop(name)
    if "batch_size" in options:  # Keras weighs batches by their examples, not by the entries that count in them
        for name in ("loss", "val_loss"):
            assert np.isfinite(ours.pop(name)).all() and expected.pop(name)
    assert_same(ours, expected)


def endless(size=5):
    start = 0
    while True:
        rows = np.arange(start, start + size) % 24
        yield X[rows], Y[rows]
        start += size


MSE = {"loss": "mse", "metrics": ["mae"]}

FITS = {
    "a repeating generator": (lambda: endless(), None, {"steps_per_epoch": 4}),
    "epochs that are pieces of a pass": (X, Y, {"batch_size": 4, "steps_per_epoch": 2}),
    "as large as the steps need": (X, Y, {"steps_per_epoch": 5, "epochs": 2}),
    "validation": (
        X,
        Y,
        {
            "validation_data": (X[:10], Y[:10], RAMP[:10]),
            "validation_split": 0.5,
            "validation_freq": [1, 3],
            "validation_batch_size": 4,
            "validation_steps": 2,
        },
    ),
    "steps of validation": (X, Y, {"validation_data": (X, Y), "validation_steps": 5, "validation_freq": 2}),
    "a class weight": (X, np.abs(Y).round(), {"class_weight": {0: 0.5, 1: 2.0, 2: 1.0}, "initial_epoch": 1}),
}


@pytest.mark.parametrize(("x", "y", "options"), FITS.values(), ids=FITS.keys())
def test_histories(x, y, options):
    if "validation_steps" not in options or "validation_freq" not in options:
        options = {"batch_size": 8, **options} if not callable(x) and "steps_per_epoch" not in options else options
    assert_same(*histories(network(), x, y, arguments={**MSE, "weighted_metrics": ["mse"]}, **options))


def test_penalties_constraints_and_clipping():
    def arguments(library):
        return {"loss": "mse", "metrics": ["mae"]}

    model = network(kernel_regularizer="l2", activity_regularizer="l1", kernel_constraint="non_neg")
    more = {"arguments": arguments, "batch_size": 8, "validation_data": (X[:7], Y[:7])}
    assert_same(*histories(model, X, Y, **more))


def test_the_average_that_keras_leaves_in_the_model():
    model = network()
    trainer = jkeras.Trainer(model, optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    state = trainer.init(jax.random.key(0))
    copy = twin(model, state.variables)
    with asking_keras():
        copy.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
        copy.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        expected = copy.get_weights()
    state, _ = trainer.fit(state, X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    average = state.replace(trainable=optimizers.ema_params(state.opt_state, state.trainable))
    for ours, theirs in zip(model.get_weights(average.variables), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_class_weights_of_a_batch():
    model, labels = network(), np.abs(Y).round()
    trainer = jkeras.Trainer(model, "sgd", "mse", weighted_metrics=["mae"])
    state = trainer.init(jax.random.key(0))
    copy, weights = twin(model, state.variables), {0: 0.5, 1: 2.0, 2: 1.0}
    with asking_keras():
        copy.compile("sgd", "mse", weighted_metrics=["mae"])
        expected = copy.train_on_batch(X, labels, class_weight=weights, return_dict=True)
    with pytest.raises(errors.ArgumentError, match="exclude each other"):
        trainer.train_on_batch(state, X, labels, sample_weight=RAMP, class_weight=weights)
    state, logs = trainer.train_on_batch(state, X, labels, class_weight=weights)
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5)
    with pytest.raises(errors.DataError, match="shape of the predictions"):  # a batch is looked at, too
        trainer.train_on_batch(state, X, np.zeros((24, 2), "float32"))


def test_arguments_and_defaults_are_those_of_keras():
    def defaults(function):
        found = inspect.signature(function).parameters.values()
        return {each.name: each.default for each in found if each.kind is not each.VAR_KEYWORD}

    ours, theirs = defaults(jkeras.Trainer.__init__), defaults(keras.Model.compile)
    assert theirs.keys() <= ours.keys()
    assert {name for name in theirs if ours[name] != theirs[name]} == {"steps_per_execution"}
    fields = inspect.signature(jkeras.training.FitOptions).parameters
    ours, theirs = {name: each.default for name, each in fields.items()}, defaults(keras.Model.fit)
    assert set(theirs) - set(ours) == {"self", "x", "y"}
    assert all(ours[name] == theirs[name] for name in ours if name in theirs)
    for name in ("evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"):
        ours, theirs = defaults(getattr(jkeras.Trainer, name)), defaults(getattr(keras.Model, name))
        assert set(theirs) <= set(ours), name
        differing = {"x", "return_dict"}  # results are dicts here
        assert all(ours[each] == theirs[each] for each in set(theirs) - differing), name


def test_optimizers():
    model = network()
    for given in ("sgd", optimizers.SGD(0.01), {"class_name": "SGD", "config": {"learning_rate": 0.01}}):
        assert jkeras.Trainer(model, given, "mse").optimizer == optimizers.SGD(0.01)
    trainer = jkeras.Trainer(model, None, "mse")
    state = trainer.init(jax.random.key(0))
    assert set(trainer.evaluate(state, X, Y, verbose=0)) == {"loss"}
    with pytest.raises(errors.ArgumentError, match="`optimizer` must not be None") as caught:
        trainer.fit(state, X, Y, verbose=0)
    assert int(caught.value.state.step) == 0
    assert jkeras.Trainer.from_compile_config(model, trainer.get_compile_config()).optimizer is None


def test_compiling_and_not():
    model = network()
    assert [jkeras.Trainer(model, jit_compile=given).jit_compile for given in ("auto", True, False)] == [
        True,
        True,
        False,
    ]
    assert not jkeras.Trainer(model, run_eagerly=True).jit_compile
    with pytest.raises(errors.ArgumentError, match="exclude each other"):
        jkeras.Trainer(model, run_eagerly=True, jit_compile=True)


def test_what_is_trainable_is_that_of_the_state():
    model = network()
    trainer = jkeras.Trainer(model, "sgd", "mse")
    state = trainer.init(jax.random.key(0))
    model.layers[0].trainable = False
    with pytest.raises(errors.LeafError, match="repartition"):
        trainer.fit(state, X, Y, verbose=0)
    state = trainer.state_of(model.repartition(state.variables))
    kernel = np.asarray(state.non_trainable["dense"]["kernel"])
    state, _ = trainer.fit(state, X, Y, verbose=0)
    np.testing.assert_array_equal(state.non_trainable["dense"]["kernel"], kernel)


def test_a_loss_of_ones_own():
    passes = []

    class Own(jkeras.Trainer):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            passes.append(training)
            return 2 * super().compute_loss(x, y, y_pred, sample_weight, training)

    options = {"batch_size": 24, "validation_data": (X, Y), "verbose": 0}
    found = {}
    for kind in (jkeras.Trainer, Own):
        trainer = kind(network(), jkeras.optimizers.SGD(0.0), "mse")
        found[kind] = trainer.fit(trainer.init(jax.random.key(0)), X, Y, **options)[1].history
    for name, values in found[jkeras.Trainer].items():
        np.testing.assert_allclose(found[Own][name], 2 * np.array(values), rtol=1e-6)
    assert set(passes) == {True, False}


def test_no_loss_is_zero():
    trainer = jkeras.Trainer(network(), "sgd")
    state = trainer.init(jax.random.key(0))
    kernel = np.asarray(state.trainable["dense"]["kernel"])
    state, history = trainer.fit(state, X, verbose=0)
    assert history.history == {"loss": [0.0]}
    np.testing.assert_array_equal(state.trainable["dense"]["kernel"], kernel)


def test_history():
    trainer = jkeras.Trainer(network(), "sgd", "mse")
    _, history = trainer.fit(trainer.init(jax.random.key(0)), X, Y, epochs=3, initial_epoch=1, batch_size=5, verbose=0)
    with asking_keras():
        copy = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        copy.compile("sgd", "mse")
        expected = copy.fit(X, Y, epochs=3, initial_epoch=1, batch_size=5, verbose=0)
    assert history.epoch == expected.epoch == [1, 2]
    assert expected.params.items() <= history.params.items()
    assert [list(each) for each in (history.history, expected.history)] == [["loss"], ["loss"]]


def test_an_epoch_that_is_longer_than_the_arrays():
    trainer = jkeras.Trainer(network(), "sgd", "mse")
    with pytest.warns(UserWarning, match="exceeds the 3 batches of 8 in 24 examples"):
        state, _ = trainer.fit(trainer.init(jax.random.key(0)), X, Y, batch_size=8, steps_per_epoch=7, verbose=0)
    assert int(state.step) == 3


def test_every_example_is_seen_once_a_pass(monkeypatch):
    """Epochs of 2 of 3 batches, shuffled: each three batches are all examples, on the device and from the host."""

    class Summing(jkeras.Trainer):
        def compute_metrics(self, x, y, y_pred, sample_weight):
            return {"sum": jax.numpy.sum(x)}

    class Sums(jkeras.callbacks.Callback):
        every_batch = True

        def __init__(self):
            self.of_epochs = []

        def on_epoch_end(self, epoch, logs, state):
            self.of_epochs.append(logs["sum"] * 2)

    x = 2.0 ** np.arange(24).reshape(24, 1)
    model = jkeras.Sequential([jkeras.Input((1,)), layers.Dense(1)])
    found = []
    for room in (8 * 2**30, 0):
        monkeypatch.setattr("jkeras.training.feed.UNKNOWN_DEVICE_BYTES", room)
        trainer, sums = Summing(model, optimizers.SGD(0.0)), Sums()
        options = {"batch_size": 8, "steps_per_epoch": 2, "epochs": 3, "callbacks": sums, "verbose": 0}
        trainer.fit(trainer.init(jax.random.key(0)), x, **options)
        found.append(sums.of_epochs)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    np.testing.assert_allclose(sum(found[0]), 2 * (2.0**24 - 1), rtol=1e-6)
    assert len(set(found[0])) == 3


def test_prediction_is_deterministic_and_changes_nothing():
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    trainer = jkeras.Trainer(model)  # neither loss nor optimizer is needed
    state = trainer.init(jax.random.key(0))
    before = jax.device_get(state)
    first, second = (trainer.predict(state, X, verbose=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    chex.assert_trees_all_equal(before, jax.device_get(state))


def test_batches_may_differ_in_the_axes_that_the_model_leaves_open():
    inputs = jkeras.Input((None,), dtype="int32")
    model = jkeras.Model(inputs, layers.Dense(3)(layers.Embedding(10, 2)(inputs)))
    trainer = jkeras.Trainer(model, "sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def batches():
        for length in (2, 4, 2):
            yield TOKENS[:, :length], TAGS[:, :length]

    with pytest.warns(UserWarning, match=r"batch/0 is int32\[12, 4\], before int32\[12, 2\]"):
        state, history = trainer.fit(trainer.init(jax.random.key(0)), batches(), verbose=0)
    assert int(state.step) == 3 and np.isfinite(history.history["loss"][0])
    longer = (TOKENS, np.where(TOKENS == 9, 3, 0).astype("int32"))  # 9 stands at [3, 2] first
    with pytest.raises(errors.DataError, match=r"label 3 at index \(3, 2\)") as caught:
        trainer.fit(state, iter([(TOKENS[:, :2], TAGS[:, :2]), longer]), verbose=0)
    assert caught.value.__notes__ == ["in batch 2 of epoch 1"]
