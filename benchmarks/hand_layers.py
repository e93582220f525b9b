"""Layers written by hand: what an expert who wants this one layer, with these numbers, writes in plain JAX.

The formulas are those of the layers, in the form that first comes to hand: `lax` where it has the operation,
`jax.numpy` where it does not, one `lax.scan` for a recurrence with the projections of all steps before it. They are not
bent to resemble what jkeras compiles to. Parameters come in the trees of the jkeras layers that they stand beside, and
the numbers are those of `layer_cases`; `layer_pairs` says which function stands beside which layer.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Params = Mapping[str, Any]
Hand = Callable[..., tuple[Any, Any]]


def row(vector: Array, ndim: int) -> Array:
    """A vector along the last of `ndim` axes."""
    return vector.reshape(*[1] * (ndim - vector.ndim), *vector.shape)


# -- core


def dense(p: Params, x: Array) -> Array:
    return x @ p["kernel"] + row(p["bias"], x.ndim)


def einsum_dense(p: Params, x: Array, equation: str) -> Array:
    y = jnp.einsum(equation, x, p["kernel"])
    return y + row(p["bias"], y.ndim)


def embedding(p: Params, x: Array) -> Array:
    return jnp.take(p["embeddings"], x, axis=0)


def masking(x: Array) -> Array:
    return jnp.where(jnp.any(x != 0, -1, keepdims=True), x, 0)


# -- convolution


def numbers(ndim: int) -> tuple[str, str, str]:
    """The layout of images and kernels with the channels last."""
    letters = "DHW"[5 - ndim :]
    return f"N{letters}C", f"{letters}IO", f"N{letters}C"


def conv(p: Params, x: Array, padding: Any = "VALID") -> Array:
    y = lax.conv_general_dilated(x, p["kernel"], [1] * (x.ndim - 2), padding, dimension_numbers=numbers(x.ndim))
    return y + row(p["bias"], y.ndim)


def conv_transpose(p: Params, x: Array) -> Array:
    y = lax.conv_transpose(
        x, p["kernel"], [2] * (x.ndim - 2), "VALID", dimension_numbers=numbers(x.ndim), transpose_kernel=True
    )
    return y + row(p["bias"], y.ndim)


def by_channel(kernel: Array, x: Array) -> Array:
    """A kernel `(spatial..., c, 1)` over each channel on its own."""
    *spatial, channels, _ = kernel.shape
    kernel = kernel.reshape(*spatial, 1, channels)
    ones = [1] * (x.ndim - 2)
    return lax.conv_general_dilated(
        x, kernel, ones, "VALID", dimension_numbers=numbers(x.ndim), feature_group_count=channels
    )


def depthwise(p: Params, x: Array) -> Array:
    return by_channel(p["kernel"], x) + row(p["bias"], x.ndim)


def separable(p: Params, x: Array) -> Array:
    pointwise = p["pointwise_kernel"]
    return by_channel(p["depthwise_kernel"], x) @ pointwise.reshape(pointwise.shape[-2:]) + row(p["bias"], x.ndim)


# -- pooling


def windows(x: Array) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Windows of two along every spatial axis, as `lax.reduce_window` takes them."""
    window = (1, *[2] * (x.ndim - 2), 1)
    return window, window, "VALID"


def max_pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, *windows(x))


def average_pool(x: Array) -> Array:
    return lax.reduce_window(x, 0.0, lax.add, *windows(x)) / 2 ** (x.ndim - 2)


def over_space(reduce: Callable[..., Array], x: Array) -> Array:
    return reduce(x, tuple(range(1, x.ndim - 1)))


# -- normalization


def batch_norm(p: Params, state: Params, x: Array) -> tuple[Array, Params]:
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)  # (c,)
    variance = jnp.mean(jnp.square(x - row(mean, x.ndim)), axes)
    scale = lax.rsqrt(variance + 1e-3) * p["gamma"]
    moved = {
        "moving_mean": 0.99 * state["moving_mean"] + 0.01 * mean,
        "moving_variance": 0.99 * state["moving_variance"] + 0.01 * variance,
    }
    return x * row(scale, x.ndim) + row(p["beta"] - mean * scale, x.ndim), moved


def standardized(x: Array, axes: Any) -> Array:
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    # `x - mean` is in the variance: XLA's CPU compiler would keep it in memory for both
    return (x + -mean) * lax.rsqrt(variance + 1e-3)


def layer_norm(p: Params, x: Array) -> Array:
    return standardized(x, -1) * row(p["gamma"], x.ndim) + row(p["beta"], x.ndim)


