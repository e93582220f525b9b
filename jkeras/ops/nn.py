"""The neural part of the table: activations, convolution, pooling, normalization, encodings, recordable on symbolic
tensors. The functions themselves are those of `jkeras.activations` and `jkeras.functional`."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import activations, config, dtypes, functional
from jkeras.core.lift import lift
from jkeras.core.synchronization import check_synchronized, named_axes
from jkeras.core.tensor import check_dense
from jkeras.errors import ShapeError
from jkeras.functional import image
from jkeras.ops.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    ctc_decode,
    ctc_loss,
    sparse_categorical_crossentropy,
)
from jkeras.typing import Array, ArrayLike, Axes

# -- activations

celu = lift(activations.celu, "celu")
elu = lift(activations.elu, "elu")
glu = lift(activations.glu, "glu")
hard_shrink = lift(activations.hard_shrink, "hard_shrink")
hard_sigmoid = lift(activations.hard_sigmoid, "hard_sigmoid")
hard_silu = lift(activations.hard_silu, "hard_silu")
hard_swish = hard_silu
hard_tanh = lift(activations.hard_tanh, "hard_tanh")
leaky_relu = lift(activations.leaky_relu, "leaky_relu")
log_sigmoid = lift(activations.log_sigmoid, "log_sigmoid")
log_softmax = lift(activations.log_softmax, "log_softmax")
relu = lift(jax.nn.relu, "relu")
relu6 = lift(activations.relu6, "relu6")
selu = lift(activations.selu, "selu")
sigmoid = lift(activations.sigmoid, "sigmoid")
silu = lift(activations.silu, "silu")
swish = silu
soft_shrink = lift(activations.soft_shrink, "soft_shrink")
softmax = lift(activations.softmax, "softmax")
softplus = lift(activations.softplus, "softplus")
softsign = lift(activations.softsign, "softsign")
sparse_plus = lift(activations.sparse_plus, "sparse_plus")
sparse_sigmoid = lift(activations.sparse_sigmoid, "sparse_sigmoid")
sparsemax = lift(activations.sparsemax, "sparsemax")
squareplus = lift(activations.squareplus, "squareplus")
tanh_shrink = lift(activations.tanh_shrink, "tanh_shrink")
threshold = lift(activations.threshold, "threshold")


def _gelu(x: ArrayLike, approximate: bool = True) -> Array:
    return activations.gelu(x, approximate)


gelu = lift(_gelu, "gelu")  # approximate by default, unlike the activation

# -- windows: without the address of a layer, which the functions take for their messages


def _adaptive_average_pool(inputs: Array, output_size: Any, data_format: str | None = None) -> Array:
    return functional.adaptive_average_pool(inputs, output_size, data_format)


def _adaptive_max_pool(inputs: Array, output_size: Any, data_format: str | None = None) -> Array:
    return functional.adaptive_max_pool(inputs, output_size, data_format)


adaptive_average_pool = lift(_adaptive_average_pool, "adaptive_average_pool")
adaptive_max_pool = lift(_adaptive_max_pool, "adaptive_max_pool")


def _average_pool(
    inputs: Array, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Array:
    return functional.average_pool(inputs, pool_size, strides, padding, data_format)


def _max_pool(
    inputs: Array, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Array:
    return functional.max_pool(inputs, pool_size, strides, padding, data_format)


average_pool = lift(_average_pool, "average_pool")
max_pool = lift(_max_pool, "max_pool")


def _conv(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    return functional.conv(
        inputs, kernel, strides=strides, padding=padding, dilation=dilation_rate, data_format=data_format
    )


def _depthwise_conv(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    return functional.depthwise_conv(
        inputs, kernel, strides=strides, padding=padding, dilation=dilation_rate, data_format=data_format
    )


def _separable_conv(
    inputs: Array,
    depthwise_kernel: Array,
    pointwise_kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    depthwise = _depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return functional.conv(depthwise, pointwise_kernel, data_format=data_format)


def _conv_transpose(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    return functional.conv_transpose(
        inputs,
        kernel,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation_rate,
        data_format=data_format,
    )


conv = lift(_conv, "conv")
conv_transpose = lift(_conv_transpose, "conv_transpose")
depth_to_space = lift(image.depth_to_space, "depth_to_space")
fold = lift(image.fold, "fold")
space_to_depth = lift(image.space_to_depth, "space_to_depth")
unfold = lift(image.unfold, "unfold")
depthwise_conv = lift(_depthwise_conv, "depthwise_conv")
separable_conv = lift(_separable_conv, "separable_conv")

# -- attention


def _dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Array:
    return functional.dot_product_attention(
        query,
        key,
        value,
        bias,
        mask,
        scale=scale,
        is_causal=is_causal,
        soft_cap=attn_logits_soft_cap,
        implementation="xla" if flash_attention is False else None,
        strict=flash_attention is True,
    )


dot_product_attention = lift(_dot_product_attention, "dot_product_attention")

# -- normalization


def _batch_normalization(
    x: Array,
    mean: Array,
    variance: Array,
    axis: int,
    offset: Array | None = None,
    scale: Array | None = None,
    epsilon: float = 1e-3,
) -> Array:
    return functional.batch_normalize(x, mean, variance, scale, offset, epsilon=epsilon, axis=axis)


def _layer_normalization(
    x: Array, gamma: Array | None = None, beta: Array | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Array:
    return functional.layer_normalize(x, gamma, beta, epsilon=_epsilon(epsilon), axis=axis)


def _rms_normalization(x: Array, scale: Array | None = None, axis: Axes = -1, epsilon: float | None = None) -> Array:
    return functional.rms_normalize(x, scale, epsilon=_epsilon(epsilon), axis=axis)


def _moments(
    x: Array, axes: Axes, keepdims: bool = False, synchronized: bool | str | Sequence[str] = False
) -> tuple[Array, Array]:
    """`synchronized` names mapped axes to reduce too, as in `jkeras.layers.BatchNormalization`.

    Half precision is reduced in float32, and the results have the dtype of `x`.
    """
    pieces = named_axes(check_synchronized(synchronized, "moments"), "moments")
    mean, variance = functional.moments(x, axes, keepdims=keepdims, axis_name=pieces)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else mean.dtype
    return mean.astype(dtype), variance.astype(dtype)


def _normalize(x: Array, axis: Axes = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """`x / max(norm(x), epsilon)`."""
    if order == 2:
        return functional.unit_normalize(x, epsilon=_epsilon(epsilon), axis=axis)
    return x / jnp.maximum(jnp.linalg.norm(x, ord=order, axis=axis, keepdims=True), _epsilon(epsilon))


def _epsilon(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


batch_normalization = lift(_batch_normalization, "batch_normalization")
layer_normalization = lift(_layer_normalization, "layer_normalization")
moments = lift(_moments, "moments")
normalize = lift(_normalize, "normalize")
rms_normalization = lift(_rms_normalization, "rms_normalization")

# -- encodings


def _one_hot(x: Array, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Array:
    check_dense("one_hot", sparse)
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtypes.standardize(dtype))


def _multi_hot(inputs: Array, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Array:
    """One where a class occurs among the labels of an example: the maximum of their one-hot codes."""
    check_dense("multi_hot", sparse)
    return jnp.max(_one_hot(inputs, num_classes, axis, dtype), axis=1 if inputs.ndim > 1 else 0)


one_hot = lift(_one_hot, "one_hot")
multi_hot = lift(_multi_hot, "multi_hot")

# -- complex numbers, and how much two signals differ


def _polar(abs_: Array, angle: Array) -> Array:
    return jax.lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))


def _psnr(x1: Array, x2: Array, max_val: float) -> Array:
    """Peak signal-to-noise ratio in decibels: `20 log10(max_val) - 10 log10(mean((x1 - x2)^2))`."""
    if x1.shape != x2.shape:
        raise ShapeError("the signals differ in shape.", path="psnr", expected=f"{x1.shape}", received=f"{x2.shape}")
    return 20 * jnp.log10(jnp.asarray(max_val, x2.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


polar = lift(_polar, "polar")
psnr = lift(_psnr, "psnr")

# fmt: off
__all__ = [
    "adaptive_average_pool", "adaptive_max_pool", "average_pool", "batch_normalization", "binary_crossentropy",
    "categorical_crossentropy", "celu", "conv", "conv_transpose", "ctc_decode", "ctc_loss", "depth_to_space",
    "depthwise_conv", "dot_product_attention", "elu", "fold", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "layer_normalization", "leaky_relu", "log_sigmoid", "log_softmax", "max_pool", "moments",
    "multi_hot", "normalize", "one_hot", "polar", "psnr", "relu", "relu6", "rms_normalization", "selu",
    "separable_conv", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "space_to_depth",
    "sparse_categorical_crossentropy", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish",
    "tanh_shrink", "threshold", "unfold",
]
# fmt: on
