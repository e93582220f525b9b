"""Rows of `jkeras.layers.merging`."""

from tests.descriptors.row import LayerRow

TWO = ([(2, 3), (2, 3)],)
RANKS = ([(2, 3), (2, 4, 1), (2, 4, 3)],)

ROWS = [
    LayerRow("Add", {}, TWO),
    LayerRow("Add/broadcast", {}, RANKS),
    LayerRow(
        "Add/integers",
        {},
        ([((2, 3), "int32"), ((2, 3), "int32")],),
        high=9,
        gradients="integers",
        keras="its spec says float32",
    ),
    LayerRow("Subtract", {}, ([(2, 3), (2, 4, 3)],)),
    LayerRow("Multiply", {}, RANKS),
    LayerRow("Average", {}, RANKS),
    LayerRow("Maximum", {}, RANKS),
    LayerRow("Minimum", {}, RANKS),
    LayerRow("Concatenate", {}, ([(2, 3), (2, 2)],)),
    LayerRow("Concatenate/along time", {"axis": 1}, ([(2, 3, 4), (2, 1, 4), (2, 2, 4)],)),
    LayerRow("Dot", {"axes": -1}, TWO),
    LayerRow("Dot/of matrices", {"axes": [2, 1]}, ([(2, 3, 4), (2, 4, 5)],)),
    LayerRow("Dot/of a vector and a tensor", {"axes": [1, 3]}, ([(2, 4), (2, 3, 5, 4)],)),
    LayerRow("Dot/normalized", {"axes": 1, "normalize": True}, ([(2, 4, 3), (2, 4)],)),
]
