"""Convolution, pooling, normalization and padding as functions of arrays.

Keras is the oracle for values and gradients. What Keras does not promise is asked of the formula: no overflow in half
precision, no poison from what is masked, shapes that are unknown, and a program as small as one written by hand.
"""

import collections
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jkeras import functional
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import arguments, layout
from tests.oracle import asking_keras, assert_close, keras

LAST, FIRST = "channels_last", "channels_first"


def draw(*shape, seed=0):
    """Standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), "float32")


def image(rank, data_format, size=7, channels=4, batch=2):
    """Numbers in the layout of a data format; each spatial axis one longer than the one before."""
    return draw(*layout.arrange(batch, [size + axis for axis in range(rank)], channels, data_format))


def outputs_and_gradients(function, *arrays):
    """The outputs, and the gradients of `sum of w outputs` for weights `w` that differ everywhere."""

    def weighted(*arrays):
        outputs = function(*arrays)
        weights = jnp.cos(jnp.arange(outputs.size, dtype="float32")).reshape(outputs.shape)
        return jnp.sum(outputs * weights), outputs

    (_, outputs), gradients = jax.jit(jax.value_and_grad(weighted, tuple(range(len(arrays))), has_aux=True))(*arrays)
    return outputs, gradients


def assert_parity(ours, theirs, *arrays, ulps=64, scale=None):
    outputs, gradients = outputs_and_gradients(ours, *arrays)
    with asking_keras():
        expected, expected_gradients = outputs_and_gradients(theirs, *arrays)
    assert outputs.dtype == expected.dtype
    assert_close(outputs, expected, ulps=ulps, scale=scale, err_msg="outputs")
    for number, (gradient, wanted) in enumerate(zip(gradients, expected_gradients, strict=True)):
        assert_close(gradient, wanted, ulps=ulps, scale=scale, err_msg=f"gradient of argument {number}")
    return outputs


def operations(function, *specs):
    """How often each operation stands in the compiled program; a bitcast is none, it runs nothing."""
    text = jax.jit(function).lower(*specs).compile().as_text()
    return collections.Counter(name for name in re.findall(r"= \S+ ([a-z][a-z\-]*)\(", text) if name != "bitcast")


def spec(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


# Convolution

CONVOLUTIONS = [
    # rank, strides, padding, dilation, groups, data_format
    (1, 1, "valid", 1, 1, LAST),
    (1, 2, "same", 1, 2, FIRST),
    (1, 1, "same", 2, 4, LAST),
    (1, 3, "valid", 2, 1, FIRST),
    (2, 1, "same", 1, 1, LAST),
    (2, 1, "same", 1, 1, FIRST),
    (2, (2, 1), "valid", 1, 2, LAST),
    (2, (1, 2), "same", 1, 4, FIRST),
    (2, 1, "valid", (2, 1), 1, FIRST),
    (2, 1, "same", (1, 2), 2, LAST),
    (2, 3, "same", 2, 1, LAST),
    (3, 1, "valid", 1, 1, LAST),
    (3, 2, "same", 1, 2, FIRST),
    (3, (1, 2, 3), "same", 1, 1, LAST),
    (3, 1, "valid", (1, 2, 1), 4, FIRST),
]


@pytest.mark.parametrize(("rank", "strides", "padding", "dilation", "groups", "data_format"), CONVOLUTIONS)
def test_conv_agrees_with_keras(rank, strides, padding, dilation, groups, data_format):
    inputs, kernel = image(rank, data_format), draw(*(3, 2, 3)[:rank], 4 // groups, 8, seed=1)
    assert_parity(
        lambda x, k: functional.conv(
            x, k, strides=strides, padding=padding, dilation=dilation, groups=groups, data_format=data_format
        ),
        lambda x, k: keras.ops.conv(
            x, k, strides=strides, padding=padding, dilation_rate=dilation, data_format=data_format
        ),
        inputs,
        kernel,
    )


@pytest.mark.parametrize(
    ("strides", "dilation", "groups", "data_format"), [(1, 1, 1, LAST), (2, 1, 2, FIRST), (1, 3, 1, FIRST)]
)
def test_causal_conv_agrees_with_keras(strides, dilation, groups, data_format):
    inputs, kernel = image(1, data_format), draw(3, 4 // groups, 6, seed=1)
    with asking_keras():
        layer = keras.layers.Conv1D(
            6,
            3,
            strides=strides,
            padding="causal",
            dilation_rate=dilation,
            groups=groups,
            data_format=data_format,
            use_bias=False,
        )
        layer.build(inputs.shape)

    assert_parity(
        lambda x, k: functional.conv(
            x, k, strides=strides, padding="causal", dilation=dilation, groups=groups, data_format=data_format
        ),
        lambda x, k: layer.stateless_call([k], [], x)[0],
        inputs,
        kernel,
    )


def test_causal_conv_never_looks_ahead():
    """The Jacobian of output t with respect to input u is zero for u > t, and nowhere else within the window."""
    kernel = draw(3, 1, 1)
    jacobian = jax.jacobian(lambda x: functional.conv(x[None, :, None], kernel, padding="causal")[0, :, 0])(draw(6))
    distance = np.subtract.outer(np.arange(6), np.arange(6))
    np.testing.assert_array_equal(np.asarray(jacobian) != 0, (distance >= 0) & (distance < 3))


@pytest.mark.parametrize(
    ("rank", "strides", "padding", "dilation", "data_format"),
    [(1, 1, "same", 2, LAST), (1, 2, "valid", 1, FIRST), (2, 2, "same", 1, LAST), (2, 1, "valid", 1, FIRST)],
)
def test_depthwise_conv_agrees_with_keras(rank, strides, padding, dilation, data_format):
    assert_parity(
        lambda x, k: functional.depthwise_conv(
            x, k, strides=strides, padding=padding, dilation=dilation, data_format=data_format
        ),
        lambda x, k: keras.ops.depthwise_conv(
            x, k, strides=strides, padding=padding, dilation_rate=dilation, data_format=data_format
        ),
        image(rank, data_format),
        draw(*(3, 2)[:rank], 4, 2, seed=1),
    )


def test_conv_computes_in_the_dtype_of_the_kernel():
    inputs = jnp.arange(8, dtype="uint8").reshape(1, 8, 1)
    outputs = functional.conv(inputs, jnp.full((2, 1, 1), 0.5, "bfloat16"))
    assert outputs.dtype == "bfloat16"
    np.testing.assert_array_equal(outputs.astype("float32").ravel(), np.arange(7) + 0.5)


# Pooling

POOLINGS = [
    # rank, pool_size, strides, padding, data_format
    (1, 2, None, "valid", LAST),
    (1, 3, 2, "same", FIRST),
    (2, 2, None, "same", LAST),
    (2, (3, 2), (1, 2), "valid", FIRST),
    (2, (3, 4), (2, 3), "same", LAST),
    (2, 2, 1, "same", FIRST),
    (3, 2, None, "valid", FIRST),
    (3, (2, 3, 1), 2, "same", LAST),
]


@pytest.mark.parametrize(("rank", "pool_size", "strides", "padding", "data_format"), POOLINGS)
@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
def test_pooling_agrees_with_keras(name, rank, pool_size, strides, padding, data_format):
    inputs = image(rank, data_format)
    rest = (pool_size, strides, padding, data_format)
    # Keras, asked without strides, takes them over with the batch and channel entries added a second time.
    asked = (pool_size, pool_size if strides is None else strides, padding, data_format)
    assert_parity(lambda x: getattr(functional, name)(x, *rest), lambda x: getattr(keras.ops, name)(x, *asked), inputs)


def test_average_pool_with_windows_larger_than_the_input():
    """Nothing but padding stands around the five elements, so every mean is over what exists."""
    outputs = functional.average_pool(jnp.arange(5.0).reshape(1, 5, 1), 9, strides=2, padding="same")
    np.testing.assert_allclose(outputs.ravel(), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16"])
def test_max_pool_of_other_dtypes(dtype):
    outputs = functional.max_pool(jnp.array([[[3], [7], [0]]], dtype), 2, strides=1, padding="same")
    assert outputs.dtype == dtype
    np.testing.assert_array_equal(outputs.ravel(), [7, 7, 0])


def test_averages_of_integers_are_floats():
    inputs = jnp.array([[[1], [2]]], "int32")
    mask = jnp.array([[True, True]])
    for outputs in (
        functional.average_pool(inputs, 2),
        functional.global_average_pool(inputs),
        functional.global_average_pool(inputs, mask=mask),
    ):
        assert outputs.dtype == "float32"
        assert outputs.item() == 1.5


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("data_format", "keepdims"), [(LAST, False), (FIRST, True)])
def test_global_pooling_agrees_with_keras(rank, data_format, keepdims):
    inputs = image(rank, data_format)
    arguments = {"data_format": data_format, "keepdims": keepdims}
    for ours, theirs in (("global_average_pool", "GlobalAveragePooling"), ("global_max_pool", "GlobalMaxPooling")):
        with asking_keras():
            layer = getattr(keras.layers, f"{theirs}{rank}D")(**arguments)
        function = getattr(functional, ours)
        assert_parity(lambda x, f=function: f(x, **arguments), lambda x, layer=layer: layer(x), inputs)


@pytest.mark.parametrize(("data_format", "keepdims"), [(LAST, False), (LAST, True), (FIRST, False), (FIRST, True)])
def test_masked_average_agrees_with_keras(data_format, keepdims):
    mask = jnp.asarray(np.arange(7) < np.array([[3], [7]]))
    with asking_keras():
        layer = keras.layers.GlobalAveragePooling1D(data_format=data_format, keepdims=keepdims)
    assert_parity(
        lambda x: functional.global_average_pool(x, mask=mask, data_format=data_format, keepdims=keepdims),
        lambda x: layer(x, mask=mask),
        image(1, data_format),
    )


def test_masked_average_is_not_poisoned():
    """NaN where the mask hides it reaches neither the mean nor a gradient; a row without elements has mean zero."""
    mask = jnp.array([[True, True, False], [False, False, False]])
    inputs = jnp.where(mask[..., None], 2.0, jnp.nan)
    outputs, (gradient,) = outputs_and_gradients(lambda x: functional.global_average_pool(x, mask=mask), inputs)
    np.testing.assert_array_equal(outputs.ravel(), [2.0, 0.0])
    np.testing.assert_allclose(gradient[..., 0], np.where(mask, 0.5, 0.0))


def test_masked_average_of_images():
    mask = jnp.array([[[True, False], [True, False]]])
    outputs = functional.global_average_pool(jnp.arange(4.0).reshape(1, 1, 2, 2), mask=mask, data_format=FIRST)
    assert outputs.tolist() == [[1.0]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_averages_of_half_precision_do_not_overflow_or_stall(dtype):
    """400 times 300 leaves float16, and in bfloat16 a running sum of ones stops at 256: sums are float32."""
    for value in (300.0, 1.0):
        inputs = jnp.full((1, 400, 1), value, dtype)
        for outputs in (
            functional.average_pool(inputs, 400),
            functional.global_average_pool(inputs),
            functional.global_average_pool(inputs, mask=jnp.ones((1, 400), bool)),
        ):
            assert outputs.dtype == dtype
            assert outputs.item() == value


# Normalization


@pytest.mark.parametrize(("shape", "axis"), [((4, 3), -1), ((2, 5, 6, 3), -1), ((2, 3, 5, 6), 1)])
def test_batch_normalize_agrees_with_keras(shape, axis):
    """Through the statistics too: the gradient of the normalized batch is part of what training computes.

    The gradient of the input is a difference of terms of order gamma / sqrt(variance), so its rounding is measured
    against them and not against what is left; 4 bounds them here.
    """
    x, gamma, beta = draw(*shape), draw(3, seed=1), draw(3, seed=2)
    axes = tuple(a for a in range(len(shape)) if a != axis % len(shape))

    def theirs(x, gamma, beta):
        mean, variance = keras.ops.moments(x, axes)
        return keras.ops.batch_normalization(x, mean, variance, axis, offset=beta, scale=gamma, epsilon=1e-3)

    assert_parity(
        lambda x, gamma, beta: functional.batch_normalize(
            x, *functional.moments(x, axes), gamma, beta, epsilon=1e-3, axis=axis
        ),
        theirs,
        x,
        gamma,
        beta,
        scale=4.0,
    )


@pytest.mark.parametrize(("axes", "keepdims"), [(0, False), ((0, 2), False), ((-1, 1), True)])
def test_moments_agree_with_keras(axes, keepdims):
    x = draw(3, 4, 5)
    with asking_keras():
        expected = keras.ops.moments(x, axes, keepdims=keepdims)
    for ours, theirs in zip(functional.moments(x, axes, keepdims=keepdims), expected, strict=True):
        assert_close(ours, theirs)


def test_masked_moments_agree_with_batch_normalization_of_keras():
    x, mask = draw(3, 6, 2), jnp.asarray(np.arange(6) < np.array([[6], [2], [0]]))
    with asking_keras():
        layer = keras.layers.BatchNormalization(momentum=0.0)
        layer(x, mask=mask, training=True)
        expected = layer.moving_mean.value, layer.moving_variance.value
    for ours, theirs in zip(functional.moments(x, (0, 1), mask=mask[..., None]), expected, strict=True):
        assert_close(ours, theirs)


def test_masked_moments_are_those_of_what_is_kept():
    """NaN where the mask hides it reaches neither statistic nor gradient; a mask that keeps nothing gives zeros."""
    x, keep = draw(4, 3), jnp.array([[True], [False], [True], [True]])
    poisoned = jnp.where(keep, x, jnp.nan)
    kept = np.asarray(x, "float64")[[0, 2, 3]]
    mean, variance = functional.moments(poisoned, 0, mask=keep)
    assert_close(mean, kept.mean(0))
    assert_close(variance, kept.var(0))
    _, (gradient,) = outputs_and_gradients(lambda x: sum(functional.moments(x, 0, mask=keep)), poisoned)
    np.testing.assert_array_equal(np.isfinite(gradient), True)
    np.testing.assert_array_equal(np.asarray(gradient[1]), 0.0)
    for statistic in functional.moments(x, 0, mask=jnp.zeros((4, 1), bool)):
        np.testing.assert_array_equal(statistic, 0.0)


@pytest.mark.parametrize(("axis", "weight_shape"), [(-1, (5,)), ([1], (4,)), ((1, 2), (4, 5)), ([-2, -1], (4, 5))])
def test_layer_normalize_agrees_with_keras(axis, weight_shape):
    """As for batch normalization, the gradient of the input is a difference of terms that 8 bounds."""
    x, gamma, beta = draw(3, 4, 5), draw(*weight_shape, seed=1), draw(*weight_shape, seed=2)
    assert_parity(
        lambda x, gamma, beta: functional.layer_normalize(x, gamma, beta, epsilon=1e-3, axis=axis),
        lambda x, gamma, beta: keras.ops.layer_normalization(x, gamma, beta, axis=axis, epsilon=1e-3),
        x,
        gamma,
        beta,
        scale=8.0,
    )


def test_rms_scaling_and_rms_normalize_agree_with_keras():
    """The two differ: one divides by the deviation from the mean, the other by the root mean square."""
    x, gamma = draw(3, 5) + 1.0, draw(5, seed=1)
    scaled = assert_parity(
        lambda x, gamma: functional.layer_normalize(x, gamma, epsilon=1e-3, rms_scaling=True),
        lambda x, gamma: keras.ops.layer_normalization(x, gamma, epsilon=1e-3, rms_scaling=True),
        x,
        gamma,
        scale=8.0,
    )
    divided = assert_parity(
        lambda x, gamma: functional.rms_normalize(x, gamma, epsilon=1e-6),
        lambda x, gamma: keras.ops.rms_normalization(x, gamma, epsilon=1e-6),
        x,
        gamma,
        scale=8.0,
    )
    assert not np.allclose(scaled, divided, rtol=0.1)


@pytest.mark.parametrize(("shape", "axis", "groups"), [((2, 5, 6), -1, 3), ((2, 6, 3, 2), 1, 2), ((2, 4, 6), -1, 6)])
def test_group_normalize_agrees_with_keras(shape, axis, groups):
    x, gamma, beta = draw(*shape), draw(6, seed=1), draw(6, seed=2)
    with asking_keras():
        layer = keras.layers.GroupNormalization(groups, axis=axis)
        layer.build(shape)
    assert_parity(
        lambda x, gamma, beta: functional.group_normalize(x, groups, gamma, beta, epsilon=1e-3, axis=axis),
        lambda x, gamma, beta: layer.stateless_call([gamma, beta], [], x)[0],
        x,
        gamma,
        beta,
        scale=8.0,
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_normalization_of_half_precision_is_computed_in_float32(dtype):
    """300 squared leaves float16. The result is the float32 one, rounded once."""
    x = (draw(4, 6) * 300.0).astype(dtype)
    gamma, beta = draw(6, seed=1), draw(6, seed=2)
    mean, variance = functional.moments(x, 0)
    assert mean.dtype == variance.dtype == "float32"
    for function in (
        lambda x: functional.batch_normalize(x, mean, variance, gamma, beta),
        lambda x: functional.layer_normalize(x, gamma, beta),
        lambda x: functional.rms_normalize(x, gamma),
        lambda x: functional.group_normalize(x, 2, gamma, beta),
    ):
        outputs = function(x)
        assert outputs.dtype == dtype
        np.testing.assert_array_equal(outputs, function(x.astype("float32")).astype(dtype))


def test_normalization_keeps_its_digits_far_from_zero():
    """Around 10000 the products `x * scale` and `mean * scale` agree in all but the last digits; differences do not.

    The mean and `x - mean` are exact here (Sterbenz); what is left are the roundings of the variance, the root and the
    product.
    """
    steps = np.arange(-8.0, 8.0) / 8
    outputs = functional.layer_normalize(jnp.asarray(10000.0 + steps)[None], epsilon=0.0)
    centered = steps - steps.mean()
    assert_close(outputs[0], centered / np.sqrt(np.mean(centered**2)), ulps=4)


# Padding


@pytest.mark.parametrize("data_format", [LAST, FIRST])
@pytest.mark.parametrize(
    ("rank", "amounts"), [(1, 2), (1, (1, 2)), (2, 1), (2, ((1, 2), (0, 1))), (3, ((1, 1), (2, 0), (0, 1)))]
)
def test_zero_pad_and_crop_agree_with_keras(rank, amounts, data_format):
    inputs = image(rank, data_format)
    with asking_keras():
        formats = {"data_format": data_format}
        padded = getattr(keras.layers, f"ZeroPadding{rank}D")(amounts, **formats)(inputs)
        cropper = getattr(keras.layers, f"Cropping{rank}D")
        # Keras's one-dimensional cropping knows channels_last only.
        swapped = rank == 1 and data_format == FIRST
        cropped = (
            cropper(amounts)(inputs.mT).mT if swapped else cropper(amounts, **({} if rank == 1 else formats))(inputs)
        )
    np.testing.assert_array_equal(functional.zero_pad(inputs, amounts, data_format), padded)
    np.testing.assert_array_equal(functional.crop(inputs, amounts, data_format), cropped)


# Unknown dimensions

SYMBOLIC = {
    "conv": lambda x: functional.conv(x, jnp.ones((3, 3, 4, 5))),
    "conv same": lambda x: functional.conv(x, jnp.ones((3, 3, 4, 5)), padding="same", strides=2),
    "max_pool": lambda x: functional.max_pool(x, 2),
    "max_pool same": lambda x: functional.max_pool(x, 3, 2, "same"),
    "average_pool": lambda x: functional.average_pool(x, 2),
    "average_pool same": lambda x: functional.average_pool(x, 3, 2, "same"),
    "global_average_pool": functional.global_average_pool,
    "global_max_pool": functional.global_max_pool,
    "batch_normalize": lambda x: functional.batch_normalize(x, *functional.moments(x, (0, 1, 2))),
    "layer_normalize": functional.layer_normalize,
    "group_normalize": lambda x: functional.group_normalize(x, 2),
    "zero_pad": lambda x: functional.zero_pad(x, 1),
    "crop": lambda x: functional.crop(x, ((1, 2), 1)),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_a_program_for_unknown_dimensions_computes_what_the_one_for_known_dimensions_does(name):
    b, h, w = jax.export.symbolic_shape("b, h, w", constraints=["h >= 3", "w >= 3"])
    function, inputs = SYMBOLIC[name], draw(2, 9, 8, 4)
    exported = jax.export.export(jax.jit(function))(spec(b, h, w, 4))
    # The same operations in the same order, up to how the compiler fuses them.
    assert_close(exported.call(inputs), function(inputs))


@pytest.mark.parametrize(
    ("padding", "strides", "windows"),
    [
        ("valid", 1, lambda h: h - 2),
        ("valid", 2, lambda h: (h - 3) // 2 + 1),
        ("same", 2, lambda h: -(-h // 2)),
        ("causal", 2, lambda h: (h - 1) // 2 + 1),
    ],
)
def test_as_many_windows_as_the_formula_says(padding, strides, windows):
    b, h = jax.export.symbolic_shape("b, h", constraints=["h >= 3"])
    for n in (h, 3, 8):
        shape = jax.eval_shape(
            lambda x, k: functional.conv(x, k, padding=padding, strides=strides), spec(b, n, 4), spec(3, 4, 5)
        ).shape
        assert shape == (b, windows(n), 5)
        if padding != "causal":
            pooled = jax.eval_shape(lambda x: functional.max_pool(x, 3, strides, padding), spec(b, n, 4)).shape
            assert pooled == (b, windows(n), 4)


# The program

HANDWRITTEN = {
    "conv": (
        lambda x, k: functional.conv(x, k, padding="same"),
        lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        (spec(2, 9, 9, 4), spec(3, 3, 4, 5)),
    ),
    "conv, channels first": (
        lambda x, k: functional.conv(x, k, data_format=FIRST),
        lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=("NCHW", "HWIO", "NCHW")),
        (spec(2, 4, 9, 9), spec(3, 3, 4, 5)),
    ),
    "causal conv": (
        lambda x, k: functional.conv(x, k, padding="causal"),
        lambda x, k: lax.conv_general_dilated(x, k, (1,), [(2, 0)], dimension_numbers=("NWC", "WIO", "NWC")),
        (spec(2, 9, 4), spec(3, 4, 5)),
    ),
    "max_pool": (
        lambda x: functional.max_pool(x, 2),
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        (spec(2, 9, 9, 4),),
    ),
    "average_pool": (
        lambda x: functional.average_pool(x, 2),
        lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4,
        (spec(2, 9, 9, 4),),
    ),
    "batch_normalize": (
        lambda x, gamma: functional.batch_normalize(x, *functional.moments(x, (0, 1)), gamma, epsilon=1e-3),
        lambda x, gamma: (
            x * (scale := lax.rsqrt(x.var((0, 1)) + 1e-3) * gamma)[None, None] + (-x.mean((0, 1)) * scale)[None, None]
        ),
        (spec(2, 9, 4), spec(4)),
    ),
    "layer_normalize": (
        lambda x, gamma: functional.layer_normalize(x, gamma, epsilon=1e-3),
        lambda x, gamma: (
            (x + -x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-3) * gamma[None, None]
        ),
        (spec(2, 9, 4), spec(4)),
    ),
    "crop": (lambda x: functional.crop(x, ((1, 2), 3)), lambda x: x[:, 1:-2, 3:-3], (spec(2, 9, 9, 4),)),
}


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_the_program_is_the_handwritten_one(name):
    """The compiled forward and backward programs hold no operation that the handwritten ones do not hold."""
    ours, handwritten, specs = HANDWRITTEN[name]

    def backward(function):
        return jax.grad(lambda *arrays: jnp.sum(jnp.square(function(*arrays))), tuple(range(len(specs))))

    assert operations(ours, *specs) == operations(handwritten, *specs)
    assert not operations(backward(ours), *specs) - operations(backward(handwritten), *specs)


def test_average_pool_counts_its_elements_once_and_for_all():
    """With `"same"` the divisor is a constant: the program has one reduction, not a second one over ones."""
    program = str(jax.make_jaxpr(lambda x: functional.average_pool(x, 3, 2, "same"))(spec(2, 9, 9, 4)))
    assert program.count("reduce_window") == 1
    assert "iota" not in program


# Arguments


@pytest.mark.parametrize("value", [0, -1, (1, 2, 3), (1, 0), "3", 1.5, None, True, (1, "2")])
def test_standardize_tuple_refuses(value):
    with pytest.raises(ArgumentError, match=r"head: `strides` must be an integer") as error:
        arguments.standardize_tuple(value, 2, "strides", "head")
    assert f"strides={value!r}" in str(error.value)


def test_standardize_tuple_takes_numpy_integers_and_zero_where_allowed():
    assert arguments.standardize_tuple(np.int64(3), 2, "pool_size") == (3, 3)
    assert arguments.standardize_tuple(0, 1, "padding", minimum=0) == (0,)


def test_standardize_pairs():
    assert arguments.standardize_pairs(2, 1, "padding") == ((2, 2),)
    assert arguments.standardize_pairs((2, 3), 2, "padding") == ((2, 2), (3, 3))
    assert arguments.standardize_pairs(((2, 3),), 1, "padding") == ((2, 3),)
    for value in (-1, (1, 2, 3), ((1, 2), (3, 4, 5)), "valid"):
        with pytest.raises(ArgumentError, match="padding"):
            arguments.standardize_pairs(value, 2, "padding")


def test_padding_names():
    assert arguments.standardize_padding("Same") == "same"
    assert arguments.standardize_padding("causal", causal=True) == "causal"
    for value in ("causal", "full", 1):
        with pytest.raises(ArgumentError, match="`padding` must be"):
            arguments.standardize_padding(value)


MISTAKES = {
    "an image without channels": (
        ShapeError,
        r"x\[\.\.\., None\]",
        lambda: functional.conv(draw(2, 8, 8), draw(3, 3, 1, 4)),
    ),
    "the other layout": (
        ShapeError,
        "received: 8 channels",
        lambda: functional.conv(draw(2, 3, 8, 8), draw(3, 3, 3, 4)),
    ),
    "groups that do not divide": (
        ArgumentError,
        r"`groups` must be a positive divisor of the 4 filters, got 3\.",
        lambda: functional.conv(draw(2, 8, 6), draw(3, 2, 4), groups=3),
    ),
    "an empty convolution": (
        ShapeError,
        "as large as one window",
        lambda: functional.conv(draw(2, 4, 1), draw(5, 1, 1)),
    ),
    "an empty pooling": (ShapeError, "as large as one window", lambda: functional.max_pool(draw(2, 4, 1), 5)),
    "causal images": (
        ArgumentError,
        "padding='causal'",
        lambda: functional.conv(draw(2, 8, 8, 1), draw(3, 3, 1, 1), padding="causal"),
    ),
    "an unknown layout": (
        ArgumentError,
        "`data_format` must be",
        lambda: functional.max_pool(draw(2, 4, 1), 2, data_format="NHWC"),
    ),
    "an empty crop": (ShapeError, "`cropping` must leave", lambda: functional.crop(draw(2, 4, 1), 2)),
    "a mask of another rank": (ShapeError, "rank", lambda: functional.moments(draw(2, 4), 0, mask=jnp.ones(2, bool))),
    "group sizes": (
        ShapeError,
        r"`groups` must be a positive divisor of the 6 channels, got 4\.",
        lambda: functional.group_normalize(draw(2, 6), 4),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained(name):
    error, message, mistake = MISTAKES[name]
    with pytest.raises(error, match=message):
        mistake()
