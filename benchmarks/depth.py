"""Depth: 48 Transformer blocks as a Stack, beside the same blocks one after another."""

import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from benchmarks.harness import Report, interleaved, milliseconds, ratio
from benchmarks.networks import attend
from jkeras import layers

DEPTH = 48
WIDTH, HEADS, TIME, BATCH = 128, 4, 64, 8
ROUNDS = 5


class Attention(jkeras.Layer):
    """Self-attention after a normalization."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = layers.LayerNormalization()
        self.query, self.key, self.value, self.mixed = (layers.Dense(WIDTH) for _ in range(4))

    def call(self, inputs: jax.Array) -> jax.Array:
        y = self.norm(inputs)
        return self.mixed(attend(self.query(y), self.key(y), self.value(y), HEADS))


def block() -> jkeras.Layer:
    """One pre-norm block."""
    wide = layers.Dense(4 * WIDTH, activation="gelu")
    dense = jkeras.Sequential([layers.LayerNormalization(), wide, layers.Dense(WIDTH)])
    return jkeras.Sequential([layers.Residual(Attention()), layers.Residual(dense)])


def compiled(model: jkeras.Layer, variables: Any, x: Any) -> tuple[Any, float]:
    """The loss and its gradient as a program, and the seconds that tracing and compiling took."""

    def loss(trainable: Any) -> Any:
        return jnp.mean(jnp.square(model.stateless_call(trainable, variables.non_trainable, x, training=True)[0]))

    begun = time.perf_counter()
    program = jax.jit(jax.value_and_grad(loss)).lower(variables.trainable).compile()
    return program, time.perf_counter() - begun


def run() -> Report:
    """Seconds to trace and compile, and a step of gradients."""
    x = np.random.default_rng(0).normal(size=(BATCH, TIME, WIDTH)).astype("float32")
    stack = layers.Stack(block(), n=DEPTH)
    variables = stack.init(jax.random.key(0), x)
    unrolled = jkeras.Sequential([block() for _ in range(DEPTH)])
    unrolled.build(x.shape)
    copies = zip(unrolled.addresses(), stack.unstack(variables), strict=True)
    separate = jkeras.Variables({name: copy.trainable for name, copy in copies}, {})
    title = f"{DEPTH} Transformer blocks of {WIDTH}, {TIME} tokens, batch {BATCH}: loss and gradient"
    report = Report("depth", title, ("measured", "one after another", "Stack", "ratio"))
    (flat, long), (looped, short) = compiled(unrolled, separate, x), compiled(stack, variables, x)
    row = ("trace and compile; the first to Stack", milliseconds(long), milliseconds(short), f"{long / short:.2f}")
    report.add(row, what="compile", seconds={"unrolled": long, "stack": short})
    calls = {"unrolled": lambda: flat(separate.trainable), "stack": lambda: looped(variables.trainable)}
    timings = interleaved(calls, rounds=ROUNDS)
    relative = ratio(timings["stack"].complete, timings["unrolled"].complete)
    times = [milliseconds(statistics.median(timings[name].complete)) for name in ("unrolled", "stack")]
    report.add(("a call; Stack to the other", *times, str(relative)), what="call", seconds=timings, ratio=relative)
    return report
