"""The same initial weights and batches give Keras's loss curve."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import registry
from tests.oracle import asking_keras, keras
from tests.training.networks import convnet, data, images, mlp, trainer

STEPS, BATCH = 50, 8


def twin(model, variables):
    """Keras's copy of a network, with the same weights."""
    with asking_keras():
        copy = keras.saving.deserialize_keras_object(registry.serialize(model))
        copy.set_weights(model.get_weights(variables))
    return copy


@pytest.mark.parametrize(("network", "source"), [(mlp, data), (convnet, images)], ids=["mlp", "convnet"])
def test_fifty_steps_of_adam(network, source):
    x, y = source(STEPS * BATCH)
    model = network()
    ours = trainer(model, optimizer=jkeras.optimizers.Adam(1e-3))
    state = ours.init(jax.random.key(0))
    theirs = twin(model, state.variables)
    with asking_keras():
        theirs.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    step = jax.jit(ours.train_step)
    curve, reference = [], []
    for index in range(STEPS):
        batch = slice(index * BATCH, (index + 1) * BATCH)
        state, logs = step(state, (x[batch], y[batch]))
        curve.append(float(logs["loss"]))
        with asking_keras():
            reference.append(float(theirs.train_on_batch(x[batch], y[batch])))
    np.testing.assert_allclose(curve, reference, rtol=1e-4)
    with asking_keras():
        weights = theirs.get_weights()
    # 50 updates of size 1e-3 each, in which a rounding error of a gradient near zero is amplified by Adam's division
    for a, b in zip(model.get_weights(state.variables), weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


FITS = {
    "plain": {},
    "partial batch": {"batch_size": 48},
    "class weights": {"class_weight": {label: 0.5 + label / 4 for label in range(10)}},
    "sample weights": {"sample_weight": np.linspace(0.1, 2.0, 200, dtype="float32")},
    "validation split": {"validation_split": 0.25},
    "steps per epoch": {"validation_split": 0.5, "validation_freq": 2},
}


@pytest.mark.parametrize("options", FITS.values(), ids=FITS.keys())
def test_histories_of_fit(options):
    x, y = data(200)
    model = mlp()
    ours = trainer(model, optimizer=jkeras.optimizers.SGD(0.1), weighted_metrics=["accuracy"])
    state = ours.init(jax.random.key(0))
    theirs = twin(model, state.variables)
    common = {"batch_size": 32, "epochs": 3, "shuffle": False, "verbose": 0, **options}
    with asking_keras():
        theirs.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            weighted_metrics=["accuracy"],
        )
        expected = theirs.fit(x, y, **common).history
    _, history = ours.fit(state, x, y, **common)
    assert set(history.history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-4, err_msg=name)


def test_evaluate_and_predict():
    x, y = images(100)
    model = convnet()
    ours = trainer(model)
    state = ours.init(jax.random.key(0))
    theirs = twin(model, state.variables)
    with asking_keras():
        theirs.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        expected = theirs.evaluate(x, y, verbose=0, return_dict=True)
        outputs = theirs.predict(x, verbose=0)
    logs = ours.evaluate(state, x, y, verbose=0)
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5)
    np.testing.assert_allclose(ours.predict(state, x, verbose=0), outputs, rtol=1e-5, atol=1e-5)
