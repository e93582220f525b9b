"""Attention: every query takes the mean of all values, weighted by how well its keys fit.

Structure restricts the keys of a query where possible: causal order, a window, lengths, segments. A mask of booleans
expresses everything else. Kernels skip the scores that structure rules out; a mask is only ever added to the scores.

`dot_product_attention` is one operation, for which GPUs and TPUs have kernels that never hold the scores. Where the
weights themselves are wanted, to show or to drop some, there are its two halves: `attention_weights` and `weigh`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.errors import ShapeError
from jkeras.functional.attention_kernels import PATH, Implementation, choose, chosen
from jkeras.functional.attention_mask import Segments, attention_mask, hide_padding, rank_4
from jkeras.jax_compat import target_platforms
from jkeras.typing import Array, ArraySpec, DTypeLike


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
    return _masked_softmax(scores, mask, scores.dtype)


def _masked_softmax(scores: Array, mask: Array | None, dtype: DTypeLike) -> Array:
    """The weights of scores in a dtype, computed in float32 at least."""
    wide = scores.astype(jnp.promote_types(scores.dtype, "float32"))
    if mask is None:
        return _softmax(wide, None, dtype)
    low = jnp.asarray(-0.7 * float(jnp.finfo("float32").max), wide.dtype)  # finite: a row without a key gives no NaN
    return _softmax(jnp.where(mask, wide, low), mask, dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _softmax(scores: Array, mask: Array | None, dtype: DTypeLike) -> Array:
    weights = jax.nn.softmax(scores, axis=-1)
    return (weights if mask is None else jnp.where(mask, weights, jnp.zeros((), weights.dtype))).astype(dtype)


@_softmax.defjvp
def _(dtype: DTypeLike, primals: tuple[Array, Array | None], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    """`y * (dx - sum(y * dx))`. XLA would compute `y`, which is there, once more from the scores. It is kept in the
    dtype of the weights: in half precision nothing of the size of the scores is stored in float32."""
    weights = jax.lax.optimization_barrier(_softmax(*primals, dtype))
    wide = weights.astype(primals[0].dtype)
    change = wide * tangents[0]
    return weights, (change - wide * jnp.sum(change, axis=-1, keepdims=True)).astype(dtype)


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
    implementation: Implementation = None,
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
        implementation: `"cudnn"` for the fused kernel of NVIDIA's GPUs, `"splash"` for that of TPUs, `"xla"`, or `None`
            for the kernel of the platform where it can do the call and XLA elsewhere. Or a function
            `(query, key, value, *, bias, mask, scale, soft_cap)` of yours that returns the outputs; its `mask` is
            everything that hides keys, broadcastable to `(b, n, t, s)`, or `None`. The kernels are differentiable once,
            backward. cuDNN's takes float16 and bfloat16; that of TPUs float32 and bfloat16, sizes `t` and `s` that 128
            divides, and no bias. It is chosen by itself where the program runs on one device.
        strict: makes it an error, which gives the reason, that no kernel can do the call. So does a kernel's name.

    Returns:
        `(b, t, n, o)`; zeros for a query that may look at nothing.

    Raises:
        ShapeError: ranks, heads or sizes do not fit.
        ArgumentError: a kernel is demanded and cannot do the call; an unknown implementation.

    The program is that of the platform that it is traced for: `jkeras.config.lowering_for` names another one.

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762; heads that share keys: arXiv:2305.13245;
    the fused kernels: arXiv:2205.14135; the cap: arXiv:2408.00118.

    >>> q, k, v = jnp.zeros((1, 2, 1, 4)), jnp.ones((1, 2, 1, 4)), jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> dot_product_attention(q, k, v).ravel().tolist(), dot_product_attention(q, k, v, is_causal=True).ravel().tolist()
    ([2.0, 2.0], [1.0, 2.0])
    """
    structure: dict[str, Any] = {
        "is_causal": is_causal,
        "window": window,
        "key_lengths": key_lengths,
        "segment_ids": segment_ids,
    }
    (query, key, value), options = _prepared(query, key, value, bias, mask, scale, {"soft_cap": soft_cap, **structure})
    kernel = chosen(implementation, strict, query, key, value, options)
    if kernel is not None:
        return kernel(query, key, value)
    allowed = attention_mask(query.shape[1], key.shape[1], mask=options["mask"], **structure)
    if query.shape[2] > key.shape[2] and target_platforms() == ("tpu",):
        return _by_groups(query, key, value, options["bias"], allowed, options["scale"], soft_cap)
    return weigh(_weights(query, key, options["bias"], allowed, options["scale"], soft_cap), value)


