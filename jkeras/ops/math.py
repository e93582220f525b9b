"""The rest of the mathematics of the table: special functions, segments, Fourier transforms, best entries."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.typing import Array, ArrayLike, PyTree

erf = lift(jax.scipy.special.erf, "erf")
erfc = lift(jax.scipy.special.erfc, "erfc")
erfinv = lift(jax.scipy.special.erfinv, "erfinv")
rsqrt = lift(jax.lax.rsqrt, "rsqrt")


def _logsumexp(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
    return jax.scipy.special.logsumexp(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)


def _logdet(x: Array) -> Array:
    return jnp.linalg.slogdet(x)[1]


logsumexp = lift(_logsumexp, "logsumexp")
logdet = lift(_logdet, "logdet")


def _segment(function: Callable[..., Array], op: str) -> Callable[..., PyTree]:
    def segment(data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False) -> Array:
        return function(data, segment_ids, num_segments, indices_are_sorted=sorted)

    segment.__name__, segment.__doc__ = op, f"`jax.ops.{op}`."
    return lift(segment, op)


segment_max = _segment(jax.ops.segment_max, "segment_max")
segment_min = _segment(jax.ops.segment_min, "segment_min")
segment_prod = _segment(jax.ops.segment_prod, "segment_prod")
segment_sum = _segment(jax.ops.segment_sum, "segment_sum")


def _top_k(x: Array, k: int, sorted: bool = True) -> list[Array]:
    return list(jax.lax.top_k(x, k))


def _in_top_k(targets: Array, predictions: Array, k: int) -> Array:
    """Whether fewer than `k` classes beat the target's; ties count for it."""
    own = jnp.take_along_axis(predictions, jnp.expand_dims(targets, -1), axis=-1)  # (b, 1)
    return jnp.sum(predictions > own, axis=-1) < k


top_k = lift(_top_k, "top_k")
in_top_k = lift(_in_top_k, "in_top_k")


def _view_as_complex(x: Array) -> Array:
    return jax.lax.complex(x[..., 0], x[..., 1])


def _view_as_real(x: Array) -> Array:
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


view_as_complex = lift(_view_as_complex, "view_as_complex")
view_as_real = lift(_view_as_real, "view_as_real")

# fmt: off
__all__ = [
    "erf", "erfc", "erfinv", "in_top_k", "logdet", "logsumexp", "rsqrt", "segment_max", "segment_min",
    "segment_prod", "segment_sum", "top_k", "view_as_complex", "view_as_real",
]
# fmt: on
