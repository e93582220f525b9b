"""Rows of `jkeras.layers.convolution`. Strides and dilation exclude each other, so no row has both."""

from tests.descriptors.row import LayerRow

OPTIONS = {
    "activation": "tanh",
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}


def tree(kernel, bias=True):
    return {"trainable": {"kernel": kernel, "bias": kernel[-1:]} if bias else {"kernel": kernel}}


ROWS = [
    LayerRow("Conv1D", {"filters": 4, "kernel_size": 3}, ((2, 6, 2),), tree((3, 2, 4))),
    LayerRow(
        "Conv1D/causal, dilated",
        {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, **OPTIONS},
        ((2, 6, 2),),
        tree((3, 2, 4)),
    ),
    LayerRow(
        "Conv1D/strided groups, channels first",
        {
            "filters": 4,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "groups": 2,
            "data_format": "channels_first",
            "use_bias": False,
        },
        ((2, 6, 7),),
        tree((3, 3, 4), bias=False),
    ),
    LayerRow("Conv2D", {"filters": 3, "kernel_size": 3}, ((2, 5, 6, 2),), tree((3, 3, 2, 3))),
    LayerRow(
        "Conv2D/same, strided, groups",
        {"filters": 4, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same", "groups": 2, **OPTIONS},
        ((2, 5, 6, 4),),
        tree((3, 2, 2, 4)),
    ),
    LayerRow(
        "Conv2D/dilated, channels first",
        {
            "filters": 3,
            "kernel_size": 2,
            "dilation_rate": (2, 1),
            "data_format": "channels_first",
            "use_bias": False,
        },
        ((2, 2, 5, 4),),
        tree((2, 2, 2, 3), bias=False),
    ),
    LayerRow("Conv3D", {"filters": 2, "kernel_size": 2}, ((2, 3, 3, 3, 2),), tree((2, 2, 2, 2, 2))),
    LayerRow(
        "Conv3D/strided groups",
        {"filters": 2, "kernel_size": (1, 2, 3), "strides": (1, 2, 1), "padding": "same", "groups": 2, **OPTIONS},
        ((2, 2, 3, 4, 2),),
        tree((1, 2, 3, 1, 2)),
    ),
    LayerRow(
        "Conv3D/dilated, channels first",
        {
            "filters": 2,
            "kernel_size": 2,
            "dilation_rate": (1, 2, 1),
            "data_format": "channels_first",
            "use_bias": False,
        },
        ((2, 2, 2, 4, 3),),
        tree((2, 2, 2, 2, 2), bias=False),
    ),
]
