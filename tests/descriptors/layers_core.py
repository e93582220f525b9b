"""Rows of `jkeras.layers.core`."""

from tests.descriptors.row import LayerRow

ROWS = [
    LayerRow("Dense", {"units": 4}, ((2, 3),), {"trainable": {"kernel": (3, 4), "bias": (4,)}}),
    LayerRow(
        "Dense/kernel options",
        {
            "units": 2,
            "activation": "tanh",
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
            "kernel_constraint": "max_norm",
        },
        ((2, 5, 3),),
        {"trainable": {"kernel": (3, 2)}},
    ),
    LayerRow(
        "Dense/bias options",
        {
            "units": 4,
            "bias_initializer": "ones",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
            "bias_constraint": "non_neg",
        },
        ((2, 3),),
        {"trainable": {"kernel": (3, 4), "bias": (4,)}},
    ),
    LayerRow(
        "Dense/low-rank adaptation",
        {"units": 4, "lora_rank": 2},
        ((2, 3),),
        {
            "trainable": {"bias": (4,), "lora_kernel_a": (3, 2), "lora_kernel_b": (2, 4)},
            "non_trainable": {"kernel": (3, 4)},
        },
    ),
    LayerRow(
        "Dense/scaled low-rank adaptation",
        {"units": 4, "lora_rank": 2, "lora_alpha": 3.0},
        ((2, 3),),
        {
            "trainable": {"bias": (4,), "lora_kernel_a": (3, 2), "lora_kernel_b": (2, 4)},
            "non_trainable": {"kernel": (3, 4)},
        },
        keras="Dense of Keras 3.15 forgets lora_alpha when it is built",
    ),
]
