"""Inputs: how the `x` of a batch becomes the arguments of a model's `call`.

A model whose `call` must be given several arguments, such as `call(self, images, times)`, takes them from a tuple or a
list in their order, or from a dict by their names. Every other model gets `x` as it is: the structure is its input.
"""

import inspect
from collections.abc import Mapping

from jkeras.core import Layer
from jkeras.core.tensor import is_shape
from jkeras.errors import DataError
from jkeras.typing import ArrayTree, PyTree

NO_INPUTS = ("training", "mask")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def spread(model: Layer, inputs: tuple[PyTree, ...]) -> tuple[PyTree, ...]:
    """The arguments of `call` that `Trainer.init(key, *inputs)` means: one structure of several is taken apart."""
    several = len(inputs) == 1 and isinstance(inputs[0], tuple | list | Mapping) and not is_shape(inputs[0])
    return call_arguments(model, inputs[0]) if several else inputs


def call_arguments(model: Layer, x: ArrayTree) -> tuple[PyTree, ...]:
    """The positional arguments of `model.call` for the inputs of a batch.

    >>> import jkeras
    >>> class Sum(jkeras.Model):
    ...     def call(self, a, b):
    ...         return a + b
    >>> call_arguments(Sum(), (1, 2)), call_arguments(Sum(), {"b": 2, "a": 1})
    ((1, 2), (1, 2))
    >>> call_arguments(jkeras.Sequential([]), (1, 2))
    ((1, 2),)
    """
    names = [
        name
        for name, each in inspect.signature(model.call).parameters.items()
        if each.kind in POSITIONAL and each.default is each.empty and name not in NO_INPUTS
    ]
    if len(names) < 2:
        return (x,)
    if isinstance(x, Mapping) and set(x) == set(names):
        return tuple(x[name] for name in names)
    if isinstance(x, tuple | list) and len(x) == len(names):
        return tuple(x)
    received = f"keys {sorted(x)}" if isinstance(x, Mapping) else type(x).__name__
    raise DataError(
        f"the inputs must be those of `{type(model).__name__}.call({', '.join(names)})`.",
        path="x",
        expected=f"a tuple or list of {len(names)}, or a dict with the keys {', '.join(map(repr, names))}",
        received=received if not isinstance(x, tuple | list) else f"a {received} of {len(x)}",
        write=f"x = {{{', '.join(f'{name!r}: {name}' for name in names)}}}",
    )
