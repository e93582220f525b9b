"""Rows of `jkeras.layers.recurrent`."""

from jkeras import layers, registry
from jkeras.core import Layer
from tests.descriptors.row import LayerRow

BITS = "each example draws its own bits"


@registry.register_keras_serializable("rows")
class Decaying(Layer):
    """A cell of a user's: a running sum that fades. Its output is another thing than its state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        total = 0.5 * states[0] + inputs @ self.kernel.value
        return total * total, [total]


def options(*, gates=True, dropped=True):
    """Every option of the weights moved."""
    given = {
        "activation": "softsign",
        "kernel_initializer": "he_normal",
        "recurrent_initializer": "glorot_uniform",
        "bias_initializer": "ones",
        "kernel_regularizer": "l2",
        "recurrent_regularizer": "l1",
        "bias_regularizer": "l2",
        "kernel_constraint": "max_norm",
        "recurrent_constraint": "unit_norm",
        "bias_constraint": "non_neg",
        "seed": 3,
    }
    given.update({"dropout": 0.3, "recurrent_dropout": 0.4} if dropped else {})
    return {**given, "recurrent_activation": "hard_sigmoid"} if gates else given


def tree(cell, i, units, *, gates=1, bias=None):
    prefix = f"{cell}/" if cell else ""
    weights = {
        f"{prefix}kernel": (i, gates * units),
        f"{prefix}recurrent_kernel": (units, gates * units),
        f"{prefix}bias": (gates * units,) if bias is None else bias,
    }
    if bias == ():
        del weights[f"{prefix}bias"]
    return {"trainable": weights, "non_trainable": {f"{prefix}seed_generator/seed_generator_state": (2,)}}


MASK = {"mask": ((2, 3), "bool")}
SERIES = ((2, 3, 3),)
PAIR = ((2, 2, 3),)  # two steps, for what is compiled step by step
LOOP = {"return_sequences": True, "return_state": True, "go_backwards": True, "unroll": True}
KEPT = "a cell of Keras keeps the masks of its first call"
IN_LAYER = "its layer runs in half precision, through the same step"
PLAIN = "the row without options runs in half precision"
IN_ONE = "ConvLSTM1D runs in half precision, through the same functions"
SIMPLE = {"recurrent_initializer": "glorot_uniform"}  # an orthogonal matrix takes long to compile
IMAGES = {
    "padding": "same",
    "data_format": "channels_first",
    "strides": 2,
    "zero_output_for_mask": True,
    "use_bias": False,
    "unit_forget_bias": False,
}


def stack(path, *, top):
    """The tree of a GRU cell below an LSTM cell."""
    low = tree(f"{path}cells/low", 3, 2, gates=3, bias=(2, 6))
    high = tree(f"{path}cells/high", 2, top, gates=4)
    return {side: {**low[side], **high[side]} for side in low}


def cells(top):
    return [layers.GRUCell(2, name="low", **SIMPLE), layers.LSTMCell(top, name="high", **SIMPLE)]


def images(rank, c, filters, *, bias=True):
    prefix, window = "conv_lstm_cell/", (2,) * rank
    weights = {
        f"{prefix}kernel": (*window, c, 4 * filters),
        f"{prefix}recurrent_kernel": (*window, filters, 4 * filters),
        f"{prefix}bias": (4 * filters,),
    }
    if not bias:
        del weights[f"{prefix}bias"]
    return {"trainable": weights, "non_trainable": {f"{prefix}seed_generator/seed_generator_state": (2,)}}


def both(forward, backward, one, other):
    """The tree of two layers; the names say which comes first."""
    sides = {f"backward_{other}": backward, f"forward_{one}": forward}
    return {
        side: {f"{name}/{path}": shape for name, each in sides.items() for path, shape in each[side].items()}
        for side in forward
    }


ROWS = [
    LayerRow(
        "SimpleRNNCell",
        {"units": 2, **options(gates=False), "use_bias": False},
        ((2, 3), [(2, 2)]),
        tree("", 3, 2, bias=()),
        training=True,
        per_example=BITS,
        keras=KEPT,
        half=IN_LAYER,
    ),
    LayerRow(
        "LSTMCell",
        {"units": 2, **options(), "use_bias": False, "unit_forget_bias": False},
        ((2, 3), [(2, 2), (2, 2)]),
        tree("", 3, 2, gates=4, bias=()),
        training=True,
        per_example=BITS,
        keras=KEPT,
        half=IN_LAYER,
    ),
    LayerRow(
        "GRUCell",
        {"units": 2, **options(), "use_bias": False, "reset_after": False},
        ((2, 3), [(2, 2)]),
        tree("", 3, 2, gates=3, bias=()),
        training=True,
        per_example=BITS,
        keras=KEPT,
        half=IN_LAYER,
    ),
    LayerRow(
        "StackedRNNCells",
        lambda: {"cells": cells(3)},
        ((2, 3), [[(2, 2)], [(2, 3), (2, 3)]]),
        stack("", top=3),
        half=IN_LAYER,
    ),
    LayerRow(
        "SimpleRNN",
        {"units": 2, "zero_output_for_mask": True, "dropout": 0.3, **SIMPLE},
        SERIES,
        tree("simple_rnn_cell", 3, 2),
        keywords=MASK,
        training=True,
        per_example=BITS,
    ),
    LayerRow(
        "SimpleRNN/options",
        {"units": 2, **options(gates=False), **LOOP, "use_bias": False},
        PAIR,
        tree("simple_rnn_cell", 3, 2, bias=()),
        training=True,
        per_example=BITS,
        keras="the config of Keras's layer has no seed",
        half=PLAIN,
    ),
    LayerRow(
        "LSTM",
        {"units": 2, "return_sequences": True, "return_state": True, **SIMPLE},
        SERIES,
        tree("lstm_cell", 3, 2, gates=4),
        keywords={**MASK, "initial_state": [(2, 2), (2, 2)]},
    ),
    LayerRow(
        "LSTM/options",
        {"units": 2, **options(), **LOOP, "unit_forget_bias": False, "use_bias": False, "zero_output_for_mask": True},
        PAIR,
        tree("lstm_cell", 3, 2, gates=4, bias=()),
        training=True,
        per_example=BITS,
        half=PLAIN,
    ),
    LayerRow(
        "GRU",
        {"units": 2, "go_backwards": True, "return_sequences": True, "dropout": 0.3, "seed": 3, **SIMPLE},
        SERIES,
        tree("gru_cell", 3, 2, gates=3, bias=(2, 6)),
        keywords=MASK,
        training=True,
        per_example=BITS,
    ),
    LayerRow(
        "GRU/options",
        {"units": 2, "reset_after": False, **options(), **LOOP, "use_bias": False, "zero_output_for_mask": True},
        PAIR,
        tree("gru_cell", 3, 2, gates=3, bias=()),
        training=True,
        per_example=BITS,
        half=PLAIN,
    ),
    LayerRow(
        "RNN",
        lambda: {
            "cell": layers.StackedRNNCells(cells(2)),
            "return_sequences": True,
            "return_state": True,
            "zero_output_for_mask": True,
        },
        SERIES,
        stack("cell/", top=2),
        keywords=MASK,
    ),
    LayerRow(
        "RNN/a cell of a user's",
        lambda: {"cell": Decaying(2), "go_backwards": True, "unroll": True},
        PAIR,
        {"trainable": {"cell/kernel": (3, 2)}},
        keywords={"mask": ((2, 2), "bool")},
        keras="Keras does not have the class",
    ),
    LayerRow(
        "ConvLSTM1D",
        {"filters": 1, "kernel_size": 2, "dilation_rate": 2, "dropout": 0.3, "recurrent_dropout": 0.4, **SIMPLE},
        ((2, 2, 4, 2),),
        images(1, 2, 1),
        training=True,
        per_example=BITS,
    ),
    LayerRow(
        "ConvLSTM1D/options",
        {"filters": 1, "kernel_size": 2, **options(dropped=False), **LOOP, **IMAGES},
        ((2, 2, 2, 4),),
        images(1, 2, 1, bias=False),
        half=PLAIN,
    ),
    LayerRow(
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": (2, 2), **options(), **LOOP, **IMAGES},
        ((2, 2, 1, 3, 4),),
        images(2, 1, 2, bias=False),
        keywords={"mask": ((2, 2), "bool")},
        keras="Keras lays the mask along other axes of images",
        half=IN_ONE,
    ),
    LayerRow(
        "ConvLSTM3D",
        {"filters": 1, "kernel_size": 2, **options(dropped=False), **LOOP, **IMAGES},
        ((2, 2, 1, 2, 3, 2),),
        images(3, 1, 1, bias=False),
        half=IN_ONE,
    ),
    LayerRow(
        "Bidirectional",
        lambda: {"layer": layers.LSTM(2, return_sequences=True, return_state=True, **SIMPLE), "merge_mode": "ave"},
        SERIES,
        both(tree("lstm_cell", 3, 2, gates=4), tree("lstm_cell", 3, 2, gates=4), "lstm", "lstm"),
        keywords={**MASK, "initial_state": [(2, 2), (2, 2), (2, 2), (2, 2)]},
    ),
    LayerRow(
        "Bidirectional/another way back",
        lambda: {
            "layer": layers.GRU(2, **SIMPLE),
            "backward_layer": layers.SimpleRNN(2, go_backwards=True, name="backward_simple_rnn", **SIMPLE),
            "merge_mode": None,
        },
        SERIES,
        both(tree("gru_cell", 3, 2, gates=3, bias=(2, 6)), tree("simple_rnn_cell", 3, 2), "gru", "simple_rnn"),
        half=PLAIN,
    ),
    LayerRow(
        "TimeDistributed",
        lambda: {"layer": layers.Conv1D(2, 2)},
        ((2, 3, 4, 1),),
        {"trainable": {"layer/kernel": (2, 1, 2), "layer/bias": (2,)}},
    ),
    LayerRow(
        "TimeDistributed/step by step",
        lambda: {"layer": layers.BatchNormalization()},
        ((4, 3, 2),),
        {
            "trainable": {"layer/gamma": (2,), "layer/beta": (2,)},
            "non_trainable": {"layer/moving_mean": (2,), "layer/moving_variance": (2,)},
        },
        keywords={"mask": ((4, 3), "bool")},
        training=True,
        per_example="the statistics are those of the batch",
    ),
]
