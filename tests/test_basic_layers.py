"""Embedding, Lambda, activations and Rescaling: what their rows do not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import config, layers, registry
from jkeras.core import Input
from jkeras.errors import ArgumentError, BuildError, ConfigError, SerializationError, ShapeError, UnknownNameError
from tests.oracle import asking_keras, keras


def call(layer, *inputs):
    return layer.stateless_call(*layer.init(jax.random.key(0), *inputs), *inputs)[0]


def double(x):
    return 2 * x


def half_shape(shape):
    return (*shape[:-1], shape[-1] // 2)


# -- Dense


def test_dense_of_a_last_axis_that_is_not_known():
    with pytest.raises(BuildError, match="last axis"):
        layers.Dense(3)(Input((None,)))


@pytest.mark.parametrize("units", [0, -1, 2.0, True, "3", None])
def test_units_are_a_positive_int(units):
    with pytest.raises(ArgumentError, match="units"):
        layers.Dense(units)


def test_dense_checks_its_inputs():
    layer = layers.Dense(3)
    with pytest.raises(ShapeError, match="rank >= 2"):
        layer.init(jax.random.key(0), jnp.ones(4))
    variables = layer.init(jax.random.key(0), jnp.ones((2, 4)))
    with pytest.raises(ShapeError, match="size 4"):
        layer.stateless_call(*variables, jnp.ones((2, 5)))
    assert layer.compute_output_shape((None, 7, 4)) == (None, 7, 3)


def test_unknown_names_are_corrected():
    with pytest.raises(UnknownNameError, match="relu"):
        layers.Dense(3, activation="rellu")
    with pytest.raises(ArgumentError, match="unit"):
        layers.Dense(3, unit=4)


# -- Embedding


def test_rows_out_of_range_are_not_silently_another_row():
    layer = layers.Embedding(3, 2, embeddings_initializer="ones")
    with asking_keras():
        theirs = keras.layers.Embedding(3, 2, embeddings_initializer="ones")(np.array([0, 3, -1]))
    outputs = call(layer, jnp.array([0, 3, -1]))
    np.testing.assert_array_equal(outputs, theirs)
    assert np.isnan(outputs[1]).all()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16"])
def test_indices_of_any_dtype(dtype):
    layer = layers.Embedding(3, 2, embeddings_initializer="identity")
    assert call(layer, jnp.array([1, 0], dtype)).tolist() == [[0, 1], [1, 0]]


def test_a_mixed_policy_casts_rows_and_keeps_the_table():
    layer = layers.Embedding(3, 2, dtype="mixed_bfloat16")
    variables = layer.init(jax.random.key(0), jnp.array([1]))
    assert variables.trainable["embeddings"].dtype == "float32"
    assert layer.stateless_call(*variables, jnp.array([1]))[0].dtype == "bfloat16"
    assert layer(Input((5,), dtype="int32")).dtype == "bfloat16"


def test_an_embedding_is_built_without_a_shape():
    layer = layers.Embedding(3, 2)
    layer.build()
    assert layer.init(jax.random.key(0)).trainable["embeddings"].shape == (3, 2)


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0), (3.0, 2), (True, 2), (3, None)])
def test_sizes_are_positive_ints(sizes):
    with pytest.raises(ArgumentError, match="put_dim"):
        layers.Embedding(*sizes)


def test_values_are_not_given_to_a_layer():
    with pytest.raises(ArgumentError, match="holds no values") as error:
        layers.Embedding(3, 2, weights=[np.ones((3, 2))])
    assert "set_weights(variables" in str(error.value)


# -- Lambda


def test_a_lambda_computes_but_has_no_config():
    layer = layers.Lambda(lambda x, factor: factor * x, arguments={"factor": 3.0})
    assert call(layer, jnp.ones(2)).tolist() == [3, 3]
    with pytest.raises(SerializationError, match="lambda") as error:
        layer.get_config()
    assert "register_keras_serializable" in str(error.value)


def test_a_named_function_comes_back_through_custom_objects():
    layer = layers.Lambda(double, mask=double, output_shape=half_shape)
    written = registry.serialize(layer)
    again = registry.deserialize(written, custom_objects={"double": double, "half_shape": half_shape})
    assert (again.function, again.mask, again.output_shape) == (double, double, half_shape)
    with pytest.raises(UnknownNameError, match="double"):
        registry.deserialize(written)


def test_code_in_a_config_is_not_executed():
    with asking_keras():
        written = keras.layers.serialize(keras.layers.Lambda(lambda x: x))
    with pytest.raises(ConfigError, match="bytecode"):
        registry.deserialize(written)


def test_shapes_of_a_lambda():
    assert layers.Lambda(lambda x: x[..., :2])(Input((5, None))).shape == (None, 5, 2)
    assert layers.Lambda(lambda x: x.argmax(-1))(Input((5,))).dtype == "int32"
    assert layers.Lambda(double, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    assert layers.Lambda(double, output_shape=half_shape)(Input((8,))).shape == (None, 4)
    assert layers.Lambda(double).compute_output_shape((None, 3)) == (None, 3)


def test_a_lambda_is_told_of_training():
    layer = layers.Lambda(lambda x, training: x + 1 if training else x)
    layer.init(jax.random.key(0), jnp.ones(1))
    assert layer.stateless_call({}, {}, jnp.ones(1), training=True)[0].tolist() == [2]
    assert layer.stateless_call({}, {}, jnp.ones(1))[0].tolist() == [1]


def test_a_lambda_holds_no_arrays():
    with pytest.raises(ArgumentError, match="holds no values"):
        layers.Lambda(double, arguments={"x": jnp.ones(2)})
    layer = layers.Lambda(double, mask=np.array([[True, False]]))
    assert (
        layer.mask
        == [[True, False]]
        == registry.deserialize(registry.serialize(layer), custom_objects={"double": double}).mask
    )


def test_a_lambda_needs_a_function():
    with pytest.raises(ArgumentError, match="`function` must be a function"):
        layers.Lambda("double")


# -- activations


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("ReLU", {"max_value": -1.0}),
        ("ReLU", {"negative_slope": -0.1}),
        ("ReLU", {"negative_slope": None}),
        ("ReLU", {"threshold": -0.1}),
        ("LeakyReLU", {"negative_slope": -0.1}),
        ("LeakyReLU", {"negative_slope": None}),
    ],
)
def test_rectifiers_refuse_negative_numbers(name, arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        getattr(layers, name)(**arguments)


def test_slopes_need_known_dimensions_or_shared_axes():
    with pytest.raises(BuildError, match=r"shared_axes=\[1\]"):
        layers.PReLU()(Input((None, 3)))
    assert layers.PReLU(shared_axes=1)(Input((None, 3))).shape == (None, None, 3)


# -- Rescaling and Masking


def test_channels_of_rescaling_follow_the_data_format():
    image = jnp.ones((1, 2, 3, 3))
    last = layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 0.0, 1.0])
    config.set_image_data_format("channels_first")
    try:
        first = layers.Rescaling([1.0, 2.0], offset=[0.0, 1.0])
    finally:
        config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(call(last, image)[0, 0, 0], [1, 2, 4])
    np.testing.assert_array_equal(call(first, image)[0, :, 0, 0], [1, 3])


def test_rescaling_holds_plain_numbers():
    layer = layers.Rescaling(np.float32(0.5), offset=np.array([1.0, 2.0]))
    assert (layer.scale, layer.offset) == (0.5, [1.0, 2.0])
    with pytest.raises(ArgumentError, match="scale"):
        layers.Rescaling("half")


def test_a_mask_value_is_a_number():
    with pytest.raises(ArgumentError, match="mask_value"):
        layers.Masking("pad")


def test_an_identity_of_a_structure_keeps_it():
    symbolic = layers.Identity()({"x": Input((3,)), "y": Input((2,), dtype="int32")})
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in symbolic.items()} == {
        "x": ((None, 3), "float32"),
        "y": ((None, 2), "int32"),
    }


def test_activity_regularization_is_per_example():
    layer = layers.ActivityRegularization(l1=0.5, l2=0.25)
    x = jnp.array([[1.0, -2.0], [0.0, 2.0]])
    _, _, losses = layer.stateless_call(*layer.init(jax.random.key(0), x), x, return_losses=True)
    assert losses["activity_regularizer"] == (0.5 * 5 + 0.25 * 9) / 2
