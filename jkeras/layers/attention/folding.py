"""Folding: attention over any axes of any tensor, as attention over one axis of a batch.

(b, x, y, n, c)  over y      ->  (b * x, y, n, c)
(b, x, y, n, c)  over x, y   ->  (b, x * y, n, c)
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jkeras.errors import ShapeError
from jkeras.typing import Array


class Folding(NamedTuple):
    """How the positions of queries `(b, ..., i)` and of keys are folded.

    Attributes:
        axes: what is attended over, in order.
        queries, keys: the positions: the shapes without features.
        path: the address of the layer, for messages.
    """

    axes: tuple[int, ...]
    queries: tuple[Any, ...]
    keys: tuple[Any, ...]
    path: str

    @property
    def plain(self) -> bool:
        """Whether there is one axis after the batch, and nothing to fold."""
        return len(self.queries) == 2

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes over which nothing is attended."""
        return tuple(axis for axis in range(len(self.queries)) if axis not in self.axes)

    def fold(self, x: Array) -> Array:
        """`(b, ..., rest)` to `(batch, positions, rest)`; `rest` is what follows the positions."""
        if self.plain:
            return x
        rest = x.shape[len(self.queries) :]
        moved = jnp.transpose(x, (*self.batch, *self.axes, *range(len(self.queries), x.ndim)))
        batch = moved.shape[: len(self.batch)]
        return jnp.reshape(moved, (math.prod(batch), -1, *rest))

    def unfold(self, x: Array) -> Array:
        """The inverse of `fold`, for queries."""
        if self.plain:
            return x
        order = (*self.batch, *self.axes)
        split = jnp.reshape(x, (*(self.queries[axis] for axis in order), *x.shape[2:]))
        back = [order.index(axis) for axis in range(len(order))]
        return jnp.transpose(split, (*back, *range(len(order), split.ndim)))

    def unfold_weights(self, weights: Array) -> Array:
        """`(batch, n, t, s)` to `(batch axes, n, t axes, s axes)`."""
        if self.plain:
            return weights
        return jnp.reshape(weights, self._weights_shape(weights.shape[1]))

    def fold_mask(self, mask: Array, heads: int) -> Array:
        """What is broadcastable to the weights, in its own rank or without heads and batch axes, to `(batch, n, t, s)`.

        Raises `ShapeError` for a mask that does not fit.
        """
        full = self._weights_shape(heads)
        missing = len(full) - mask.ndim
        leading = mask.ndim - 2 * len(self.axes)
        if missing < 0 or leading < 0:
            raise self._misfit(mask, full)
        mask = jnp.expand_dims(mask.astype(bool), tuple(range(leading, leading + missing)))
        if any(size not in (1, whole) for size, whole in zip(mask.shape, full, strict=True)):
            raise self._misfit(mask, full)
        if self.plain:
            return mask
        n = len(self.batch)
        if mask.shape[n] == 1:
            full = (*full[:n], 1, *full[n + 1 :])
        t = math.prod(full[n + 1 : n + 1 + len(self.axes)])
        return jnp.reshape(jnp.broadcast_to(mask, full), (math.prod(full[:n]), full[n], t, -1))

    def _weights_shape(self, heads: int) -> tuple[Any, ...]:
        batch = tuple(self.queries[axis] for axis in self.batch)
        return (*batch, heads, *(self.queries[axis] for axis in self.axes), *(self.keys[axis] for axis in self.axes))

    def _misfit(self, mask: Array, full: Sequence[Any]) -> ShapeError:
        return ShapeError(
            "`attention_mask` must broadcast to the scores of the queries and keys.",
            path=self.path,
            expected=f"a shape that broadcasts to {tuple(full)}, heads and inner batch axes left out or not",
            received=f"shape {mask.shape}",
            write="attention_mask=jnp.tril(jnp.ones((t, s), bool))   # query and key positions",
        )
