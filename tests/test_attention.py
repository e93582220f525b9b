"""Attention: its masks, its padding, its positions, and which implementation runs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, registry
from jkeras.config import lowering_for
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import (
    attention_kernel,
    attention_kernels,
    attention_mask,
    attention_weights,
    dot_product_attention,
    rotary_embedding,
    weigh,
)
from tests.oracle import asking_keras, assert_close, keras

R = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(R.normal(size=shape), "float32")


Q, K, V = normal(2, 5, 4, 3), normal(2, 6, 2, 3), normal(2, 6, 2, 3)
SEGMENTS = (jnp.array([[0, 0, 1, 1, 2], [0, 1, 1, 1, 1]]), jnp.array([[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1]]))
LENGTHS = jnp.array([2, 6])


def by_definition(query, key, value, allowed, bias=0.0, cap=None):
    """Attention in float64, query by query; `allowed(b, i, j)` says what is seen."""
    query, key, value = (np.asarray(x, "float64") for x in (query, key, value))
    (b, t, n, c), s = query.shape, key.shape[1]
    outputs = np.zeros((b, t, n, value.shape[-1]))
    for e, i, h in np.ndindex(b, t, n):
        shared = h // (n // key.shape[2])
        seen = [j for j in range(s) if allowed(e, i, j)]
        if seen:
            scores = key[e, seen, shared] @ query[e, i, h] / np.sqrt(c)
            scores = (cap * np.tanh(scores / cap) if cap else scores) + np.broadcast_to(bias, (b, n, t, s))[
                e, h, i, seen
            ]
            weights = np.exp(scores - scores.max())
            outputs[e, i, h] = weights @ value[e, seen, shared] / weights.sum()
    return outputs


MASK = R.random((2, 1, 5, 6)) < 0.5
MASK[0, 0, 3] = False  # a query that may look at nothing
BIAS = normal(4, 5, 6)

CASES = {
    "everything": ({}, lambda e, i, j: True),
    "causal": ({"is_causal": True}, lambda e, i, j: j <= i),
    "window": ({"window": 2}, lambda e, i, j: abs(i - j) < 2),
    "causal window": ({"is_causal": True, "window": 2}, lambda e, i, j: 0 <= i - j < 2),
    "lengths": ({"key_lengths": LENGTHS}, lambda e, i, j: j < LENGTHS[e]),
    "segments": ({"segment_ids": SEGMENTS}, lambda e, i, j: SEGMENTS[0][e, i] == SEGMENTS[1][e, j]),
    "mask": ({"mask": jnp.asarray(MASK)}, lambda e, i, j: MASK[e, 0, i, j]),
    "mask, causal": ({"mask": jnp.asarray(MASK), "is_causal": True}, lambda e, i, j: MASK[e, 0, i, j] and j <= i),
}


@pytest.mark.parametrize("case", CASES)
def test_a_query_sees_what_it_may(case):
    options, allowed = CASES[case]
    # sums of 6 products of 3, and an exponential: a few dozen roundings
    assert_close(dot_product_attention(Q, K, V, **options), by_definition(Q, K, V, allowed))


def test_a_bias_a_cap_and_values_of_another_size():
    value = normal(2, 6, 2, 5)
    outputs = dot_product_attention(Q, K, value, bias=BIAS, soft_cap=0.5)
    assert_close(outputs, by_definition(Q, K, value, lambda e, i, j: True, np.asarray(BIAS), 0.5))


@pytest.mark.parametrize("case", [*CASES, "a bias and a cap"])
def test_the_program_of_tpus_for_heads_that_share_keys_computes_the_same(case):
    options = CASES[case][0] if case in CASES else {"bias": BIAS, "soft_cap": 2.0}

    def outputs(q, k, v):
        return dot_product_attention(q, k, v, implementation="xla", **options)

    def loss(*inputs):
        return jnp.sum(jnp.sin(outputs(*inputs)))

    expected = outputs(Q, K, V), jax.grad(loss, (0, 1, 2))(Q, K, V)
    with lowering_for("tpu"):
        found = outputs(Q, K, V), jax.grad(loss, (0, 1, 2))(Q, K, V)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_close(one, other)


def test_the_two_halves_make_the_whole():
    weights = attention_weights(Q, K, is_causal=True)
    assert_close(weights.sum(-1), np.ones((2, 4, 5)))
    assert_close(weigh(weights, V), dot_product_attention(Q, K, V, is_causal=True))


@pytest.mark.parametrize("hidden", ["mask", "lengths"])
def test_keys_that_nobody_sees_may_be_nan(hidden):
    keep = jnp.arange(6) < 4
    options = {"mask": keep[None, None, None]} if hidden == "mask" else {"key_lengths": jnp.array([4, 4])}
    poison = jnp.broadcast_to(jnp.where(keep, 0.0, jnp.nan)[None, :, None, None], K.shape)

    def total(query, key, value):
        return jnp.sum(jnp.sin(dot_product_attention(query, key, value, is_causal=True, **options)))

    clean, poisoned = (jax.value_and_grad(total, (0, 1, 2))(Q, K + extra, V + extra) for extra in (0.0, poison))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, clean, poisoned))


def test_what_does_not_fit_is_told():
    with pytest.raises(ShapeError, match="m divides n"):
        dot_product_attention(Q[:, :, :3], K, V)
    with pytest.raises(ArgumentError, match="`implementation` must be"):
        dot_product_attention(Q, K, V, implementation="flash")


# -- which implementation runs


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="what a machine without an accelerator does")
def test_a_demand_for_the_fused_kernel_is_met_or_an_error():
    half = [x.astype("bfloat16") for x in (Q, K, V)]
    assert dot_product_attention(*half).dtype == "bfloat16"  # not demanded: XLA
    for demand in ({"strict": True}, {"implementation": "cudnn"}):
        with pytest.raises(ArgumentError, match="program is for 'cpu'"):
            dot_product_attention(*half, **demand)
    with pytest.raises(ArgumentError, match="program is for 'cpu'"):
        jkeras.ops.dot_product_attention(*half, flash_attention=True)
    layer = layers.MultiHeadAttention(2, 8, flash_attention=True)
    with pytest.raises(ArgumentError, match="program is for 'cpu'"):
        layer.init(jax.random.key(0), (1, 4, 8), (1, 4, 8))
    with pytest.raises(ArgumentError, match="`dropout`"):
        layers.MultiHeadAttention(2, 8, dropout=0.1, flash_attention=True)


def test_on_a_gpu_the_kernel_runs_where_jax_says_that_it_can(monkeypatch):
    with lowering_for("cuda"):
        check_kernel_of_gpus(monkeypatch)


def check_kernel_of_gpus(monkeypatch):
    asked = []

    def kernel(query, key, value, *rest, **options):
        asked.append(options)
        if query.shape[0] == 1:
            raise NotImplementedError("one example is too few")
        return jnp.ones(query.shape, query.dtype)

    monkeypatch.setattr(jax.nn, "dot_product_attention", kernel)
    half = [x.astype("bfloat16") for x in (Q, K, V)]
    ones = dot_product_attention(*half, is_causal=True, window=2, key_lengths=LENGTHS)
    assert asked[-1]["is_causal"] and asked[-1]["local_window_size"] == (1, 0)  # as structure
    assert asked[-1]["key_value_seq_lengths"] is not None
    # example 0 has 2 keys, and from the fourth query on they are out of the window
    np.testing.assert_array_equal(ones[:, :, 0, 0], [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    assert_close(dot_product_attention(Q, K, V), by_definition(Q, K, V, lambda e, i, j: True))  # falls to XLA
    with pytest.raises(ArgumentError, match="does not support float32"):
        dot_product_attention(Q, K, V, strict=True)
    with pytest.raises(ArgumentError, match="one example is too few"):
        dot_product_attention(*(x[:1] for x in half), strict=True)
    with pytest.raises(ArgumentError, match="`soft_cap`"):
        dot_product_attention(*half, soft_cap=1.0, strict=True)
    count = len(asked)
    dot_product_attention(*half, implementation="xla")
    assert len(asked) == count


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("case", CASES)
def test_the_fused_kernel_agrees_with_xla(case):
    query, key, value = (normal(2, size, n, 16).astype("bfloat16") for size, n in ((5, 4), (6, 2), (6, 2)))

    def both(implementation):
        def total(*inputs):
            outputs = dot_product_attention(*inputs, implementation=implementation, **CASES[case][0])
            return jnp.sum(jnp.sin(outputs.astype("float32"))), outputs

        return jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))(query, key, value)

    (_, fused), fused_gradients = both("cudnn")
    (_, plain), gradients = both("xla")
    for one, other in zip((fused, *fused_gradients), (plain, *gradients), strict=True):
        # bfloat16 has 16 bits less than float32; products of weights and values are rounded to it once or twice
        assert_close(one.astype("float32"), other.astype("float32"), ulps=8 * 2**16)


# -- kernels of other platforms: their numbers, and the programs that hold them

LONG_MASK = jnp.arange(256).reshape(1, 1, 1, 256) < jnp.array([100, 256]).reshape(2, 1, 1, 1)
LONG_SEGMENTS = (
    jnp.arange(128)[None] // 48 + jnp.zeros((2, 1), int),
    jnp.arange(256)[None] // 100 + jnp.ones((2, 1), int),
)
SPLASH = {
    "everything": {},
    "causal": {"is_causal": True},
    "window": {"window": 40},
    "causal window": {"is_causal": True, "window": 40},
    "padding": {"mask": LONG_MASK, "is_causal": True},
    "lengths": {"key_lengths": jnp.array([0, 130])},
    "segments": {"segment_ids": LONG_SEGMENTS, "key_lengths": jnp.array([256, 130])},
    "cap": {"soft_cap": 2.0},
}


@pytest.mark.parametrize("case", SPLASH)
def test_the_kernel_of_tpus_computes_what_xla_does(case):
    query, key, value = (normal(2, size, n, c) for size, n, c in ((128, 4, 24), (256, 2, 24), (256, 2, 16)))
    given = {**dict.fromkeys(("bias", "mask", "window", "key_lengths", "segment_ids", "soft_cap")), "is_causal": False}
    options = {**given, "scale": 0.2, **SPLASH[case]}

    def both(function):
        def total(*inputs):
            outputs = function(*inputs)
            return jnp.sum(jnp.sin(outputs)), outputs

        return jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))(query, key, value)

    (_, fused), fused_gradients = both(functools.partial(attention_kernels.splash, interpret=True, **options))
    (_, plain), gradients = both(functools.partial(dot_product_attention, implementation="xla", **options))
    for one, other in zip((fused, *fused_gradients), (plain, *gradients), strict=True):
        assert_close(one, other, ulps=256)  # sums of 256 terms in blocks, rescaled from one block to the next


def lowered(platforms, layer=None, dtype="bfloat16", **arguments):
    """The text of an attention layer's training step, lowered for platforms that this machine does not have."""
    layer = layer or layers.MultiHeadAttention(2, 64, dtype=dtype)
    x = jax.ShapeDtypeStruct((2, 128, 32), dtype)
    with lowering_for(*platforms):
        variables = jax.eval_shape(lambda: layer.init(jax.random.key(0), x, x))

        def loss(trainable, x):
            return jnp.sum(layer.stateless_call(trainable, {}, x, x, **arguments)[0].astype("float32"))

        return jax.jit(jax.grad(loss)).trace(variables.trainable, x).lower(lowering_platforms=platforms)


