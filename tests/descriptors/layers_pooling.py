"""Rows of `jkeras.layers.pooling`."""

from tests.descriptors.row import LayerRow

IMAGES = {1: (2, 7, 3), 2: (2, 5, 6, 3), 3: (2, 3, 5, 4, 2)}  # batch, spatial, channels
SIZES = {1: 3, 2: (3, 2), 3: (2, 3, 1)}
STRIDES = {1: 2, 2: (1, 2), 3: (2, 1, 3)}
NUMBERS = {1: 2, 2: (4, 2), 3: (1, 2, 5)}  # of 3, (6, 3), (5, 4, 2): overlapping windows, pieces, more than elements

ROWS = []
for rank, shape in IMAGES.items():
    first = {"data_format": "channels_first"}
    for kind in ("Max", "Average"):
        ROWS += [
            LayerRow(f"{kind}Pooling{rank}D", {"pool_size": 2}, (shape,)),
            LayerRow(
                f"{kind}Pooling{rank}D/same, overlapping, channels first",
                {"pool_size": SIZES[rank], "strides": STRIDES[rank], "padding": "same", **first},
                (shape,),
            ),
        ]
        ROWS += [
            LayerRow(f"Global{kind}Pooling{rank}D", {}, (shape,)),
            LayerRow(f"Global{kind}Pooling{rank}D/keepdims, channels first", {"keepdims": True, **first}, (shape,)),
            LayerRow(f"Adaptive{kind}Pooling{rank}D", {"output_size": NUMBERS[rank], **first}, (shape,)),
        ]
ROWS += [
    LayerRow(
        "GlobalAveragePooling1D/masked",
        {},
        ((2, 7, 3),),
        keywords={"mask": ((2, 7), "bool")},
    ),
    LayerRow(
        "MaxPooling2D/integers",
        {"pool_size": 2},
        (((2, 4, 4, 1), "int32"),),
        low=-9,
        high=9,
        gradients="integers have no gradients",
        half="integers stay integers",
        keras="Keras's compares with a float minus infinity and refuses integers",
    ),
]
