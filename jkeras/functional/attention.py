"""Attention: every query takes the mean of all values, weighted by how well its keys fit.

Structure restricts the keys of a query where possible: causal order, a window, lengths, segments. A mask of booleans
expresses everything else. Kernels skip the scores that structure rules out; a mask is only ever added to the scores.

`dot_product_attention` is one operation, for which cuDNN has a kernel that never holds the scores. Where the weights
themselves are wanted, to show or to drop some, there are its two halves: `attention_weights` and `weigh`.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.errors import ArgumentError, ShapeError
from jkeras.jax_compat import target_platform
from jkeras.typing import Array, ArrayLike, DTypeLike

Implementation = Literal["cudnn", "xla"]
Segments = Array | tuple[Array, Array]
GPU = ("gpu", "cuda")
PATH = "dot_product_attention"


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


def masked_softmax(scores: Array, mask: Array | None = None) -> Array:
    """`exp(scores) / sum(exp(scores))` over the last axis, for the scores that a mask keeps; zeros without any.

    Args:
        scores: floats; half precision is computed in float32.
        mask: bool, broadcastable to the scores.

    Returns:
        The shape and dtype of the scores.

    >>> masked_softmax(jnp.zeros((2, 3)), jnp.array([[True, True, False], [False, False, False]])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    wide = scores.astype(jnp.promote_types(scores.dtype, "float32"))
    if mask is None:
        return _softmax(wide).astype(scores.dtype)
    low = jnp.asarray(-0.7 * float(jnp.finfo("float32").max), wide.dtype)  # finite: a row without a key gives no NaN
    weights = _softmax(jnp.where(mask, wide, low))
    return jnp.where(mask, weights, jnp.zeros((), wide.dtype)).astype(scores.dtype)


@jax.custom_jvp
def _softmax(scores: Array) -> Array:
    return jax.nn.softmax(scores, axis=-1)


@_softmax.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """`y * (dx - sum(y * dx))`. XLA would compute `y`, which is there, once more from the scores."""
    weights = jax.lax.optimization_barrier(_softmax(primals[0]))
    change = weights * tangents[0]
    return weights, change - weights * jnp.sum(change, axis=-1, keepdims=True)


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    window: int | None = None,
    key_lengths: Array | None = None,
    segment_ids: Segments | None = None,
    soft_cap: float | None = None,
    implementation: Implementation | None = None,
    strict: bool = False,
) -> Array:
    """`softmax(scale * query @ key + bias) @ value`, for each head, over the keys that a query may look at.

    Args:
        query: `(b, t, n, c)`, for `n` heads.
        key, value: `(b, s, m, c)` and `(b, s, m, o)`; each of the `m` heads serves `n / m` heads of the query.
        bias: added to the scores, broadcastable to `(b, n, t, s)`.
        mask: true where a query may look at a key, broadcastable to `(b, n, t, s)`. Keys that a mask `(b, 1, 1, s)` or
            `key_lengths` hides may hold anything, NaN included.
        scale: of the scores; `1 / sqrt(c)` by default.
        is_causal, window, key_lengths, segment_ids: as in `attention_mask`.
        soft_cap: keeps the scores within `(-soft_cap, soft_cap)`, by `soft_cap * tanh(scores / soft_cap)`.
        implementation: `"cudnn"` for NVIDIA's fused kernel, `"xla"`, or `None` for the kernel where it can do the call
            and XLA elsewhere. The kernel takes float16 and bfloat16, and is differentiable once, backward.
        strict: makes it an error, which gives the reason, that the kernel cannot do the call. So does `"cudnn"`.

    Returns:
        `(b, t, n, o)`; zeros for a query that may look at nothing.

    Raises:
        ShapeError: ranks, heads or sizes do not fit.
        ArgumentError: the fused kernel is demanded and cannot do the call; an unknown implementation.

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762; heads that share keys: arXiv:2305.13245;
    the fused kernel: arXiv:2205.14135; the cap: arXiv:2408.00118.

    >>> q, k, v = jnp.zeros((1, 2, 1, 4)), jnp.ones((1, 2, 1, 4)), jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> dot_product_attention(q, k, v).ravel().tolist(), dot_product_attention(q, k, v, is_causal=True).ravel().tolist()
    ([2.0, 2.0], [1.0, 2.0])
    """
    dtype = jnp.result_type(query, key, value)
    query, key, value = (jnp.asarray(x, dtype) for x in (query, key, value))
    check_heads(query, key, value)
    bias, mask = _rank_4(bias, dtype), _rank_4(mask, bool)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    key, value = (_hide_padding(x, mask, key_lengths) for x in (key, value))
    structure: dict[str, Any] = {
        "is_causal": is_causal,
        "window": window,
        "key_lengths": key_lengths,
        "segment_ids": segment_ids,
    }

    fused: Callable[..., Array] = functools.partial(
        _fused, bias=bias, mask=mask, scale=scale, soft_cap=soft_cap, **structure
    )
    if choose(implementation, strict, fused, query, key, value) == "cudnn":
        return fused(query, key, value)
    allowed = attention_mask(query.shape[1], key.shape[1], mask=mask, **structure)
    return weigh(_weights(query, key, bias, allowed, scale, soft_cap), value)


