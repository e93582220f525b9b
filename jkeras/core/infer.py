"""Shape inference: running a function for shapes alone.

`infer` runs a function under `jax.eval_shape`. Dimensions that are `None` become symbolic dimensions of
`jax.export`: `b` for a first axis, `n` for any other. So the output keeps them exact: whatever is not a constant
afterwards is `None` again.

Where JAX cannot compute with a symbolic dimension (`n >= 3`?), and only there, the function runs on concrete sizes
instead. A dimension that differs between two runs is `None`. So is one that differs in a third run on the smallest
sizes, where that run succeeds: the diagonal of `(None, 3)` has at most 3 entries, not 3. An error of a concrete run
shows `None` in place of the sizes.
"""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.export

from jkeras.core.tensor import KerasTensor, standardize_shape
from jkeras.errors import JKerasError
from jkeras.jax_compat import canonical_dtype, is_of_unknown_size
from jkeras.typing import ArraySpec, PyTree, Shape

SYMBOLS = ("b", "n")
SIZES = ((72, 224), (120, 672))  # (b, n) twice: many divisors, far apart, rarely sizes that users write
SMALLEST = (1, 1)


def is_spec(leaf: object) -> bool:
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
    dims = jax.export.symbolic_shape(", ".join(SYMBOLS), constraints=[f"{symbol} >= 2" for symbol in SYMBOLS])
    try:
        outputs = run(*dims)
    except JKerasError:
        raise
    except Exception as error:
        if not _concerns_symbols(error):
            raise
    else:
        return jax.tree.map(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), outputs)
    return _sampled(run)


def _sampled(run: Callable[..., PyTree]) -> PyTree:
    """What the runs on concrete sizes have in common."""
    try:
        first, second = (run(*sizes) for sizes in SIZES)
    except Exception as error:
        _show_unknown(error)
        raise
    common = jax.tree.map(_common, first, second)
    try:
        smallest = run(*SMALLEST)
    except Exception:  # too small for a window, a stride, ...: that says nothing of other sizes
        return common
    return jax.tree.map(_common, common, smallest) if _alike(common, smallest) else common


def _concerns_symbols(error: Exception) -> bool:
    """Whether an error may be one of unknown dimensions: JAX says so, or its message names one (`None` in `build`)."""
    return is_of_unknown_size(error) or bool(NAMED.search(str(error)))


NAMED = re.compile(rf"NoneType|(?<![\w'])({'|'.join(SYMBOLS)})(?![\w'])")
SAMPLED = re.compile(rf"(?<=[\[( ])({'|'.join(str(size) for sizes in SIZES for size in sizes)})(?=[,)\]])")


def _show_unknown(error: Exception) -> None:
    """Writes `None` for the sizes of a concrete run in the shapes that an error shows."""
    error.args = tuple(SAMPLED.sub("None", arg) if isinstance(arg, str) else arg for arg in error.args)
    if hasattr(error, "__notes__"):
        error.__notes__ = [SAMPLED.sub("None", note) for note in error.__notes__]


def _alike(one: ArraySpec, two: ArraySpec) -> bool:
    """Whether two results have one structure and the same ranks."""
    ranks = (jax.tree.map(lambda leaf: len(leaf.shape), tree) for tree in (one, two))
    return bool(next(ranks) == next(ranks))


def _dtype(leaf: ArraySpec) -> Any:
    """The dtype that a leaf will have in JAX: float64 of NumPy is float32 unless 64 bits are enabled."""
    return canonical_dtype(leaf.dtype)


def fill(shape: Shape, first: ArraySpec, other: ArraySpec) -> tuple[Any, ...]:
    """A shape whose unknown dimensions are replaced.

    >>> fill((None, 3, None), 32, 96)
    (32, 3, 96)
    """
    return tuple((first if axis == 0 else other) if dim is None else dim for axis, dim in enumerate(shape))


def _common(one: ArraySpec, two: ArraySpec) -> KerasTensor:
    """The dimensions that two runs agree on."""
    return KerasTensor((a if a == b else None for a, b in zip(one.shape, two.shape, strict=True)), one.dtype)
