"""Symbolic calls of layers that cannot do without their mask.

A symbolic tensor has no mask: masks exist when a graph runs. So a layer whose `call` fails without one is inferred
together with the graph that leads to its inputs, from the inputs of that graph on. What runs first, the layer alone,
takes less time and serves all layers but these.
"""

from typing import Any

import jax

from jkeras.core import call as calls
from jkeras.core.function import Function
from jkeras.core.graph import roots
from jkeras.core.infer import infer
from jkeras.core.protocol import LayerLike
from jkeras.core.scope import Scope
from jkeras.core.tensor import KerasTensor, keras_tensors
from jkeras.typing import PyTree


def takes_mask(layer: LayerLike) -> bool:
    """Whether a layer's `call` has an argument that a mask is filled into."""
    return any(name == "mask" or name.endswith("_mask") for name in layer.call_signature.names)


def infer_with_masks(layer: LayerLike, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
    """The outputs' specs of a call behind the graph that made its inputs; `None` where that graph makes no mask."""
    tensors = list({id(tensor): tensor for tensor in keras_tensors(args, kwargs)}.values())
    inputs = roots(tensors)
    if not inputs:
        return None
    graph, newborn, masked = Function(inputs, tensors), {}, []  # type: ignore[var-annotated]

    def run(values: list[Any]) -> PyTree:
        with Scope(building=True, newborn=newborn).open() as scope:
            made = graph.replay(values, lambda operation: operation)
            masked.extend(scope.mask_of(value) is not None for value in made)
            if not any(masked):
                return None
            found = {id(tensor): value for tensor, value in zip(tensors, made, strict=True)}
            filled = jax.tree.map(
                lambda leaf: found[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, (args, kwargs)
            )
            return calls.run(layer, scope, *filled)

    return infer(run, inputs)
