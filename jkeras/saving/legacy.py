"""Keras's older form of HDF5: whole models `.h5`, and weights alone, layer by layer under their names.

    model_weights/dense_1/sequential/dense_1/kernel     a whole model; weights alone begin with the layer
    attributes `layer_names`, `weight_names`            the order of the layers, and of the weights of each

Weights come to a model by the order of its layers, or by their names. The config of a whole model is an attribute,
which only `load_model` reads, as it reads that of a `.keras` file: code in it is not run.

Source: the files of Keras 3.15, which the tests write.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jkeras.core import Layer, Variable
from jkeras.errors import ArgumentError
from jkeras.representations import LowRank
from jkeras.saving.entries import refused
from jkeras.saving.hdf5 import Stored
from jkeras.saving.keras_weights import misfits, reading, take

MODEL, TOP = "model_weights", "top_level_model_weights"
LAYER_NAMES, WEIGHT_NAMES = "layer_names", "weight_names"
FORM = "attributes that name the layers of the file, and the weights of each"


def layers_of(file: Any, found: Mapping[str, Stored], path: str) -> dict[str, list[str]] | None:
    """The names of the arrays of each layer, in the order of the file; `None` where a file is not of this form.

    Args:
        file: of h5py.
        found: its arrays.
        path: what errors name.

    Raises:
        UnsafeFileError: an attribute names an array that is not there.
    """
    with reading(path):
        prefix = ""
        if not _has(file, LAYER_NAMES):
            if MODEL not in file or not _has(file[MODEL], LAYER_NAMES):
                return None
            prefix = f"{MODEL}/"
        root = file[MODEL] if prefix else file
        layers = _names(root, LAYER_NAMES, path)
        result = {}
        for layer in [*layers, *([TOP] if TOP in root and TOP not in layers else [])]:
            if layer not in root:
                raise refused("missing-array", f"the layer {layer[:80]!r} must be in the file", path, FORM)
            weights = [f"{prefix}{layer}/{name}" for name in _names(root[layer], WEIGHT_NAMES, path)]
            if absent := [name for name in weights if name not in found]:
                raise refused("missing-array", f"the array {absent[0][:80]!r} must be in the file", path, FORM)
            result[layer] = weights
        return result


def _has(group: Any, name: str) -> bool:
    return name in group.attrs or f"{name}0" in group.attrs


def _names(group: Any, name: str, path: str) -> list[str]:
    """The strings of an attribute; a long one is in pieces, which are numbered."""
    pieces = [name] if name in group.attrs else []
    while not pieces or pieces[0] != name:
        if f"{name}{len(pieces)}" not in group.attrs:
            break
        pieces.append(f"{name}{len(pieces)}")
    names = [item for piece in pieces for item in group.attrs[piece]]
    texts = [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in names]
    if not all(isinstance(text, str) for text in texts):
        raise refused("dtype", f"the attribute `{name}` must hold strings", path, FORM)
    return [str(text) for text in texts]


def short_names(layers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The names `layer/weight` of the arrays, by their names in the file. Weights of inner layers have longer ones.

    >>> short_names({"dense": ["model_weights/dense/sequential/dense/kernel:0"]})
    {'model_weights/dense/sequential/dense/kernel:0': 'dense/kernel'}
    """
    result: dict[str, str] = {}
    for layer, weights in layers.items():
        full = {name: name.removeprefix(f"{MODEL}/").removeprefix(f"{layer}/").removesuffix(":0") for name in weights}
        short = {name: f"/{weight}".rpartition(f"/{layer}/")[2].removeprefix("/") for name, weight in full.items()}
        chosen = short if len({*short.values()}) == len(weights) else full
        result |= {name: f"{layer}/{weight}" for name, weight in chosen.items()}
    return result


