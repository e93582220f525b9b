"""Losses that layers add in a call, beside what the trainer minimises."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras import tree
from jkeras.core import scope as scopes
from jkeras.core import stateless
from jkeras.core.weights import WeightOwner
from jkeras.errors import ArgumentError
from jkeras.typing import Array, PyTree


class AddsLosses(WeightOwner):
    """The part of a layer that adds losses to the scope of a call and reads them there."""

    path: Any

    def add_loss(self, loss: PyTree) -> None:
        """Adds a scalar, or several in a structure, to the losses of this call. Needs a scope."""
        scope = scopes.require(f"Layer '{self.name}'.add_loss", "self.add_loss(penalty)   # inside `call`")
        for leaf in jax.tree.leaves(loss):
            if not hasattr(leaf, "shape") and not isinstance(leaf, int | float):
                raise ArgumentError(
                    "`loss` must be a scalar tensor, or a structure of them.",
                    path=self.name,
                    expected="a scalar",
                    received=type(leaf).__name__,
                )
            scope.add_loss(tree.join(scope.paths.get(self, self.path or ""), "add_loss"), jnp.asarray(leaf))

    @property
    def losses(self) -> list[Array]:
        """Inside a scope: what this layer and its sublayers have added so far, and their weight penalties."""
        scope = scopes.require(
            f"Layer '{self.name}'.losses",
            "outputs, non_trainable, losses = layer.stateless_call(..., return_losses=True)",
        )
        path = scope.paths.get(self, "")
        added = [loss for name, loss in scope.losses.items() if not path or name.startswith(path + tree.SEPARATOR)]
        values = {variable: scope.stored(variable) for variable in self.trainable_variables}
        return added + list(stateless.penalties(self.structure(), values).values())