def attention_weights(
    query: Array,
    key: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    window: int | None = None,
    key_lengths: Array | None = None,
    segment_ids: Segments | None = None,
    soft_cap: float | None = None,
) -> Array:
    """The first half of `dot_product_attention`: `softmax(scale * query @ key + bias)`.

    Args:
        query, key, bias, mask: as there.
        scale, is_causal, window, key_lengths, segment_ids, soft_cap: as there.

    Returns:
        `(b, n, t, s)`. Each row sums to 1; a row that may look at nothing is 0.

    Raises:
        ShapeError: ranks, heads or sizes do not fit.

    >>> attention_weights(jnp.zeros((1, 2, 1, 4)), jnp.ones((1, 2, 1, 4)), is_causal=True)[0, 0].tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    check_heads(query, key, key)
    mask = _rank_4(mask, bool)
    structure: dict[str, Any] = {
        "is_causal": is_causal,
        "window": window,
        "key_lengths": key_lengths,
        "segment_ids": segment_ids,
    }
    allowed = attention_mask(query.shape[1], key.shape[1], mask=mask, **structure)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return _weights(query, _hide_padding(key, mask, key_lengths), _rank_4(bias, query.dtype), allowed, scale, soft_cap)


def weigh(weights: Array, value: Array) -> Array:
    """The second half of `dot_product_attention`: the sum of values under weights.

    `outputs[b, i, h] = sum over j of weights[b, h, i, j] value[b, j, h // (n / m)]`

    Args:
        weights: `(b, n, t, s)`.
        value: `(b, s, m, o)`, where `m` divides `n`.

    Returns:
        `(b, t, n, o)`, in the dtype of the value.

    >>> weigh(jnp.array([0.25, 0.75]).reshape(1, 1, 1, 2), jnp.array([4.0, 8.0]).reshape(1, 2, 1, 1)).ravel().tolist()
    [7.0]
    """
    b, n, t, s = weights.shape
    m, o = value.shape[2:]
    grouped = jnp.reshape(weights.astype(value.dtype), (b, m, n // m * t, s))
    outputs = jnp.einsum("bmrs,bmso->bmro", grouped, _heads_first(value))
    return _heads_first(jnp.reshape(outputs, (b, n, t, o)))


def _weights(
    query: Array, key: Array, bias: Array | None, allowed: Array | None, scale: float, soft_cap: float | None
) -> Array:
    (b, t, n, c), (s, m) = query.shape, key.shape[1:3]
    wide = jnp.promote_types(query.dtype, "float32")
    grouped = jnp.reshape(_heads_first(query), (b, m, n // m * t, c))
    scores = jnp.einsum(
        "bmrc,bmsc->bmrs",
        grouped,
        _heads_first(key),
        preferred_element_type=wide,
        precision=_precision(query.dtype.name),
    )
    scores = scale * jnp.reshape(scores, (b, n, t, s))
    if soft_cap is not None:
        scores = soft_cap * jnp.tanh(scores / soft_cap)
    if bias is not None:
        scores = scores + bias.astype(wide)
    return masked_softmax(scores, allowed).astype(query.dtype)


def _heads_first(x: Array) -> Array:
    """`(b, t, n, c)` as `(b, n, t, c)` and back. XLA's CPU compiler is half as fast at products in the other order."""
    return jnp.swapaxes(x, 1, 2)


def _fused(
    query: Array,
    key: Array,
    value: Array,
    *,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    soft_cap: float | None,
    is_causal: bool,
    window: int | None,
    key_lengths: Array | None,
    segment_ids: Segments | None,
) -> Array:
    """cuDNN's kernel. Raises where it cannot do the call; structure without an argument goes into the mask."""
    if soft_cap is not None:
        raise NotImplementedError("The kernel does not support `soft_cap`.")
    if value.shape[-1] != key.shape[-1]:
        raise NotImplementedError("`key` and `value` must have the same number of features.")
    t, s = query.shape[1], key.shape[1]
    dense = attention_mask(t, s, mask=mask, window=None if is_causal else window, segment_ids=segment_ids)
    outputs = jax.nn.dot_product_attention(
        query,
        key,
        value,
        None if bias is None else jnp.broadcast_to(bias, (*bias.shape[:2], t, s)),
        None if dense is None else jnp.broadcast_to(dense, (*dense.shape[:2], t, s)),
        scale=scale,
        is_causal=is_causal,
        key_value_seq_lengths=None if key_lengths is None else key_lengths.astype("int32"),
        local_window_size=(window - 1, 0) if is_causal and window is not None else None,
        implementation="cudnn",
    )
    if mask is None and key_lengths is None and segment_ids is None and (window is None or t == s):
        return outputs  # every query may look at something, itself at least
    structure: dict[str, Any] = {"is_causal": is_causal, "window": window, "key_lengths": key_lengths}
    allowed = attention_mask(t, s, mask=mask, segment_ids=segment_ids, **structure)
    assert allowed is not None
    sees = jnp.swapaxes(jnp.any(allowed, -1), 1, 2)  # (b, t, n)
    return jnp.where(jnp.expand_dims(sees, -1), outputs, jnp.zeros((), query.dtype))


