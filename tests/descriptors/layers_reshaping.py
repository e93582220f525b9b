"""Rows of `jkeras.layers.reshaping`."""

from tests.descriptors.row import LayerRow

FIRST = {"data_format": "channels_first"}

ROWS = [
    LayerRow("Flatten", {}, ((2, 3, 4),)),
    LayerRow("Flatten/channels first", FIRST, ((2, 3, 4, 2),)),
    LayerRow("Flatten/scalars", {}, ((3,),)),
    LayerRow("Reshape", {"target_shape": (4, 3)}, ((2, 3, 4),)),
    LayerRow("Reshape/what is left", {"target_shape": (2, -1, 3)}, ((2, 3, 4),)),
    LayerRow("Permute", {"dims": (3, 1, 2)}, ((2, 3, 4, 5),)),
    LayerRow("RepeatVector", {"n": 3}, ((2, 4),)),
    LayerRow("ZeroPadding1D", {"padding": 2}, ((2, 3, 2),)),
    LayerRow("ZeroPadding1D/one end, channels first", {"padding": (0, 2), **FIRST}, ((2, 3, 2),)),
    LayerRow("ZeroPadding2D", {"padding": (2, 1)}, ((2, 3, 2, 2),)),
    LayerRow("ZeroPadding2D/pairs, channels first", {"padding": ((1, 0), (2, 3)), **FIRST}, ((2, 2, 3, 2),)),
    LayerRow("ZeroPadding3D", {"padding": 2}, ((2, 2, 3, 2, 1),)),
    LayerRow("ZeroPadding3D/pairs", {"padding": ((1, 0), (2, 3), (0, 0)), **FIRST}, ((2, 1, 2, 3, 2),)),
    LayerRow("Cropping1D", {}, ((2, 5, 2),)),
    LayerRow("Cropping1D/one end", {"cropping": (0, 2)}, ((2, 5, 2),)),
    LayerRow("Cropping2D", {"cropping": 1}, ((2, 4, 5, 2),)),
    LayerRow("Cropping2D/pairs, channels first", {"cropping": ((1, 0), (2, 1)), **FIRST}, ((2, 2, 4, 5),)),
    LayerRow("Cropping3D", {"cropping": (1, 0, 1)}, ((2, 3, 2, 4, 1),)),
    LayerRow("Cropping3D/pairs", {"cropping": ((1, 0), (0, 0), (0, 2)), **FIRST}, ((2, 1, 3, 2, 4),)),
    LayerRow("UpSampling1D", {"size": 3}, ((2, 3, 2),)),
    LayerRow("UpSampling2D", {"size": (2, 3)}, ((2, 2, 3, 2),)),
    LayerRow(
        "UpSampling2D/bilinear, channels first", {"size": 2, "interpolation": "bilinear", **FIRST}, ((2, 2, 3, 2),)
    ),
    LayerRow("UpSampling3D", {"size": (1, 2, 3), **FIRST}, ((2, 1, 2, 1, 2),)),
]
