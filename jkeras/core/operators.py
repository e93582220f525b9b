"""Arithmetic on symbolic tensors and variables: `x + 1`, `x @ self.kernel`, `x[:, 0]`.

One table gives both their operators. On a KerasTensor an operator records a node; on a Variable it is a courtesy that
reads the value first. `==` stays identity for both, because they are keys of dicts; write `ops.equal`.
"""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.lift import Lifted, lift
from jkeras.core.tensor import KerasTensor
from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError
from jkeras.typing import Axes

BINARY: dict[str, tuple[str, Callable[..., Any]]] = {
    "add": ("add", operator.add),
    "sub": ("subtract", operator.sub),
    "mul": ("multiply", operator.mul),
    "matmul": ("matmul", operator.matmul),
    "truediv": ("true_divide", operator.truediv),
    "floordiv": ("floor_divide", operator.floordiv),
    "mod": ("mod", operator.mod),
    "pow": ("power", operator.pow),
    "and": ("bitwise_and", operator.and_),
    "or": ("bitwise_or", operator.or_),
    "xor": ("bitwise_xor", operator.xor),
}
COMPARISON: dict[str, tuple[str, Callable[..., Any]]] = {
    "lt": ("less", operator.lt),
    "le": ("less_equal", operator.le),
    "gt": ("greater", operator.gt),
    "ge": ("greater_equal", operator.ge),
}
UNARY: dict[str, tuple[str, Callable[..., Any]]] = {
    "neg": ("negative", operator.neg),
    "abs": ("absolute", operator.abs),
    "invert": ("bitwise_not", operator.invert),
}


def getitem(x: Any, key: object) -> Any:
    """`x[key]`.

    Raises:
        ArgumentError: an integer out of the range of an axis whose length is known: JAX would take the last entry.
    """
    check_index(x.shape, key)
    return x[key]


def check_index(shape: tuple[Any, ...], key: object) -> None:
    """Raises `ArgumentError` for an integer in a key that is out of the range of its axis.

    >>> check_index((2, 3), (..., -3))
    """
    keys = key if isinstance(key, tuple) else (key,)
    widths = [each.ndim if str(getattr(each, "dtype", "")) == "bool" else int(each is not None) for each in keys]
    axis = 0
    for each, width in zip(keys, widths, strict=True):
        if each is Ellipsis:
            axis += max(len(shape) - sum(widths) + 1, 0)
            continue
        whole = isinstance(each, int | np.integer) and not isinstance(each, bool) and axis < len(shape)
        if whole and isinstance(shape[axis], int) and not -shape[axis] <= each < shape[axis]:
            raise ArgumentError(
                f"the index {each} is out of range for axis {axis}.",
                path="get_item",
                expected=f"{-shape[axis]} <= index < {shape[axis]}",
                received=f"index {each}",
            )
        axis += width


def reshape(x: Any, newshape: Any) -> Any:
    """`x` with another shape."""
    return jnp.reshape(x, newshape)


def squeeze(x: Any, axis: Axes | None = None) -> Any:
    """`x` without axes of size 1."""
    return jnp.squeeze(x, axis)


def _installed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that calls a lifted function; as a method of a class it gets `self` first."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: object) -> Any:
        return function(other, self)

    return method


NAMED: dict[str, tuple[str, Callable[..., Any]]] = {
    "__round__": ("round", jnp.round),
    "__pos__": ("positive", jnp.positive),
}
SYMBOLIC_ONLY: dict[str, tuple[str, Callable[..., Any]]] = {
    "__ne__": ("not_equal", operator.ne),
    "reshape": ("reshape", reshape),
    "squeeze": ("squeeze", squeeze),
}


_lifted_getitem = lift(getitem, "get_item")


def _subscript(self: Any, key: object) -> Any:
    """`self[key]`; NumPy's integers in the key are Python's, for in a graph an array's value is not looked at."""
    return _lifted_getitem(self, jax.tree.map(lambda k: int(k) if isinstance(k, np.integer) else k, key))


def install(cls: type, table: dict[str, tuple[str, Callable[..., Any]]], pattern: str = "{}") -> None:
    """Gives a class a method for each row of a table."""
    for name, (op, function) in table.items():
        setattr(cls, pattern.format(name), _installed(lift(function, op)))


for _cls in (KerasTensor, Variable):
    for _table in (BINARY, COMPARISON, UNARY):
        install(_cls, _table, "__{}__")
    for _name, (_op, _function) in BINARY.items():
        setattr(_cls, f"__r{_name}__", _reflected(lift(_function, _op)))
    install(_cls, NAMED)
    setattr(_cls, "__getitem__", _subscript)  # noqa: B010 - a method of both, as those above
install(KerasTensor, SYMBOLIC_ONLY)


def record(tensor: KerasTensor, function: Callable[..., Any], op: str, **arguments: Any) -> Any:
    """Records the call of a function that takes arrays and stands below symbolic tensors, such as an activation.

    Args:
        tensor: the symbolic tensor that is asked; it is among the arguments.
        function: of arrays.
        op: its name in the table of operations; `""` where it is not in it, and the graph has no config.
        arguments: of the call.
    """
    return Lifted(function, op or None).symbolic_call(**arguments)


KerasTensor.record = record  # type: ignore[attr-defined]
