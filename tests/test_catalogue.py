"""Every public name of Keras's catalogue is there, with its arguments, or has a reason here."""

import inspect

import pytest

import jkeras
from tests.oracle import keras

TENSORFLOW = "runs a SavedModel of TensorFlow"
TORCH = "runs a module of torch"
FLAX = "JaxLayer takes any pair of pure functions, those of Flax included"
BOXES = "bounding boxes stay with the user's own data code: see docs/design.md, section 9"

ABSENT = {
    "layers.TFSMLayer": TENSORFLOW,
    "layers.TorchModuleWrapper": TORCH,
    "layers.FlaxLayer": FLAX,
    "layers.MaxNumBoundingBoxes": BOXES,
}
MODULES = (
    *("layers", "losses", "metrics", "ops", "random", "initializers", "activations", "regularizers", "constraints"),
    *("ops.image", "ops.linalg", "ops.nn", "ops.numpy"),
)


def public(module):
    return {name for name in dir(module) if not name.startswith("_")}


def at(root, path):
    for name in path.split("."):
        root = getattr(root, name)
    return root


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_keras_is_there_or_has_a_reason(name):
    missing = public(at(keras, name)) - public(at(jkeras, name))
    unexplained = sorted(each for each in missing if f"{name}.{each}" not in ABSENT)
    assert not unexplained


def test_no_reason_is_given_for_what_is_there_or_what_keras_has_not():
    for path in ABSENT:
        assert hasattr(at(keras, path.rpartition(".")[0]), path.rpartition(".")[2])
        assert not hasattr(at(jkeras, path.rpartition(".")[0]), path.rpartition(".")[2])


def test_the_reasons_fit_on_a_screen():
    assert len(ABSENT) <= 40


# -- arguments

VALUES = "a layer holds no values; `weights=None` and what follows it is taken by name"
NAME = "a name is given by name, to every layer"
QUANTIZED = "layers are not quantized; `None` is taken by name"
ORDER = "the order is that of Conv1DTranspose and Conv2DTranspose; a format in the place of a number is an error"

# By name, or with what it is an argument of.
DIFFERENT = {
    "quantization_config": QUANTIZED,
    "gptq_unpacked_column_size": QUANTIZED,
    "layers.Embedding(weights)": VALUES,
    "layers.Embedding(lora_rank)": VALUES,
    "layers.Embedding(lora_alpha)": VALUES,
    "layers.RandomCrop(name)": NAME,
    "layers.Conv3DTranspose(data_format)": ORDER,
    "layers.Conv3DTranspose(output_padding)": ORDER,
    "layers.Convolution3DTranspose(data_format)": ORDER,
    "layers.Convolution3DTranspose(output_padding)": ORDER,
}


def parameters(found):
    """The parameters of a function or constructor, under the names by which an operation takes its first ones."""
    function = found.__init__ if inspect.isclass(found) else found
    listed = list(inspect.signature(function).parameters.values())[inspect.isclass(found) :]
    names = inspect.getclosurevars(function).nonlocals.get("leading", []) if inspect.isfunction(function) else []
    if names and listed[0].kind is inspect.Parameter.VAR_POSITIONAL:  # a ufunc
        return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names] + listed[1:]
    return [p.replace(name=name) for p, name in zip(listed, names, strict=False)] + listed[len(names) :]


def same_default(ours, theirs):
    """Whether two defaults mean the same; one int stands for as many as there are axes."""
    while isinstance(theirs, tuple) and isinstance(ours, int):
        assert len(set(theirs)) == 1
        theirs = theirs[0]
    return theirs is inspect.Parameter.empty or repr(ours) == repr(theirs) or ours == theirs


BY_PLACE = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


def differences(path):
    """What stands in the way of a call that Keras takes: an argument that is unknown, has another default, or has a
    place where ours is another one."""
    ours, theirs = (parameters(at(root, path)) for root in (jkeras, keras))
    by_name = {p.name: p for p in ours}
    beyond = {p.name for p in parameters(jkeras.Layer)} if path.startswith("layers.") else None  # what **kwargs takes
    catches_all = any(p.kind is p.VAR_KEYWORD for p in ours)
    for place, parameter in enumerate(theirs):
        name, own = parameter.name, by_name.get(parameter.name)
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if own is None and not (catches_all and (beyond is None or name in beyond)):
            yield name, "unknown"
        elif own is not None and not same_default(own.default, parameter.default):
            yield name, f"{own.default!r} instead of {parameter.default!r}"
        elif parameter.kind is parameter.KEYWORD_ONLY:
            continue
        elif place >= len(ours) or ours[place].kind not in BY_PLACE:
            yield name, "taken by name alone"
        elif ours[place].kind is parameter.POSITIONAL_OR_KEYWORD and ours[place].name != name:
            yield name, f"`{ours[place].name}` stands there"


FAMILIES = (
    "ops",
    "random",
    "layers",
    "losses",
    "metrics",
    "initializers",
    "activations",
    "regularizers",
    "constraints",
)


def test_arguments_have_the_names_places_and_defaults_of_keras():
    found = {}
    for family in FAMILIES:
        for name in public(at(keras, family)) & public(at(jkeras, family)):
            path = f"{family}.{name}"
            if callable(at(keras, path)):
                found |= {f"{path}({argument})": problem for argument, problem in differences(path)}
    explained = {each for each in found if each in DIFFERENT or each.partition("(")[2][:-1] in DIFFERENT}
    assert not {each: problem for each, problem in found.items() if each not in explained}
    assert {*DIFFERENT} <= {name for each in explained for name in (each, each.partition("(")[2][:-1])}
