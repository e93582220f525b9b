"""The signature of a layer's `call`: which arguments are tensors, and which shapes `build` is given."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jkeras.core.tensor import KerasTensor, standardize_shape
from jkeras.errors import ArgumentError
from jkeras.typing import ArraySpec, PyTree


class CallSignature:
    """The parameters of a `call` method, without `self`; made once for a class.

    >>> CallSignature(lambda self, x, training=False: x).names
    ('x', 'training')
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(call).parameters.values())[1:]
        self.signature = inspect.Signature(parameters)
        self.names = tuple(parameter.name for parameter in parameters)
        self.catches_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        self.variadic = {
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        }
        self._ordinary = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
        self._defaults = {parameter.name: parameter.default for parameter in parameters}

    def accepts(self, name: str) -> bool:
        """Whether `call` has a parameter of this name."""
        return name in self.signature.parameters

    def default(self, name: str) -> Any:
        """The default of a parameter, `None` where it has none."""
        parameter = self.signature.parameters.get(name)
        return None if parameter is None or parameter.default is parameter.empty else parameter.default

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by parameter name, defaults filled in. Raises `TypeError` where they do not fit."""
        if self._ordinary and kwargs.keys().isdisjoint(self.names[: len(args)]):
            # what `inspect` does, 10 times as fast: this runs for every layer of every trace
            arguments = {**self._defaults, **dict(zip(self.names, args, strict=False)), **kwargs}
            complete = not any(value is inspect.Parameter.empty for value in arguments.values())
            if complete and len(arguments) == len(self.names) >= len(args):
                return arguments
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments


def is_tensor(x: object) -> bool:
    """Whether something is an array, a tracer or a symbolic tensor."""
    return isinstance(x, jax.Array | np.ndarray | np.generic | KerasTensor)


def tensor_arguments(arguments: dict[str, Any], variadic: set[str], path: str) -> dict[str, PyTree]:
    """The arguments that are tensors or structures of tensors. Catch-alls (`*args`, `**kwargs`) are no arguments.

    Raises `ArgumentError` for a structure that mixes tensors with other things.
    """
    found: dict[str, PyTree] = {}
    for name, value in arguments.items():
        if name in variadic:
            continue
        if is_tensor(value):
            found[name] = value
        elif isinstance(value, list | tuple | dict) and value:
            kinds = {is_tensor(leaf) for leaf in jax.tree.leaves(value)}
            if kinds == {True}:
                found[name] = value
            elif kinds == {True, False}:
                raise ArgumentError(
                    f"the argument '{name}' mixes tensors with other things.",
                    path=path,
                    expected="only tensors, or no tensors, in one nested argument",
                    received=str(jax.tree.map(lambda leaf: type(leaf).__name__, value))[:80],
                )
    return found


def shapes_of(tensors: dict[str, PyTree]) -> dict[str, PyTree]:
    """`{"x_shape": shape}` for the tensor arguments of a call; masks have no part in building."""

    def shape(leaf: ArraySpec) -> Any:
        return None if leaf is None else standardize_shape(leaf.shape)

    return {
        f"{name}_shape": jax.tree.map(shape, value, is_leaf=lambda leaf: leaf is None)
        for name, value in tensors.items()
        if name != "mask"
    }


def align(
    method: Callable[..., Any], shapes: dict[str, PyTree], call_names: tuple[str, ...], owner: str
) -> dict[str, PyTree]:
    """The arguments for `build` or `compute_output_shape` out of the shapes of a call.

    A method with one parameter gets the first shape, whatever its name. One with several gets them by name: the
    parameter `x_shape` belongs to the argument `x` of `call`.
    """
    parameters = [
        p for p in inspect.signature(method).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    names = [parameter.name for parameter in parameters]
    if len(names) == 1:
        return {names[0]: next(iter(shapes.values()), None)}
    for name in names:
        if not name.endswith("_shape") or name.removesuffix("_shape") not in call_names:
            raise ArgumentError(
                f"`{method.__name__}` takes several shapes, so each must be named after an argument of `call`.",
                path=owner,
                expected=", ".join(f"{call_name}_shape" for call_name in call_names),
                received=name,
                write=f"def {method.__name__}(self, {call_names[0] if call_names else 'inputs'}_shape, ...): ...",
            )
    # an optional tensor that was not given has the shape None
    return {p.name: shapes.get(p.name) for p in parameters if p.name in shapes or p.default is p.empty}
