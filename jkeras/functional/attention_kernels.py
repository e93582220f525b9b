"""Fused kernels of attention: cuDNN's on NVIDIA's GPUs, the splash kernel of Pallas on TPUs.

Neither holds the scores. Which one computes a call is decided while the call is traced, for the platform that the
program is traced for (`jax_compat.target_platforms`), and not when it is lowered, by `jax.lax.platform_dependent`: the
kernels have a derivative of their own, backward alone, which would take forward mode away from programs of CPUs; and
JAX lowers every branch for every platform of a program for several, which the kernels cannot do. Such a program has
XLA's attention.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.errors import ArgumentError
from jkeras.functional.attention_mask import Segments, attention_mask
from jkeras.jax_compat import is_spread, target_platforms
from jkeras.typing import Array

Kernel = Callable[..., Array]
Implementation = Literal["cudnn", "splash", "xla"] | Kernel | None
PATH = "dot_product_attention"
LANES = 128  # of a TPU's vector registers


def cudnn(
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
    if query.dtype not in ("float16", "bfloat16"):
        raise NotImplementedError(f"The kernel does not support {query.dtype.name}.")
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
    structure: dict[str, Any] = {"is_causal": is_causal, "window": window}
    return _seen(outputs, s, mask, key_lengths, segment_ids, structure)


def splash(
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
    interpret: bool = False,
) -> Array:
    """The splash kernel. Raises where it cannot do the call. Causal order and windows are left out of the loop; padding
    and segments are segments; features are padded to 128, which they would be in the registers anyway."""
    from jax.experimental.pallas.ops.tpu import splash_attention

    (b, t, n), (s, m, o) = query.shape[:3], value.shape[1:]
    if obstacle := _splash_obstacle(query, bias, mask, t, s):
        raise NotImplementedError(obstacle)
    pattern: Any = splash_attention.CausalMask((t, s)) if is_causal else splash_attention.FullMask((t, s))
    if window is not None:
        pattern = splash_attention.LocalMask((t, s), (window - 1, 0 if is_causal else window - 1), 0)
    heads = splash_attention.MultiHeadMask([pattern] * (n // m))
    kernel = splash_attention.make_splash_mqa_single_device(
        heads, block_sizes=_blocks(splash_attention, t, s), attn_logits_soft_cap=soft_cap, interpret=interpret
    )
    segments = _segments(splash_attention, b, (t, s), mask, key_lengths, segment_ids)
    grouped = jnp.reshape(jnp.swapaxes(_padded(query * scale), 1, 2), (b, m, n // m, t, -1))
    of_heads = jax.vmap(kernel, in_axes=(0, 0, 0, None))
    of_examples = jax.vmap(of_heads, in_axes=(0, 0, 0, None if segments is None else 0))
    outputs = of_examples(grouped, *(jnp.swapaxes(_padded(x), 1, 2) for x in (key, value)), segments)  # (b, m, g, t, .)
    outputs = jnp.swapaxes(jnp.reshape(outputs, (b, n, t, -1)), 1, 2)[..., :o]
    structure: dict[str, Any] = {"is_causal": is_causal, "window": window}
    return _seen(outputs.astype(query.dtype), s, mask, key_lengths, segment_ids, structure)


def _splash_obstacle(query: Array, bias: Array | None, mask: Array | None, t: int, s: int) -> str | None:
    if bias is not None:
        return "The kernel does not support `bias`."
    if mask is not None and mask.shape[1:3] != (1, 1):
        return "The kernel supports masks (b, 1, 1, s) alone."
    if query.dtype not in ("float32", "bfloat16"):
        return f"The kernel does not support {query.dtype.name}."
    if not all(isinstance(size, int) for size in (*query.shape, s)):
        return "The sizes must be known."
    if t % LANES or s % LANES:
        return f"{LANES} must divide the numbers of queries and of keys."
    return None


def _blocks(splash_attention: Any, t: int, s: int) -> Any:
    """The largest tiles up to 512 that divide the sequences."""
    of_queries, of_keys = math.gcd(t, 512), math.gcd(s, 512)
    of_both = {"block_q": of_queries, "block_kv": of_keys, "block_kv_compute": of_keys}
    backward = {"block_q_dkv": of_queries, "block_kv_dkv": of_keys, "block_kv_dkv_compute": of_keys}
    return splash_attention.BlockSizes(**of_both, **backward, block_q_dq=of_queries, block_kv_dq=of_keys)


def _segments(
    splash_attention: Any,
    b: int,
    sizes: tuple[int, int],
    mask: Array | None,
    key_lengths: Array | None,
    segment_ids: Segments | None,
) -> Any:
    """Segments of queries and keys, with -1 for keys that a mask or a length hides; `None` where all is one segment."""
    kept = attention_mask(1, sizes[1], mask=mask, key_lengths=key_lengths)  # (b, 1, 1, s)
    if kept is None and segment_ids is None:
        return None
    given = segment_ids if segment_ids is not None else jnp.zeros((), "int32")
    own, other = given if isinstance(given, tuple) else (given, given)
    own, other = (
        jnp.broadcast_to(ids.astype("int32"), (b, size)) for ids, size in zip((own, other), sizes, strict=True)
    )
    return splash_attention.SegmentIds(own, other if kept is None else jnp.where(kept[:, 0, 0], other, -1))


def _padded(x: Array) -> Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % LANES)])


def _seen(
    outputs: Array,
    keys: int,
    mask: Array | None,
    key_lengths: Array | None,
    segment_ids: Segments | None,
    structure: dict[str, Any],
) -> Array:
    """The outputs `(b, t, n, o)`, with zeros for queries that may look at nothing."""
    t, window = outputs.shape[1], structure["window"]
    if mask is None and key_lengths is None and segment_ids is None and (window is None or t == keys):
        return outputs  # every query may look at something, itself at least
    allowed = attention_mask(t, keys, mask=mask, key_lengths=key_lengths, segment_ids=segment_ids, **structure)
    assert allowed is not None
    sees = jnp.swapaxes(jnp.any(allowed, -1), 1, 2)  # (b, t, n)
    return jnp.where(jnp.expand_dims(sees, -1), outputs, jnp.zeros((), outputs.dtype))


KERNELS: dict[str, tuple[str, Kernel]] = {"cudnn": ("cuda", cudnn), "splash": ("tpu", splash)}  # name -> platform


class Choice(NamedTuple):
    """Which implementation computes a call of attention.

    Attributes:
        name: `"cudnn"`, `"splash"`, `"xla"`, or `"function"` for one of the user's.
        obstacle: why no kernel computes it; `None` where one does, or where none was wanted.
        kernel: what computes it from query, key and value; `None` for XLA.
    """

    name: str
    obstacle: str | None
    kernel: Kernel | None


def choose(
    implementation: Implementation, query: Array, key: Array, value: Array, options: Mapping[str, Any]
) -> Choice:
    """The kernel that is wanted and can do a call on the platform that the program is traced for, forward and backward;
    else XLA, and why."""
    if callable(implementation):
        return Choice("function", None, _of_user(implementation, options))
    if implementation not in (None, "xla", *KERNELS):
        raise ArgumentError(
            f"`implementation` must be 'cudnn', 'splash', 'xla', a function or None, got {implementation!r}.",
            path=PATH,
            expected="'cudnn', 'splash', 'xla', a function or None",
            received=repr(implementation),
            write="dot_product_attention(query, key, value, implementation='xla')",
        )
    if implementation == "xla":
        return Choice("xla", None, None)
    obstacle: str | None = f"The program is for {', '.join(map(repr, target_platforms()))}."
    for name, (platform, kernel) in KERNELS.items():
        if target_platforms() == (platform,) and implementation in (None, name):
            bound = functools.partial(kernel, **options)
            obstacle = _obstacle(bound, platform, implementation, query, key, value)
            if obstacle is None:
                return Choice(name, None, bound)
    return Choice("xla", obstacle, None)


def chosen(
    implementation: Implementation,
    strict: bool,
    query: Array,
    key: Array,
    value: Array,
    options: Mapping[str, Any],
) -> Kernel | None:
    """What computes a call; `None` where XLA does. Raises `ArgumentError` where a kernel is demanded and cannot."""
    found = choose(implementation, query, key, value, options)
    if found.kernel is not None or found.obstacle is None or (not strict and implementation is None):
        return found.kernel
    if not all(isinstance(size, int) for x in (query, key, value) for size in x.shape):
        raise NotImplementedError(found.obstacle)  # shape inference goes on with sizes that are known
    raise ArgumentError(
        "cannot compute this call with a fused kernel.",
        path=PATH,
        expected="a GPU, half precision, heads of 8 k features; or a TPU, multiples of 128 queries and keys",
        received=f"{found.obstacle} (query: {query.dtype.name}{tuple(query.shape)})",
        write="dot_product_attention(..., implementation=None)   # XLA where no kernel can",
    )


def _obstacle(
    kernel: functools.partial[Array],
    platform: str,
    implementation: Implementation,
    query: Array,
    key: Array,
    value: Array,
) -> str | None:
    """Why a platform's kernel cannot do a call, in JAX's words where they are; `None` if it can."""
    if platform == "tpu":
        if implementation is None and is_spread():
            return "The program may be divided among devices, which the compiler cannot do with this kernel."
        options = kernel.keywords
        return _splash_obstacle(query, options["bias"], options["mask"], query.shape[1], key.shape[1])
    try:
        jax.eval_shape(lambda *inputs: jax.vjp(kernel, *inputs)[0], query, key, value)
    except (NotImplementedError, RuntimeError, ValueError) as error:
        return str(error)
    return None


def _of_user(function: Kernel, options: Mapping[str, Any]) -> Kernel:
    """A function of the user's as a kernel: it gets all that hides keys as one mask."""
    structure = {name: options[name] for name in ("is_causal", "window", "key_lengths", "segment_ids")}

    def kernel(query: Array, key: Array, value: Array) -> Array:
        mask = attention_mask(query.shape[1], key.shape[1], mask=options["mask"], **structure)
        given = {name: options[name] for name in ("bias", "scale", "soft_cap")}
        return function(query, key, value, mask=mask, **given)

    return kernel
