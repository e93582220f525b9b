"""The pieces of a step: an override of one keeps the others. And trainers as values: compared, replaced, hashed."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import errors, layers
from jkeras.training import joined
from tests.training.networks import data, mlp, trainer

X, Y = data(64)
KEY = jax.random.key(0)
CROSSENTROPY = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


def steps_of(t, count=3, batch=(X[:32], Y[:32])):
    """The state and the logs after some steps."""
    step = jax.jit(t.session.programs.train_step)
    state, logs = t.init(KEY), {}
    for _ in range(count):
        state, logs = step(state, batch)
    return state, logs


def assert_close(ours, expected, **tolerance):
    chex.assert_trees_all_close(ours, expected, **({"rtol": 1e-5, "atol": 1e-6} | tolerance))


class Same(jkeras.Trainer):
    """Overrides the pieces, and changes nothing."""

    def compute_gradients(self, state, batch):
        gradients, forward = super().compute_gradients(state, batch)
        return jax.tree.map(jnp.asarray, gradients), forward

    def apply_gradients(self, state, gradients, forward=None, batch=None):
        return super().apply_gradients(state, gradients, forward, batch)

    def compute_metrics(self, x, y, y_pred, sample_weight):
        return super().compute_metrics(x, y, y_pred, sample_weight)


def constrained(dtype=None):
    dense = functools.partial(layers.Dense, kernel_constraint="unit_norm", dtype=dtype)
    return jkeras.Sequential([jkeras.Input((64,)), dense(16, activation="relu"), layers.Dropout(0.5), dense(10)])


OPTIONS = {
    "plain": {},
    "accumulation": {"gradient_accumulation_steps": 3},
    "average": {"ema": 0.9},
    "norms": {"log_norms": True, "skip_nonfinite": True},
    "replicas": {"replicas": 2, "hyperparameters": {"learning_rate": [0.1, 0.01]}},
    "line search": {"optimizer": optax.chain(optax.sgd(0.1), optax.scale_by_backtracking_linesearch(5))},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_override_keeps_everything_else(name):
    options = {"optimizer": "adam", "loss": CROSSENTROPY, "metrics": ["accuracy"], **OPTIONS[name]}
    model = constrained()
    ours, expected = (steps_of(kind(model, **options)) for kind in (Same, jkeras.Trainer))
    assert set(ours[1]) == set(expected[1])
    assert_close(ours, expected)
    if name != "replicas":
        norms = jnp.linalg.norm(ours[0].trainable["dense"]["kernel"], axis=0)
        np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_an_override_keeps_the_loss_scale():
    model = constrained("mixed_float16")
    ours, expected = (steps_of(kind(model, "adam", CROSSENTROPY)) for kind in (Same, jkeras.Trainer))
    assert int(ours[0].loss_scale["good_steps"]) == 3
    assert_close(ours, expected)


class Private(jkeras.Trainer):
    """Gradients of single examples, clipped; their mean, and noise (Abadi et al., 2016)."""

    def __init__(self, *args, clip=1.0, noise=1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip, self.noise = clip, noise

    def compute_gradients(self, state, batch):
        def clipped(example):
            one = jax.tree.map(lambda leaf: leaf[None], example)
            gradients, forward = super(Private, self).compute_gradients(state, one)
            return optax.tree.scale(jnp.minimum(1, self.clip / optax.tree.norm(gradients)), gradients), forward

        gradients, forward = jax.vmap(clipped)(batch)
        size = len(batch[0])
        noise = optax.tree.random_like(jax.random.fold_in(KEY, state.step), state.trainable)
        gradients = jax.tree.map(
            lambda leaf, each: (leaf.sum(0) + self.noise * self.clip * each) / size, gradients, noise
        )
        return gradients, joined(forward)


@pytest.mark.parametrize("parts", [1, 2])
def test_private_gradients_without_noise_are_those_of_the_batch(parts):
    options = {"optimizer": "sgd", "loss": CROSSENTROPY, "metrics": ["accuracy"], "ema": 0.9}
    model = mlp()
    plain = steps_of(jkeras.Trainer(model, **options))
    private = Private(model, **options, clip=1e9, noise=0.0, gradient_accumulation_steps=parts)
    assert_close(steps_of(private), plain)


def test_private_gradients_are_clipped_one_by_one():
    model, clip = mlp(), 0.1
    t = Private(model, optax.sgd(1.0), CROSSENTROPY, clip=clip, noise=0.0)
    state = t.init(KEY)
    gradients, forward = jax.jit(t.compute_gradients)(state, (X[:8], Y[:8]))

    def loss(trainable, x, y):
        return CROSSENTROPY(y[None], model.stateless_call(trainable, {}, x[None])[0])

    each = jax.vmap(jax.grad(loss), (None, 0, 0))(state.trainable, X[:8], Y[:8])
    norms = jax.vmap(optax.tree.norm)(each)
    assert (norms > clip).all()
    assert_close(gradients, jax.tree.map(lambda leaf: jnp.tensordot(clip / norms, leaf, 1) / 8, each))
    assert forward.y_pred.shape == (8, 10)


def test_noise_follows_from_the_step():
    t = Private(mlp(), optax.sgd(1.0), CROSSENTROPY, clip=0.1, noise=1.0)
    assert_close(steps_of(t)[0], steps_of(t)[0], rtol=0, atol=0)
    state, _ = t.fit(t.init(KEY), X, Y, verbose=0)
    assert int(state.step) == 2


class Sharpness(jkeras.Trainer):
    """The gradient where the loss is highest nearby (Foret et al., 2021)."""

    radius = 0.05

    def compute_gradients(self, state, batch):
        gradients, forward = super().compute_gradients(state, batch)
        climb = optax.tree.scale(self.radius / optax.tree.norm(gradients), gradients)
        above = state.replace(trainable=optax.apply_updates(state.trainable, climb))
        return super().compute_gradients(above, batch)[0], forward


def test_sharpness_aware_minimization():
    model = mlp()
    t = Sharpness(model, optax.sgd(0.1), CROSSENTROPY, ["accuracy"])
    state, batch = t.init(KEY), (X[:32], Y[:32])

    def loss(trainable):
        return CROSSENTROPY(batch[1], model.stateless_call(trainable, {}, batch[0])[0])

    value, first = jax.value_and_grad(loss)(state.trainable)
    above = optax.apply_updates(state.trainable, optax.tree.scale(0.05 / optax.tree.norm(first), first))
    expected = optax.apply_updates(state.trainable, optax.tree.scale(-0.1, jax.grad(loss)(above)))
    new, logs = jax.jit(t.train_step)(state, batch)
    assert_close(new.trainable, expected)
    np.testing.assert_allclose(logs["loss"], value, rtol=1e-5)


class Surgery(jkeras.Trainer):
    """Of two losses, each gradient without what points against the other's (Yu et al., 2020)."""

    def compute_gradients(self, state, batch):
        def of(**weights):
            return jkeras.Trainer.compute_gradients(self.replace(loss_weights=weights), state, batch)

        (one, forward), (other, _) = of(a=1.0, b=0.0), of(a=0.0, b=1.0)
        against = jnp.minimum(0, optax.tree.vdot(one, other))
        parts = [optax.tree.add_scale(a, -against / optax.tree.vdot(b, b), b) for a, b in ((one, other), (other, one))]
        return optax.tree.add(*parts), forward


