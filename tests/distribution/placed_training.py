"""What n devices compute is what one computes: every way to train, evaluate and predict, on eight virtual devices."""

import functools

import jax
import numpy as np
import pytest

import jkeras
from jkeras.distribution import FSDP, DataParallel, Placement
from jkeras.training import feed
from tests.distribution.networks import NETWORKS, assert_close, mesh_of, mlp, placements, specs
from tests.training.networks import data, trainer


def worked(t, x, y):
    """What all the ways of a trainer give, over batches that do not all divide."""
    state = t.init(jax.random.key(0))
    found = {}
    state, history = t.fit(state, x, y, batch_size=16, epochs=2, verbose=0, validation_data=(x[:30], y[:30]))
    found["history"] = history.history
    found["evaluated"] = t.evaluate(state, x, y, batch_size=16, verbose=0)
    found["predicted"] = t.predict(state, x[:37], batch_size=16, verbose=0)
    state, found["trained"] = t.train_on_batch(state, x[:16], y[:16])
    found["tested"] = t.test_on_batch(state, x[:7], y[:7])
    found["outputs"] = t.predict_on_batch(state, x[:7])
    return found, state


@functools.cache
def alone(network):
    make, load = NETWORKS[network]
    return worked(trainer(make(), ema=0.9), *load(70))


CASES = [(network, name) for network in NETWORKS for name in ("data", "fsdp", "tensor", "both")]
TAKEN = [case for case in CASES if case not in (("transformer", "data"), ("transformer", "fsdp"))]  # "both" has both


@pytest.mark.parametrize(("network", "name"), TAKEN)
def test_as_one_device(network, name):
    make, load = NETWORKS[network]
    t = trainer(make(), ema=0.9, placement=placements(network)[name])
    began = specs(t.init(jax.random.key(0)))
    found, state = worked(t, *load(70))
    expected, last = alone(network)
    assert_close(found, expected)
    assert_close(state, last)
    assert specs(state) == began
    programs = t.session.programs
    counts = {
        name: (program.__wrapped__.times, program._cache_size())
        for name, program in vars(programs).items()
        if hasattr(program, "_cache_size")
    }
    assert all(kept in (0, traced) for traced, kept in counts.values()), (
        counts
    )  # a network may be traced to be looked at
    sizes = 2  # 16 and what is left
    assert sum(counts[each][1] for each in ("many", "one")) == sizes
    assert counts["train_batch"][1] == 1


OPTIONS = {
    "accumulation": {"gradient_accumulation_steps": 4},
    "one step a call": {"steps_per_execution": 1},
    "norms": {"log_norms": True, "skip_nonfinite": True},
    "eagerly": {"run_eagerly": True},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options(option):
    x, y = data(32)

    def losses(**more):
        t = trainer(mlp(), **OPTIONS[option], **more)
        state, history = t.fit(t.init(jax.random.key(0)), x, y, batch_size=16, verbose=0)
        return history.history, state

    assert_close(losses(placement=FSDP(mesh_of(4), min_size=32)), losses())


def test_batches_from_the_host(monkeypatch):
    x, y = data(70)
    t, placed = trainer(mlp()), trainer(mlp(), placement=DataParallel())

    def fit(t, *data, **options):
        return t.fit(t.init(jax.random.key(0)), *data, verbose=0, **options)[1].history

    def batches():
        yield from ((x[i : i + 16], y[i : i + 16]) for i in range(0, 70, 16))

    assert_close(fit(placed, batches()), fit(t, batches()))
    ordinary = fit(t, x, y, batch_size=16)
    monkeypatch.setattr(feed, "DEVICE_SHARE", 0.0)
    assert_close(fit(placed, x, y, batch_size=16), ordinary)


def test_replicas_over_an_axis():
    x, y = data(64)
    mesh = jax.make_mesh((4, 2), ("ensemble", "data"))

    def fit(placement=None):
        t = trainer(mlp(), replicas=4, hyperparameters={"learning_rate": [0.1, 0.01, 0.001, 0.0]}, placement=placement)
        state, history = t.fit(t.init(jax.random.key(0)), x, y, batch_size=16, epochs=2, verbose=0)
        return history.history, t.predict(state, x[:5], verbose=0), state

    *found, state = fit(Placement(mesh, batch="data", replicas="ensemble"))
    *expected, alone = fit()
    assert_close(found, expected)
    assert_close(state, alone)
    assert set(jax.tree.leaves(specs(state))) == {jax.P("ensemble")}


def test_callbacks_that_change_the_state(tmp_path):
    x, y = data(64)

    def fit(placement=None):
        t = trainer(mlp(), placement=placement)
        callbacks = [
            jkeras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0, restore_best_weights=True),
            jkeras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
        ]
        state, history = t.fit(t.init(jax.random.key(0)), x, y, batch_size=16, epochs=3, verbose=0, callbacks=callbacks)
        return history.history, state

    found, expected = fit(FSDP(mesh_of(8), min_size=32)), fit()
    assert_close(found, expected)


def test_outputs_and_constraints():
    x, y = data(64)
    P = jax.sharding.PartitionSpec

    class Constrained(jkeras.layers.Layer):
        def call(self, x):
            return jkeras.distribution.constrain(x, P("data", "model"))

    def network():
        return jkeras.Sequential(
            [jkeras.Input((64,)), jkeras.layers.Dense(16, name="up"), Constrained(), jkeras.layers.Dense(10)]
        )

    placement = Placement(mesh_of(4, 2), outputs={"up": P("data", "model")})
    t = trainer(network(), placement=placement)
    found = t.fit(t.init(jax.random.key(0)), x, y, batch_size=20, verbose=0)[1].history
    one = trainer(network())
    assert_close(found, one.fit(one.init(jax.random.key(0)), x, y, batch_size=20, verbose=0)[1].history)
    text = t.lower(x, y).as_text()
    assert text.count('[{"data"}, {"model"}]') >= 2


def test_masks_pass_through_pins():
    layers = jkeras.layers
    tokens = np.array([[1, 2, 0, 0], [3, 0, 0, 0]] * 8)

    def network():
        inputs = jkeras.Input((4,), dtype="int32")
        return jkeras.Model(inputs, layers.GRU(3)(layers.Embedding(5, 4, mask_zero=True)(inputs)))

    one, placed = (jkeras.Trainer(network(), loss="mse", placement=each) for each in (None, DataParallel()))
    state = one.init(jax.random.key(0))
    assert_close(placed.predict(state, tokens, verbose=0), one.predict(state, tokens, verbose=0))