def group_norm(p: Params, x: Array, groups: int) -> Array:
    grouped = x.reshape(*x.shape[:-1], groups, -1)  # (b, h, w, groups, c / groups)
    y = standardized(grouped, (*range(1, x.ndim - 1), x.ndim)).reshape(x.shape)
    return y * row(p["gamma"], x.ndim) + row(p["beta"], x.ndim)


def rms_norm(p: Params, x: Array) -> Array:
    return x * lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-6) * row(p["scale"], x.ndim)


def unit_norm(x: Array) -> Array:
    return x * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), -1, keepdims=True), 1e-24))


def spectral_norm(p: Params, state: Params, x: Array) -> tuple[Array, Params]:
    kernel, u = p["layer"]["kernel"], state["vector_u"]  # (i, o), (1, o)

    def unit(vector: Array) -> Array:
        return vector * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vector)), 1e-12))

    v = unit(u @ kernel.T)  # (1, i)
    u = lax.stop_gradient(unit(v @ kernel))
    sigma = lax.stop_gradient(v) @ kernel @ u.T  # (1, 1)
    return dense({"kernel": kernel / sigma, "bias": p["layer"]["bias"]}, x), {"vector_u": u}


# -- regularization: a key is `[seed, counter]`, and the next one has the next counter


def drawn(draw: Callable[[Array, Array], Array]) -> Hand:
    """A layer `draw(key, x)` that keeps its key in the state."""

    def hand(trainable: Params, state: Params, x: Array) -> tuple[Array, Params]:
        words = state["seed_generator"]["seed_generator_state"]
        counted = words + jnp.array([0, 1], "uint32")
        return draw(jax.random.wrap_key_data(words), x), {"seed_generator": {"seed_generator_state": counted}}

    return hand


def dropout(key: Array, x: Array) -> Array:
    return jnp.where(jax.random.bernoulli(key, 0.7, x.shape), x / 0.7, 0)


def spatial_dropout(key: Array, x: Array) -> Array:
    shape = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
    return jnp.where(jax.random.bernoulli(key, 0.7, shape), x / 0.7, 0)


def gaussian_noise(key: Array, x: Array) -> Array:
    return x + 0.3 * jax.random.normal(key, x.shape)


def gaussian_dropout(key: Array, x: Array) -> Array:
    return x * (1 + math.sqrt(0.3 / 0.7) * jax.random.normal(key, x.shape))


def alpha_dropout(key: Array, x: Array) -> Array:
    low = -1.7580993408473766  # where SELU saturates
    a = (0.7 * (1 + 0.3 * low**2)) ** -0.5
    return a * jnp.where(jax.random.uniform(key, x.shape) >= 0.3, x, low) - 0.3 * a * low


# -- attention


def attention(p: Params, query: Array, value: Array) -> Array:
    scores = p["scale"] * jnp.einsum("bti,bsi->bts", query, value)
    return jax.nn.softmax(scores) @ value


def additive_attention(p: Params, query: Array, value: Array) -> Array:
    fits = jnp.tanh(jnp.expand_dims(query, 2) + jnp.expand_dims(value, 1))  # (b, t, s, i)
    return jax.nn.softmax(fits @ p["scale"]) @ value


def multi_head_attention(p: Params, query: Array, value: Array) -> Array:
    def heads(name: str, x: Array) -> Array:
        return einsum_dense(p[name], x, "bti,inc->btnc")

    q, k, v = heads("query", query), heads("key", value), heads("value", value)
    q = q.reshape(*k.shape[:1], q.shape[1], k.shape[2], -1, q.shape[-1])  # (b, t, m, n / m, c)
    scores = jnp.einsum("btmgc,bsmc->bmgts", q, k) / math.sqrt(q.shape[-1])
    mixed = jnp.einsum("bmgts,bsmc->btmgc", jax.nn.softmax(scores), v)
    return einsum_dense(p["attention_output"], mixed.reshape(*mixed.shape[:2], -1, mixed.shape[-1]), "btnc,nci->bti")


def rotary_embedding(x: Array) -> Array:
    half = x.shape[-1] // 2
    speeds = 10000.0 ** (-jnp.arange(half) / half)
    angles = jnp.outer(jnp.arange(x.shape[1]), speeds).reshape(1, -1, 1, half)
    u, v = jnp.split(x, 2, -1)
    return jnp.concatenate([u * jnp.cos(angles) - v * jnp.sin(angles), u * jnp.sin(angles) + v * jnp.cos(angles)], -1)


