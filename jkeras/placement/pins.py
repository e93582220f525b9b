"""Pins: where the outputs of layers stay while a program is divided.

XLA's partitioner follows the weights: where they are split over all devices it splits activations like them, which
takes many times the memory of what is split along the batch. So each layer's outputs are told to keep the batch axis.
"""

import re
from typing import Any

import jax
from jax.sharding import NamedSharding

from jkeras.core.scope import current
from jkeras.jax_compat import by_hand
from jkeras.placement.placement import Placement
from jkeras.placement.specs import FREE, Spec, SpecLike, as_spec, check_fits, pairs
from jkeras.typing import Array, PyTree


class Pins:
    """What the layers of one call are told of their outputs.

    Args:
        placement: with `outputs` by the paths of layers.
        batch_size: outputs whose first axis has this length have a batch axis; others are left alone.

    >>> pins = Pins(Placement(jax.make_mesh((1,), ("data",))), 8)
    >>> pins.divides, pins.pinned("dense", 2.0)  # one device has nothing to divide
    (False, 2.0)
    """

    def __init__(self, placement: Placement, batch_size: int) -> None:
        self.placement, self.batch_size = placement, batch_size
        self.divides = placement.pin and batch_size > 0 and batch_size % placement.parts == 0 and placement.parts > 1

    def pinned(self, path: str, outputs: PyTree) -> PyTree:
        """What the layer at a path returned, told where to lie."""
        for pattern, spec in pairs(self.placement.outputs):
            if re.search(pattern, path) or re.search(pattern, f"{path}/output"):  # Keras matches the latter
                return jax.tree.map(lambda leaf, spec=spec: self.constrained(leaf, spec, path), outputs)
        return jax.tree.map(self._batch_axis, outputs) if self.divides else outputs

    def _batch_axis(self, leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or leaf.shape[:1] != (self.batch_size,) or by_hand():
            return leaf
        spec = Spec(self.placement.batch, *[FREE] * (leaf.ndim - 1))
        return jax.lax.with_sharding_constraint(leaf, NamedSharding(self.placement.mesh, spec))

    def constrained(self, leaf: Array, spec: Spec, path: str) -> Array:
        """An array inside a program, told to lie as a spec says; a smaller last batch that does not divide is whole."""
        if by_hand():
            return leaf
        if len(spec) and spec[0] == self.placement.batch and leaf.ndim and leaf.shape[0] % self.placement.parts:
            spec = Spec(None, *spec[1:])
        check_fits(self.placement.mesh, spec, leaf.shape, path)
        held: Array = jax.lax.with_sharding_constraint(leaf, NamedSharding(self.placement.mesh, spec))
        return held


def constrain(x: Array, spec: SpecLike) -> Array:
    """An array inside `call`, told to lie as a spec says on the mesh of the trainer's placement.

    Without a placement it is the array as it is, so that a layer with it runs anywhere.

    Args:
        x: any array.
        spec: a `PartitionSpec`; `PartitionSpec.UNCONSTRAINED` for axes that the compiler may split as it likes.

    Raises:
        PlacementError: the spec does not fit the array or the mesh.

    >>> import jax.numpy as jnp
    >>> constrain(jnp.ones(2), Spec("model")).tolist()
    [1.0, 1.0]
    """
    scope = current()
    pins = None if scope is None else scope.pins
    if not isinstance(pins, Pins):
        return x
    return pins.constrained(x, as_spec(spec, pins.placement.mesh, "constrain(spec)"), "constrain(x)")
