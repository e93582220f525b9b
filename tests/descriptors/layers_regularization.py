"""Rows of `jkeras.layers.regularization`.

In training each example has noise of its own, so a `vmap` over the batch draws other noise than one call.
"""

from tests.descriptors.row import LayerRow

STREAM = {"non_trainable": {"seed_generator/seed_generator_state": (2,)}}
DRAWN = "the noise of a batch is one tensor"
HALF = "noise is drawn in the compute dtype, so half precision draws other numbers"

ROWS = [
    LayerRow("Dropout", {"rate": 0.5}, ((2, 3),), STREAM),
    LayerRow("Dropout/none", {"rate": 0}, ((2, 3),), training=True),
    LayerRow("Dropout/all", {"rate": 1.0, "seed": 3}, ((2, 3),), STREAM, training=True),
    LayerRow("Dropout/training", {"rate": 0.3, "seed": 7}, ((4, 8),), STREAM, training=True, per_example=DRAWN),
    LayerRow(
        "Dropout/shared noise",
        {"rate": 0.3, "noise_shape": (None, 1, None), "seed": 7},
        ((4, 3, 8),),
        STREAM,
        training=True,
        per_example=DRAWN,
    ),
    LayerRow("AlphaDropout", {"rate": 0.5}, ((2, 3),), STREAM),
    LayerRow(
        "AlphaDropout/training",
        {"rate": 0.3, "noise_shape": [None, 1, None], "seed": 7},
        ((4, 3, 8),),
        STREAM,
        training=True,
        per_example=DRAWN,
    ),
    LayerRow("GaussianDropout", {"rate": 0.5}, ((2, 3),), STREAM),
    LayerRow(
        "GaussianDropout/training",
        {"rate": 0.3, "seed": 7},
        ((4, 8),),
        STREAM,
        training=True,
        per_example=DRAWN,
        half=HALF,
    ),
    LayerRow("GaussianNoise", {"stddev": 0.5}, ((2, 3),), STREAM),
    LayerRow(
        "GaussianNoise/training",
        {"stddev": 0.3, "seed": 7},
        ((4, 8),),
        STREAM,
        training=True,
        per_example=DRAWN,
        half=HALF,
    ),
    LayerRow("SpatialDropout1D", {"rate": 0.4, "seed": 7}, ((4, 3, 8),), STREAM, training=True, per_example=DRAWN),
    LayerRow("SpatialDropout2D", {"rate": 0.4}, ((2, 3, 4, 8),), STREAM, training=True, per_example=DRAWN),
    LayerRow(
        "SpatialDropout2D/channels first",
        {"rate": 0.4, "data_format": "channels_first", "seed": 7},
        ((2, 8, 3, 4),),
        STREAM,
        training=True,
        per_example=DRAWN,
    ),
    LayerRow("SpatialDropout3D", {"rate": 0.4}, ((2, 2, 3, 2, 8),), STREAM, training=True, per_example=DRAWN),
    LayerRow(
        "SpatialDropout3D/channels first",
        {"rate": 0.4, "data_format": "channels_first", "seed": 7},
        ((2, 8, 2, 3, 2),),
        STREAM,
        training=True,
        per_example=DRAWN,
    ),
    LayerRow("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, ((2, 3),)),
]
