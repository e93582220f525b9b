"""Specs: the shapes and dtypes of the inputs of an exported program, and the symbols for the sizes that are free.

`None` is a free size. As a first axis it is the batch, the symbol `b`, which is one for all inputs; anywhere else it
has a symbol of its own, `n`, `n1`, .... A string in a shape names its symbol, so that two inputs can share a length:

    (("b", "t", 8), ("b", "t"))
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from jkeras.arguments import refusal
from jkeras.core.tensor import KerasTensor
from jkeras.errors import ArgumentError
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import DTypeLike, PyTree

BATCH, OTHER = "b", "n"


def as_specs(inputs: Sequence[PyTree], dtype: DTypeLike, constraints: Sequence[str] = ()) -> tuple[PyTree, ...]:
    """The specs of inputs, free sizes as symbols of one scope.

    Args:
        inputs: for each argument shape tuples, `jax.ShapeDtypeStruct`s, arrays or symbolic tensors, in any structure.
        dtype: that of shape tuples.
        constraints: what holds of the symbols, as `jax.export.symbolic_shape` takes it.

    >>> as_specs([(None, 3), {"mask": (None, None)}], "float32")
    (ShapeDtypeStruct(shape=(b, 3), dtype=float32), {'mask': ShapeDtypeStruct(shape=(b, n), dtype=float32)})
    """
    leaves, structure = jax.tree.flatten(tuple(inputs), is_leaf=_is_shape)
    shapes = [_shape_of(leaf) for leaf in leaves]
    names = _names({name for shape in shapes for name in shape if isinstance(name, str)})
    scope = _scope(shapes, constraints)
    dtypes = [dtype if _is_shape(leaf) else jnp.result_type(_dtype_of(leaf)) for leaf in leaves]
    specs = [
        jax.ShapeDtypeStruct(_symbolic(shape, names, scope), canonical_dtype(each))
        for shape, each in zip(shapes, dtypes, strict=True)
    ]
    filled: tuple[PyTree, ...] = jax.tree.unflatten(structure, specs)
    return filled


def _is_shape(leaf: object) -> bool:
    return type(leaf) is tuple and all(
        size is None or (isinstance(size, int | str) and not isinstance(size, bool)) or jax.export.is_symbolic_dim(size)
        for size in leaf
    )


def _shape_of(leaf: Any) -> tuple[Any, ...]:
    return leaf if _is_shape(leaf) else tuple(leaf.shape if hasattr(leaf, "shape") else jnp.shape(leaf))


def _dtype_of(leaf: Any) -> Any:
    return leaf.dtype if hasattr(leaf, "dtype") else leaf


def _names(taken: set[str]) -> Iterator[str]:
    """Symbols that no input names."""
    number = 0
    while True:
        name = f"{OTHER}{number or ''}"
        number += 1
        if name not in taken:
            yield name


def _scope(shapes: Sequence[Sequence[Any]], constraints: Sequence[str]) -> jax.export.SymbolicScope:
    """The scope of the symbols that the inputs bring, or a new one."""
    brought = [size.scope for shape in shapes for size in shape if jax.export.is_symbolic_dim(size)]
    if not brought:
        return jax.export.SymbolicScope(tuple(constraints))
    if constraints:
        raise ArgumentError(
            "`constraints` must not be given for specs that have symbols, because the symbols have constraints.",
            path="export",
            expected="shapes with None or strings, or no `constraints`",
            received=", ".join(constraints),
            write="jax.export.symbolic_shape('b, n', constraints=['n >= 3'])",
        )
    scope: jax.export.SymbolicScope = brought[0]
    return scope


def _symbolic(shape: Sequence[Any], names: Iterator[str], scope: jax.export.SymbolicScope) -> tuple[Any, ...]:
    def size(axis: int, given: Any) -> Any:
        if given is None:
            given = next(names) if axis else BATCH
        if not isinstance(given, str):
            return given
        try:
            (found,) = jax.export.symbolic_shape(given, scope=scope)
        except ValueError as error:
            raise refusal(
                given, "spec", "export", "a shape of sizes, names and None", write="(None, 't', 8)"
            ) from error
        return found

    return tuple(size(axis, given) for axis, given in enumerate(shape))


def each_size(specs: PyTree, function: Callable[[tuple[Any, ...]], Any]) -> PyTree:
    """A tree with a function of each spec's shape in its place.

    >>> each_size({"x": jax.ShapeDtypeStruct((2, 3), "float32")}, str)
    {'x': '(2, 3)'}
    """
    return jax.tree.map(lambda spec: function(spec.shape), specs)


def is_free(size: Any) -> bool:
    """Whether a size of a spec is a symbol.

    >>> is_free(3)
    False
    """
    return bool(jax.export.is_symbolic_dim(size))


def described(spec: Any) -> str:
    """A spec in a message.

    >>> described(jax.ShapeDtypeStruct((2, 3), "float32"))
    'float32(2, 3)'
    """
    name = spec.dtype if isinstance(spec, KerasTensor) else spec.dtype.name
    return f"{name}({', '.join(map(str, spec.shape))}{',' if len(spec.shape) == 1 else ''})"
