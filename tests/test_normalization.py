"""Normalization layers over several steps, frozen, renormalized, in ensembles; and mistakes."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.core import Layer, get_mask, set_mask
from jkeras.errors import ArgumentError, BuildError, ShapeError
from tests.oracle import asking_keras, assert_close, keras

X = np.random.default_rng(0).normal(2.0, 3.0, size=(3, 8, 4)).astype("float32")


@pytest.mark.parametrize(
    "config",
    [
        {"momentum": 0.6},
        {"renorm": True, "renorm_momentum": 0.5, "momentum": 0.8},
        {"renorm": True, "renorm_clipping": {"rmax": 1.2, "dmax": 0.1}, "renorm_momentum": 0.9},
    ],
    ids=["plain", "renormalized", "bounded"],
)
def test_three_steps_and_inference_equal_keras(config):
    ours = layers.BatchNormalization(**config)
    trainable, state = ours.init(jax.random.key(0), X[0])
    with asking_keras():
        theirs = keras.layers.BatchNormalization(**config)
        theirs.build(X[0].shape)
    for step in range(3):
        x = X[step] * (step + 1)
        outputs, state = ours.stateless_call(trainable, state, x, training=True)
        with asking_keras():
            expected = theirs(x, training=True)
        # normalization subtracts numbers up to 30 to get numbers around 1: that many roundings of the outputs' size
        assert_close(outputs, expected, ulps=256)
        for variable in theirs.non_trainable_variables:
            assert_close(state[variable.name], variable.value, err_msg=variable.name)
    with asking_keras():
        expected = theirs(X[0])
    outputs, unchanged = ours.stateless_call(trainable, state, X[0])
    assert_close(outputs, expected, ulps=256)
    assert all(unchanged[name] is state[name] for name in state)


def test_a_frozen_layer_normalizes_with_its_averages_and_leaves_them():
    layer = layers.BatchNormalization()
    variables = layer.init(jax.random.key(0), X[0])
    layer.trainable = False
    frozen = layer.repartition(variables)
    outputs, state = layer.stateless_call(*frozen, X[0], training=True)
    assert_close(outputs, X[0] / np.sqrt(1 + 1e-3))
    np.testing.assert_array_equal(state["moving_mean"], np.zeros(4))


def test_freezing_a_model_reaches_its_normalization():
    class Model(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.norm = layers.BatchNormalization()

        def call(self, x):
            return self.norm(x)

    model = Model()
    variables = model.init(jax.random.key(0), X[0])
    model.trainable = False
    _, state = model.stateless_call(*model.repartition(variables), X[0], training=True)
    np.testing.assert_array_equal(state["norm"]["moving_mean"], np.zeros(4))


def test_an_ensemble_keeps_statistics_of_its_own():
    layer = layers.BatchNormalization(momentum=0.0)
    layer.build(X[0].shape)
    variables = jax.vmap(layer.init)(jax.random.split(jax.random.key(0), 3))
    _, state = jax.vmap(lambda v, x: layer.stateless_call(*v, x, training=True))(variables, X)
    assert_close(state["moving_mean"], X.mean(axis=1), ulps=16)


def test_statistics_of_half_precision_are_kept_in_float32():
    layer = layers.BatchNormalization(dtype="mixed_float16", momentum=0.0)
    x = (X[0] * 100 + 30000).astype("float16")  # a sum of 8 such numbers is beyond float16
    variables = layer.init(jax.random.key(0), x)
    outputs, state = layer.stateless_call(*variables, x, training=True)
    assert outputs.dtype == "float16" and state["moving_variance"].dtype == "float32"
    np.testing.assert_allclose(state["moving_mean"], x.astype("float64").mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(state["moving_variance"], x.astype("float64").var(axis=0), rtol=1e-4)


def test_layer_normalization_is_not_cast_before_it_computes():
    layer = layers.LayerNormalization(dtype="mixed_bfloat16")
    x = 1000 + X[0] / 100  # differences that bfloat16 cannot hold
    outputs, _ = layer.stateless_call(*layer.init(jax.random.key(0), x), x)
    exact = np.asarray(x, "float64")
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + 1e-3)
    assert outputs.dtype == "bfloat16"
    # x has a spacing of 6e-5 near 1000, divided by sqrt(1e-3 + 9e-4): 1.4e-3; and bfloat16 rounds to 2^-9 of 2
    np.testing.assert_allclose(np.asarray(outputs, "float64"), exact, atol=1.4e-3 + 2**-8)


def test_axes_are_taken_in_ascending_order():
    one, other = (layers.LayerNormalization(axis=axis) for axis in ([-1, 1], [1, 2]))
    for layer in (one, other):
        layer.build((None, 8, 4))
    assert one.gamma.shape == other.gamma.shape == (8, 4)


@pytest.mark.parametrize(
    "cls, axis, shape",
    [
        ("BatchNormalization", 2, (None, 4)),
        ("BatchNormalization", -1, (None, None)),
        ("LayerNormalization", [1, -1], (None, 4)),
        ("LayerNormalization", 3, (None, 4)),
        ("LayerNormalization", [1, 2], (None, None, 4)),
        ("RMSNormalization", -1, (None, None)),
        ("GroupNormalization", 0, (32, 4)),
        ("GroupNormalization", -1, (None, 3, 4)),
    ],
)
def test_axes_that_the_input_does_not_have(cls, axis, shape):
    with pytest.raises(BuildError, match="axis"):
        getattr(layers, cls)(axis=axis).build(shape)


@pytest.mark.parametrize(
    "cls, config",
    [
        ("BatchNormalization", {"momentum": 1.5}),
        ("BatchNormalization", {"synchronized": 3}),
        ("RMSNormalization", {"axis": None}),
        ("GroupNormalization", {"groups": 0}),
        ("GroupNormalization", {"groups": 2.0}),
        ("GroupNormalization", {"axis": [1]}),
        ("UnitNormalization", {"axis": "last"}),
        ("SpectralNormalization", {"layer": "Dense"}),
        ("BatchNormalization", {"renorm": True, "renorm_clipping": {"max": 1.0}}),
        ("BatchNormalization", {"renorm": True, "renorm_clipping": {"rmin": 2.0, "rmax": 1.0}}),
        ("BatchNormalization", {"renorm": True, "renorm_clipping": {"dmax": -1.0}}),
        ("LayerNormalization", {"axis": 1.0}),
        ("LayerNormalization", {"axis": []}),
        ("LayerNormalization", {"axis": [1, 1]}),
    ],
)
def test_mistakes(cls, config):
    with pytest.raises(ArgumentError):
        getattr(layers, cls)(**config)


def test_a_batch_of_other_channels_is_refused():
    layer = layers.BatchNormalization()
    variables = layer.init(jax.random.key(0), jnp.ones((2, 4)))
    with pytest.raises(ShapeError, match="size 4"):
        layer.stateless_call(*variables, jnp.ones((2, 5)))


# -- pieces of a batch

PIECES = X[:2].reshape(4, 4, 4)  # 4 pieces of 4 examples
KEPT = jnp.arange(16).reshape(4, 4) % 3 != 0


def whole_and_in_pieces(synchronized, axis_name, mask):
    """Outputs and moving averages for the whole batch, and for pieces of it that are mapped."""
    whole, mapped = layers.BatchNormalization(), layers.BatchNormalization(synchronized=synchronized)
    variables = whole.init(jax.random.key(0), PIECES[0])
    mapped.build((None, 4))

    def step(layer, x, mask):
        return layer.stateless_call(*variables, x, mask=mask, training=True)

    expected = jax.jit(step, static_argnums=0)(whole, PIECES.reshape(16, 4), None if mask is None else mask.reshape(16))
    axes = (0, None if mask is None else 0)
    return expected, jax.jit(jax.vmap(lambda *call: step(mapped, *call), axes, axis_name=axis_name))(PIECES, mask)


@pytest.mark.parametrize(
    "synchronized, axis_name, mask",
    [(True, "batch", None), ("pieces", "pieces", KEPT), (["pieces"], "pieces", None)],
    ids=["True", "a name, masked", "names"],
)
def test_pieces_of_a_batch_have_the_statistics_of_the_whole(synchronized, axis_name, mask):
    (outputs, state), (pieces, states) = whole_and_in_pieces(synchronized, axis_name, mask)
    assert_close(pieces.reshape(16, 4), outputs)
    for name in state:
        assert_close(states[name], jnp.broadcast_to(state[name], (4, 4)), err_msg=name)


def test_pieces_of_a_mesh_have_the_statistics_of_the_whole():
    layer = layers.BatchNormalization(synchronized="data")
    variables = layer.init(jax.random.key(0), X[0])
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data, everywhere = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    def step(layer):
        def run(x):
            return layer.stateless_call(*variables, x, training=True)

        return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=data, out_specs=(data, everywhere)))

    outputs, state = step(layer)(jnp.asarray(X[0]))
    whole = layers.BatchNormalization()
    whole.build((None, 4))
    expected, expected_state = whole.stateless_call(*variables, X[0], training=True)
    assert_close(outputs, expected)
    assert_close(state["moving_mean"], expected_state["moving_mean"])
    unnamed = layers.BatchNormalization(synchronized=True)
    unnamed.build((None, 4))
    with pytest.raises(ArgumentError, match="'batch'") as error:
        step(unnamed)(jnp.asarray(X[0]))
    assert "data" in str(error.value)


def test_an_axis_that_is_not_mapped_is_not_ignored():
    layer = layers.BatchNormalization(synchronized="pieces")
    variables = layer.init(jax.random.key(0), X[0])
    layer.stateless_call(*variables, X[0])  # inference needs no axis
    with pytest.raises(ArgumentError, match="'pieces'"):
        layer.stateless_call(*variables, X[0], training=True)


# -- padding and long sequences


@pytest.mark.parametrize("name", ["LayerNormalization", "RMSNormalization", "UnitNormalization", "BatchNormalization"])
def test_padding_of_a_long_sequence_changes_nothing(name):
    x = np.random.default_rng(0).normal(size=(2, 1024, 4)).astype("float32")
    mask = jnp.arange(1024).reshape(1, 1024) < jnp.array([[1000], [3]])

    class Model(Layer):
        """A mask in, the layer's outputs at the places that its mask keeps out."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.norm = getattr(layers, name)()

        def call(self, x, mask):
            set_mask(x, mask)
            outputs = self.norm(x)
            return jnp.where(get_mask(outputs)[..., None], outputs, 0)

    model = Model()
    variables = model.init(jax.random.key(0), x, mask)

    @jax.jit
    def step(padding):
        inputs = jnp.where(mask[..., None], x, padding)
        weights = jnp.cos(jnp.arange(1024.0)).reshape(1, 1024, 1)

        def loss(trainable, inputs):
            outputs, state = model.stateless_call(trainable, variables[1], inputs, mask, training=True)
            return jnp.mean(outputs * weights), (outputs, state)

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(variables[0], inputs)

    # what is NaN has no derivative of 0 even where its cotangent is, so gradients are compared for finite padding
    (value, results), gradients = step(0.0)
    (garbage_value, garbage_results), garbage_gradients = step(1e4)
    (nan_value, nan_results), _ = step(jnp.nan)
    for one in ((garbage_value, garbage_results, garbage_gradients), (nan_value, nan_results, gradients)):
        chex.assert_trees_all_equal(one, (value, results, gradients))


