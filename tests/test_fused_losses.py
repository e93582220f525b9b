"""The crossentropy that is computed together with the layer in front of it, and what programs of accelerators store."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import layers, losses
from jkeras.config import lowering_for
from jkeras.errors import ArgumentError, DataError
from jkeras.functional import dot_product_attention
from jkeras.losses import FusedLinearCrossentropy, LinearLogits, fused_linear_crossentropy
from jkeras.losses.sparse import pick
from tests.oracle import assert_close

R = np.random.default_rng(0)
X = jnp.asarray(R.normal(size=(2, 7, 8)), "float32")
KERNEL = jnp.asarray(R.normal(size=(8, 11)), "float32")
BIAS = jnp.asarray(R.normal(size=(11,)), "float32")
LABELS = jnp.asarray(R.integers(0, 11, (2, 7)), "int32")
WEIGHTS = jnp.asarray(R.uniform(0.5, 2, (2, 7)), "float32").at[0, 3].set(0)


def plain(x, kernel, bias, weights, *, transposed=False, soft_cap=None, label_smoothing=0.0):
    """The same sum by optax, of all logits."""
    logits = (x @ (kernel.T if transposed else kernel)).astype("float32")
    logits = logits if bias is None else logits + bias.reshape(1, 1, -1)
    logits = logits if soft_cap is None else soft_cap * jnp.tanh(logits / soft_cap)
    one_hot = optax.smooth_labels(jax.nn.one_hot(LABELS, 11), label_smoothing)
    values = optax.softmax_cross_entropy(logits, one_hot)
    return jnp.sum(values if weights is None else jnp.where(weights == 0, 0, values * weights))


def fused(x, kernel, bias, weights, *, label_smoothing=0.0, rows=None, **options):
    logits = LinearLogits(x, kernel, bias, **options)
    return fused_linear_crossentropy(LABELS, logits, weights, label_smoothing=label_smoothing, rows=rows)


CASES = {
    "plain": ((X, KERNEL, None, None), {}),
    "bias and weights": ((X, KERNEL, BIAS, WEIGHTS), {}),
    "transposed, capped": ((X, KERNEL.T, None, WEIGHTS), {"transposed": True, "soft_cap": 2.0}),
    "smoothed": ((X, KERNEL, BIAS, WEIGHTS), {"label_smoothing": 0.2}),
}


@pytest.mark.parametrize("rows", [None, 4, 1])  # 14 rows: one turn, 7 of 2, 14 of 1
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_loss_of_all_logits(case, rows):
    arguments, options = CASES[case]
    places = tuple(place for place, each in enumerate(arguments) if each is not None)
    value, gradients = jax.jit(jax.value_and_grad(functools.partial(fused, rows=rows, **options), places))(*arguments)
    expected, wanted = jax.jit(jax.value_and_grad(functools.partial(plain, **options), places))(*arguments)
    assert_close(value, expected, scale=50)  # a sum of 14 losses of about 3
    for ours, theirs in zip(gradients, wanted, strict=True):
        assert ours.dtype == theirs.dtype
        assert_close(ours, theirs, scale=20)  # sums over 14 rows


def test_rows_that_do_not_divide_are_filled():
    assert losses.linear.number_of_turns(13, 10, 6) == 3
    x, labels = X.reshape(-1, 8)[:13], LABELS.reshape(-1)[:13]
    total = fused_linear_crossentropy(labels, LinearLogits(x, KERNEL), rows=6)
    assert_close(total, optax.softmax_cross_entropy_with_integer_labels(x @ KERNEL, labels).sum(), scale=50)


def test_in_half_precision_sums_are_float32():
    half = [each.astype("bfloat16") for each in (X, KERNEL, BIAS)]
    value, gradients = jax.value_and_grad(functools.partial(fused, rows=2), (0, 1, 2))(*half, WEIGHTS)
    wide = [each.astype("float32") for each in half]
    expected, wanted = jax.value_and_grad(plain, (0, 1, 2))(*wide, WEIGHTS)
    assert value.dtype == "float32" and all(each.dtype == "bfloat16" for each in gradients)
    assert abs(value - expected) < 1e-4 * expected  # the scores of numbers that are exact
    for ours, theirs in zip(gradients, wanted, strict=True):
        # three roundings to 8 bits: of the slopes, of the sum, of the sum times the factor
        np.testing.assert_allclose(ours.astype("float32"), theirs, atol=3 * 2**-8 * float(jnp.abs(theirs).max()))


def test_transforms_and_second_derivatives():
    run = functools.partial(fused, rows=4)
    batch = jnp.stack([X, 2 * X])
    mapped = jax.vmap(jax.grad(run), (0, None, None, None))(batch, KERNEL, BIAS, WEIGHTS)
    for each, x in zip(mapped, batch, strict=True):
        assert_close(each, jax.grad(plain)(x, KERNEL, BIAS, WEIGHTS), scale=20)

    def norm(function, x):
        return jnp.sum(jax.grad(function, 1)(x, KERNEL, BIAS, WEIGHTS) ** 2)

    assert_close(jax.grad(functools.partial(norm, run))(X), jax.grad(functools.partial(norm, plain))(X), scale=500)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(lambda x: run(x, KERNEL, BIAS, WEIGHTS), (X,), (X,))


def test_what_has_no_weight_may_hold_anything_and_a_wrong_label_is_told():
    poisoned = X.at[0, 3].set(jnp.nan)
    gradient = jax.grad(fused)(poisoned, KERNEL, BIAS, WEIGHTS)
    assert_close(gradient, jax.grad(plain)(X, KERNEL, BIAS, WEIGHTS), scale=20)
    logits = LinearLogits(X, KERNEL)
    with pytest.raises(DataError, match="one of the 11 classes"):
        fused_linear_crossentropy(LABELS.at[1, 2].set(11), logits)
    assert jnp.isnan(jax.jit(fused_linear_crossentropy)(LABELS.at[1, 2].set(-1), logits))


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_masks_weights_and_reductions_are_those_of_the_plain_loss(reduction):
    ours = FusedLinearCrossentropy(ignore_class=4, rows=5, reduction=reduction)
    theirs = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=4, reduction=reduction)
    labels = LABELS.at[0, :2].set(4)
    mask = jnp.asarray(R.integers(0, 2, (2, 7)), bool)
    for weight in (None, WEIGHTS, jnp.array([1.0, 3.0])):
        for hidden in (None, mask):
            value = ours(labels, LinearLogits(X, KERNEL, BIAS), weight, mask=hidden)
            expected = theirs(labels, X @ KERNEL + BIAS.reshape(1, 1, -1), weight, mask=hidden)
            assert_close(value, expected, scale=50)
    assert_close(ours(labels, X @ KERNEL, WEIGHTS), theirs(labels, X @ KERNEL, WEIGHTS))
    with pytest.raises(ArgumentError, match="`reduction`"):
        FusedLinearCrossentropy(reduction=None)(LABELS, LinearLogits(X, KERNEL))


def test_configs():
    loss = FusedLinearCrossentropy(ignore_class=0, rows=64, reduction="sum")
    assert vars(losses.deserialize(losses.serialize(loss))) == vars(loss)
    assert isinstance(losses.get("FusedLinearCrossentropy"), FusedLinearCrossentropy)
    with pytest.raises(ArgumentError, match="`rows` must be a positive integer, got 0"):
        FusedLinearCrossentropy(rows=0)


# -- in a trainer


def language_model(head):
    tokens = jkeras.Input((6,), dtype="int32")
    embedding = layers.ReversibleEmbedding(13, 8, mask_zero=True, name="embedding", logit_soft_cap=5.0)
    x = layers.Dense(8, activation="tanh")(embedding(tokens))
    x = layers.Dense(8, use_bias=False)(x)
    return jkeras.Model(tokens, embedding(x, reverse=True) if head == "tied" else layers.Dense(13, name="head")(x))


TOKENS = np.random.default_rng(1).integers(0, 13, (12, 6)).astype("int32")


@pytest.mark.parametrize("head", ["dense", "tied"])
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}], ids=str)
def test_training_is_that_with_the_plain_loss(head, options):
    trained = []
    for loss in (FusedLinearCrossentropy(rows=8), losses.SparseCategoricalCrossentropy(from_logits=True)):
        trainer = jkeras.Trainer(language_model(head), optax.sgd(0.5), loss, **options)
        state = trainer.init(jax.random.key(0))
        state, history = trainer.fit(
            state, TOKENS, TOKENS, batch_size=4, epochs=2, verbose=0, validation_data=(TOKENS[:5], TOKENS[:5])
        )
        trained.append((state.trainable, history.history))
    (ours, logs), (theirs, expected) = trained
    jax.tree.map(functools.partial(assert_close, scale=20), ours, theirs)  # six steps
    for name in expected:
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-5)


def test_the_logits_of_a_batch_are_not_in_the_compiled_step():
    def size(loss):
        tokens = jkeras.Input((64,), dtype="int32")
        model = jkeras.Model(tokens, layers.Dense(4099)(layers.Embedding(7, 16)(tokens)))
        trainer = jkeras.Trainer(model, optax.sgd(0.1), loss)
        state = jax.eval_shape(trainer.init, jax.random.key(0))
        spec = jax.ShapeDtypeStruct((8, 64), "int32")
        return jax.jit(trainer.train_step).lower(state, (spec, spec)).compile().memory_analysis().temp_size_in_bytes

    logits = 8 * 64 * 4099 * 4
    assert size(losses.SparseCategoricalCrossentropy(from_logits=True)) > logits
    assert size(FusedLinearCrossentropy(rows=64)) < logits / 2


def test_an_output_that_no_linear_layer_makes_is_told():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4, activation="softmax")])
    trainer = jkeras.Trainer(model, "sgd", FusedLinearCrossentropy())
    state = trainer.init(jax.random.key(0))
    with pytest.raises(ArgumentError, match="must have an output that a linear layer returns"):
        trainer.train_step(state, (jnp.ones((2, 3)), jnp.zeros(2, "int32")))


# -- what programs of accelerators store


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_for_accelerators_labels_are_compared_not_gathered(platform):
    scores, labels = X.at[0, 0].set(jnp.inf), LABELS % 9 - 1  # -1 and 8 are no classes
    expected = pick(scores, labels)
    with lowering_for(platform):
        assert "gather" not in str(jax.make_jaxpr(pick)(scores, labels))
        np.testing.assert_array_equal(jax.jit(pick)(scores, labels), expected)


def test_the_softmax_of_attention_keeps_half_precision():
    q, k, v = (jnp.asarray(R.normal(size=(2, 5, 2, 4)), "bfloat16") for _ in range(3))

    def total(q, k, v):
        return dot_product_attention(q, k, v, is_causal=True).astype("float32").sum()

    program = str(jax.make_jaxpr(jax.grad(total))(q, k, v))
    kept = [line for line in program.splitlines() if "optimization_barrier" in line]
    assert kept and all("bf16" in line and "f32" not in line for line in kept)
