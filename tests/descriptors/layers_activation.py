"""Rows of `jkeras.layers.activation`."""

from tests.descriptors.row import LayerRow

ROWS = [
    LayerRow("Activation", {"activation": "tanh"}, ((2, 3),)),
    LayerRow("ReLU", {}, ((2, 3),)),
    LayerRow("ReLU/bounds", {"max_value": 1.0, "negative_slope": 0.2, "threshold": 0.1}, ((4, 8),)),
    LayerRow("LeakyReLU", {"negative_slope": 0.1}, ((4, 8),)),
    LayerRow("ELU", {"alpha": 0.5}, ((4, 8),)),
    LayerRow("PReLU", {}, ((4, 8),), {"trainable": {"alpha": (8,)}}),
    LayerRow(
        "PReLU/options",
        {
            "alpha_initializer": "uniform",
            "alpha_regularizer": "l2",
            "alpha_constraint": "non_neg",
            "shared_axes": [1],
        },
        ((2, 4, 3),),
        {"trainable": {"alpha": (1, 3)}},
    ),
    LayerRow("Softmax", {}, ((2, 3),)),
    LayerRow("Softmax/several axes", {"axis": [1, 2]}, ((2, 3, 4),)),
    LayerRow("Softmax/masked", {}, ((2, 3, 4),), keywords={"mask": ((2, 3, 4), "bool")}),
]
