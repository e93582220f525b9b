"""Rows of `jkeras.layers.normalization`."""

from jkeras import layers
from tests.descriptors.row import LayerRow

BATCH = "the statistics are those of the batch"


def batch_tree(c, *, gamma=True, beta=True, renorm=False):
    statistics = ["moving_mean", "moving_variance"]
    statistics += ["moving_stddev", "renorm_mean", "renorm_stddev"] if renorm else []
    weights = [name for name, declared in (("gamma", gamma), ("beta", beta)) if declared]
    return {"trainable": dict.fromkeys(weights, (c,)), "non_trainable": dict.fromkeys(statistics, (c,))}


ROWS = [
    LayerRow("BatchNormalization", {}, ((4, 3),), batch_tree(3)),
    LayerRow("BatchNormalization/training", {}, ((4, 5, 3),), batch_tree(3), training=True, per_example=BATCH),
    LayerRow(
        "BatchNormalization/masked",
        {"momentum": 0.8, "epsilon": 1e-2},
        ((4, 5, 3),),
        batch_tree(3),
        keywords={"mask": ((4, 5), "bool")},
        training=True,
        per_example=BATCH,
    ),
    LayerRow(
        "BatchNormalization/channels first",
        {"axis": 1, "center": False},
        ((4, 3, 5),),
        batch_tree(3, beta=False),
        training=True,
        per_example=BATCH,
    ),
    LayerRow(
        "BatchNormalization/weight options",
        {
            "scale": True,
            "beta_initializer": "normal",
            "gamma_initializer": "uniform",
            "moving_mean_initializer": "ones",
            "moving_variance_initializer": {
                "class_name": "Constant",
                "module": "keras.initializers",
                "config": {"value": 2.0},
                "registered_name": None,
            },
            "beta_regularizer": "l1",
            "gamma_regularizer": "l2",
            "beta_constraint": "non_neg",
            "gamma_constraint": "max_norm",
        },
        ((4, 3),),
        batch_tree(3),
    ),
    LayerRow(
        "BatchNormalization/renormalized",
        {"renorm": True, "scale": False, "renorm_momentum": 0.7},
        ((4, 3),),
        batch_tree(3, gamma=False, renorm=True),
        training=True,
        per_example=BATCH,
        gradients="the corrections are constants of the gradient",
    ),
    LayerRow(
        "BatchNormalization/renormalized within bounds",
        {"renorm": True, "center": False, "renorm_clipping": {"rmin": 0.5, "rmax": 1.1, "dmax": 0.1}},
        ((4, 3),),
        batch_tree(3, beta=False, renorm=True),
        training=True,
        per_example=BATCH,
        gradients="the corrections are constants of the gradient",
    ),
    LayerRow(
        "BatchNormalization/frozen",
        {"trainable": False},
        ((4, 3),),
        {
            "non_trainable": dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (3,)),
        },
        training=True,
    ),
    LayerRow("LayerNormalization", {"axis": [-1]}, ((2, 5),), {"trainable": {"gamma": (5,), "beta": (5,)}}),
    LayerRow(
        "LayerNormalization/an int as axis",
        {"axis": 1},
        ((2, 5, 3),),
        {"trainable": {"gamma": (5,), "beta": (5,)}},
        keras="Keras turns the axis into a list when it builds",
    ),
    LayerRow(
        "LayerNormalization/several axes",
        {
            "axis": [1, 3],
            "epsilon": 1e-2,
            "beta_initializer": "normal",
            "gamma_initializer": "uniform",
            "beta_regularizer": "l1",
            "gamma_regularizer": "l2",
            "beta_constraint": "non_neg",
            "gamma_constraint": "max_norm",
        },
        ((2, 3, 2, 4),),
        {"trainable": {"gamma": (3, 4), "beta": (3, 4)}},
    ),
    LayerRow("LayerNormalization/no weights", {"center": False, "scale": False, "axis": [1]}, ((2, 5, 3),)),
    LayerRow(
        "LayerNormalization/by the deviation",
        {"rms_scaling": True, "axis": [-1]},
        ((2, 5),),
        {"trainable": {"gamma": (5,)}},
    ),
    LayerRow("RMSNormalization", {"axis": [-1], "epsilon": 1e-3}, ((2, 4, 5),), {"trainable": {"scale": (5,)}}),
    LayerRow("GroupNormalization", {"groups": 2, "center": False, "scale": False}, ((2, 3, 6),)),
    LayerRow(
        "GroupNormalization/weight options, channels first",
        {
            "groups": 3,
            "axis": 1,
            "epsilon": 1e-2,
            "beta_initializer": "normal",
            "gamma_initializer": "uniform",
            "beta_regularizer": "l1",
            "gamma_regularizer": "l2",
            "beta_constraint": "non_neg",
            "gamma_constraint": "max_norm",
        },
        ((2, 6, 2, 3),),
        {"trainable": {"gamma": (6,), "beta": (6,)}},
    ),
    LayerRow("UnitNormalization", {"axis": [1, 2]}, ((2, 3, 4),)),
    LayerRow(
        "SpectralNormalization",
        lambda: {"layer": layers.Dense(3), "power_iterations": 2},
        ((2, 4),),
        {"trainable": {"layer/kernel": (4, 3), "layer/bias": (3,)}, "non_trainable": {"vector_u": (1, 3)}},
        training=True,
        gradients="the singular vectors are constants of the gradient",
        keras="Keras lists the kernel as the wrapper's own; numbers are in tests/test_spectral_normalization.py",
    ),
]
