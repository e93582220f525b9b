"""GPT-2 and Llama steps written by hand in JAX, for `plans`: fully sharded, bfloat16 over float32 weights, AdamW."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import P

from benchmarks.plan_sizes import Size

HALF = jnp.bfloat16
MIN_SIZE = 2**16

Tree = dict[str, Any]


def weights(size: Size) -> Tree:
    """The shapes of the weights; those of blocks have an axis for them in front."""
    w, h, kv, f, n = size.width, size.heads, size.key_heads, size.hidden, size.blocks
    head = w // h
    shapes: Tree = {"embeddings": (size.vocabulary, w), "norm": {"scale": (w,)}}
    block: Tree = {
        "query": (w, h, head),
        "key": (w, kv, head),
        "value": (w, kv, head),
        "out": (h, head, w),
        "norm1": {"scale": (w,)},
        "norm2": {"scale": (w,)},
    }
    if size.is_llama:
        shapes["head"] = (w, size.vocabulary)
        block |= {"gate": (w, f), "up": (w, f), "down": (f, w)}
    else:
        shapes |= {"positions": (size.time, w)}
        shapes["norm"]["bias"] = block["norm1"]["bias"] = block["norm2"]["bias"] = (w,)
        block |= {f"{name}_bias": block[name][1:] for name in ("query", "key", "value")} | {"out_bias": (w,)}
        block |= {"up": (w, f), "up_bias": (f,), "down": (f, w), "down_bias": (w,)}
    shapes["blocks"] = jax.tree.map(lambda shape: (n, *shape), block, is_leaf=is_shape)
    return shapes


def is_shape(value: Any) -> bool:
    return isinstance(value, tuple)


def step_of(size: Size, mesh: jax.sharding.Mesh, platform: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A step `(state, x, y) -> (state, loss)` that keeps its shardings, and the specs of its arguments."""
    split = jax.NamedSharding(mesh, P("data"))
    kernel: Any = "cudnn" if platform == "cuda" else "xla"
    optimizer = optax.adamw(3e-4)

    def pinned(x: jax.Array) -> jax.Array:
        return jax.lax.with_sharding_constraint(x, split)

    def loss(params: Tree, x: jax.Array, y: jax.Array) -> jax.Array:
        hidden = params["embeddings"][x].astype(HALF)  # (b, t, w)
        if not size.is_llama:
            hidden = hidden + params["positions"].astype(HALF)
        angles = rotation(size.time, size.width // size.heads) if size.is_llama else None

        def body(carry: jax.Array, block: Tree) -> tuple[jax.Array, None]:
            return run_block(block, carry, angles, kernel, pinned), None

        hidden, _ = jax.lax.scan(jax.checkpoint(body), pinned(hidden), params["blocks"])
        hidden = pinned(normalized(params["norm"], hidden))
        head = params["head"] if size.is_llama else params["embeddings"].T
        logits = pinned(hidden @ head.astype(HALF)).astype(jnp.float32)  # (b, t, v)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

    def specs(tree: Any, front: int = 0) -> Any:
        return jax.tree.map(lambda leaf: jax.NamedSharding(mesh, spec_of(leaf.shape, front, mesh.size)), tree)

    def shardings(params: Tree) -> Tree:
        rest = {name: value for name, value in params.items() if name != "blocks"}
        return {**specs(rest), "blocks": specs(params["blocks"], 1)}

    params = jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, "float32"), weights(size), is_leaf=is_shape)
    opt_state = jax.eval_shape(optimizer.init, params)
    copied = jax.NamedSharding(mesh, P())
    places = (
        shardings(params),
        optax.tree.map_params(
            optimizer, lambda _, place: place, opt_state, shardings(params), transform_non_params=lambda _: copied
        ),
    )

    def step(state: tuple[Tree, Any], x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        params, opt_state = state
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        made = optax.apply_updates(params, updates), opt_state
        return jax.lax.with_sharding_constraint(made, places), value

    def placed(leaf: Any, place: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    tokens = jax.ShapeDtypeStruct((size.batch, size.time), "int32", sharding=split)
    return step, (jax.tree.map(placed, (params, opt_state), places), tokens, tokens)


def spec_of(shape: tuple[int, ...], front: int, parts: int) -> jax.sharding.PartitionSpec:
    """The largest axis that divides is split, but for `front` axes; small weights are copied."""
    own = shape[front:]
    if math.prod(own) < MIN_SIZE:
        return P()
    axis = next((axis for axis in sorted(range(len(own)), key=lambda a: -own[a]) if own[axis] % parts == 0), None)
    return P() if axis is None else P(*[None] * (front + axis), "data")


def rotation(time: int, features: int) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines of rotary embeddings, `(1, t, 1, features / 2)`."""
    frequencies = 10_000.0 ** (-jnp.arange(0, features, 2) / features)
    angles = jnp.arange(time)[:, None] * frequencies[None, :]
    return jnp.cos(angles)[None, :, None], jnp.sin(angles)[None, :, None]


def rotated(x: jax.Array, angles: tuple[jax.Array, jax.Array]) -> jax.Array:
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = angles
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1).astype(x.dtype)


def normalized(params: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """RMS normalization, or layer normalization where there is a bias; in float32."""
    wide = x.astype(jnp.float32)
    if "bias" not in params:
        scale = jax.lax.rsqrt(jnp.mean(wide**2, -1, keepdims=True) + 1e-6)
        return (wide * scale * params["scale"][None, None]).astype(x.dtype)
    wide = wide - jnp.mean(wide, -1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.mean(wide**2, -1, keepdims=True) + 1e-5)
    return (wide * scale * params["scale"][None, None] + params["bias"][None, None]).astype(x.dtype)


def run_block(params: Tree, x: jax.Array, angles: Any, kernel: Any, pinned: Callable[..., Any]) -> jax.Array:
    """One pre-norm block: attention, and a feed-forward part, gated where there is a gate."""

    def project(name: str, x: jax.Array, pattern: str) -> jax.Array:
        made = jnp.einsum(pattern, x, params[name].astype(HALF))
        if f"{name}_bias" in params:
            bias = params[f"{name}_bias"].astype(HALF)
            made = made + bias.reshape((1,) * (made.ndim - bias.ndim) + bias.shape)
        return pinned(made)

    y = pinned(normalized(params["norm1"], x))
    query, key, value = (project(name, y, "btw,whd->bthd") for name in ("query", "key", "value"))
    if angles is not None:
        query, key = pinned(rotated(query, angles)), pinned(rotated(key, angles))
    y = jax.nn.dot_product_attention(query, key, value, is_causal=True, implementation=kernel)
    x = pinned(x + project("out", y, "bthd,hdw->btw"))
    y = pinned(normalized(params["norm2"], x))
    wide = project("up", y, "btw,wf->btf")
    wide = jax.nn.silu(project("gate", y, "btw,wf->btf")) * wide if "gate" in params else jax.nn.gelu(wide)
    return pinned(x + project("down", wide, "btf,fw->btw"))
