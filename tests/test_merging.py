"""Merging layers: broadcasting, unknown dimensions, functional forms, mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.core import Input, Layer
from jkeras.errors import ArgumentError, ShapeError
from tests.oracle import asking_keras, keras

FUNCTIONS = ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"]


def call(layer, inputs):
    return layer.stateless_call(*layer.init(jax.random.key(0), inputs), inputs)[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functional_forms_build_graphs(name):
    output = getattr(layers, name)([Input((4, 3)), Input((4, 3))], name="merged")
    with asking_keras():
        expected = getattr(keras.layers, name)([keras.Input((4, 3)), keras.Input((4, 3))])
    assert (output.shape, output.dtype) == (expected.shape, expected.dtype)
    assert output.history.operation.name == "merged"
    assert type(output.history.operation).__name__.lower() == name


def test_the_functional_forms_run_inside_call():
    class Residual(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3, kernel_initializer="ones")

        def call(self, x):
            return layers.add([x, self.dense(x)])

    np.testing.assert_array_equal(call(Residual(), jnp.ones((1, 3))), [[4, 4, 4]])


@pytest.mark.parametrize(
    "shapes, expected",
    [
        ([(None, 3), (None, 3)], (None, 3)),
        ([(8, 3), (None, 3)], (8, 3)),
        ([(None, 1, 3), (None, 5, 1)], (None, 5, 3)),
        ([(None, 3), (None, 5, 3), (None, 2, 1, 1)], (None, 2, 5, 3)),
        ([(None, None, 3), (None, 5, 3)], (None, 5, 3)),  # an unknown size that fits 5 is 5 or 1
        ([(None, None, 3), (None, 1, 3)], (None, None, 3)),
        ([(None,), (None, 2)], (None, 2)),
    ],
)
def test_broadcast_shapes_with_unknown_dimensions(shapes, expected):
    assert layers.Add().compute_output_shape(shapes) == expected
    assert layers.add([Input(batch_shape=shape) for shape in shapes]).shape == expected


@pytest.mark.parametrize(
    "shapes, axis, expected",
    [
        ([(None, 3), (None, 4)], -1, (None, 7)),
        ([(None, None, 3), (None, 5, 3)], 1, (None, None, 3)),
        ([(None, None, 3), (None, 5, 2)], -1, (None, 5, 5)),
        ([(2, 3), (4, 3)], 0, (6, 3)),
    ],
)
def test_joined_shapes_with_unknown_dimensions(shapes, axis, expected):
    assert layers.Concatenate(axis=axis).compute_output_shape(shapes) == expected


@pytest.mark.parametrize(
    "shapes, axes, expected",
    [
        ([(None, 3), (None, 3)], -1, (None, 1)),
        ([(None, 4, 3), (8, 5, 3)], 2, (8, 4, 5)),
        ([(None, 3), (None, 5, 3, 2)], (1, 2), (None, 5, 2)),
        ([(None, None, 3), (None, 5, 3)], 2, (None, None, 5)),
    ],
)
def test_dot_shapes_with_unknown_dimensions(shapes, axes, expected):
    assert layers.Dot(axes=axes).compute_output_shape(shapes) == expected


def test_merging_integers_gives_integers():
    x = jnp.array([[1, 2]])
    tensors = [Input((2,), dtype="int32"), Input((2,), dtype="int32")]
    for name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate"):
        layer = getattr(layers, name)()
        assert call(layer, [x, x]).dtype.name == layer(tensors).dtype == "int32"
    for layer in (layers.Average(), layers.Dot(1, normalize=True)):
        assert call(layer, [x, x]).dtype.name == layer(tensors).dtype == "float32"


def test_a_mixed_policy_merges_in_the_compute_dtype():
    layer = layers.Add(dtype="mixed_bfloat16")
    x = jnp.ones((1, 2))
    assert call(layer, [x, x]).dtype == layer([Input((2,)), Input((2,))]).dtype == "bfloat16"


def test_a_single_input_is_merged_to_itself():
    assert call(layers.Add(), [jnp.ones((1, 2))]).tolist() == [[1, 1]]
    assert call(layers.Concatenate(), [jnp.ones((1, 2))]).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        (layers.Add(), [(2, 3), (3, 3)], "equal batch axes"),
        (layers.Add(), [(2, 3), (2, 4)], "equal sizes or 1"),
        (layers.Subtract(), [(2, 3)] * 3, "2 inputs"),
        (layers.Concatenate(), [(2, 3), (2, 3, 1)], "axis -1 at most"),
        (layers.Concatenate(axis=1), [(2, 3, 4), (2, 3, 5)], "axis 1 at most"),
        (layers.Concatenate(axis=3), [(2, 3), (2, 3)], "axis 3 at most"),
        (layers.Dot(axes=1), [(2, 3), (2, 4)], "equal sizes along"),
        (layers.Dot(axes=1), [(2, 3), (5, 3)], "equal batch axes"),
        (layers.Dot(axes=2), [(2, 3), (2, 3)], "`axes` must be axes of the inputs"),
        (layers.Dot(axes=-2), [(2, 3), (2, 3)], "`axes` must be axes of the inputs"),
        (layers.Dot(axes=1), [(2, 3)] * 3, "2 inputs"),
    ],
)
def test_shapes_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError, match=message):
        layer.compute_output_shape(shapes)
    with pytest.raises(ShapeError, match=message):
        layer.init(jax.random.key(0), shapes)


@pytest.mark.parametrize("name", ["Add", "Concatenate"])
def test_a_tensor_is_no_list(name):
    with pytest.raises(ShapeError, match="list of tensors"):
        getattr(layers, name)().init(jax.random.key(0), jnp.ones((2, 3)))
    with pytest.raises(ShapeError, match="list of tensors"):
        getattr(layers, name)().compute_output_shape((2, 3))


@pytest.mark.parametrize("axes", [0, (1, 0), (1,), (1, 2, 3), "1", 1.0, (1, None)])
def test_axes_that_dot_does_not_have(axes):
    with pytest.raises(ArgumentError, match="axes"):
        layers.Dot(axes=axes)


def test_an_orthogonal_or_empty_vector_has_cosine_zero():
    x, y = jnp.array([[3.0, 4.0], [0.0, 0.0]]), jnp.array([[6.0, 8.0], [1.0, 0.0]])
    np.testing.assert_allclose(call(layers.Dot(1, normalize=True), [x, y]), [[1], [0]], rtol=1e-6)


def test_the_cosine_of_an_empty_vector_has_a_derivative():
    x, y = jnp.zeros((1, 2)), jnp.array([[3.0, 4.0]])
    assert np.isfinite(jax.grad(lambda x: call(layers.Dot(1, normalize=True), [x, y]).sum())(x)).all()
