"""Shape inference: running a function for shapes alone.

`infer` runs a function under `jax.eval_shape`. Dimensions that are `None` become symbolic dimensions of
`jax.export`: `b` for a first axis, `n` for any other. So the output keeps them exact: whatever is not a constant
afterwards is `None` again.

Where JAX cannot decide a comparison of symbolic dimensions (`n >= 3`?), the function runs on two concrete sizes
instead, and a dimension that differs between the two is `None`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.export

from jkeras.core.tensor import KerasTensor, standardize_shape
from jkeras.errors import JKerasError
from jkeras.typing import PyTree, Shape

SYMBOLS = ("b", "n")
SIZES = ((32, 96), (48, 160))  # (b, n) twice: many divisors, far apart


def is_spec(leaf: Any) -> bool:
    """Whether a leaf has a shape and a dtype: an array, a tracer, a `ShapeDtypeStruct`, a KerasTensor."""
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def infer(function: Callable[..., PyTree], *args: Any, **kwargs: Any) -> PyTree:
    """What `function(*args, **kwargs)` returns, as KerasTensors; the arguments' arrays and specs are not read.

    >>> import jax.numpy as jnp
    >>> infer(lambda x: jnp.concatenate([x, x], axis=0), KerasTensor((None, 8)))
    <KerasTensor shape=(None, 8), dtype=float32, name=keras_tensor>
    """
    leaves, treedef = jax.tree.flatten((args, kwargs))
    where = [index for index, leaf in enumerate(leaves) if is_spec(leaf)]
    shapes = [standardize_shape(leaves[index].shape) for index in where]

    def run(first: Any, other: Any) -> PyTree:
        def apply(specs: list[Any]) -> PyTree:
            filled = list(leaves)
            for index, spec in zip(where, specs, strict=True):
                filled[index] = spec
            call_args, call_kwargs = jax.tree.unflatten(treedef, filled)
            return function(*call_args, **call_kwargs)

        structs = [
            jax.ShapeDtypeStruct(fill(shape, first, other), _dtype(leaf), weak_type=getattr(leaf, "weak_type", False))
            for leaf, shape in zip([leaves[index] for index in where], shapes, strict=True)
        ]
        return jax.eval_shape(apply, structs)

    if all(None not in shape for shape in shapes):
        return jax.tree.map(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), run(None, None))
    try:
        outputs = run(
            *jax.export.symbolic_shape(", ".join(SYMBOLS), constraints=[f"{symbol} >= 2" for symbol in SYMBOLS])
        )
    except JKerasError:
        raise
    except (
        Exception
    ):  # whatever JAX could not decide for all sizes, it decides for these two, or raises in plain numbers
        return jax.tree.map(_common, run(*SIZES[0]), run(*SIZES[1]))
    return jax.tree.map(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), outputs)


def _dtype(leaf: Any) -> Any:
    """The dtype that a leaf will have in JAX: float64 of NumPy is float32 unless 64 bits are enabled."""
    return jax.dtypes.canonicalize_dtype(leaf.dtype, allow_extended_dtype=True)


def fill(shape: Shape, first: Any, other: Any) -> tuple[Any, ...]:
    """A shape whose unknown dimensions are replaced.

    >>> fill((None, 3, None), 32, 96)
    (32, 3, 96)
    """
    return tuple((first if axis == 0 else other) if dim is None else dim for axis, dim in enumerate(shape))


def _common(one: Any, two: Any) -> KerasTensor:
    """The dimensions that two runs agree on."""
    return KerasTensor((a if a == b else None for a, b in zip(one.shape, two.shape, strict=True)), one.dtype)