def test_gradient_surgery():
    tokens = jkeras.Input((64,))
    hidden = layers.Dense(8, activation="tanh")(tokens)
    model = jkeras.Model(tokens, {"a": layers.Dense(1, name="a")(hidden), "b": layers.Dense(1, name="b")(hidden)})
    y = {"a": X[:32, :1], "b": -X[:32, 10:11]}
    t = Surgery(model, optax.sgd(0.1), {"a": "mse", "b": "mse"}, log_norms=True)
    state = t.init(KEY)

    def loss(trainable, name):
        return jnp.mean((model.stateless_call(trainable, {}, X[:32])[0][name] - y[name]) ** 2)

    one, other = (jax.grad(loss)(state.trainable, name) for name in "ab")
    flat, restore = jax.flatten_util.ravel_pytree(one)
    flat_other = jax.flatten_util.ravel_pytree(other)[0]
    against = min(0.0, float(flat @ flat_other))
    expected = flat + flat_other - against * (flat_other / (flat_other @ flat_other) + flat / (flat @ flat))
    new, logs = jax.jit(t.train_step)(state, (X[:32], y))
    assert_close(new.trainable, jax.tree.map(lambda w, g: w - 0.1 * g, state.trainable, restore(expected)))
    np.testing.assert_allclose(logs["loss"], sum(loss(state.trainable, name) for name in "ab"), rtol=1e-5)