def _prepared(
    query: Array, key: Array, value: Array, bias: Array | None, mask: Array | None, scale: float | None, rest: Any
) -> tuple[tuple[Array, Array, Array], dict[str, Any]]:
    """The arrays and the options that kernels are given."""
    dtype = jnp.result_type(query, key, value)
    query, key, value = (jnp.asarray(x, dtype) for x in (query, key, value))
    check_heads(query, key, value)
    bias, mask = rank_4(bias, dtype), rank_4(mask, bool)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    key, value = (hide_padding(x, mask, rest["key_lengths"]) for x in (key, value))
    return (query, key, value), {"bias": bias, "mask": mask, "scale": scale, **rest}


def attention_kernel(
    query: ArraySpec,
    key: ArraySpec,
    value: ArraySpec,
    bias: ArraySpec | None = None,
    mask: ArraySpec | None = None,
    *,
    implementation: Implementation = None,
    **options: Any,
) -> tuple[str, str | None]:
    """Which implementation computes a call of `dot_product_attention`, and why no kernel does.

    Args:
        query, key, value, bias, mask: as there; specs of arrays will do.
        implementation: as there.
        **options: its other arguments, without `strict`.

    Returns:
        `"cudnn"`, `"splash"`, `"xla"`, or `"function"` for one of the user's; and the reason where a kernel was wanted
        and XLA computes the call, else `None`.

    Raises:
        ShapeError, ArgumentError: as there.

    >>> from jkeras.config import lowering_for
    >>> x = jax.ShapeDtypeStruct((1, 256, 4, 64), "bfloat16")
    >>> with lowering_for("tpu"):
    ...     attention_kernel(x, x, x, is_causal=True), attention_kernel(x, x, x, bias=jnp.zeros((256, 256)))
    (('splash', None), ('xla', 'The kernel does not support `bias`.'))
    """
    found: list[tuple[str, str | None]] = []
    structure = {"is_causal": False, **dict.fromkeys(("window", "key_lengths", "segment_ids", "soft_cap")), **options}
    scale = structure.pop("scale", None)

    def look(query: Array, key: Array, value: Array, bias: Array | None, mask: Array | None) -> None:
        arrays, given = _prepared(query, key, value, bias, mask, scale, structure)
        found.append(choose(implementation, *arrays, given)[:2])

    jax.eval_shape(look, query, key, value, bias, mask)
    return found[0]


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
    mask = rank_4(mask, bool)
    structure: dict[str, Any] = {
        "is_causal": is_causal,
        "window": window,
        "key_lengths": key_lengths,
        "segment_ids": segment_ids,
    }
    allowed = attention_mask(query.shape[1], key.shape[1], mask=mask, **structure)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return _weights(query, hide_padding(key, mask, key_lengths), rank_4(bias, query.dtype), allowed, scale, soft_cap)


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
    return _weights_of(scale * jnp.reshape(scores, (b, n, t, s)), bias, allowed, soft_cap, query.dtype)


def _weights_of(
    scores: Array, bias: Array | None, allowed: Array | None, soft_cap: float | None, dtype: DTypeLike
) -> Array:
    if soft_cap is not None:
        scores = soft_cap * jnp.tanh(scores / soft_cap)
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    return _masked_softmax(scores, allowed, dtype)


def _by_groups(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    allowed: Array | None,
    scale: float,
    soft_cap: float | None,
) -> Array:
    """Attention of heads that share keys, with an axis for the heads of a group and none moved to the front.

    So TPUs keep the scores as the product gives them. For 32 heads that share 8, 2,048 positions, bfloat16, the
    compiler for v5e estimates 13.3 million cycles forward and backward, and 23.5 for `weigh(_weights(...))`, which
    stores the scores once more in float32. Where each head has keys of its own that one is better.
    """
    (b, t, n, c), m = query.shape, key.shape[2]

    def grouped(x: Array | None) -> Array | None:
        if x is None or x.shape[1] == 1:
            return x if x is None else jnp.expand_dims(x, 1)
        return jnp.reshape(x, (x.shape[0], m, n // m, *x.shape[2:]))

    by_group = jnp.reshape(query, (b, t, m, n // m, c))
    wide = jnp.promote_types(query.dtype, "float32")
    scores = scale * jnp.einsum("btmgc,bsmc->bmgts", by_group, key, preferred_element_type=wide)
    weights = _weights_of(scores, grouped(bias), grouped(allowed), soft_cap, query.dtype)
    outputs = jnp.einsum("bmgts,bsmo->btmgo", weights, value)
    return jnp.reshape(outputs, (b, t, n, value.shape[-1]))


def _heads_first(x: Array) -> Array:
    """`(b, t, n, c)` as `(b, n, t, c)` and back. XLA's CPU compiler is half as fast at products in the other order."""
    return jnp.swapaxes(x, 1, 2)


def _precision(dtype: str) -> Any:
    """How GPUs sum products of half precision: in float32. Said so, for the derivatives would multiply in float32."""
    presets = {"float16": lax.DotAlgorithmPreset.F16_F16_F32, "bfloat16": lax.DotAlgorithmPreset.BF16_BF16_F32}
    return presets.get(dtype) if target_platforms() == ("cuda",) else None


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
