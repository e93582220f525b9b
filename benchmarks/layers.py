"""Each layer beside the Keras layer of the same config and weights: forward, and forward with gradients."""

import os
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Report, interleaved, microseconds, ratio
from benchmarks.layer_cases import CASES, Case
from jkeras import layers

os.environ.setdefault("KERAS_BACKEND", "jax")

ROUNDS, CALLS = 15, 5


def inputs_of(case: Case) -> list[Any]:
    """Arrays for a case: floats, or indices below the case's bound."""
    rng = np.random.default_rng(0)
    if case.below is not None:
        return [rng.integers(0, case.below, shape).astype("int32") for shape in case.inputs]
    return [rng.normal(size=shape).astype("float32") for shape in case.inputs]


def programs(
    call: Callable[..., Any], values: tuple[Any, Any], args: tuple[Any, ...], case: Case
) -> dict[str, Callable[[], Any]]:
    """The compiled forward pass, and that with the gradients of the sum of its squared outputs."""

    def forward(trainable: Any, non_trainable: Any, args: Any) -> Any:
        return call(trainable, non_trainable, *args, **({"training": True} if case.training else {}))

    def loss(trainable: Any, non_trainable: Any, args: Any) -> Any:
        outputs, new = forward(trainable, non_trainable, args)
        return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(outputs)), new

    where = (0, 2) if case.below is None else 0
    forward, gradient = jax.jit(forward), jax.jit(jax.value_and_grad(loss, where, has_aux=True))
    found = {"forward": lambda: forward(*values, args)}
    if case.gradients:
        found["forward and backward"] = lambda: gradient(*values, args)
    return found


def ours(case: Case, args: tuple[Any, ...]) -> dict[str, Callable[[], Any]]:
    """The programs of jkeras."""
    layer = getattr(layers, case.layer)(**case.arguments(layers))
    return programs(layer.stateless_call, tuple(layer.init(jax.random.key(0), *args)), args, case)


def theirs(case: Case, args: tuple[Any, ...]) -> dict[str, Callable[[], Any]]:
    """The programs of Keras."""
    import keras

    layer = getattr(keras.layers, case.layer)(**case.arguments(keras.layers))
    layer(*args)
    values = [v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables]
    return programs(layer.stateless_call, values, args, case)


def run() -> Report:
    """Medians per layer, the ratio to Keras, and the geometric mean of all ratios."""
    columns = ("layer", "pass", "Keras", "jkeras", "jkeras to Keras (quartiles)")
    report = Report("layers", "Compiled layers beside Keras's", columns)
    found = []
    for case in CASES:
        given = inputs_of(case)
        args = tuple(given) if case.spread or len(given) == 1 else (given,)
        sides = {"Keras": theirs(case, args), "jkeras": ours(case, args)}
        for what in sides["jkeras"]:
            timings = interleaved({name: side[what] for name, side in sides.items()}, rounds=ROUNDS, calls=CALLS)
            relative = ratio(timings["jkeras"].complete, timings["Keras"].complete)
            found.append(relative.median)
            times = [microseconds(statistics.median(timings[name].complete)) for name in ("Keras", "jkeras")]
            report.add((case.layer, what, *times, str(relative)), case=str(case), what=what, ratio=relative)
    mean = statistics.geometric_mean(found)
    report.add(("all", "geometric mean", "", "", f"{mean:.3f}"), mean=mean)
    return report
