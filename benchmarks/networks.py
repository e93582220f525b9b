"""Networks and a training step written by hand, in plain JAX and optax: what jkeras is measured against.

Each is what an expert would write who wants this one network: parameters in nested dicts, one function. Formulas and
constants are those of the layers (batch normalization with momentum 0.99 and epsilon 1e-3, layer normalization with
epsilon 1e-3), and so are the names of the parameters: what `init` makes can be given to the jkeras model of `models`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = dict[str, Any]
CLASSES = 10
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Network:
    """A network as two functions.

    `init(key) -> (params, statistics)` and `apply(params, statistics, x, training) -> (logits, statistics)`.
    """

    init: Callable[[jax.Array], tuple[Params, Params]]
    apply: Callable[..., tuple[jax.Array, Params]]


def glorot(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.nn.initializers.glorot_uniform()(key, shape)


def dense_init(key: jax.Array, inputs: int, outputs: int) -> Params:
    return {"kernel": glorot(key, (inputs, outputs)), "bias": jnp.zeros(outputs)}


def dense(params: Params, x: jax.Array) -> jax.Array:
    y = x @ params["kernel"]  # (..., o)
    return y + jnp.expand_dims(params["bias"], tuple(range(y.ndim - 1)))


def numbered(name: str, count: int) -> list[str]:
    """`["dense", "dense_1", "dense_2"]`"""
    return [name if number == 0 else f"{name}_{number}" for number in range(count)]


def mlp(depth: int, width: int, inputs: int = 64) -> Network:
    """`depth` hidden layers of `width` with ReLU, and one to the classes."""
    sizes = [inputs, *[width] * depth, CLASSES]
    names = numbered("dense", depth + 1)

    def init(key: jax.Array) -> tuple[Params, Params]:
        keys = jax.random.split(key, depth + 1)
        return {n: dense_init(k, i, o) for n, k, i, o in zip(names, keys, sizes, sizes[1:], strict=False)}, {}

    def apply(params: Params, statistics: Params, x: jax.Array, training: bool) -> tuple[jax.Array, Params]:
        for name in names[:-1]:
            x = jax.nn.relu(dense(params[name], x))
        return dense(params[names[-1]], x), statistics

    return Network(init, apply)


def conv_init(key: jax.Array, inputs: int, outputs: int) -> Params:
    return {"kernel": glorot(key, (3, 3, inputs, outputs)), "bias": jnp.zeros(outputs)}


def conv(params: Params, x: jax.Array) -> jax.Array:
    y = jax.lax.conv_general_dilated(
        x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )  # (b, h, w, o)
    return y + params["bias"].reshape(1, 1, 1, -1)


def batch_norm(params: Params, statistics: Params, x: jax.Array, training: bool) -> tuple[jax.Array, Params]:
    momentum, epsilon = 0.99, 1e-3
    mean, variance = statistics["moving_mean"], statistics["moving_variance"]  # (c,)
    if training:
        moving = (mean, variance)
        mean = jnp.mean(x, (0, 1, 2))
        variance = jnp.mean(jnp.square(x - mean.reshape(1, 1, 1, -1)), (0, 1, 2))
        statistics = {
            "moving_mean": momentum * moving[0] + (1 - momentum) * mean,
            "moving_variance": momentum * moving[1] + (1 - momentum) * variance,
        }
    mean, variance, gamma, beta = (
        value.reshape(1, 1, 1, -1) for value in (mean, variance, params["gamma"], params["beta"])
    )
    scale = jax.lax.rsqrt(variance + epsilon) * gamma
    return x * scale + (beta - mean * scale), statistics


def convnet(filters: tuple[int, ...] = (16, 32)) -> Network:
    """Convolution, batch normalization, ReLU, pooling, once per entry of `filters`; then one layer to the classes."""
    convs, norms = numbered("conv2d", len(filters)), numbered("batch_normalization", len(filters))

    def init(key: jax.Array) -> tuple[Params, Params]:
        *keys, last = jax.random.split(key, len(filters) + 1)
        side = 8 // 2 ** len(filters)
        params = {"dense": dense_init(last, side * side * filters[-1], CLASSES)}
        for name, k, i, o in zip(convs, keys, (1, *filters), filters, strict=False):
            params[name] = conv_init(k, i, o)
        for name, o in zip(norms, filters, strict=True):
            params[name] = {"gamma": jnp.ones(o), "beta": jnp.zeros(o)}
        widths = zip(norms, filters, strict=True)
        return params, {name: {"moving_mean": jnp.zeros(o), "moving_variance": jnp.ones(o)} for name, o in widths}

    def apply(params: Params, statistics: Params, x: jax.Array, training: bool) -> tuple[jax.Array, Params]:
        updated = {}
        for first, second in zip(convs, norms, strict=True):
            x = conv(params[first], x)
            x, updated[second] = batch_norm(params[second], statistics[second], x, training)
            x = jax.nn.relu(x)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return dense(params["dense"], x.reshape(x.shape[0], -1)), updated

    return Network(init, apply)


def layer_norm(params: Params, x: jax.Array) -> jax.Array:
    mean = jnp.mean(x, -1, keepdims=True)  # (b, t, 1)
    variance = jnp.mean(jnp.square(x - mean), -1, keepdims=True)
    gamma, beta = (params[name].reshape(1, 1, -1) for name in ("gamma", "beta"))
    # `x - mean` is in the variance: XLA's CPU compiler would keep it in memory for both
    return (x + -mean) * jax.lax.rsqrt(variance + 1e-3) * gamma + beta


def attend(query: jax.Array, key: jax.Array, value: jax.Array, heads: int) -> jax.Array:
    """Softmax attention over already projected `(b, t, i)` arrays."""
    q, k, v = (a.reshape(*a.shape[:2], heads, -1) for a in (query, key, value))  # (b, t, n, i / n)
    scores = jnp.einsum("bqnd,bknd->bnqk", q, k) / q.shape[-1] ** 0.5  # (b, n, q, k)
    mixed = jnp.einsum("bnqk,bknd->bqnd", jax.nn.softmax(scores), v)
    return mixed.reshape(query.shape)


def transformer(width: int = 64, heads: int = 4, time: int = 16, vocabulary: int = 100) -> Network:
    """One pre-norm Transformer block between embeddings and the mean over time, then one layer to the classes."""
    shapes = {"query": (width, width), "key": (width, width), "value": (width, width), "mixed": (width, width)}
    shapes |= {"wide": (width, 4 * width), "narrow": (4 * width, width), "head": (width, CLASSES)}
    norms = ("norm_attention", "norm_dense")

    def init(key: jax.Array) -> tuple[Params, Params]:
        *keys, tokens, positions = jax.random.split(key, len(shapes) + 2)
        params: Params = {name: dense_init(k, *shapes[name]) for name, k in zip(shapes, keys, strict=True)}
        params |= {name: {"gamma": jnp.ones(width), "beta": jnp.zeros(width)} for name in norms}
        for name, k, size in (("tokens", tokens, vocabulary), ("positions", positions, time)):
            params[name] = {"embeddings": jax.random.uniform(k, (size, width), minval=-0.05, maxval=0.05)}
        return params, {}

    def apply(params: Params, statistics: Params, x: jax.Array, training: bool) -> tuple[jax.Array, Params]:
        positions = jnp.take(params["positions"]["embeddings"], jnp.arange(time), axis=0)  # (t, i)
        x = jnp.take(params["tokens"]["embeddings"], x, axis=0) + jnp.expand_dims(positions, 0)  # (b, t, i)
        y = layer_norm(params["norm_attention"], x)
        q, k, v = (dense(params[name], y) for name in ("query", "key", "value"))
        x = x + dense(params["mixed"], attend(q, k, v, heads))
        y = layer_norm(params["norm_dense"], x)
        x = x + dense(params["narrow"], jax.nn.gelu(dense(params["wide"], y), approximate=False))
        return dense(params["head"], jnp.mean(x, 1)), statistics

    return Network(init, apply)


class State(NamedTuple):
    """What one step hands to the next: what `jkeras.TrainState` holds for the same network, with sums of one word."""

    step: jax.Array
    params: Params
    statistics: Params
    opt_state: optax.OptState
    metrics: dict[str, Any]


def make_step(network: Network) -> tuple[Callable[[Any], State], Callable[[State, Any], tuple[State, Any]]]:
    """`start(values) -> State` and `step(state, (x, y)) -> (State, logs)`: Adam, cross-entropy; sums for the epoch."""
    optimizer = optax.adam(LEARNING_RATE)

    def start(values: tuple[Params, Params]) -> State:
        params, statistics = values
        metrics = {name: {"total": jnp.zeros(()), "count": jnp.zeros(())} for name in ("loss", "accuracy")}
        return State(jnp.zeros((), "int32"), params, statistics, optimizer.init(params), metrics)

    def step(state: State, batch: Any) -> tuple[State, Any]:
        x, y = batch

        def objective(params: Params) -> tuple[jax.Array, Any]:
            logits, statistics = network.apply(params, state.statistics, x, True)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
            return loss, (logits, statistics)

        (loss, (logits, statistics)), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        correct = jnp.sum(jnp.argmax(logits, -1) == y).astype("float32")
        size = len(y)
        metrics = {
            name: {"total": state.metrics[name]["total"] + total, "count": state.metrics[name]["count"] + size}
            for name, total in {"loss": loss * size, "accuracy": correct}.items()
        }
        logs = {"loss": loss, "accuracy": correct / size}
        return State(state.step + 1, params, statistics, opt_state, metrics), logs

    return start, step
