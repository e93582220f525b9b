"""Rows of `jkeras.layers.composition`."""

from jkeras import Sequential, layers
from tests.descriptors.row import LayerRow

ABSENT = "Keras has no such layer"
APPLICATIONS = "Keras keeps it inside of an application; see tests/models/test_applications.py"
INNER = "the layers inside have policies of their own"


def block() -> layers.Layer:
    """Everything that a stack must carry: weights, a penalty, statistics, random numbers."""
    return layers.Residual(
        Sequential(
            [
                layers.LayerNormalization(),
                layers.Dense(4, activation="tanh", kernel_regularizer="l2"),
                layers.BatchNormalization(momentum=0.5),
                layers.Dropout(0.5),
                layers.Dense(3),
            ]
        )
    )


def tree(*lead: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """The leaves of the block, with leading axes."""
    inner = "layer" if not lead else "block/layer"
    shapes = {"dense/kernel": (3, 4), "dense/bias": (4,), "dense_1/kernel": (4, 3), "dense_1/bias": (3,)}
    shapes |= {f"layer_normalization/{name}": (3,) for name in ("gamma", "beta")}
    shapes |= {f"batch_normalization/{name}": (4,) for name in ("gamma", "beta")}
    fixed = {f"batch_normalization/moving_{name}": (4,) for name in ("mean", "variance")}
    fixed["dropout/seed_generator/seed_generator_state"] = (2,)
    return {
        side: {f"{inner}/{path}": (*lead, *shape) for path, shape in found.items()}
        for side, found in (("trainable", shapes), ("non_trainable", fixed))
    }


ROWS = [
    LayerRow(
        "LayerScale",
        {"init_values": 0.5, "projection_dim": 3},
        ((2, 4, 3),),
        {"trainable": {"gamma": (3,)}},
        keras=APPLICATIONS,
    ),
    LayerRow("StochasticDepth", {"drop_path_rate": 0.0}, ((2, 3),), keras=APPLICATIONS),
    LayerRow(
        "StochasticDepth/training",
        {"drop_path_rate": 0.5, "seed": 3},
        ((4, 3),),
        {"non_trainable": {"seed_generator/seed_generator_state": (2,)}},
        training=True,
        per_example="each example of a batch has a number of its own in one draw",
        keras=APPLICATIONS,
    ),
    LayerRow("CustomScaleLayer", {"scale": 0.25}, ([(2, 3), (2, 3)],), keras=APPLICATIONS),
    LayerRow(
        "Residual",
        lambda: {"layer": block().layer},
        ((2, 3),),
        tree=tree(),
        training=True,
        per_example="statistics of the batch, and dropout",
        keras=ABSENT,
    ),
    LayerRow(
        "Remat",
        lambda: {"layer": layers.Dense(4), "policy": "dots_saveable"},
        ((2, 3),),
        tree={"trainable": {"layer/kernel": (3, 4), "layer/bias": (4,)}},
        keras=ABSENT,
    ),
    LayerRow(
        "Stack",
        lambda: {"block": block(), "n": 3},
        ((2, 3),),
        tree=tree(3),
        training=True,
        per_example="statistics of the batch, and dropout",
        half=INNER,
        keras=ABSENT,
    ),
    LayerRow(
        "Stack/rematerialized and unrolled",
        lambda: {"block": layers.Residual(layers.Dense(3)), "n": 4, "remat": "dots_saveable", "unroll": 2},
        ((2, 3),),
        tree={"trainable": {"block/layer/kernel": (4, 3, 3), "block/layer/bias": (4, 3)}},
        half=INNER,
        keras=ABSENT,
    ),
]
