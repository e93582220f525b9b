"""Rows of `jkeras.layers.preprocessing`."""

from tests.descriptors.row import LayerRow

ROWS = [
    LayerRow("Rescaling", {"scale": 0.5}, ((2, 3),)),
    LayerRow(
        "Rescaling/bytes", {"scale": 1 / 127.5, "offset": -1.0}, (((2, 3), "uint8"),), high=256, gradients="integers"
    ),
    LayerRow("Rescaling/channels", {"scale": [0.5, 2.0], "offset": [1.0, -1.0]}, ((2, 3, 2),)),
]
