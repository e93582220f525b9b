"""ONNX files run in ONNX Runtime, and compute what the model does."""

import pytest

pytest.importorskip("jax2onnx", reason="jax2onnx has an environment of its own: make test-loaders")
pytest.importorskip("onnxruntime", reason="ONNX Runtime has an environment of its own: make test-loaders")

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime

import jkeras
from jkeras import layers
from jkeras.errors import SerializationError
from jkeras.export.names import input_names
from tests.export.models import (
    assert_same,
    attention,
    convolution,
    dense,
    first,
    listed,
    masked,
    normal,
    outputs_of,
    recurrent,
    several,
    trained,
)


def run(path, names, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    assert [each.name for each in session.get_inputs()] == names
    given = {name: np.asarray(leaf) for name, leaf in zip(names, jax.tree.leaves(inputs), strict=True)}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))


def agrees(model, inputs, tmp_path, **options):
    variables = trained(model)
    model.export(tmp_path / "model.onnx", variables, format="onnx", **options)
    for size in (1, 2):
        given = first(inputs, size)
        found = run(tmp_path / "model.onnx", input_names(model, (given,)), given)
        expected = outputs_of(model, variables, given)
        # its kernels sum in another order, and its exponentials are its own
        assert_same([jnp.asarray(value) for value in found.values()], jax.tree.leaves(expected), ulps=256)
    return found


@pytest.mark.parametrize("make", [dense, convolution, recurrent, masked, attention, several, listed])
def test_onnx_runtime_computes_what_the_model_does(make, tmp_path):
    agrees(*make(), tmp_path)


def images(*stack):
    return jkeras.Sequential([jkeras.Input((8, 8, 4)), *stack]), normal(2, 8, 8, 4)


STACKS = {
    "separable": lambda: images(layers.SeparableConv2D(4, 3), layers.GlobalAveragePooling2D()),
    "transposed": lambda: images(layers.Conv2DTranspose(4, 3, strides=2), layers.GroupNormalization(2)),
    "resized": lambda: images(layers.UpSampling2D(), layers.Cropping2D(1), layers.GlobalMaxPooling2D()),
    "first": lambda: images(layers.Permute((3, 1, 2)), layers.MaxPooling2D(data_format="channels_first")),
    "activations": lambda: images(
        *map(layers.Activation, ("gelu", "silu", "elu", "softplus")), layers.LayerNormalization()
    ),
}


@pytest.mark.parametrize("stack", STACKS)
def test_layers_of_images(stack, tmp_path):
    agrees(*STACKS[stack](), tmp_path)


def test_poolings_over_one_and_three_axes(tmp_path):
    for shape, pooling in (((8, 3), layers.MaxPooling1D(2)), ((4, 4, 4, 3), layers.MaxPooling3D(2))):
        agrees(jkeras.Sequential([jkeras.Input(shape), pooling]), normal(2, *shape), tmp_path)


def test_outputs_have_the_names_of_the_model(tmp_path):
    assert set(agrees(*convolution(), tmp_path)) == {"label"}
    assert list(agrees(*several(), tmp_path)) == ["norm", "sum"]


def test_a_signature_of_the_users_own(tmp_path):
    model, x = dense()
    agrees(model, x, tmp_path, input_signature=[("batch", 3)], opset_version=21)


def test_an_operation_that_needs_fixed_sizes_says_so(tmp_path):
    model, x = images(layers.ZeroPadding2D(1))
    variables = model.init(jax.random.key(0))
    with pytest.raises(SerializationError, match=r"input_signature=\[\(1, 8, 8, 4\)\]"):
        model.export(tmp_path / "a.onnx", variables, format="onnx")
    model.export(tmp_path / "a.onnx", variables, format="onnx", input_signature=[(1, 8, 8, 4)])
    found = run(tmp_path / "a.onnx", ["input_layer"], x[:1])
    np.testing.assert_array_equal(*found.values(), outputs_of(model, variables, x[:1]))


def test_an_output_may_be_an_input_and_come_twice(tmp_path):
    inputs = jkeras.Input((3,), name="x")
    hidden = layers.Dense(2)(inputs)
    model = jkeras.Model({"x": inputs}, {"x": inputs, "one": hidden, "two": hidden})
    assert list(agrees(model, {"x": normal(2, 3)}, tmp_path)) == ["one", "two", "x_output"]


def test_a_translation_that_computes_something_else_is_refused(tmp_path):
    convolved = layers.TimeDistributed(layers.Conv1D(2, 2))  # reshapes in another order of the axes
    model = jkeras.Sequential([jkeras.Input((3, 4, 1)), convolved])
    with pytest.raises(SerializationError, match="must compute what the model computes"):
        model.export(tmp_path / "a.onnx", model.init(jax.random.key(0)), format="onnx")
    assert not list(tmp_path.iterdir())


def test_a_dtype_that_the_runtime_does_not_take_is_refused(tmp_path):
    model, _ = attention("bfloat16")
    with pytest.raises(SerializationError, match="ONNX Runtime must run it"):
        model.export(tmp_path / "a.onnx", trained(model), format="onnx")
