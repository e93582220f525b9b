"""All rows of layers: `ROWS` of every `layers_<family>.py` beside this file, and what needs none."""

import importlib
import inspect
import pkgutil

import tests.descriptors
from jkeras import layers
from jkeras.core import Layer
from tests.descriptors.row import LayerRow

# Public classes that are no layers to feed arrays to, each with the reason.
NO_ROW = {
    "Layer": "the base, which computes nothing",
    "InputLayer": "the place where a graph begins; it takes no inputs",
    "StringLookup": "XLA has no strings: on the host, in tests/test_text.py",
    "TextVectorization": "XLA has no strings: on the host, in tests/test_text.py",
    "Wrapper": "the base of wrappers, which computes nothing",
}

# Arguments that say nothing about the computation, tested with the core.
UNINTERESTING = {"name", "trainable", "dtype", "autocast", "activity_regularizer"}

# `Class.argument` that stays at its default in every row, each with the reason.
AT_DEFAULT = {
    "BatchNormalization.synchronized": "it names a mapped axis; see tests/test_normalization.py",
    **{
        f"GroupQueryAttention.{name}": "as in MultiHeadAttention"
        for name in ("flash_attention", "position_embedding", "implementation")
    },
    "Bidirectional.weights": "layers hold no values; anything is refused",
    "ConvLSTM1D.cell": "made of the other arguments",
    "ConvLSTM1D.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "ConvLSTM2D.cell": "made of the other arguments",
    "ConvLSTM2D.dilation_rate": "excludes strides; moved in ConvLSTM1D",
    "ConvLSTM2D.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "ConvLSTM3D.cell": "made of the other arguments",
    "ConvLSTM3D.dilation_rate": "excludes strides; moved in ConvLSTM1D",
    "ConvLSTM3D.dropout": "moved in ConvLSTM1D",
    "ConvLSTM3D.recurrent_dropout": "moved in ConvLSTM1D",
    "ConvLSTM3D.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "GRU.cell": "made of the other arguments",
    "GRU.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "LSTM.cell": "made of the other arguments",
    "LSTM.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "RNN.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "SimpleRNN.cell": "made of the other arguments",
    "SimpleRNN.stateful": "the size of the batch must be known; in tests/test_recurrent.py",
    "GRU.use_cudnn": "the program is the same; in tests/test_recurrent.py",
    "LSTM.use_cudnn": "the program is the same; in tests/test_recurrent.py",
    "CategoryEncoding.sparse": "layers are written for dense arrays; True is refused",
    "Discretization.num_bins": "what `adapt` is to make, without which there is nothing to call",
    "Discretization.sparse": "layers are written for dense arrays; True is refused",
    "JaxLayer.native_serialization_platforms": "it is for TensorFlow; refused",
    "JaxLayer.params": "a layer holds no values; refused",
    "JaxLayer.state": "a layer holds no values; refused",
    "HashedCrossing.sparse": "layers are written for dense arrays; True is refused",
    "Hashing.sparse": "layers are written for dense arrays; True is refused",
    "IntegerLookup.sparse": "layers are written for dense arrays; True is refused",
    "IntegerLookup.vocabulary_dtype": "there is one",
    "Resizing.fill_mode": "there is one",
}


def collect() -> list[LayerRow]:
    """The rows of all families, in the order of the files' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(tests.descriptors.__path__))
    families = [name for name in names if name.startswith("layers_")]
    rows = [row for name in families for row in importlib.import_module(f"tests.descriptors.{name}").ROWS]
    twice = {row.name for row in rows if sum(row.name == other.name for other in rows) > 1}
    assert not twice, f"rows with one name: {sorted(twice)}"
    return rows


def public_layers() -> dict[str, type[Layer]]:
    """The layer classes that `jkeras.layers` exports, each once, under its own name."""
    things = [getattr(layers, name) for name in layers.__all__]
    return {thing.__name__: thing for thing in things if inspect.isclass(thing) and issubclass(thing, Layer)}


def constructor_defaults(cls: type[Layer]) -> dict[str, object]:
    """The arguments of a layer's constructor, `Layer`'s own apart, and their defaults."""
    found: dict[str, object] = {}
    for base in cls.__mro__:
        if base is Layer:
            break
        if "__init__" in vars(base):
            parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
            named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
            found = {**{p.name: p.default for p in named}, **found}
            if len(named) == len(parameters):
                break
    return {name: default for name, default in found.items() if name not in UNINTERESTING}


ROWS = collect()