def test_a_program_has_the_kernels_of_the_platform_that_it_is_for():
    cpu, tpu = lowered(("cpu",)).as_text(), lowered(("tpu",), use_causal_mask=True).as_text()
    assert "custom_call" not in cpu.replace("@Sharding", "")
    assert tpu.count("tpu_custom_call") == 3  # forward, and two backward
    group = layers.GroupQueryAttention(64, 4, 2, dtype="bfloat16")
    assert lowered(("tpu",), group).as_text().count("tpu_custom_call") == 3
    assert "tpu_custom_call" not in lowered(("tpu",), dtype="float16").as_text()


def test_a_program_for_several_platforms_has_the_kernels_of_none():
    query = jax.ShapeDtypeStruct((1, 128, 2, 64), "float32")
    with lowering_for("cpu", "cuda", "tpu"):
        exported = jax.export.export(jax.jit(dot_product_attention), platforms=("cpu", "cuda", "tpu"))
        exported = exported(query, query, query)
        with pytest.raises(ArgumentError, match="'cpu', 'cuda', 'tpu'"):
            dot_product_attention(Q, K, V, strict=True)
    x = normal(1, 128, 2, 64)
    assert "tpu_custom_call" not in exported.mlir_module()
    assert_close(exported.call(x, x, x), dot_product_attention(x, x, x))


