"""What may happen between a gradient and new values: accumulation, averages, scaling, skipping, groups."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import errors, layers
from tests.oracle import asking_keras, keras
from tests.training.networks import data, mlp, trainer
from tests.training.test_parity import twin

X, Y = data(64)


def step(t, state, batch=(X, Y)):
    return jax.jit(t.train_step)(state, batch)


@pytest.mark.parametrize("parts", [4, 48])
def test_accumulation_is_the_gradient_of_the_whole(parts):
    whole, cut = trainer(optimizer=optax.sgd(0.1)), trainer(optimizer=optax.sgd(0.1), gradient_accumulation_steps=parts)
    weights = np.linspace(0, 1, 64, dtype="float32")
    state = whole.init(jax.random.key(0))
    for batch in ((X, Y), (X, Y, weights)):
        (a, log_a), (b, log_b) = step(whole, state, batch), step(cut, state, batch)
        for name in log_a:
            np.testing.assert_allclose(log_a[name], log_b[name], rtol=1e-5)
        chex.assert_trees_all_close(a.trainable, b.trainable, rtol=1e-5, atol=1e-6)


def test_accumulation_counts_valid_entries_and_threads_state():
    def network():
        return jkeras.Sequential(
            [
                jkeras.Input((4,), dtype="int32"),
                layers.Embedding(10, 4, mask_zero=True),
                layers.Dropout(0.5),
                layers.Dense(3),
            ]
        )

    tokens = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [1, 1, 1, 1], [2, 3, 4, 0]], "int32")
    labels = np.array([[0, 1, 2, 2], [1, 1, 1, 2], [0, 0, 1, 1], [2, 2, 2, 0]], "int32")
    whole, cut = trainer(network(), optax.sgd(0.1)), trainer(network(), optax.sgd(0.1), gradient_accumulation_steps=2)
    state = whole.init(jax.random.key(0))
    _, log = whole.test_step(state, (tokens, labels))
    after, _ = step(cut, state, (tokens, labels))
    assert int(after.non_trainable["dropout"]["seed_generator"]["seed_generator_state"][1]) == 2
    cut.model.layers[1].rate = 0.0  # so that training and evaluation compute the same
    _, accumulated = step(trainer(cut.model, optax.sgd(0.1), gradient_accumulation_steps=2), state, (tokens, labels))
    np.testing.assert_allclose(accumulated["loss"], log["loss"], rtol=1e-5)
    np.testing.assert_allclose(accumulated["accuracy"], log["accuracy"], rtol=1e-5)


def test_accumulation_over_batches_is_keras_s():
    model = mlp()
    ours = trainer(model, jkeras.optimizers.Adam(1e-2, gradient_accumulation_steps=4))
    state = ours.init(jax.random.key(0))
    theirs = twin(model, state.variables)
    with asking_keras():
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        theirs.compile(keras.optimizers.Adam(1e-2, gradient_accumulation_steps=4), loss)
        expected = theirs.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    _, history = ours.fit(state, X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-4)


def test_an_average_of_the_weights():
    t = trainer(optimizer=optax.sgd(0.1), ema=0.5)
    state = t.init(jax.random.key(0))
    kernels = [np.asarray(state.trainable["dense"]["kernel"])]
    for _ in range(2):
        state, _ = step(t, state)
        kernels.append(np.asarray(state.trainable["dense"]["kernel"]))
    expected = 0.25 * kernels[0] + 0.25 * kernels[1] + 0.5 * kernels[2]
    np.testing.assert_allclose(state.ema["dense"]["kernel"], expected, rtol=1e-6)
    averaged = t.evaluate(state.averaged, X, Y, verbose=0)
    assert averaged["loss"] != t.evaluate(state, X, Y, verbose=0)["loss"]
    state, _ = t.fit(state, X, Y, verbose=0)  # the average has memory of its own, so both can be donated
    assert int(state.step) == 4


def test_the_average_of_keras_s_optimizer():
    model = mlp()
    ours = trainer(model, jkeras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3))
    state = ours.init(jax.random.key(0))
    theirs = twin(model, state.variables)
    with asking_keras():
        optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3)
        theirs.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        expected = theirs.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    _, history = ours.fit(state, X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-4)


def test_float16_scales_its_loss():
    model = jkeras.Sequential([jkeras.Input((64,)), layers.Dense(10, dtype="mixed_float16")])
    t = trainer(model, optax.sgd(0.1))
    state = t.init(jax.random.key(0))
    assert float(state.loss_scale["scale"]) == 2.0**15
    after, logs = step(t, state)
    assert np.isfinite(logs["loss"]) and int(after.loss_scale["good_steps"]) == 1
    # a scale that overflows float16 is halved, and nothing else happens
    huge = state.replace(loss_scale={"scale": jnp.float32(2.0**40), "good_steps": jnp.int32(7)})
    after, _ = step(t, huge)
    assert float(after.loss_scale["scale"]) == 2.0**39 and int(after.loss_scale["good_steps"]) == 0
    np.testing.assert_array_equal(after.trainable["dense"]["kernel"], state.trainable["dense"]["kernel"])
    assert int(after.step) == 0
    grown, _ = step(t, state.replace(loss_scale={"scale": jnp.float32(2.0), "good_steps": jnp.int32(1999)}))
    assert float(grown.loss_scale["scale"]) == 4.0
    assert trainer(model, auto_scale_loss=False).init(jax.random.key(0)).loss_scale is None
    assert trainer(mlp()).init(jax.random.key(0)).loss_scale is None


def test_a_nan_is_skipped():
    t = trainer(optimizer="adam", skip_nonfinite=True)
    state = t.init(jax.random.key(0))
    poisoned = X.copy()
    poisoned[0, 0] = np.nan
    after, logs = step(t, state, (poisoned, Y))
    assert float(logs["skipped"]) == 1.0
    chex.assert_trees_all_equal(after, state)
    with pytest.warns(UserWarning, match="1 of 4096 values of x are NaN"):
        _, history = t.fit(state, poisoned, Y, batch_size=16, shuffle=False, verbose=0)
    assert history.history["skipped"] == [0.25]
    assert np.isfinite(history.history["loss"][0])


def test_norms_in_the_logs():
    t = trainer(optimizer=optax.sgd(0.5), log_norms=True)
    _, logs = step(t, t.init(jax.random.key(0)))
    np.testing.assert_allclose(logs["update_norm"], 0.5 * logs["gradient_norm"], rtol=1e-6)
    _, history = t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    assert {"gradient_norm", "update_norm"} < set(history.history)


def test_an_optimizer_for_each_group():
    t = trainer(optimizer={"bias$": None, "^dense/": "sgd", ".*": optax.adam(1e-3)})
    state = t.init(jax.random.key(0))
    after, _ = step(t, state)
    for name in ("dense", "dense_1"):
        np.testing.assert_array_equal(after.trainable[name]["bias"], state.trainable[name]["bias"])
        assert not np.array_equal(after.trainable[name]["kernel"], state.trainable[name]["kernel"])
    # the first update of Adam is the sign of the gradient times the learning rate
    change = np.asarray(after.trainable["dense_1"]["kernel"] - state.trainable["dense_1"]["kernel"])
    np.testing.assert_allclose(np.abs(change[change != 0]), 1e-3, rtol=1e-2)
    with pytest.raises(errors.ArgumentError) as error:
        trainer(optimizer={"kernel$": "sgd"}).init(jax.random.key(0))
    assert "dense/bias" in str(error.value) and '".*"' in str(error.value)


@pytest.mark.parametrize("options", [{"ema": 1.5}, {"gradient_accumulation_steps": 0}])
def test_wrong_options(options):
    with pytest.raises(errors.ArgumentError):
        trainer(**options)


def test_given_values_outlive_the_training():
    model = mlp()
    variables = model.init(jax.random.key(0))
    t = trainer(model)
    state, _ = t.fit(t.state_of(variables), X, Y, verbose=0)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(variables))
    assert not np.array_equal(state.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])