def test_gradients_by_hand():
    t = trainer(optimizer="sgd")
    state = t.init(KEY)
    new, logs = t.apply_gradients(state, jax.tree.map(jnp.ones_like, state.trainable))
    assert logs == {} and int(new.step) == 1
    assert_close(new.trainable, jax.tree.map(lambda leaf: leaf - 0.01, state.trainable))
    assert new.metrics is state.metrics and new.non_trainable is state.non_trainable


def test_a_moving_average_is_not_left_behind():
    t = trainer(ema=0.9)
    state = t.init(KEY)
    with pytest.raises(errors.StateError, match=r"replace\(ema=None\)"):
        t.replace(ema=None).train_step(state, (X, Y))
    assert t.replace(ema=None).train_step(state.replace(ema=None), (X, Y))[0].ema is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_moving_average_needs_a_beginning(dtype):
    model = jkeras.Sequential([jkeras.Input((64,)), layers.Dense(10, dtype=dtype)])
    t = jkeras.Trainer(model, "sgd", CROSSENTROPY)
    state, _ = t.fit(t.init(KEY), X, Y, verbose=0)
    averaging = t.replace(ema=0.9)
    with pytest.raises(errors.StateError, match="which would keep no average") as info:
        averaging.fit(state, X, Y, verbose=0)
    names = {"state": info.value.state, "jax": jax}
    exec(info.value.write, names)
    new, _ = averaging.fit(names["state"], X, Y, verbose=0, epochs=2)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(new.ema)} == {"float32"}
    assert np.isfinite(averaging.evaluate(new.averaged, X, Y, verbose=0)["loss"])


# -- trainers as values


def test_trainers_are_compared_by_what_they_were_made_of():
    model = mlp()

    def make(**options):
        return jkeras.Trainer(model, **{"optimizer": "adam", "loss": jkeras.losses.Huber(2.0), **options})

    assert make() == make() and hash(make()) == hash(make()) and {make(), make()} == {make()}
    assert make(optimizer=jkeras.optimizers.Adam()) == make()
    for other in (
        {"loss": jkeras.losses.Huber(3.0)},
        {"metrics": ["mae"]},
        {"ema": 0.9},
        {"optimizer": "sgd"},
        {"replicas": 2},
    ):
        assert make(**other) != make()
        assert make(**other) == make(**other)
        assert make().replace(**other) == make(**other)
    assert jkeras.Trainer(mlp(), "adam", jkeras.losses.Huber(2.0)) != make()
    assert Same(model, "adam", jkeras.losses.Huber(2.0)) != make()
    assert make() != "a trainer"


def test_fit_is_no_part_of_what_a_trainer_is():
    t, other = trainer(), trainer()
    t = other.replace(model=t.model, jit_compile=True)
    before = t.replace()
    t.fit(t.init(KEY), X, Y, verbose=0)
    assert t == before and "session" not in vars(before)


def test_a_replaced_trainer_keeps_what_its_class_has_beside_the_arguments():
    t = Private(mlp(), "sgd", CROSSENTROPY, clip=0.5, noise=0.25)
    other = t.replace(ema=0.9)
    assert (other.clip, other.noise, other.ema, t.ema) == (0.5, 0.25, 0.9, None)
    assert isinstance(other, Private) and other != t and other.replace(ema=None) == t
    with pytest.raises(errors.FrozenError):
        other.clip = 1.0
    with pytest.raises(errors.UnknownNameError, match="'ema'"):
        t.replace(emma=0.9)
    with pytest.raises(errors.ArgumentError, match="ema"):
        t.replace(ema=2.0)


def test_lists_of_the_caller_may_change():
    metrics = ["mae"]
    t = jkeras.Trainer(mlp(), "sgd", "mse", metrics)
    metrics.append("mape")
    assert t.replace(ema=0.9).objective.metrics == ["mae"] == t.objective.metrics


def test_two_trainers_at_once_time_their_own_calls():
    t = trainer(steps_per_execution=1)
    first, _ = t.fit(t.init(KEY), X, Y, batch_size=8, epochs=2, verbose=0)
    calls = t.session.calls
    t.fit(first, X, Y, batch_size=8, verbose=0)
    assert t.session.calls is not calls and len(calls.timed) == 15 and len(t.session.calls.timed) == 8
