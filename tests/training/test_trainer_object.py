"""The trainer as an object: frozen, copied, pickled; its states; what it compiles."""

import copy
import pickle

import chex
import cloudpickle
import jax
import numpy as np
import optax
import pytest

import jkeras
from jkeras import errors
from jkeras.training.options import EvaluateOptions, FitOptions
from tests.training.networks import data, mlp, trainer

X, Y = data(64)


class Weighted(jkeras.Trainer):
    """Sets attributes before and after the `__init__` of its base."""

    def __init__(self, *args, factor=2.0, **kwargs):
        self.factor = factor
        super().__init__(*args, **kwargs)
        self.doubled = 2 * factor

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        return self.factor * super().compute_loss(x, y, y_pred, sample_weight, training)


@pytest.fixture(scope="module")
def fitted():
    t = trainer()
    return t, t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)[0]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_after_fit_trains_as_the_original_does(fitted, copied):
    t, state = fitted
    other = copied(t)
    assert "session" in vars(t) and "session" not in vars(other)
    mine, theirs = (each.train_on_batch(each.init(jax.random.key(0)), X, Y)[1] for each in (t, other))
    assert mine == theirs
    assert other.evaluate(state, X, Y, verbose=0) == t.evaluate(state, X, Y, verbose=0)


def test_cloudpickle_takes_what_pickle_cannot():
    t = jkeras.Trainer(mlp(), optax.adam(1e-3), lambda y, y_pred: ((y[:, None] - y_pred) ** 2).mean())
    state, _ = t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    other = pickle.loads(cloudpickle.dumps(t))
    assert other.evaluate(state, X, Y, verbose=0) == t.evaluate(state, X, Y, verbose=0)


@pytest.mark.parametrize("name", ["optimizer", "model", "ema", "replicas", "compute_loss", "new", "jit_compile"])
def test_no_attribute_can_be_set(fitted, name):
    for t in (fitted[0], copy.copy(fitted[0]), Weighted(mlp())):
        with pytest.raises(errors.FrozenError, match=rf"Trainer\(\.\.\., {name}=\.\.\.\)|Weighted\(\.\.\., {name}"):
            setattr(t, name, None)
        with pytest.raises(errors.FrozenError):
            delattr(t, "optimizer")


def test_a_subclass_sets_attributes_in_its_own_init():
    t = Weighted(mlp(), "sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True), factor=3.0)
    assert (t.factor, t.doubled) == (3.0, 6.0)
    plain = trainer(optimizer="sgd")
    key = jax.random.key(0)
    expected = plain.evaluate(plain.init(key), X, Y, verbose=0)["loss"]
    np.testing.assert_allclose(t.evaluate(t.init(key), X, Y, verbose=0)["loss"], 3 * expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"replicas": 2}, {"ema": 0.9}, {"optimizer": "adam", "jit_compile": True}])
def test_init_compiles_one_program(options):
    compiled = []

    def note(name, seconds, **_):
        compiled.extend([name] if "backend_compile" in name else [])

    t, key = trainer(**options), jax.random.key(0)
    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        t.init(key)
        assert len(compiled) == 1
        state = t.init(jax.random.key(1))
        assert len(compiled) == 1
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    expected = jax.jit(t.init)(jax.random.key(1))
    chex.assert_trees_all_equal(state, expected)


def test_init_follows_what_is_trainable():
    t = trainer()
    t.init(jax.random.key(0))
    t.model.layers[0].trainable = False
    assert list(t.init(jax.random.key(0)).trainable) == ["dense_1"]


def shared(state):
    return state.replace(ema=state.trainable)


def test_states_that_users_make_may_name_an_array_twice():
    t = trainer(ema=0.9)
    for run in (
        lambda state: t.fit(state, X, Y, verbose=0)[0],
        lambda state: t.train_on_batch(state, X, Y)[0],
    ):
        assert int(run(shared(t.init(jax.random.key(0)))).step) > 0


HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_epoch_end",
    "on_train_end",
)


@pytest.mark.parametrize("hook", HOOKS)
def test_states_that_hooks_return_may_name_an_array_twice(hook):
    t = trainer(ema=0.9)
    callback = jkeras.callbacks.Callback()
    setattr(callback, hook, lambda *args: shared(args[-1]))
    callback.every_batch = True
    state, _ = t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, verbose=0, callbacks=callback)
    step = jax.jit(t.train_step, donate_argnums=0)
    assert int(step(state, (X, Y))[0].step) == 5


