"""What `fit` promises beside Keras's numbers: its state, its hooks, its output."""

import gc
import io
import weakref

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console

import jkeras
from jkeras import layers
from jkeras.callbacks import Callback, Progress
from jkeras.training import TrainState
from tests.training.networks import convnet, data, images, mlp, trainer

X, Y = data(200)


def test_steps_per_execution_changes_no_number():
    x, y = images(200)

    def losses(steps):
        t = trainer(convnet(), run_eagerly=False, steps_per_execution=steps)
        state, history = t.fit(t.init(jax.random.key(0)), x, y, epochs=2, verbose=0)
        assert int(state.step) == 14  # 7 batches, the last of 8
        return history.history["loss"]

    expected = losses(2)
    for steps in ("auto", 1, 3):
        # the same operations in differently fused programs
        np.testing.assert_allclose(losses(steps), expected, rtol=1e-4)


def test_fit_equals_the_step_in_a_loop():
    t = trainer()
    first = t.init(jax.random.key(0))
    step = jax.jit(t.train_step)
    state = first
    for start in range(0, 200, 32):
        state, _ = step(state, (X[start : start + 32], Y[start : start + 32]))
    fitted, _ = t.fit(first, X, Y, shuffle=False, verbose=0)
    chex.assert_trees_all_close(fitted.trainable, state.trainable, rtol=1e-4, atol=1e-6)


def test_an_order_depends_on_seed_and_epoch_alone():
    def losses(**options):
        t = trainer(optimizer=optax.sgd(0.1))
        return t.fit(t.init(jax.random.key(0)), X, Y, verbose=0, **options)[1].history["loss"]

    assert losses(epochs=2) == losses(epochs=2)
    assert losses() != losses(seed=1)
    assert losses() != losses(shuffle=False)
    # the second epoch of a resumed run sees the order that it would have seen
    t = trainer(optimizer=optax.sgd(0.1))
    state, _ = t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    _, resumed = t.fit(state, X, Y, initial_epoch=1, epochs=2, verbose=0)
    assert resumed.history["loss"] == losses(epochs=2)[1:]
    assert resumed.epoch == [1]


def test_data_too_large_for_the_device_is_streamed(monkeypatch):
    t = trainer()
    _, kept = t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    monkeypatch.setattr("jkeras.training.feed.UNKNOWN_DEVICE_BYTES", 0)
    t = trainer()
    state, streamed = t.fit(t.init(jax.random.key(0)), X, Y, verbose=0, validation_data=(X, Y))
    np.testing.assert_allclose(kept.history["loss"], streamed.history["loss"], rtol=1e-5)
    assert streamed.history["val_loss"] == [t.evaluate(state, X, Y, verbose=0)["loss"]]


