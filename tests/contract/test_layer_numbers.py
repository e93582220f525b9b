"""Numbers of layers in narrow dtypes: small integers do not wrap, and half precision neither overflows nor stops.

The right values are those of float32 with the same numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers, regularizers
from tests.oracle import assert_close

KEY = jax.random.key(0)
EPS16 = float(jnp.finfo("float16").eps)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot"])
def test_small_integers_do_not_wrap_around(name):
    layer = layers.Dot(axes=-1) if name == "Dot" else getattr(layers, name)()
    for dtype in ("uint8", "uint16"):
        inputs = [jnp.array([[217, 10]], dtype), jnp.array([[108, 250]], dtype)]
        wide = call(layer, [x.astype("float32") for x in inputs])
        np.testing.assert_array_equal(np.asarray(call(layer, inputs), "float64"), np.asarray(wide, "float64"))


def test_options_of_integers():
    x = jnp.array([[10, 90, 200]], "uint8")
    for layer in (layers.ReLU(negative_slope=0.1, threshold=100), layers.ReLU(threshold=300), layers.ELU()):
        assert_close(call(layer, x), call(layer, x.astype("float32")), ulps=8)
    assert call(layers.AlphaDropout(0.5, seed=1), x, training=True).dtype == "float32"
    assert call(layers.Softmax(), x, mask=x > 50).dtype == "float32"


def call(layer, *inputs, **keywords):
    return layer.stateless_call(*layer.init(KEY, *inputs), *inputs, **keywords)[0]


MANY = 70_000  # more than float16 counts to
LONG = {
    "GlobalAveragePooling1D": lambda dtype: layers.GlobalAveragePooling1D(dtype=dtype),
    "AveragePooling1D": lambda dtype: layers.AveragePooling1D(MANY, dtype=dtype),
    "AdaptiveAveragePooling1D": lambda dtype: layers.AdaptiveAveragePooling1D(1, dtype=dtype),
    "LayerNormalization": lambda dtype: layers.LayerNormalization((1, 2), dtype=dtype),
    "RMSNormalization": lambda dtype: layers.RMSNormalization((1, 2), dtype=dtype),
    "UnitNormalization": lambda dtype: layers.UnitNormalization((1, 2), dtype=dtype),
    "GroupNormalization": lambda dtype: layers.GroupNormalization(1, dtype=dtype),
    "BatchNormalization": lambda dtype: layers.BatchNormalization(dtype=dtype),
    "Softmax": lambda dtype: layers.Softmax(1, dtype=dtype),
}


@pytest.mark.parametrize("name", LONG)
def test_half_precision_counts_in_float32(name):
    x = jnp.asarray(np.random.default_rng(0).uniform(1, 3, (1, MANY, 1)), "float16")
    ours = call(LONG[name]("float16"), x, training=True)
    assert ours.dtype == "float16"
    wide = call(LONG[name]("float32"), x.astype("float32"), training=True)
    # one rounding at the end; below 6e-5 the numbers of float16 are 6e-8 apart
    np.testing.assert_allclose(ours.astype("float32"), wide, rtol=EPS16, atol=6e-8)


def test_scores_of_attention_leave_float16():
    x = [jnp.asarray(np.random.default_rng(i).normal(size=(1, 3, 4096)) * 8, "float16") for i in (0, 1)]
    ours, wide = (call(layers.Attention(dtype=d), [each.astype(d) for each in x]) for d in ("float16", "float32"))
    np.testing.assert_allclose(ours.astype("float32"), wide, rtol=8 * EPS16, atol=64 * EPS16)


@pytest.mark.parametrize("use_scale", [False, True])
def test_sums_of_additive_attention_are_float32(use_scale):
    x = [jnp.asarray(np.random.default_rng(i).normal(size=(1, 3, 4096)) * 8, "float16") for i in (0, 1)]
    half = layers.AdditiveAttention(use_scale=use_scale, dtype="float16")
    variables = half.init(KEY, x)  # one draw for both: in float16 and float32 a key draws other numbers
    wide = layers.AdditiveAttention(use_scale=use_scale)
    wide.init(KEY, x)
    ours = half.stateless_call(*variables, x)[0]
    kept = jax.tree.map(lambda leaf: leaf.astype("float32"), variables.trainable)
    theirs = wide.stateless_call(kept, {}, [each.astype("float32") for each in x])[0]
    np.testing.assert_allclose(ours.astype("float32"), theirs, rtol=8 * EPS16, atol=16 * EPS16)


@pytest.mark.parametrize("norm", ["LayerNormalization", "RMSNormalization", "BatchNormalization", "UnitNormalization"])
def test_inputs_reach_a_norm_before_they_are_cast(norm):
    x = jnp.array([[-1.2e5, 1.2e5], [1.2e5, -1.2e5]])  # beyond float16
    ours = call(getattr(layers, norm)(dtype="mixed_float16"), x, training=True)
    assert ours.dtype == "float16"
    np.testing.assert_allclose(ours, call(getattr(layers, norm)(), x, training=True), rtol=EPS16)


@pytest.mark.parametrize("renorm", [False, True])
@pytest.mark.parametrize("policy", ["bfloat16", "float16", "mixed_bfloat16"])
def test_moving_averages_arrive(policy, renorm):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(64, 4)) + 5, "bfloat16").astype("float32")

    def averages(policy):
        layer = layers.BatchNormalization(dtype=policy, renorm=renorm)
        variables = layer.init(KEY, x)

        def step(state, _):
            return layer.stateless_call(variables.trainable, state, x, training=True)[1], None

        return jax.lax.scan(step, variables.non_trainable, None, length=2000)[0]

    ours, wide = averages(policy), averages("float32")
    for name, value in ours.items():
        assert value.dtype == "float32"
        np.testing.assert_allclose(value, wide[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "penalty",
    [regularizers.L1(1.0), regularizers.L2(1.0), regularizers.L1L2(1.0, 1.0), regularizers.OrthogonalRegularizer(1.0)],
    ids=repr,
)
def test_penalties_of_half_precision_are_sums_in_float32(penalty, dtype):
    kernel = jnp.ones((100, 1000), dtype)
    assert penalty(kernel).dtype == "float32"
    np.testing.assert_allclose(penalty(kernel), penalty(kernel.astype("float32")), rtol=1e-6)


def test_penalties_on_activities_are_sums_in_float32():
    layer = layers.ActivityRegularization(l1=1.0, dtype="float16")
    layer.init(KEY, (1, 70_000))
    _, _, losses = layer.stateless_call({}, {}, jnp.ones((1, 70_000), "float16"), return_losses=True)
    assert [float(loss) for loss in losses.values()] == [70_000.0]


def test_integers_of_64_bits_on_the_host_are_not_cut():
    big = np.array([[2**40 + 5], [5]])
    for layer, inputs in ((layers.Hashing(10**6), big), (layers.HashedCrossing(10**6), (big, np.ones_like(big)))):
        bins = np.asarray(layer.stateless_call({}, {}, inputs)[0])
        np.testing.assert_array_equal(bins, layer.on_host(inputs))
        assert bins[0] != bins[1]
    assert layers.Hashing(10**6)(big)[0] == layers.Hashing(10**6)([[str(2**40 + 5)]])[0]
    bins = layers.Discretization(bin_boundaries=[2.0**35]).stateless_call({}, {}, big)[0]
    assert bins.tolist() == [[1], [0]]
    assert layers.IntegerLookup(vocabulary=[2**40 + 5, 7]).stateless_call({}, {}, big)[0].tolist() == [[1], [0]]


def test_hashing_foretells_its_shape():
    assert layers.Hashing(3).compute_output_shape((None, 3)) == (None, 3)
    assert layers.Hashing(3, output_mode="one_hot").compute_output_shape((None, 3)) == (None, 3, 3)
    assert layers.HashedCrossing(4, output_mode="one_hot").compute_output_shape([(3,), (3,)]) == (3, 4)
