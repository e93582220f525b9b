"""A loss is a sum and a count: parts of a batch, batches of an evaluation and of an epoch add up to the whole."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import layers, losses
from jkeras.training.updates import LARGEST_SCALE, LEAST_SCALE, init_scale, next_scale

SIZE, STEPS = 7, 4
X = np.array(
    [[1, 2, 3, 4], [1, 0, 0, 0], [5, 6, 0, 0], [2, 0, 0, 0], [1, 2, 3, 0], [4, 0, 0, 0], [3, 3, 3, 3]], "int32"
)
WEIGHTS = np.linspace(0.0, 3.0, SIZE).astype("float32")
REDUCTIONS = ("sum", "sum_over_batch_size", "mean_with_sample_weight")
INDICES = (
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
)
NOT_ADDITIVE = {  # one value for a whole batch, or examples that are compared with each other
    "Circle": "compares the examples of a part with each other",
    "Dice": "one value for the batch, unless an axis is given",
    "Tversky": "one value for the batch, unless an axis is given",
    "CTC": "its labels are sequences; tested by itself",
    "Loss": "the base",
    "LossFunctionWrapper": "the loss of a function",
    "FusedLinearCrossentropy": "takes features; tests/test_fused_losses.py",
    "LinearLogits": "predictions",
}


def public():
    return sorted(
        name for name in losses.__all__ if isinstance(getattr(losses, name), type) and name not in NOT_ADDITIVE
    )


def labels(name, size=SIZE):
    indices = np.random.default_rng(1).integers(0, 3, (size, STEPS))
    return indices if name in INDICES else np.eye(3, dtype="float32")[indices]


def network(*masked):
    """An output of each name, in alphabetical order; those that are named have the mask of their tokens."""
    tokens = jkeras.Input((STEPS,), dtype="int32")
    inner = {
        name: layers.Embedding(7, 3, mask_zero=name in masked)(tokens) for name in ("abcd" if len(masked) > 1 else "ab")
    }
    return jkeras.Model(tokens, [layers.Dense(3, activation="softmax", name=name)(x) for name, x in inner.items()])


def step(loss, y, parts, model, weights=WEIGHTS):
    trainer = jkeras.Trainer(model, optax.sgd(1.0), loss, gradient_accumulation_steps=parts)
    state = trainer.init(jax.random.key(0))
    after, logs = trainer.train_step(state, (X, y, weights) if weights is not None else (X, y))
    return jax.tree.map(jnp.subtract, state.trainable, after.trainable), logs


def assert_close(one, two, **tolerance):
    chex.assert_trees_all_close(one, two, **({"rtol": 2e-5, "atol": 1e-5} | tolerance))


def whole_and_cut(losses, labels, parts, *masked):
    """Gradients and logs of a step on the whole batch, and on parts of it."""
    model = network(*masked)
    return jax.jit(lambda: [step(losses, labels, n, model) for n in (1, *parts)])()


@pytest.mark.parametrize("name", public())
def test_an_accumulated_gradient_is_that_of_the_batch(name):
    """Every loss, with each reduction where there is a mask, and weights; 7 examples in parts of 3."""
    rows = [getattr(losses, name)(reduction=reduction) for reduction in (*REDUCTIONS, "sum_over_batch_size")]
    whole, cut = whole_and_cut(rows, 4 * [labels(name)], [3], "a", "b", "c")
    assert_close(whole, cut)


def test_an_accumulated_gradient_counts_the_classes_that_are_not_ignored():
    y = np.where(np.arange(SIZE)[:, None] % 3 == 0, -1, labels(INDICES[0]))
    kinds = (*REDUCTIONS, "sum")
    rows = [losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=reduction) for reduction in kinds]
    whole, *cut = whole_and_cut(rows, 4 * [y], [2, 8], "a", "b", "c")  # more parts than examples are one for each
    for each in cut:
        assert_close(whole, each)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_evaluation_does_not_depend_on_the_size_of_its_batches(reduction):
    model, y = network("a"), np.where(np.arange(SIZE)[:, None] % 3 == 0, -1, labels(INDICES[0]))
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=reduction)
    trainer = jkeras.Trainer(model, optax.sgd(0.0), [loss, loss], loss_weights=[1.0, 0.5])
    state = trainer.init(jax.random.key(0))
    logs = [trainer.evaluate(state, X, [y, y], sample_weight=WEIGHTS, batch_size=size) for size in (SIZE, 1, 3)]
    assert set(logs[0]) == {"loss", "a_loss", "b_loss"}
    for other in logs[1:]:
        assert other == pytest.approx(logs[0], rel=1e-5)
    _, history = trainer.fit(
        state, X, [y, y], sample_weight=WEIGHTS, batch_size=3, validation_data=(X, [y, y], WEIGHTS)
    )
    assert {name: history.history[name][0] for name in logs[0]} == pytest.approx(logs[0], rel=1e-5)
    assert {name: history.history[f"val_{name}"][0] for name in logs[0]} == pytest.approx(logs[0], rel=1e-5)


def test_plain_means_need_no_pass_for_their_counts():
    def text(loss, weights):
        trainer = jkeras.Trainer(network("a"), optax.sgd(0.1), loss, gradient_accumulation_steps=2)
        state, y = trainer.init(jax.random.key(0)), labels("MeanSquaredError")
        batch = (X, [None, y]) if weights is None else (X, [None, y], weights)
        return str(jax.make_jaxpr(trainer.train_step)(state, batch))

    assert text([None, "mse"], None).count(" scan[") == 1
    assert text([None, losses.MeanSquaredError("mean_with_sample_weight")], WEIGHTS).count(" scan[") == 2


def test_penalties_and_an_overridden_loss_are_weighed_by_examples():
    class Own(jkeras.Trainer):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            return jnp.mean((y_pred - y) ** 2)

    x, y = np.arange(10, dtype="float32")[:, None], np.ones((10, 1), "float32")
    model = jkeras.Sequential([jkeras.Input((1,)), layers.Dense(1, kernel_regularizer="l2")])
    for kind in (Own, jkeras.Trainer):
        trainer, cut = (
            kind(model, optax.sgd(0.1), "mse"),
            kind(model, optax.sgd(0.1), "mse", gradient_accumulation_steps=4),
        )
        state = trainer.init(jax.random.key(0))
        assert_close(trainer.train_step(state, (x, y)), cut.train_step(state, (x, y)))
        logs = [trainer.evaluate(state, x, y, batch_size=size) for size in (10, 3)]
        assert logs[0] == pytest.approx(logs[1], rel=1e-5)


def test_the_sums_of_a_loss_go_on_past_the_last_odd_float():
    model = jkeras.Sequential([jkeras.Input((1,)), layers.Dense(1)])
    trainer = jkeras.Trainer(model, None, "mse")
    state = trainer.init(jax.random.key(0))
    terms = jnp.array([[2**24, 2**24], [0, 0]], "float32")  # of the loss, and of what is minimised beside it
    state = state.replace(metrics={"loss": state.metrics["loss"] | {"terms": terms}})
    batch = (np.zeros((1, 1), "float32"), np.full((1, 1), np.sqrt(3, dtype="float32")))  # a loss of 3
    state, _ = jax.lax.scan(lambda state, _: trainer.test_step(state, batch), state, None, length=1000)
    expected = (2**24 + 3000) / (2**24 + 1000)
    np.testing.assert_allclose(trainer.results(state)["loss"], expected, rtol=2e-7)  # without: 1.0, 1.2e-4 away


@pytest.mark.parametrize("finite", [False, True])
def test_a_loss_scale_stays_between_its_bounds(finite):
    scale = init_scale()
    scale = jax.lax.fori_loop(0, 300_000, lambda _, each: next_scale(each, jnp.array(finite)), scale)
    assert float(scale["scale"]) == (LARGEST_SCALE if finite else LEAST_SCALE)


def test_an_average_of_half_precision_weights_moves():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1, dtype="bfloat16")])
    trainer = jkeras.Trainer(model, optax.sgd(0.0), "mse", ema=0.999)
    state = trainer.init(jax.random.key(0))
    begin = np.asarray(state.ema["dense"]["kernel"])
    state = state.replace(trainable=jax.tree.map(lambda leaf: leaf + 1, state.trainable))
    batch = (np.zeros((1, 2), "float32"), np.zeros((1, 1), "float32"))
    state, _ = jax.lax.scan(lambda state, _: trainer.train_step(state, batch), state, None, length=1000)
    moved = np.asarray(state.ema["dense"]["kernel"]) - begin
    # bfloat16 rounds the sum of a weight and 1 by at most 2**-8
    np.testing.assert_allclose(moved, 1 - 0.999**1000, atol=2**-7)
    assert state.averaged.trainable["dense"]["kernel"].dtype == "bfloat16"


def test_metrics_may_call_the_model():
    class Own(jkeras.Trainer):
        def compute_metrics(self, x, y, y_pred, sample_weight):
            return {"again": jnp.max(jnp.abs(self.model(x, training=False) - y_pred))}

    x = np.ones((4, 2), "float32")
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    trainer = Own(model, "sgd", "mse")
    _, history = trainer.fit(trainer.init(jax.random.key(0)), x, x[:, :1], validation_data=(x, x[:, :1]))
    assert history.history["again"] == history.history["val_again"] == [0.0]


def test_models_of_several_arguments_take_them_from_x():
    class Two(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, a, b):
            return self.dense(a - b)

    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    trainer, found = jkeras.Trainer(Two(), "sgd", "mse"), []
    for inputs in ((x, 0 * x), [x, 0 * x], {"b": 0 * x, "a": x}):
        state, history = trainer.fit(trainer.init(jax.random.key(0), inputs), inputs, y)
        found.append((history.history["loss"], trainer.predict(state, inputs).tolist()))
    assert found[0] == found[1] == found[2]
    with pytest.raises(jkeras.errors.DataError, match="a dict with the keys 'a', 'b'"):
        trainer.fit(state, x, y)


def test_a_step_s_parts_are_named_in_its_program():
    trainer = jkeras.Trainer(network(), "sgd", ["mse", None], [["mae"], []])
    state, y = trainer.init(jax.random.key(0)), labels("MeanSquaredError")
    text = jax.jit(trainer.train_step).lower(state, (X, [y, y])).as_text(debug_info=True)
    for scope in ("jvp(loss)", "/metrics/", "/optimizer/"):
        assert scope in text