def test_a_second_fit_compiles_nothing():
    traced = []

    class Counting(jkeras.Trainer):
        def train_step(self, state, batch):
            traced.append("train")
            return super().train_step(state, batch)

        def test_step(self, state, batch):
            traced.append("test")
            return super().test_step(state, batch)

    given = trainer()
    t = Counting(given.model, optimizer="adam", loss=given.objective.loss)
    state, _ = t.fit(t.init(jax.random.key(0)), X, Y, validation_data=(X, Y), verbose=0)
    assert set(traced) == {"train", "test"}
    traced.clear()
    t.fit(state, X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    assert not traced


def test_outputs_in_a_dict_with_losses_metrics_and_weights():
    inputs = jkeras.Input((64,))
    hidden = layers.Dense(16, activation="relu")(inputs)
    model = jkeras.Model(inputs, {"digit": layers.Dense(10)(hidden), "ink": layers.Dense(1)(hidden)})
    t = jkeras.Trainer(
        model,
        optimizer="adam",
        loss={"digit": jkeras.losses.SparseCategoricalCrossentropy(from_logits=True), "ink": "mse"},
        loss_weights={"ink": 0.5},
        metrics={"digit": ["accuracy"], "ink": "mae"},
    )
    labels = {"digit": Y, "ink": X.mean(-1, keepdims=True)}
    _, history = t.fit(t.init(jax.random.key(0)), X, labels, epochs=2, verbose=0)
    logs = {name: values[-1] for name, values in history.history.items()}
    assert set(logs) == {"loss", "digit_loss", "ink_loss", "digit_accuracy", "ink_mae"}
    np.testing.assert_allclose(logs["loss"], logs["digit_loss"] + 0.5 * logs["ink_loss"], rtol=1e-5)


def test_penalties_and_constraints():
    model = jkeras.Sequential(
        [
            jkeras.Input((64,)),
            layers.Dense(10, kernel_regularizer="l2", kernel_constraint="non_neg", bias_regularizer="l1"),
        ]
    )
    t = trainer(model)
    state = t.init(jax.random.key(0))
    _, logs = t.test_step(state, (X, Y))
    outputs, _, losses = model.stateless_call(*state.variables, X, return_losses=True)
    assert set(losses) == {"dense/kernel", "dense/bias"}
    bare = t.compute_loss(X, Y, outputs, None)
    np.testing.assert_allclose(logs["loss"], bare + sum(losses.values()), rtol=1e-6)
    state, _ = t.fit(state, X, Y, verbose=0)
    assert float(jnp.min(state.trainable["dense"]["kernel"])) >= 0


def test_masks_reach_loss_and_metrics():
    model = jkeras.Sequential([layers.Embedding(10, 4, mask_zero=True), layers.Dense(3)])
    t = trainer(model)
    tokens = np.array([[1, 2, 0, 0], [3, 4, 5, 0]], "int32")
    labels = np.array([[0, 1, 2, 2], [1, 1, 1, 2]], "int32")
    state = t.init(jax.random.key(0), tokens)
    logs = t.evaluate(state, tokens, labels, verbose=0)
    outputs = model.stateless_call(*state.variables, tokens)[0]
    values = optax.softmax_cross_entropy_with_integer_labels(outputs, labels)
    valid = tokens != 0
    np.testing.assert_allclose(logs["loss"], values[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["accuracy"], (outputs.argmax(-1) == labels)[valid].mean(), rtol=1e-5)


def test_a_step_of_ones_own():
    class Doubling(jkeras.Trainer):
        def train_step(self, state, batch):
            (x, y) = batch
            gradients = jax.grad(lambda p: self.compute_loss(x, y, self.model.stateless_call(p, {}, x)[0], None))(
                state.trainable
            )
            updates, opt_state = self.optimizer.update(gradients, state.opt_state, state.trainable)
            trainable = optax.apply_updates(state.trainable, updates)
            return state.replace(step=state.step + 1, trainable=trainable, opt_state=opt_state), {
                "twice": jnp.float32(2)
            }

    t = Doubling(mlp(), optimizer="sgd", loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    state, history = t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, verbose=0)
    assert history.history == {"twice": [2.0, 2.0]}
    assert int(state.step) == 14


def test_logs_of_ones_own():
    class Measuring(jkeras.Trainer):
        def compute_metrics(self, x, y, y_pred, sample_weight):
            return {"largest": jnp.max(y_pred)}

    t = Measuring(mlp(), optimizer="sgd", loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    _, history = t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, verbose=0, validation_split=0.2)
    assert set(history.history) == {"loss", "largest", "val_loss", "val_largest"}
    assert np.isfinite(history.history["largest"]).all()


class Recorder(Callback):
    every_batch = True

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs, state):
        self.calls.append("begin")

    def on_epoch_begin(self, epoch, logs, state):
        self.calls.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs, state):
        assert np.isfinite(logs["loss"])
        self.calls.append(batch)

    def on_epoch_end(self, epoch, logs, state):
        assert isinstance(state, TrainState)
        self.calls.append(sorted(logs))
        self.loop.stop_training = epoch == 1
        return state.replace(step=state.step + 1000)

    def on_train_end(self, logs, state):
        self.calls.append("end")


def test_hooks():
    t, recorder = trainer(), Recorder()
    state, _ = t.fit(t.init(jax.random.key(0)), X[:64], Y[:64], epochs=5, callbacks=[recorder], verbose=0)
    one = [0, 1, ["accuracy", "loss"]]
    assert recorder.calls == ["begin", "epoch 0", *one, "epoch 1", *one, "end"]
    assert int(state.step) == 2004  # a hook's state is the loop's


def test_a_line_per_epoch_where_nobody_watches(capsys):
    t = trainer()
    t.fit(t.init(jax.random.key(0)), X, Y, epochs=2)
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2") and "samples/s" in lines[0] and "accuracy" in lines[0]
    t = trainer()
    t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_bar_on_a_terminal():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    t = trainer()
    t.fit(t.init(jax.random.key(0)), X, Y, verbose=0, callbacks=[Progress(1, console)])
    text = out.getvalue()
    assert "epoch 1/1" in text and "7/7" in text and "samples/s" in text and "loss" in text and "━" in text


def test_a_float64_array_and_lists_are_data():
    t = trainer()
    _, history = t.fit(t.init(jax.random.key(0)), X.astype("float64"), Y.tolist(), verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_nested_inputs():
    a, b = jkeras.Input((32,), name="a"), jkeras.Input((32,), name="b")
    model = jkeras.Model({"a": a, "b": b}, layers.Dense(10)(layers.Concatenate()([a, b])))
    t = trainer(model)
    x = {"a": X[:, :32], "b": X[:, 32:]}
    state, history = t.fit(t.init(jax.random.key(0)), x, Y, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert t.predict(state, x, verbose=0).shape == (200, 10)


def test_on_batch():
    t = trainer()
    state, logs = t.train_on_batch(t.init(jax.random.key(0)), X, Y)
    assert set(logs) == {"loss", "accuracy"} and int(state.step) == 1
    assert t.test_on_batch(state, X, Y)["loss"] < logs["loss"]
    assert t.predict_on_batch(state, X).shape == (200, 10)


def test_no_trainable_variables():
    model = mlp()
    model.trainable = False
    t = trainer(model)
    state = t.init(jax.random.key(0))
    before = np.asarray(state.non_trainable["dense"]["kernel"])
    state, _ = t.fit(state, X, Y, verbose=0)
    np.testing.assert_array_equal(before, state.non_trainable["dense"]["kernel"])


def test_a_model_and_its_trainer_are_collectable():
    t = trainer()
    t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    alive = weakref.ref(t), weakref.ref(t.model)
    del t
    jax.clear_caches()
    gc.collect()
    assert [ref() for ref in alive] == [None, None]
