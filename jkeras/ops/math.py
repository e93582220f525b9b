"""The other mathematics of the table: special functions, segments, distances, Fourier transforms, best entries."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.errors import ShapeError
from jkeras.functional import signal
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
    """Whether fewer than `k` classes beat the target's; ties count for it, and all numbers beat NaN."""
    own = jnp.take_along_axis(predictions, jnp.expand_dims(targets, -1), axis=-1)  # (b, 1)
    own = jnp.where(jnp.isnan(own), -jnp.inf, own)
    return jnp.sum(predictions > own, axis=-1) < k


top_k = lift(_top_k, "top_k")
in_top_k = lift(_in_top_k, "in_top_k")


def _cdist(x: Array, y: Array) -> Array:
    """Euclidean distances of every row of `x` to every row of `y`; where they coincide the gradient is zero."""
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            "there are no distances between such rows.",
            path="cdist",
            expected="shapes (..., n, k) and (..., m, k)",
            received=f"shapes {x.shape} and {y.shape}",
        )
    differences = jnp.expand_dims(x, -2) - jnp.expand_dims(y, -3)  # (..., n, m, k)
    squares = jnp.sum(jnp.square(differences), axis=-1)
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1)), 0)


cdist = lift(_cdist, "cdist")

# -- Fourier transforms; complex numbers are pairs of real arrays


def _pair(z: Array) -> tuple[Array, Array]:
    return jnp.real(z), jnp.imag(z)


def _fft(x: tuple[Array, Array]) -> tuple[Array, Array]:
    return _pair(jnp.fft.fft(signal.join_complex(x, "fft")))


def _fft2(x: tuple[Array, Array]) -> tuple[Array, Array]:
    return _pair(jnp.fft.fft2(signal.join_complex(x, "fft2")))


def _ifft2(x: tuple[Array, Array]) -> tuple[Array, Array]:
    return _pair(jnp.fft.ifft2(signal.join_complex(x, "ifft2")))


def _rfft(x: Array, fft_length: int | None = None) -> tuple[Array, Array]:
    return _pair(jnp.fft.rfft(x, fft_length))


def _irfft(x: tuple[Array, Array], fft_length: int | None = None) -> Array:
    return jnp.fft.irfft(signal.join_complex(x, "irfft"), fft_length)


fft = lift(_fft, "fft")
fft2 = lift(_fft2, "fft2")
ifft2 = lift(_ifft2, "ifft2")
irfft = lift(_irfft, "irfft")
rfft = lift(_rfft, "rfft")
extract_sequences = lift(signal.extract_sequences, "extract_sequences")
istft = lift(signal.istft, "istft")
stft = lift(signal.stft, "stft")


def _view_as_complex(x: Array) -> Array:
    x = x.astype(jnp.promote_types(x.dtype, "float32"))  # no complex numbers are narrower
    return jax.lax.complex(x[..., 0], x[..., 1])


def _view_as_real(x: Array) -> Array:
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


view_as_complex = lift(_view_as_complex, "view_as_complex")
view_as_real = lift(_view_as_real, "view_as_real")

# fmt: off
__all__ = [
    "cdist", "erf", "erfc", "erfinv", "extract_sequences", "fft", "fft2", "ifft2", "in_top_k", "irfft", "istft",
    "logdet", "logsumexp", "rfft", "rsqrt", "segment_max", "segment_min", "segment_prod", "segment_sum", "stft",
    "top_k", "view_as_complex", "view_as_real",
]
# fmt: on
