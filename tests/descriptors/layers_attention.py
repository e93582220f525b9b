"""Rows of `jkeras.layers.attention`."""

from jkeras import layers
from tests.descriptors.row import LayerRow

ABSENT = "Keras has no such layer"
ARGUMENT = "Keras has no such argument"
CANCELS = "what is added to all keys adds the same to all scores of a query: the gradient of the key's bias is zero"
PAIR = ([(2, 4, 3), (2, 5, 3)],)
TRIPLE = ([(2, 4, 3), (2, 5, 2), (2, 5, 3)],)
MASKS = {"mask": [((2, 4), "bool"), ((2, 5), "bool")]}
STREAM = {"seed_generator/seed_generator_state": (2,)}
PENALTIES = {
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}


def weights(bias: bool = True, **kernels: tuple[tuple[int, ...], tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The leaves of projections, from the shapes of what they take and give."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (taken, given) in kernels.items():
        shapes |= {f"{name}/kernel": taken + given} | ({f"{name}/bias": given} if bias else {})
    return shapes


ROWS = [
    LayerRow(
        "Attention/with masks and dropout",
        {"use_scale": True, "dropout": 0.5, "seed": 3},
        TRIPLE,
        {"trainable": {"scale": ()}, "non_trainable": STREAM},
        keywords=MASKS,
        static={"use_causal_mask": True, "return_attention_scores": True},
        training=True,
        per_example="each example drops other weights",
    ),
    LayerRow(
        "Attention/of sums",
        {"use_scale": True, "score_mode": "concat"},
        TRIPLE,
        {"trainable": {"scale": (), "concat_score_weight": ()}},
    ),
    LayerRow("AdditiveAttention", {}, PAIR, {"trainable": {"scale": (3,)}}, keywords=MASKS),
    LayerRow(
        "AdditiveAttention/unscaled, with dropout",
        {"use_scale": False, "dropout": 0.5, "seed": 3},
        TRIPLE,
        {"non_trainable": STREAM},
        static={"use_causal_mask": True, "return_attention_scores": True},
        training=True,
        per_example="each example drops other weights",
    ),
    LayerRow(
        "MultiHeadAttention/everything",
        {
            "num_heads": 2,
            "key_dim": 3,
            "value_dim": 2,
            "dropout": 0.5,
            "output_shape": (3, 2),
            "sliding_window": 2,
            "use_gate": True,
            "seed": 3,
            **PENALTIES,
        },
        ((2, 4, 6), (2, 5, 3), (2, 5, 4)),
        {
            "trainable": weights(
                query=((6,), (2, 3)),
                key=((4,), (2, 3)),
                gate=((6,), (2, 2)),
                value=((3,), (2, 2)),
                attention_output=((2, 2), (3, 2)),
            ),
            "non_trainable": STREAM,
        },
        keywords={"attention_mask": ((2, 4, 5), "bool")},
        static={"return_attention_scores": True},
        training=True,
        per_example="each example drops other weights",
        cancels=CANCELS,
    ),
    LayerRow(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 2, "use_bias": False, "attention_axes": 2},
        ((2, 3, 4, 3), (2, 3, 4, 3)),
        {
            "trainable": weights(
                bias=False,
                query=((3,), (2, 2)),
                key=((3,), (2, 2)),
                value=((3,), (2, 2)),
                attention_output=((2, 2), (3,)),
            )
        },
    ),
    LayerRow(
        "MultiHeadAttention/turned by positions, through XLA",
        lambda: {
            "num_heads": 2,
            "key_dim": 2,
            "value_dim": 3,
            "flash_attention": False,
            "position_embedding": layers.RotaryEmbedding(max_wavelength=10.0),
            "implementation": "xla",
        },
        ((2, 4, 3), (2, 4, 3)),
        {
            "trainable": weights(
                query=((3,), (2, 2)), key=((3,), (2, 2)), value=((3,), (2, 3)), attention_output=((2, 3), (3,))
            )
        },
        keywords={"segment_ids": ((2, 4), "int32")},
        high=2,
        keras=ARGUMENT,
    ),
    LayerRow(
        "GroupQueryAttention",
        {
            "head_dim": 2,
            "num_query_heads": 4,
            "num_key_value_heads": 2,
            "dropout": 0.5,
            "use_bias": False,
            "sliding_window": 3,
            "use_gate": True,
            "seed": 3,
            **PENALTIES,
        },
        ((2, 4, 6), (2, 5, 6), (2, 5, 4)),
        {
            "trainable": weights(
                bias=False,
                query=((6,), (4, 2)),
                key=((4,), (2, 2)),
                gate=((6,), (4, 2)),
                value=((6,), (2, 2)),
                attention_output=((4, 2), (6,)),
            ),
            "non_trainable": STREAM,
        },
        keywords={"attention_mask": ((2, 4, 5), "bool")},
        static={"return_attention_scores": True},
        training=True,
        per_example="each example drops other weights",
    ),
    LayerRow("RotaryEmbedding", {}, ((2, 4, 6),), keras=ABSENT),
    LayerRow(
        "RotaryEmbedding/of neighbours, at positions",
        {"max_wavelength": 100.0, "scaling_factor": 2.0, "sequence_axis": 2, "interleaved": True},
        ((2, 3, 4, 6),),
        keywords={"positions": ((2, 4), "int32")},
        high=9,
        keras=ABSENT,
    ),
    LayerRow(
        "SwiGLU",
        {
            "hidden_units": 4,
            "units": 2,
            "activation": "gelu",
            "use_bias": True,
            **{name: value for name, value in PENALTIES.items() if name != "activity_regularizer"},
        },
        ((2, 3),),
        {
            "trainable": {
                **{f"{name}/kernel": (3, 4) for name in ("gate", "up")},
                **{f"{name}/bias": (4,) for name in ("gate", "up")},
                "down/kernel": (4, 2),
                "down/bias": (2,),
            }
        },
        keras=ABSENT,
    ),
]