def fill_legacy(
    values: dict[Variable, Any],
    layer: Layer,
    layers: Mapping[str, list[str]],
    found: Mapping[str, Stored],
    path: str,
    *,
    by_name: bool,
    strict: bool,
) -> list[str]:
    """Puts the weights of a file of the older form into the values of a model's variables.

    Args:
        values: by variable; those that the file does not have stay.
        layer: the model.
        layers: the names of the arrays of each layer of the file.
        found: the arrays.
        path: what errors name.
        by_name: whether layers are found by their names, and not by their order. Others keep their weights.
        strict: whether it is an error that a layer has other weights.

    Returns:
        What is wrong with the layers that keep their weights.
    """
    parts = _parts(layer)
    named = {name: weights for name, weights in layers.items() if weights and name != TOP}
    if by_name:
        pairs = [(name, parts[name], weights) for name, weights in named.items() if name in parts]
        if not pairs:
            raise misfits(layer, path, [f"'{name}' is not in the file: {', '.join(named)[:200]}" for name in parts])
    elif len(parts) != len(named):
        counted = f"'{layer.name}' has {len(parts)} layers with weights, the file has {len(named)}"
        raise misfits(layer, path, [f"{counted}: {', '.join(named)[:200]}"])
    else:
        pairs = [(name, part, weights) for (name, part), weights in zip(parts.items(), named.values(), strict=True)]
    if layers.get(TOP):
        pairs.append((layer.name, [_weights(layer.own_variables)], layers[TOP]))
    problems: list[str] = []
    fitting: list[tuple[Variable, str]] = []
    for name, orders, weights in pairs:
        fits = [order for order in orders if _fits(order, weights, found)]
        chosen = next((order for order in fits if _is_named(order, weights)), fits[0] if fits else None)
        if chosen is None:
            problems.append(_misfit(name, orders[0], weights, found))
        else:
            fitting += zip(chosen, weights, strict=True)
    if problems and strict:
        raise misfits(layer, path, problems)
    take(values, fitting, found, path)
    return problems


def _parts(model: Layer) -> dict[str, list[list[Variable]]]:
    """The weights of each layer of a model that has some, in the orders in which Keras may have written them.

    Trainable ones come first; a layer that was frozen when it was saved has them in the order of its parts.
    """
    if not hasattr(model, "layers"):
        raise ArgumentError(
            f"the weights of a `.h5` file must go into a model, got {type(model).__name__}.",
            path=model.name,
            expected="a model, whose layers the file has",
            received=type(model).__name__,
            write="jkeras.saving.assign(layer, variables, jkeras.saving.open_weights(path))",
        )
    found = {}
    for part in model.layers:
        weights = _weights([d.variable for d in part.structure().declarations.values() if not d.stream])
        if weights:
            found[part.name] = [sorted(weights, key=lambda variable: variable.assignable), weights]
    return found


def _weights(variables: Sequence[Variable]) -> list[Variable]:
    """The variables without pairs of LoRA."""
    forms = [variable.representation for variable in variables]
    pairs = {id(part) for form in forms if isinstance(form, LowRank) for part in (form.a, form.b)}
    return [variable for variable in variables if id(variable) not in pairs]


def _fits(order: Sequence[Variable], weights: Sequence[str], found: Mapping[str, Stored]) -> bool:
    return len(order) == len(weights) and all(
        tuple(variable.shape) == found[name].shape for variable, name in zip(order, weights, strict=True)
    )


def _is_named(order: Sequence[Variable], weights: Sequence[str]) -> bool:
    """Whether the weights have the names of the variables: shapes alone do not tell a mean from a variance."""
    names = [weight.rpartition("/")[2].removesuffix(":0") for weight in weights]
    return names == [variable.name for variable in order]


def _misfit(name: str, order: Sequence[Variable], weights: Sequence[str], found: Mapping[str, Stored]) -> str:
    if len(order) != len(weights):
        return f"'{name}' has {len(weights)} arrays, expected {len(order)}: {[tuple(v.shape) for v in order]}"
    variable, weight = next(
        (variable, weight)
        for variable, weight in zip(order, weights, strict=True)
        if tuple(variable.shape) != found[weight].shape
    )
    return f"'{name}' has {weight.rpartition('/')[2]!r} of shape {found[weight].shape}, expected {variable.shape}"