def test_forward_mode_works_on_a_cpu_whatever_accelerators_have():
    x = normal(1, 128, 2, 64).astype("bfloat16")
    _, tangent = jax.jvp(lambda x: dot_product_attention(x, x, x), (x,), (x,))
    assert tangent.shape == x.shape


def test_a_kernel_is_chosen_by_itself_only_where_the_program_stays_whole(monkeypatch):
    monkeypatch.setattr(attention_kernels, "is_spread", lambda: True)
    assert "tpu_custom_call" not in lowered(("tpu",)).as_text()
    query = jax.ShapeDtypeStruct((1, 128, 2, 64), "float32")
    with lowering_for("tpu"):
        traced = jax.jit(functools.partial(dot_product_attention, implementation="splash")).trace(query, query, query)
    assert "tpu_custom_call" in traced.lower(lowering_platforms=("tpu",)).as_text()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bias": BIAS[:, :1, :1]}, "`bias`"),
        ({"mask": jnp.ones((1, 1, 128, 128), bool)}, "masks"),
        ({"query": jnp.zeros((1, 120, 2, 64))}, "128 must divide"),
        ({"query": jnp.zeros((1, 128, 2, 64), "float16")}, "float16"),
    ],
)
def test_a_demand_that_the_kernel_of_tpus_cannot_meet_is_an_error_with_the_reason(change, reason):
    inputs = {name: jnp.zeros((1, 128, 2, 64), change.get("query", Q).dtype) for name in ("query", "key", "value")}
    with lowering_for("tpu"), pytest.raises(ArgumentError, match=reason):
        dot_product_attention(**{**inputs, **change}, implementation="splash")
    with pytest.raises(ArgumentError, match="program is for 'cpu'"):
        dot_product_attention(**inputs, implementation="splash")