def test_zeros_have_a_unit_normalization_and_its_gradient():
    layer = layers.UnitNormalization()
    gradient = jax.jit(jax.grad(lambda x: layer.stateless_call({}, {}, x)[0].sum()))(jnp.zeros((1, 3)))
    np.testing.assert_allclose(gradient, np.full((1, 3), 1e12), rtol=1e-6)


@pytest.mark.parametrize("axis, shape", [(-1, (2, 3, 4)), (1, (2, 4, 3, 2))])
def test_instance_normalization_equals_keras(axis, shape):
    ours = layers.GroupNormalization(groups=-1, axis=axis)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    with asking_keras():
        theirs = keras.layers.GroupNormalization(groups=-1, axis=axis)
        theirs.build(shape)
        expected = jax.jit(lambda x: theirs.stateless_call(theirs.trainable_variables, [], x)[0])(x)
    assert_close(jax.jit(ours.stateless_call)(*ours.init(jax.random.key(0), x), x)[0], expected)


def test_root_mean_squares_over_several_axes():
    layer, x = layers.RMSNormalization(axis=[1, 3], epsilon=0.0), X.reshape(3, 2, 4, 4)
    variables = layer.init(jax.random.key(0), x)
    scale = jnp.arange(8.0).reshape(2, 4)
    outputs, _ = layer.stateless_call({"scale": scale}, {}, x)
    assert variables.trainable["scale"].shape == (2, 4)
    assert_close(outputs, x / np.sqrt((x**2).mean((1, 3), keepdims=True)) * scale.reshape(1, 2, 1, 4))
