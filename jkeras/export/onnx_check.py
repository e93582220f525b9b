"""An ONNX file is compared with its model before it is written: jax2onnx leaves out parts of some operations.

That of 0.17 reshapes in the order of the axes, whatever order JAX says, as `jax.vmap` does.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.errors import SerializationError
from jkeras.export.specs import is_free
from jkeras.typing import PyTree

SIZES = (2, 3, 8, 32)  # for sizes that are free, until the model takes them
TOLERANCES = {"float16": 1e-2, "bfloat16": 5e-2}  # of the largest output; kernels sum in another order
TOLERANCE = 1e-3


def check(
    contents: bytes, call: Callable[..., PyTree], specs: tuple[PyTree, ...], names: list[str], owner: str
) -> None:
    """Raises `SerializationError` unless ONNX Runtime computes what a function computes, for one set of inputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    inputs, expected = _example(call, specs)
    given = dict(zip(names, map(np.asarray, jax.tree.leaves(inputs)), strict=True))
    found = onnxruntime.InferenceSession(contents, options).run(None, given)
    for number, (one, other) in enumerate(zip(found, jax.tree.leaves(expected), strict=True)):
        difference = distance(one, other)
        if not difference <= TOLERANCES.get(other.dtype.name, TOLERANCE):
            raise SerializationError(
                "the translation must compute what the model computes.",
                path=f"{owner}.export",
                expected=f"output {number} of shape {other.shape}, as the model computes it",
                received=f"shape {one.shape}, with a relative difference of {difference:.2g}",
                write="model.export(path, variables, format='tf_saved_model')   # the program of JAX itself",
            )


def distance(one: Any, other: Any) -> float:
    """The largest difference of two arrays, relative to the largest value; infinite for other shapes.

    >>> distance(np.ones(2), np.array([1.0, 2.0])), distance(np.ones(2), np.ones(3))
    (0.5, inf)
    """
    if one.shape != other.shape:
        return float("inf")
    a, b = np.asarray(one, "float64"), np.asarray(other, "float64")
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b))))
    return float(np.max(np.abs(a[differ] - b[differ]), initial=0.0)) / scale


def _example(call: Callable[..., PyTree], specs: tuple[PyTree, ...]) -> tuple[PyTree, PyTree]:
    """Inputs of the first sizes that the function takes, and what it returns for them."""
    for size in SIZES:
        inputs = _drawn(specs, size)
        try:
            return inputs, jax.jit(call)(*inputs)
        except Exception:
            if size == SIZES[-1]:
                raise
    raise AssertionError


def _drawn(specs: tuple[PyTree, ...], size: int) -> tuple[PyTree, ...]:
    generator = np.random.default_rng(0)

    def draw(spec: jax.ShapeDtypeStruct) -> jax.Array:
        shape = tuple(size if is_free(each) else each for each in spec.shape)
        is_number = jnp.issubdtype(spec.dtype, jnp.inexact)
        return jnp.asarray(generator.normal(size=shape) if is_number else generator.integers(0, 2, shape), spec.dtype)

    drawn: tuple[PyTree, ...] = jax.tree.map(draw, specs)
    return drawn