def test_which_kernel_computes_a_call_can_be_asked():
    tall, short = (jax.ShapeDtypeStruct((2, t, 2, 64), "bfloat16") for t in (256, 120))
    assert attention_kernel(tall, tall, tall)[0] == "xla"  # of a CPU
    assert attention_kernel(tall, tall, tall, implementation=lambda *x, **y: x[2]) == ("function", None)
    with lowering_for("tpu"):
        assert attention_kernel(tall, tall, tall, is_causal=True, window=9) == ("splash", None)
        assert attention_kernel(tall, tall, tall, implementation="xla") == ("xla", None)
        name, obstacle = attention_kernel(short, short, short)
        assert name == "xla" and "128 must divide" in obstacle
        with pytest.raises(ShapeError):
            attention_kernel(tall, short, tall)


@pytest.mark.parametrize("case", CASES)
def test_a_function_of_the_users_own_gets_everything_that_hides_keys_as_one_mask(case):
    def own(query, key, value, *, bias, mask, scale, soft_cap):
        assert bias is None and soft_cap is None
        weights = attention_weights(query, key, mask=mask, scale=scale)
        return weigh(weights, value)

    arguments, allowed = CASES[case]
    outputs = jax.jit(functools.partial(dot_product_attention, implementation=own, **arguments))(Q, K, V)
    assert_close(outputs, by_definition(Q, K, V, allowed))