def swiglu(p: Params, x: Array) -> Array:
    return (jax.nn.silu(x @ p["gate"]["kernel"]) * (x @ p["up"]["kernel"])) @ p["down"]["kernel"]


# -- recurrence


def recurrence(step: Callable[[Any, Array], tuple[Any, Array]], start: Any, z: Array) -> Array:
    """The outputs `(b, t, ...)` of a step over the projected inputs `z (b, t, ...)`."""
    return jnp.swapaxes(lax.scan(step, start, jnp.swapaxes(z, 0, 1))[1], 0, 1)


def simple_rnn(p: Params, x: Array) -> Array:
    def step(h: Array, z: Array) -> tuple[Array, Array]:
        h = jnp.tanh(z + h @ p["recurrent_kernel"])
        return h, h

    return recurrence(step, jnp.zeros((len(x), p["kernel"].shape[-1])), dense(p, x))


def remember(z: Array, memory: Array) -> tuple[Array, Array]:
    """Output and memory of LSTM, from the sums of its four gates."""
    i, f, g, o = jnp.split(z, 4, -1)
    memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(memory), memory


def lstm(p: Params, x: Array) -> Array:
    def step(carry: tuple[Array, Array], z: Array) -> tuple[Any, Array]:
        h, c = remember(z + carry[0] @ p["recurrent_kernel"], carry[1])
        return (h, c), h

    zeros = jnp.zeros((len(x), p["kernel"].shape[-1] // 4))
    return recurrence(step, (zeros, zeros), dense(p, x))


def gru(p: Params, x: Array) -> Array:
    of_inputs, of_state = p["bias"]  # (3 o,) each

    def step(h: Array, sums: Array) -> tuple[Array, Array]:
        z, r, n = jnp.split(sums, 3, -1)
        y, s, m = jnp.split(h @ p["recurrent_kernel"] + row(of_state, 2), 3, -1)
        z = jax.nn.sigmoid(z + y)
        h = z * h + (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + s) * m)
        return h, h

    start = jnp.zeros((len(x), p["kernel"].shape[-1] // 3))
    return recurrence(step, start, dense({"kernel": p["kernel"], "bias": of_inputs}, x))


def bidirectional(p: Params, x: Array) -> Array:
    ahead = lstm(p["forward_lstm"]["lstm_cell"], x)
    back = lstm(p["backward_lstm"]["lstm_cell"], jnp.flip(x, 1))
    return jnp.concatenate([ahead[:, -1], back[:, -1]], -1)


def stacked(p: Params, x: Array) -> Array:
    cells = p["cell"]["cells"]
    return lstm(cells["1"], gru(cells["0"], x))[:, -1]


def conv_lstm(p: Params, x: Array) -> Array:
    frames = x.reshape(-1, *x.shape[2:])  # (b t, spatial..., i)
    z = conv(p, frames)
    z = z.reshape(*x.shape[:2], *z.shape[1:])

    def step(carry: tuple[Array, Array], z: Array) -> tuple[Any, Array]:
        h, c = carry
        ones, layout = [1] * (h.ndim - 2), numbers(h.ndim)
        z = z + lax.conv_general_dilated(h, p["recurrent_kernel"], ones, "SAME", dimension_numbers=layout)
        h, c = remember(z, c)
        return (h, c), h

    zeros = jnp.zeros((len(x), *z.shape[2:-1], z.shape[-1] // 4))
    return recurrence(step, (zeros, zeros), z)[:, -1]


# -- reshaping, merging, the rest


def padded(x: Array) -> Array:
    return jnp.pad(x, [(0, 0), *[(2, 2)] * (x.ndim - 2), (0, 0)])


def cropped(x: Array, *sides: tuple[int, int]) -> Array:
    return x[(slice(None), *[slice(before, -after) for before, after in sides])]


def repeated(x: Array) -> Array:
    for axis in range(1, x.ndim - 1):
        x = jnp.repeat(x, 2, axis)
    return x


def cosines(x: Array, y: Array) -> Array:
    return jnp.sum(unit_norm(x) * unit_norm(y), -1, keepdims=True)


def prelu(p: Params, x: Array) -> Array:
    return jnp.where(x > 0, x, row(p["alpha"], x.ndim) * x)


def resized(x: Array, height: int, width: int) -> Array:
    return jax.image.resize(x, (len(x), height, width, x.shape[-1]), "bilinear", antialias=False)


def multi_hot(x: Array) -> Array:
    return jnp.max(jax.nn.one_hot(x, 50), -2)
