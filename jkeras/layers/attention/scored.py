"""ScoredAttention: attention over tensors as they come, without heads or projections. Only the scores differ."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from jkeras import arguments
from jkeras.core import Layer, SeedGenerator
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import is_shape
from jkeras.dtypes import is_float
from jkeras.errors import ShapeError
from jkeras.functional import dropout, masked_softmax
from jkeras.typing import Array


class ScoredAttention(Layer):
    """The base of `Attention` and `AdditiveAttention`: `softmax(scores(query, key)) @ value`.

    A subclass describes `scores`, and declares in `build` what they need.
    """

    def __init__(self, use_scale: bool, dropout: float, seed: int | None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.use_scale = bool(use_scale)
        self.dropout = arguments.fraction(dropout, "dropout", type(self).__name__, interval="[0, 1)")
        self.seed = seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)

    def _floats(self, x: Array) -> Array:
        """The array itself, or integers in the compute dtype: products of small ones wrap around."""
        return x if is_float(x.dtype) else x.astype(self.compute_dtype)

    def scores(self, query: Array, key: Array) -> Array:
        """How well each key `(..., s, i)` fits each query `(..., t, i)`: `(..., t, s)`, float32 at least."""
        raise NotImplementedError

    def call(
        self,
        inputs: Sequence[Array],
        mask: Sequence[Array | None] | None = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        query_mask, value_mask = self.check_masks(mask)
        query, value, *rest = self.check_list(inputs)
        query, value, *rest = (self._floats(x) for x in (query, value, *rest))
        key = rest[0] if rest else value
        query, key, value = _keep(query, query_mask), _keep(key, value_mask), _keep(value, value_mask)
        scores = self.scores(query, key)  # (..., t, s)
        weights = masked_softmax(scores, _allowed(scores, value_mask, use_causal_mask)).astype(query.dtype)
        drops = training and self.dropout > 0
        weights = dropout(weights, self.dropout, self.seed_generator.next()) if drops else weights
        outputs = _keep(weights @ value, query_mask)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        """The query's mask."""
        array: Array | None = self.check_masks(mask)[0]
        return array

    def check_list(self, inputs: Sequence[Any]) -> Any:
        """The inputs, or their shapes, if they are `[query, value]` or `[query, value, key]`."""
        if isinstance(inputs, list | tuple) and len(inputs) in (2, 3) and not is_shape(inputs):
            return inputs
        received = f"{len(inputs)} inputs" if isinstance(inputs, list | tuple) else type(inputs).__name__
        rule, wanted = "the inputs must be a list of two or three tensors", "[query, value] or [query, value, key]"
        write = f"{self.name}([x, x])   # attention of a sequence to itself"
        raise ShapeError.must(rule, received, path=self._label, expected=wanted, write=write)

    def check_masks(self, mask: Sequence[Array | None] | None) -> tuple[Any, Any]:
        """The masks of query and value, out of a list of two or three."""
        if mask is None:
            return None, None
        if not isinstance(mask, list | tuple) or len(mask) not in (2, 3):
            problem = "the mask must be a list of two or three masks, as the inputs are a list."
            wanted, write = "[query_mask, value_mask], with None for none", f"{self.name}([x, y], mask=[x_mask, None])"
            received = type(mask).__name__
            raise ShapeError(problem, path=self._label, expected=wanted, received=received, write=write)
        return mask[0], mask[1]


def _allowed(scores: Array, value_mask: Array | None, causal: bool) -> Array | None:
    """What a query may look at, broadcastable to the scores `(..., t, s)`; `None` for everything."""
    allowed = None if value_mask is None else jnp.expand_dims(value_mask.astype(bool), -2)
    if not causal:
        return allowed
    order = lax.broadcasted_iota("int32", scores.shape, scores.ndim - 2) >= lax.broadcasted_iota(
        "int32", scores.shape, scores.ndim - 1
    )
    return order if allowed is None else allowed & order


def _keep(x: Array, mask: Array | None) -> Array:
    """`x (..., t, i)` with zeros where the mask keeps nothing: padding may hold anything, and 0 times NaN is NaN."""
    return x if mask is None else jnp.where(jnp.expand_dims(mask.astype(bool), -1), x, jnp.zeros((), x.dtype))
