"""Names: what other runtimes call the inputs and outputs of a model."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jkeras import tree
from jkeras.errors import NeverCalledError
from jkeras.models import Model
from jkeras.typing import PyTree


def names_of(structure: PyTree, known: Sequence[str], prefix: str) -> list[str]:
    """A name for each leaf: its keys in a dict, else what the model calls it, else its place.

    >>> names_of({"image": 1, "size": {"width": 2}}, [], "input"), names_of([1, 2], ["a", "b"], "input")
    (['image', 'size_width'], ['a', 'b'])
    >>> names_of([1, 2], ["a", "a"], "output")
    ['output_0', 'output_1']
    """
    paths = [tree.key_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(structure)]
    if isinstance(structure, Mapping):
        names = paths
    elif len(known) == len(paths) == len(set(known)):
        names = list(known)
    else:
        names = [f"{prefix}_{path or 0}" for path in paths]
    return [re.sub(r"\W", "_", name) for name in names]


def input_names(model: Model, specs: tuple[PyTree, ...]) -> list[str]:
    """The names of the inputs of a model, flat.

    >>> import jkeras
    >>> inputs = jkeras.Input((3,), name="image")
    >>> model = jkeras.Model(inputs, jkeras.layers.Dense(2, name="label")(inputs))
    >>> input_names(model, (1,)), output_names(model, 1)
    (['image'], ['label'])
    """
    return names_of(specs[0] if len(specs) == 1 else specs, _known(model, "input_names"), "input")


def output_names(model: Model, outputs: PyTree) -> list[str]:
    """The names of the outputs of a model, flat."""
    return names_of(outputs, _known(model, "output_names"), "output")


def _known(model: Model, which: str) -> list[Any]:
    try:
        found: list[Any] = getattr(model, which)
    except NeverCalledError:
        return []
    return found