@registry.register_keras_serializable("tests")
def values_of_the_first_key(query, key, value, *, bias, mask, scale, soft_cap):
    return jnp.broadcast_to(jnp.repeat(value[:, :1], query.shape[2] // value.shape[2], axis=2), query.shape)


def test_a_layer_attends_by_a_function_of_the_users_own_and_has_it_in_its_config():
    layer = layers.GroupQueryAttention(3, 4, 2, implementation=values_of_the_first_key)
    x = normal(1, 5, 6)
    variables = layer.init(jax.random.key(0), x, x)
    outputs = layer.stateless_call(*variables, x, x)[0]
    assert_close(outputs, jnp.broadcast_to(outputs[:, :1], outputs.shape))
    again = registry.deserialize(registry.serialize(layer))
    assert again.implementation is values_of_the_first_key
    with pytest.raises(ArgumentError, match="`implementation`"):
        layers.GroupQueryAttention(3, 4, 2, implementation="flash")
    with pytest.raises(ArgumentError, match="`dropout` cannot be used with `implementation`"):
        layers.GroupQueryAttention(3, 4, 2, implementation="xla", dropout=0.1)


def test_dropout_changes_nothing_outside_training():
    programs = []
    for rate in (0.0, 0.5):
        layer = layers.MultiHeadAttention(2, 3, dropout=rate)
        variables = layer.init(jax.random.key(0), (1, 4, 6), (1, 4, 6))

        def run(trainable, x, layer=layer, rest=variables.non_trainable):
            return layer.stateless_call(trainable, rest, x, x)[0]

        programs.append(str(jax.make_jaxpr(run)(variables.trainable, jnp.zeros((1, 4, 6)))))
    assert programs[0] == programs[1]


# -- layers

LAYERS = {
    "weights returned": lambda: layers.MultiHeadAttention(2, 3),
    "groups, gated, in a window, with positions": lambda: layers.GroupQueryAttention(
        2, 4, 2, use_gate=True, sliding_window=3, position_embedding=layers.RotaryEmbedding()
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_nan_in_the_padding_reaches_nothing(name):
    check_padding(LAYERS[name](), 5, name == "weights returned")


def test_nan_in_the_padding_of_a_long_sequence_reaches_nothing():
    check_padding(layers.MultiHeadAttention(1, 2), 1024, False)


def check_padding(layer, length, with_weights):
    x, mask = normal(2, length, 4), np.arange(length)[None] < np.array([[length - 2], [length // 2]])
    poisoned = jnp.where(mask[..., None], x, jnp.nan)
    variables = layer.init(jax.random.key(0), x, x)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
    def run(trainable, x):
        outputs, _ = layer.stateless_call(
            trainable,
            variables.non_trainable,
            x,
            x,
            query_mask=mask,
            value_mask=mask,
            use_causal_mask=True,
            return_attention_scores=with_weights,
        )
        outputs = outputs[0] if with_weights else outputs
        return jnp.sum(jnp.where(mask[..., None], jnp.sin(outputs), 0)), outputs

    (_, clean), gradients = run(variables.trainable, x)
    (_, outputs), poisoned_gradients = run(variables.trainable, poisoned)
    assert bool(jnp.isfinite(outputs).all())
    np.testing.assert_array_equal(outputs, clean)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, gradients, poisoned_gradients))
    assert not np.asarray(gradients[1])[~mask].any() and np.asarray(gradients[1])[mask].any()


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_nan_in_the_padding_reaches_nothing_without_heads_either(kind):
    x, mask = normal(2, 5, 4), np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], bool)
    layer = kind()
    variables = layer.init(jax.random.key(0), [x, x])

    def total(trainable, x):
        outputs, _ = layer.stateless_call(trainable, {}, [x, x], mask=[mask, mask], use_causal_mask=True)
        return jnp.sum(jnp.sin(outputs)), outputs

    run = jax.value_and_grad(total, (0, 1), has_aux=True)
    clean, poisoned = run(variables.trainable, x), run(variables.trainable, jnp.where(mask[..., None], x, jnp.nan))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, clean, poisoned))
    assert not np.asarray(clean[0][1])[~mask].any()


class Reader(jkeras.Layer):
    """An embedding with a mask, attention, and the mask that arrives behind it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(7, 4, mask_zero=True)
        self.attention = layers.MultiHeadAttention(2, 3)
        self.luong = layers.Attention()

    def call(self, tokens):
        x = self.table(tokens)
        y = self.attention(x, x)
        z = self.luong([y, x])
        return y, z, jkeras.get_mask(y), jkeras.get_mask(z)


def test_the_mask_of_an_embedding_arrives_by_itself_and_goes_on():
    tokens = jnp.array([[3, 1, 0, 0], [2, 5, 6, 0]])
    reader = Reader()
    variables = reader.init(jax.random.key(0), tokens)
    y, z, y_mask, z_mask = reader.stateless_call(*variables, tokens)[0]
    np.testing.assert_array_equal(y_mask, tokens != 0)
    np.testing.assert_array_equal(z_mask, tokens != 0)
    x = variables.trainable["table"]["embeddings"][tokens]
    alone, _ = reader.attention.stateless_call(variables.trainable["attention"], {}, x[:1, :2], x[:1, :2])
    assert_close(y[:1, :2], alone)
    assert not z[0, 2:].any()


@pytest.mark.parametrize("with_weights", [False, True])
def test_keras_agrees_where_nothing_is_padded(with_weights):
    ours = layers.MultiHeadAttention(2, 3)
    x, mask = normal(2, 5, 4), np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1]], bool)
    options = {"value_mask": mask, "use_causal_mask": True, "return_attention_scores": with_weights}
    variables = ours.init(jax.random.key(0), x, x)
    with asking_keras():
        theirs = keras.layers.MultiHeadAttention(2, 3)
        theirs.build(x.shape, x.shape)
        theirs.set_weights(ours.get_weights(variables))
        reference = theirs(x, x, **options)
    outputs, _ = ours.stateless_call(*variables, x, x, **options)
    for one, other in zip(jax.tree.leaves(outputs), jax.tree.leaves(reference), strict=True):
        assert_close(one, other)


def test_sequences_in_a_row_are_read_one_by_one():
    layer = layers.GroupQueryAttention(2, 4, 2)
    x = normal(1, 5, 6)
    variables = layer.init(jax.random.key(0), x, x)
    run = functools.partial(layer.stateless_call, *variables, use_causal_mask=True)
    packed, _ = run(x, x, segment_ids=jnp.array([[0, 0, 1, 1, 1]]))
    apart = [run(part, part)[0] for part in (x[:, :2], x[:, 2:])]
    assert_close(packed, jnp.concatenate(apart, 1))


def test_attention_over_some_axes_of_many():
    x = normal(2, 3, 4, 5)
    over_rows = layers.MultiHeadAttention(2, 3, attention_axes=-2)
    variables = over_rows.init(jax.random.key(0), x, x)
    outputs, weights = over_rows.stateless_call(*variables, x, x, return_attention_scores=True)[0]
    assert over_rows.get_config()["attention_axes"] == [2]
    plain = layers.MultiHeadAttention(2, 3)
    plain.build((None, 4, 5), (None, 4, 5))
    expected, expected_weights = plain.stateless_call(
        *variables, x.reshape(6, 4, 5), x.reshape(6, 4, 5), return_attention_scores=True
    )[0]
    assert_close(outputs.reshape(6, 4, 5), expected)
    assert_close(weights.reshape(6, 2, 4, 4), expected_weights)

    over_all = layers.MultiHeadAttention(2, 3)
    over_all.build((None, 3, 4, 5), (None, 3, 4, 5))
    mask = jnp.asarray(R.random((2, 3, 4, 3, 4)) < 0.5)
    outputs, _ = over_all.stateless_call(*variables, x, x, attention_mask=mask)
    flat = x.reshape(2, 12, 5)
    expected, _ = plain.stateless_call(*variables, flat, flat, attention_mask=mask.reshape(2, 12, 12))
    assert_close(outputs.reshape(2, 12, 5), expected)


def test_a_mask_that_does_not_fit_is_told():
    layer = layers.MultiHeadAttention(2, 3)
    x = jnp.zeros((2, 4, 6))
    variables = layer.init(jax.random.key(0), x, x)
    with pytest.raises(ShapeError, match="`attention_mask`"):
        layer.stateless_call(*variables, x, x, attention_mask=jnp.ones((2, 4, 5), bool))
    with pytest.raises(ShapeError, match="the mask must have the shape of its tensor"):
        layer.stateless_call(*variables, x, x, value_mask=jnp.ones((2, 5), bool))
    with pytest.raises(ShapeError, match="query, value and key"):
        layers.MultiHeadAttention(2, 3).init(jax.random.key(0), (2, 4, 6), (2, 4, 6), (2, 5, 6))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MultiHeadAttention(0, 3),
        lambda: layers.MultiHeadAttention(2, 3, value_dim=0),
        lambda: layers.MultiHeadAttention(2, 3, sliding_window=0),
        lambda: layers.MultiHeadAttention(2, 3, dropout=1.5),
        lambda: layers.MultiHeadAttention(2, 3, attention_axes="1"),
        lambda: layers.MultiHeadAttention(2, 3, output_shape=()),
        lambda: layers.MultiHeadAttention(2, 3, position_embedding="rotary"),
        lambda: layers.GroupQueryAttention(2, 4, 3),
        lambda: layers.Attention(score_mode="cosine"),
        lambda: layers.RotaryEmbedding(max_wavelength=0),
        lambda: layers.SwiGLU(0),
    ],
)
def test_bad_arguments_are_told_at_once(make):
    with pytest.raises(ArgumentError, match=r"MultiHead|GroupQuery|Attention|Rotary|SwiGLU"):
        make()


def test_projections_can_be_adapted():
    layer = layers.MultiHeadAttention(2, 3)
    variables = layer.init(jax.random.key(0), (1, 4, 6), (1, 4, 6))
    x = normal(1, 4, 6)
    before, _ = layer.stateless_call(*variables, x, x)
    adapted = jkeras.lora.enable(layer, 2, variables, jax.random.key(1), pattern="query|value")
    assert {name: set(leaves) for name, leaves in adapted.non_trainable.items()} == {
        "query": {"kernel"},
        "value": {"kernel"},
        **{name: {"kernel", "bias"} for name in ("key", "attention_output")},  # a pattern freezes what it leaves out
    }
    assert_close(layer.stateless_call(*adapted, x, x)[0], before)


# -- positions


@pytest.mark.parametrize("interleaved", [False, True])
def test_turned_products_depend_on_the_distance_alone(interleaved):
    query, key = normal(8), normal(8)
    turn = functools.partial(rotary_embedding, interleaved=interleaved, sequence_axis=0)
    rows = jnp.broadcast_to(query, (6, 8)), jnp.broadcast_to(key, (6, 8))
    products = np.asarray(turn(rows[0]) @ turn(rows[1]).T)
    for distance in range(-4, 5):
        diagonal = np.diagonal(products, distance)
        assert_close(diagonal, np.full_like(diagonal, diagonal[0]), scale=float(np.abs(products).max()))
    assert_close(np.diagonal(products), np.full(6, query @ key), scale=float(np.abs(products).max()))


def test_turning_is_multiplication_by_complex_numbers_of_length_one():
    x = normal(2, 5, 3, 8)
    angles = np.arange(5)[:, None] / 2.0 * 100.0 ** (-2 * np.arange(4) / 8)
    spins = np.exp(1j * angles)[None, :, None]
    options = {"max_wavelength": 100.0, "scaling_factor": 2.0}
    u, v = np.split(np.asarray(x, "float64"), 2, -1)
    turned = (u + 1j * v) * spins
    # the angles are float32: up to 2 radians, with an error of 2^-23
    assert_close(rotary_embedding(x, **options), np.concatenate([turned.real, turned.imag], -1))
    turned = (np.asarray(x[..., ::2], "float64") + 1j * np.asarray(x[..., 1::2])) * spins
    neighbours = rotary_embedding(x, interleaved=True, **options)
    assert_close(neighbours, np.stack([turned.real, turned.imag], -1).reshape(x.shape))
    later = rotary_embedding(x[:, 2:], jnp.arange(2, 5), interleaved=True, **options)
    np.testing.assert_array_equal(later, neighbours[:, 2:])
    each = rotary_embedding(x, jnp.array([[0, 1, 2, 3, 4]] * 2), interleaved=True, **options)
    np.testing.assert_array_equal(each, neighbours)


def test_odd_features_cannot_be_turned():
    with pytest.raises(ShapeError, match="even number"):
        rotary_embedding(jnp.zeros((1, 4, 3)))


def test_a_mask_of_everything_is_none():
    assert attention_mask(3, 4) is None
