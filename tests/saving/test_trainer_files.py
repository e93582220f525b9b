"""Trainers in files: training goes on in the other library as if it had never left, and here to the bit."""

import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import Input, layers, optimizers
from jkeras.errors import ArgumentError, ConfigError, LeafError, StateError
from jkeras.optimizers import schedules
from tests.oracle import asking_keras, keras

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(8, 6)).astype("float32")
Y = np.tanh(X @ GENERATOR.normal(size=(6, 3))).astype("float32")
STEPS = 10

OPTIMIZERS = {
    "SGD": optimizers.SGD(0.1),
    "SGD-momentum": optimizers.SGD(0.1, momentum=0.9),
    "SGD-nesterov": optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01, clipnorm=0.5),
    "RMSprop": optimizers.RMSprop(0.01),
    "RMSprop-all": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adam": optimizers.Adam(0.01),
    "Adam-amsgrad": optimizers.Adam(0.01, amsgrad=True),
    "Adam-ema": optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    "Adam-accumulating": optimizers.Adam(0.01, gradient_accumulation_steps=4),
    "AdamW": optimizers.AdamW(0.01),
    "Adadelta": optimizers.Adadelta(1.0),
    "Adafactor": optimizers.Adafactor(0.05),
    "Adagrad": optimizers.Adagrad(0.1),
    "Adamax": optimizers.Adamax(0.01),
    "Ftrl": optimizers.Ftrl(0.1, l1_regularization_strength=0.001),
    "Lamb": optimizers.Lamb(0.01),
    "Lion": optimizers.Lion(0.001),
    "Muon": optimizers.Muon(0.01),
    "Nadam": optimizers.Nadam(0.01),
    "ScheduleFreeAdamW": optimizers.ScheduleFreeAdamW(0.01, warmup_steps=4),
    "CosineDecay": optimizers.Adam(schedules.CosineDecay(0.05, 25, warmup_target=0.1, warmup_steps=5)),
    "CosineDecayRestarts": optimizers.SGD(schedules.CosineDecayRestarts(0.1, 7)),
    "ExponentialDecay": optimizers.SGD(schedules.ExponentialDecay(0.1, 5, 0.8), momentum=0.9),
    "InverseTimeDecay": optimizers.SGD(schedules.InverseTimeDecay(0.1, 5, 0.8)),
    "PiecewiseConstantDecay": optimizers.SGD(schedules.PiecewiseConstantDecay([12, 17], [0.1, 0.05, 0.2])),
    "PolynomialDecay": optimizers.SGD(schedules.PolynomialDecay(0.1, 25)),
}


def network():
    return jkeras.Sequential([Input((6,)), layers.Dense(4, "tanh", name="hidden"), layers.Dense(3, name="head")])


def trained(trainer, state, steps=STEPS):
    return trainer.fit(state, X, Y, batch_size=len(X), epochs=steps, shuffle=False, verbose=0)[0]


def train_keras(model, steps=STEPS):
    with asking_keras():
        for _ in range(
            steps
        ):  # its `fit` ends by overwriting the weights with their average, and fails when called again
            model.train_on_batch(X, Y)


def assert_same_weights(state, model, err_msg=""):
    with asking_keras():
        weights = model.get_weights()
    for path, weight in zip(["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"], weights, strict=True):
        layer, name = path.split("/")
        largest = np.abs(weight).max()
        np.testing.assert_allclose(
            state.trainable[layer][name], weight, rtol=0, atol=1e-5 * largest, err_msg=f"{err_msg}: {path}"
        )