def test_a_hook_cannot_return_a_state_that_was_consumed():
    t, kept = trainer(), []

    def keep(epoch, logs, state):
        kept.append(state)

    callbacks = [
        jkeras.callbacks.LambdaCallback(on_epoch_begin=keep),
        jkeras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, state: kept[0]),
    ]
    with pytest.raises(errors.ConsumedStateError, match="hook"):
        t.fit(t.init(jax.random.key(0)), X, Y, epochs=2, verbose=0, callbacks=callbacks)


COUNTS = {
    "batch_size": 16,
    "epochs": 2,
    "initial_epoch": 1,
    "steps_per_epoch": 2,
    "validation_steps": 1,
    "validation_batch_size": 8,
    "validation_freq": 1,
    "seed": 3,
}


def test_numpy_integers_are_counts():
    t = trainer(**{name: np.int64(2) for name in ("replicas", "steps_per_execution", "gradient_accumulation_steps")})
    assert (t.replicas, t.steps_per_execution, t.gradient_accumulation_steps) == (2, 2, 2)
    assert FitOptions(**{name: np.int64(value) for name, value in COUNTS.items()}) == FitOptions(**COUNTS)
    options = FitOptions(**{name: np.uint8(value) for name, value in COUNTS.items()})
    assert all(type(getattr(options, name)) is int for name in COUNTS)
    assert EvaluateOptions(batch_size=np.int32(8), steps=np.int64(2)) == EvaluateOptions(batch_size=8, steps=2)


@pytest.mark.parametrize("value", [0, -1, 1.0, "3", True, np.bool_(True), np.float32(2)])
def test_other_numbers_are_no_counts(value):
    for name in ("replicas", "steps_per_execution", "gradient_accumulation_steps"):
        with pytest.raises(errors.ArgumentError, match=f"{name}.* must be an integer of at least 1, got"):
            trainer(**{name: value})


def test_results_come_by_name_whether_asked_for_or_not(fitted):
    t, state = fitted
    assert t.evaluate(state, X, Y, verbose=0, return_dict=True) == t.evaluate(state, X, Y, verbose=0)
    assert t.test_on_batch(state, X, Y, return_dict=True) == t.test_on_batch(state, X, Y)
    assert "loss" in t.train_on_batch(t.init(jax.random.key(0)), X, Y, return_dict=True)[1]
    with pytest.raises(errors.ArgumentError, match="always come as a dict"):
        t.evaluate(state, X, Y, return_dict=False)


def test_a_second_fit_finds_nothing_again(monkeypatch):
    model = mlp()
    t = jkeras.Trainer(model, "sgd", "crossentropy", metrics=["accuracy", "mse"])
    y = np.eye(10, dtype="float32")[Y]
    state, first = t.fit(t.init(jax.random.key(0)), X, y, verbose=0)
    before = t.replace(ema=None)
    for owner, name in ((jkeras.losses, "resolve"), (jkeras.metrics, "resolve"), (type(model), "structure")):
        monkeypatch.setattr(owner, name, None)
    state, second = t.fit(state, X, y, verbose=0)
    assert first.history.keys() == second.history.keys()
    assert t == before  # what was found is no part of a trainer
    with pytest.raises(errors.DataError, match="shape"):  # but all data is looked at
        t.fit(state, X, y[:, :3], verbose=0)


def test_a_fit_after_a_change_of_the_model_finds_all_again():
    model = jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(16)])
    t = jkeras.Trainer(model, "sgd", "mse", metrics=["mae"])
    t.fit(t.init(jax.random.key(0)), X, X[:, :16], verbose=0)
    model.add(jkeras.layers.Dense(4))
    state = t.init(jax.random.key(0))
    with pytest.raises(errors.DataError, match="shape"):
        t.fit(state, X, X[:, :16], verbose=0)
    state, history = t.fit(state, X, X[:, :4], verbose=0)
    assert state.trainable["dense_1"]["kernel"].shape == (16, 4) and np.isfinite(history.history["mae"][0])
