"""Rows of depthwise, separable and transposed convolutions."""

from tests.descriptors.row import LayerRow

FIRST = {"data_format": "channels_first"}
BIAS = {
    "activation": "tanh",
    "bias_initializer": "ones",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "bias_constraint": "non_neg",
}


def options(*kernels):
    """What can be said about kernels, moved off its defaults."""
    said = {"initializer": "he_normal", "regularizer": "l2", "constraint": "max_norm"}
    return {f"{kernel}_{option}": value for kernel in kernels for option, value in said.items()}


def weights(**shapes):
    return {"trainable": shapes}


DEPTHWISE, SEPARABLE, KERNEL = options("depthwise"), options("depthwise", "pointwise"), options("kernel")

ROWS = [
    LayerRow("DepthwiseConv1D", {"kernel_size": 3}, ((2, 5, 2),), weights(kernel=(3, 2, 1), bias=(2,))),
    LayerRow(
        "DepthwiseConv1D/strided, same",
        {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2, **BIAS, **DEPTHWISE},
        ((2, 5, 2),),
        weights(kernel=(3, 2, 2), bias=(4,)),
    ),
    LayerRow(
        "DepthwiseConv1D/dilated, channels first",
        {"kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST},
        ((2, 3, 5),),
        weights(kernel=(2, 3, 1)),
    ),
    LayerRow("DepthwiseConv2D", {"kernel_size": 2}, ((2, 4, 5, 2),), weights(kernel=(2, 2, 2, 1), bias=(2,))),
    LayerRow(
        "DepthwiseConv2D/strided, same",
        {"kernel_size": (3, 2), "strides": 2, "padding": "same", "depth_multiplier": 2, **BIAS, **DEPTHWISE},
        ((2, 4, 5, 2),),
        weights(kernel=(3, 2, 2, 2), bias=(4,)),
    ),
    LayerRow(
        "DepthwiseConv2D/dilated, channels first",
        {"kernel_size": 2, "dilation_rate": (1, 2), "use_bias": False, **FIRST},
        ((2, 3, 4, 5),),
        weights(kernel=(2, 2, 3, 1)),
    ),
    LayerRow(
        "SeparableConv1D",
        {"filters": 3, "kernel_size": 3},
        ((2, 5, 2),),
        weights(depthwise_kernel=(3, 2, 1), pointwise_kernel=(1, 2, 3), bias=(3,)),
    ),
    LayerRow(
        "SeparableConv1D/strided, same",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2, **BIAS, **SEPARABLE},
        ((2, 5, 2),),
        weights(depthwise_kernel=(3, 2, 2), pointwise_kernel=(1, 4, 3), bias=(3,)),
    ),
    LayerRow(
        "SeparableConv1D/dilated, channels first",
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST},
        ((2, 3, 5),),
        weights(depthwise_kernel=(2, 3, 1), pointwise_kernel=(1, 3, 2)),
    ),
    LayerRow(
        "SeparableConv2D",
        {"filters": 3, "kernel_size": 2},
        ((2, 4, 5, 2),),
        weights(depthwise_kernel=(2, 2, 2, 1), pointwise_kernel=(1, 1, 2, 3), bias=(3,)),
    ),
    LayerRow(
        "SeparableConv2D/strided, same",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2, **BIAS, **SEPARABLE},
        ((2, 4, 5, 2),),
        weights(depthwise_kernel=(3, 3, 2, 2), pointwise_kernel=(1, 1, 4, 3), bias=(3,)),
    ),
    LayerRow(
        "SeparableConv2D/dilated, channels first",
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST},
        ((2, 3, 4, 5),),
        weights(depthwise_kernel=(2, 2, 3, 1), pointwise_kernel=(1, 1, 3, 2)),
    ),
    LayerRow("Conv1DTranspose", {"filters": 3, "kernel_size": 3}, ((2, 4, 2),), weights(kernel=(3, 3, 2), bias=(3,))),
    LayerRow(
        "Conv1DTranspose/strided, same",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", **BIAS, **KERNEL},
        ((2, 4, 2),),
        weights(kernel=(3, 3, 2), bias=(3,)),
    ),
    LayerRow(
        "Conv1DTranspose/padded output, channels first",
        {"filters": 3, "kernel_size": 4, "strides": 3, "output_padding": 1, "use_bias": False, **FIRST},
        ((2, 2, 4),),
        weights(kernel=(4, 3, 2)),
    ),
    LayerRow(
        "Conv1DTranspose/dilated",
        {"filters": 3, "kernel_size": 3, "dilation_rate": 2},
        ((2, 4, 2),),
        weights(kernel=(3, 3, 2), bias=(3,)),
    ),
    LayerRow(
        "Conv2DTranspose", {"filters": 3, "kernel_size": 2}, ((2, 3, 4, 2),), weights(kernel=(2, 2, 3, 2), bias=(3,))
    ),
    LayerRow(
        "Conv2DTranspose/strided wider than the kernel, padded output",
        {
            "filters": 3,
            "kernel_size": (3, 2),
            "strides": (2, 3),
            "padding": "same",
            "output_padding": (1, 0),
            **BIAS,
            **KERNEL,
        },
        ((2, 3, 4, 2),),
        weights(kernel=(3, 2, 3, 2), bias=(3,)),
    ),
    LayerRow(
        "Conv2DTranspose/strided wider than the kernel",
        {"filters": 3, "kernel_size": 2, "strides": 3},
        ((2, 3, 4, 2),),
        weights(kernel=(2, 2, 3, 2), bias=(3,)),
    ),
    LayerRow(
        "Conv2DTranspose/dilated, channels first",
        {"filters": 3, "kernel_size": 3, "dilation_rate": (2, 1), "padding": "same", "use_bias": False, **FIRST},
        ((2, 2, 3, 4),),
        weights(kernel=(3, 3, 3, 2)),
    ),
    LayerRow(
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2},
        ((2, 2, 3, 2, 2),),
        weights(kernel=(2, 2, 2, 2, 2), bias=(2,)),
    ),
    LayerRow(
        "Conv3DTranspose/strided, same",
        {
            "filters": 2,
            "kernel_size": 2,
            "strides": (1, 2, 2),
            "padding": "same",
            "output_padding": (0, 1, 1),
            **BIAS,
            **KERNEL,
        },
        ((2, 2, 3, 2, 2),),
        weights(kernel=(2, 2, 2, 2, 2), bias=(2,)),
    ),
    LayerRow(
        "Conv3DTranspose/dilated, channels first",
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST},
        ((2, 2, 2, 3, 2),),
        weights(kernel=(2, 2, 2, 2, 2)),
    ),
]