def assert_equal(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype, path
        np.testing.assert_array_equal(a, b, err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_in_the_other_library_as_in_one(name, tmp_path):
    # 10 steps of Keras, then 10 in each; 10 of ours after that, and 10 of Keras from our file.
    trainer = jkeras.Trainer(network(), OPTIMIZERS[name], "mse", ["mae"])
    trainer.save(tmp_path / "begin.keras", trainer.init(jax.random.key(1)))
    with asking_keras():
        model = keras.models.load_model(tmp_path / "begin.keras")
        train_keras(model)
        model.save(tmp_path / "theirs.keras")
        train_keras(model)
    trainer, state = jkeras.Trainer.load(tmp_path / "theirs.keras")
    assert int(state.step) == STEPS
    state = trained(trainer, state)
    assert_same_weights(state, model, "20 steps of Keras, or 10 of Keras and 10 of ours")

    trainer.save(tmp_path / "ours.keras", state)
    again, same = jkeras.Trainer.load(tmp_path / "ours.keras")
    assert again.optimizer == trainer.optimizer
    assert_equal(same, state)
    with asking_keras():
        model = keras.models.load_model(tmp_path / "ours.keras")
    assert_same_weights(state, model)
    assert int(model.optimizer._iterations) == 2 * STEPS
    train_keras(model)
    assert_same_weights(trained(trainer, state), model, "10 steps more of ours, or of Keras")


def test_dynamic_loss_scaling_goes_both_ways(tmp_path):
    model = jkeras.Sequential(
        [Input((6,)), layers.Dense(4, "tanh", name="hidden"), layers.Dense(3, name="head", dtype="float32")],
    )
    for part in model.layers[:-1]:
        part.dtype_policy = jkeras.dtype_policies.get("mixed_float16")
    trainer = jkeras.Trainer(model, "adam", "mse")
    state = trained(trainer, trainer.init(jax.random.key(0)), 3)
    assert int(state.loss_scale["good_steps"]) == 3
    trainer.save(tmp_path / "a.keras", state)
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "a.keras")
        assert type(theirs.optimizer).__name__ == "LossScaleOptimizer"
        assert (int(theirs.optimizer.step_counter), float(theirs.optimizer.dynamic_scale)) == (3, 2.0**15)
        train_keras(theirs, 2)
        theirs.save(tmp_path / "b.keras")
    again, state = jkeras.Trainer.load(tmp_path / "b.keras")
    assert (int(state.step), int(state.loss_scale["good_steps"])) == (5, 5)
    trained(again, state, 1)


def test_the_average_of_a_trainer_is_keras_s_average(tmp_path):
    trainer = jkeras.Trainer(network(), optimizers.Adam(0.01), "mse", ema=0.9)
    state = trained(trainer, trainer.init(jax.random.key(0)))
    trainer.save(tmp_path / "a.keras", state)
    again, same = jkeras.Trainer.load(tmp_path / "a.keras")
    assert again.ema == 0.9
    assert_equal(same, state)
    with asking_keras():
        model = keras.models.load_model(tmp_path / "a.keras")
        train_keras(model)
    state = trained(trainer, state)
    for ours, theirs in zip(
        [state.ema["hidden"]["kernel"], state.ema["head"]["bias"]],
        [model.optimizer._model_variables_moving_average[i] for i in (0, 3)],
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_metrics_random_state_and_every_argument_come_back_to_the_bit(tmp_path):
    model = jkeras.Sequential([Input((6,)), layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(3)])
    trainer = jkeras.Trainer(
        model,
        optimizers.AdamW(0.01).exclude_from_weight_decay(var_names=["bias"]),
        jkeras.losses.Huber(delta=0.5),
        ["mae", jkeras.metrics.RootMeanSquaredError()],
        gradient_accumulation_steps=2,
        skip_nonfinite=True,
        log_norms=True,
    )
    state = trained(trainer, trainer.init(jax.random.key(0)), 3)
    trainer.save(tmp_path / "a.keras", state)
    again, same = jkeras.Trainer.load(tmp_path / "a.keras")
    assert again.optimizer == trainer.optimizer
    assert again.gradient_accumulation_steps == 2
    assert again.skip_nonfinite
    assert again.log_norms
    assert_equal(same, state)
    assert_equal(trained(again, same, 3), trained(trainer, state, 3))


def test_an_optax_transformation_is_given_again(tmp_path):
    trainer = jkeras.Trainer(network(), optax.adamw(0.01), "mse")
    state = trained(trainer, trainer.init(jax.random.key(0)), 3)
    trainer.save(tmp_path / "a.keras", state)
    with pytest.raises(ArgumentError, match="`optimizer` must be given"):
        jkeras.Trainer.load(tmp_path / "a.keras")
    again, same = jkeras.Trainer.load(tmp_path / "a.keras", optimizer=optax.adamw(0.01))
    assert again.objective.loss == "mse"
    assert_equal(same, state)
    with pytest.raises(LeafError, match=r"opt_state/0/mu.* is unknown"):
        jkeras.Trainer.load(tmp_path / "a.keras", optimizer=optax.sgd(0.01))
    with asking_keras():
        assert not keras.models.load_model(tmp_path / "a.keras").compiled


def test_what_cannot_be_saved_or_loaded_says_so_and_writes_nothing(tmp_path):
    trainer = jkeras.Trainer(network(), "adam", "mse")
    state = trainer.init(jax.random.key(0))
    with pytest.raises(ArgumentError, match=r"must end in '\.keras'"):
        trainer.save(tmp_path / "a.h5", state)
    with pytest.raises(StateError, match="must be a TrainState"):
        trainer.save(tmp_path / "a.keras", state.variables)
    several = trainer.replace(replicas=2)
    with pytest.raises(StateError, match="must be that of one network, got that of 2 replicas"):
        several.save(tmp_path / "a.keras", several.init(jax.random.key(0)))
    with pytest.raises(jkeras.errors.SerializationError, match="lambda"):
        trainer.replace(loss=lambda y, p: jnp.mean((y - p) ** 2, -1)).save(tmp_path / "a.keras", state)
    assert not list(tmp_path.iterdir())
    trainer.model.save(tmp_path / "model.keras", state.variables)
    with pytest.raises(ConfigError, match="never compiled"):
        jkeras.Trainer.load(tmp_path / "model.keras")
    again, _ = jkeras.Trainer.load(tmp_path / "model.keras", loss="mae", optimizer="sgd")
    assert again.objective.loss == "mae"


def test_a_file_of_keras_with_another_optimizer_state_is_refused(tmp_path):
    with asking_keras():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
        model.compile("adam", "mse")
        model.save(tmp_path / "untrained.keras")
        train_keras(model, 1)
        model.save(tmp_path / "a.keras")
    _, state = jkeras.Trainer.load(tmp_path / "untrained.keras")
    assert int(state.step) == 0
    with pytest.raises(LeafError, match=r"'optimizer/vars' has 6 arrays, expected 2 of SGD"):
        jkeras.Trainer.load(tmp_path / "a.keras", optimizer="sgd")


class Labelled(jkeras.Trainer):
    """A trainer with an argument of its own."""

    def __init__(self, *args, label="none", **kwargs):
        super().__init__(*args, **kwargs)
        self.label = label

    def get_compile_config(self):
        return {**super().get_compile_config(), "label": self.label}


def test_the_config_of_a_subclass_comes_back(tmp_path):
    trainer = Labelled(network(), "adam", "mse", label="mine")
    trainer.save(tmp_path / "a.keras", trainer.init(jax.random.key(0)))
    again, _ = Labelled.load(tmp_path / "a.keras")
    assert again.label == "mine"
    with asking_keras():
        assert keras.models.load_model(tmp_path / "a.keras").compiled


def test_the_config_for_keras_has_keras_s_entries_alone(tmp_path):
    trainer = Labelled(network(), optimizers.AdamW(0.01), "mse", ema=0.9, steps_per_execution=3)
    trainer.save(tmp_path / "a.keras", trainer.init(jax.random.key(0)))
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        config = json.loads(file.read("config.json"))["compile_config"]
    assert config["optimizer"]["config"]["use_ema"]
    assert sorted(config) == [
        "auto_scale_loss", "jit_compile", "loss", "loss_weights", "metrics", "optimizer", "run_eagerly",
        "steps_per_execution", "weighted_metrics",
    ]  # fmt: skip
