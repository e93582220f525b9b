"""Which keys a query of attention may look at, as one mask of booleans."""

import functools

import jax.numpy as jnp
from jax import lax

from jkeras.typing import Array, ArrayLike, DTypeLike

Segments = Array | tuple[Array, Array]


def attention_mask(
    queries: ArrayLike,
    keys: ArrayLike,
    *,
    mask: Array | None = None,
    is_causal: bool = False,
    window: int | None = None,
    key_lengths: Array | None = None,
    segment_ids: Segments | None = None,
) -> Array | None:
    """The `keys` that each of the `queries` positions may attend to, as one mask.

    `allowed[..., i, j] = mask[..., i, j] and j <= i and |i - j| < window and j < key_lengths[b] and segments equal`,
    of which only what is given holds.

    Args:
        queries, keys: the numbers of queries and of keys.
        mask: bool, broadcastable to `(b, n, queries, keys)`.
        is_causal: whether a query sees only its own and earlier positions.
        window: a query sees positions nearer than that.
        key_lengths: `(b,)`; keys from there on are padding.
        segment_ids: `(b, t)` of queries and keys both, or one array for each: a query sees keys of its own segment.

    Returns:
        A bool array of rank 4, broadcastable to `(b, n, queries, keys)`; `None` where everything may be seen.

    >>> attention_mask(3, 3, is_causal=True, window=2)[0, 0].astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    parts = [] if mask is None else [mask]
    i = lax.broadcasted_iota("int32", (1, 1, queries, 1), 2)
    j = lax.broadcasted_iota("int32", (1, 1, 1, keys), 3)
    if is_causal:
        parts.append(j <= i)
    if window is not None:
        parts.append(jnp.abs(i - j) < window)
    if key_lengths is not None:
        parts.append(j < jnp.expand_dims(key_lengths, (1, 2, 3)))
    if segment_ids is not None:
        own, other = segment_ids if isinstance(segment_ids, tuple) else (segment_ids, segment_ids)
        parts.append(jnp.expand_dims(own, (1, 3)) == jnp.expand_dims(other, (1, 2)))
    return functools.reduce(jnp.logical_and, parts) if parts else None


def rank_4(x: Array | None, dtype: DTypeLike) -> Array | None:
    """An array that is broadcastable to `(b, n, t, s)`, with all four axes."""
    return None if x is None else jnp.expand_dims(jnp.asarray(x, dtype), tuple(range(4 - jnp.ndim(x))))


def hide_padding(x: Array, mask: Array | None, lengths: Array | None) -> Array:
    """Keys or values `(b, s, m, c)` with zeros where no query of any head looks: 0 times NaN would be NaN."""
    columns = mask if mask is not None and mask.shape[1] == mask.shape[2] == 1 else None
    kept = attention_mask(1, x.shape[1], mask=columns, key_lengths=lengths)  # (b, 1, 1, s)
    return x if kept is None else jnp.where(jnp.swapaxes(kept, 1, 3), x, jnp.zeros((), x.dtype))