def choose(
    implementation: str | None, strict: bool, fused: Callable[..., Array], query: Array, key: Array, value: Array
) -> Implementation:
    """`"cudnn"` where the kernel is wanted and can do the call, forward and backward; else `"xla"`.

    Raises `ArgumentError` where it is demanded and cannot.
    """
    if implementation not in (None, "cudnn", "xla"):
        raise ArgumentError(
            f"`implementation` must be 'cudnn', 'xla' or None, got {implementation!r}.",
            path=PATH,
            expected="'cudnn', 'xla' or None",
            received=repr(implementation),
            write="dot_product_attention(query, key, value, implementation='xla')",
        )
    if implementation == "xla":
        return "xla"
    obstacle = _obstacle(fused, query, key, value)
    if obstacle is None:
        return "cudnn"
    if strict or implementation == "cudnn":
        if not all(isinstance(size, int) for x in (query, key, value) for size in x.shape):
            raise NotImplementedError(obstacle)  # shape inference goes on with sizes that are known
        raise ArgumentError(
            "cannot compute this call with cuDNN's fused kernel.",
            path=PATH,
            expected="an NVIDIA GPU, float16 or bfloat16, heads of a multiple of 8 features",
            received=f"{obstacle} (query: {query.dtype.name}{tuple(query.shape)})",
            write="dot_product_attention(..., implementation=None)   # XLA where cuDNN cannot",
        )
    return "xla"


def _precision(dtype: str) -> Any:
    """How GPUs sum products of half precision: in float32. Said so, for the derivatives would multiply in float32."""
    presets = {"float16": lax.DotAlgorithmPreset.F16_F16_F32, "bfloat16": lax.DotAlgorithmPreset.BF16_BF16_F32}
    return presets.get(dtype) if target_platform() in GPU else None


def _obstacle(fused: Callable[..., Array], query: Array, key: Array, value: Array) -> str | None:
    """Why the fused kernel cannot do a call, in JAX's words; `None` if it can."""
    if target_platform() not in GPU:
        return f"the platform is '{target_platform()}'"
    try:
        jax.eval_shape(lambda *inputs: jax.vjp(fused, *inputs)[0], query, key, value)
    except (NotImplementedError, RuntimeError, ValueError) as error:
        return str(error)
    return None


def check_heads(query: Array, key: Array, value: Array) -> None:
    """Raises `ShapeError` unless the shapes are those of one attention."""
    fits = query.ndim == key.ndim == value.ndim == 4
    if fits:
        fits = key.shape[:3] == value.shape[:3] and query.shape[3] == key.shape[3] and query.shape[0] == key.shape[0]
    if not fits or query.shape[2] % key.shape[2]:
        raise ShapeError(
            "the shapes of `query`, `key` and `value` must fit together.",
            path=PATH,
            expected="(b, t, n, c), (b, s, m, c) and (b, s, m, o), where m divides n",
            received=f"{query.shape}, {key.shape} and {value.shape}",
            write="dot_product_attention(jnp.reshape(x, (b, t, n, c)), ...)   # heads are an axis",
        )


def _rank_4(x: Array | None, dtype: DTypeLike) -> Array | None:
    """An array that is broadcastable to `(b, n, t, s)`, with all four axes."""
    return None if x is None else jnp.expand_dims(jnp.asarray(x, dtype), tuple(range(4 - jnp.ndim(x))))


def _hide_padding(x: Array, mask: Array | None, lengths: Array | None) -> Array:
    """Keys or values `(b, s, m, c)` with zeros where no query of any head looks: 0 times NaN would be NaN."""
    columns = mask if mask is not None and mask.shape[1] == mask.shape[2] == 1 else None
    kept = attention_mask(1, x.shape[1], mask=columns, key_lengths=lengths)  # (b, 1, 1, s)
    return x if kept is None else jnp.where(jnp.swapaxes(kept, 1, 3), x, jnp.zeros((), x.dtype))
