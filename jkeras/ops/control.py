"""Control flow: branches and loops inside a compiled function, and functions mapped and differentiated.

They take functions, which configs spell for `vectorized_map` alone: the others are not in the table; in a graph they
are recorded like any lifted function. Inside a layer's `call`, `cond`, `switch`, `scan`, `map` and `vectorized_map`
are those of `jkeras.core`: their functions may assign variables and add losses. The other loops may only read.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core import scope as scopes
from jkeras.core import transforms
from jkeras.core.lift import lift, listed
from jkeras.errors import ArgumentError
from jkeras.typing import Array, ArrayLike, PyTree

Function = Callable[..., Any]


def associative_scan(f: Function, elems: PyTree, reverse: bool = False, axis: int = 0) -> PyTree:
    """All partial results of an associative operation, in logarithmically many steps: `jax.lax.associative_scan`.

    >>> associative_scan(jnp.add, jnp.arange(4)).tolist()
    [0, 1, 3, 6]
    """

    def combine(elems: PyTree) -> PyTree:
        return jax.lax.associative_scan(f, elems, reverse, axis)

    return lift(_named("associative_scan", combine))(elems)


def cond(pred: ArrayLike, true_fn: Function, false_fn: Function) -> PyTree:
    """`true_fn()` where `pred` is true, else `false_fn()`: `jax.lax.cond`.

    >>> int(cond(True, lambda: 1, lambda: 2))
    1
    """
    return lift(_named("cond", lambda pred: _branch(pred, true_fn, false_fn)))(pred)


def _branch(pred: ArrayLike, true_fn: Function, false_fn: Function) -> PyTree:
    choose = jax.lax.cond if scopes.current() is None else transforms.cond
    return choose(jnp.asarray(pred, bool), true_fn, false_fn)


def switch(index: ArrayLike, branches: Sequence[Function], *operands: Any) -> PyTree:
    """`branches[index](*operands)`, the index clipped into range: `jax.lax.switch`.

    >>> int(switch(1, [lambda x: x + 1, lambda x: x * 10], 4))
    40
    """
    choose = jax.lax.switch if scopes.current() is None else transforms.switch
    return lift(_named("switch", lambda index, *operands: choose(index, branches, *operands)))(index, *operands)


def scan(
    f: Function,
    init: PyTree,
    xs: PyTree = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[PyTree, PyTree]:
    """A loop over the first axis that carries a value along and stacks the outputs: `jax.lax.scan`.

    >>> carry, ys = scan(lambda total, x: (total + x, 2 * x), 0, jnp.arange(3))
    >>> int(carry), ys.tolist()
    (3, [0, 2, 4])
    """
    if not isinstance(unroll, int) or unroll < 0 or (unroll == 0 and unroll is not False):
        raise ArgumentError(
            f"`unroll` must be a bool or an integer of at least 1, got {unroll!r}.",
            path="scan",
            expected="an int >= 1 or a bool",
            received=repr(unroll),
            write="ops.scan(f, init, xs, unroll=1)",
        )

    def loop(init: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
        run = jax.lax.scan if scopes.current() is None else transforms.scan
        return run(f, init, xs, length, reverse=reverse, unroll=unroll)

    result: tuple[PyTree, PyTree] = lift(_named("scan", loop))(init, xs)
    return result


def map(f: Function, xs: PyTree) -> PyTree:
    """`f` of each element along the first axis, one after the other: `jax.lax.map`.

    >>> map(lambda x: 2 * x, jnp.arange(3)).tolist()
    [0, 2, 4]
    """

    def loop(xs: PyTree) -> PyTree:
        run = jax.lax.scan if scopes.current() is None else transforms.scan
        return run(lambda carry, x: (carry, f(x)), None, xs)[1]

    return lift(_named("map", loop))(xs)


@listed
def vectorized_map(function: Function, elements: PyTree) -> PyTree:
    """`function` of each element along the first axis, all at once: `jax.vmap`.

    Args:
        function: of one element. Graphs with a registered one have a config.
        elements: an array, or a structure of arrays, whose first axes have one length.

    >>> vectorized_map(lambda x: 2 * x, jnp.arange(3)).tolist()
    [0, 2, 4]
    """
    return (jax.vmap if scopes.current() is None else transforms.vmap)(function)(elements)


def while_loop(cond: Function, body: Function, loop_vars: PyTree, maximum_iterations: int | None = None) -> PyTree:
    """`body` again and again, as long as `cond` holds: `jax.lax.while_loop`.

    Args:
        cond: of the loop's variables, whether to go on.
        body: of the loop's variables, their next values.
        loop_vars: a list or tuple, given to both as arguments, or one value.
        maximum_iterations: the greatest number of runs of `body`.

    >>> [int(x) for x in while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, 2 * x), (0, 1))]
    [3, 8]
    """
    several = isinstance(loop_vars, list | tuple)

    def going(carry: tuple[Array, tuple[Any, ...]]) -> Array:
        holds = jnp.asarray(cond(*carry[1]), bool).reshape(())
        return holds if maximum_iterations is None else holds & (carry[0] < maximum_iterations)

    def turn(carry: tuple[Array, tuple[Any, ...]]) -> tuple[Array, tuple[Any, ...]]:
        new = body(*carry[1])
        return carry[0] + 1, tuple(new) if several else (new,)

    def loop(loop_vars: PyTree) -> PyTree:
        _, values = jax.lax.while_loop(going, turn, (jnp.int32(0), tuple(loop_vars) if several else (loop_vars,)))
        return values if several else values[0]

    return lift(_named("while_loop", loop))(loop_vars)


def fori_loop(lower: ArrayLike, upper: ArrayLike, body_fun: Function, init_val: PyTree) -> PyTree:
    """`value = body_fun(i, value)` for `i` from `lower` up to `upper`: `jax.lax.fori_loop`.

    >>> int(fori_loop(0, 4, lambda i, total: total + i, 0))
    6
    """

    def loop(init_val: PyTree) -> PyTree:
        return jax.lax.fori_loop(lower, upper, body_fun, init_val)

    return lift(_named("fori_loop", loop))(init_val)


def custom_gradient(f: Function) -> Function:
    """A function with a custom gradient: `f` returns its value and a function from the gradient of the
    value to those of the arguments. `jax.custom_gradient`.

    >>> @custom_gradient
    ... def halved(x):
    ...     return x, lambda upstream: upstream / 2
    >>> float(jax.grad(halved)(1.0))
    0.5
    """
    return lift(jax.custom_gradient(f))


def vectorize(pyfunc: Function, *, excluded: Collection[int] | None = None, signature: str | None = None) -> Function:
    """A function of single elements as one of whole arrays, with broadcasting: `jax.numpy.vectorize`.

    >>> vectorize(lambda a, b: jnp.where(a > b, a - b, a + b))(jnp.array([1, 4]), 2).tolist()
    [3, 2]
    """
    if not callable(pyfunc):
        raise ArgumentError(
            f"`pyfunc` must be a function, got {type(pyfunc).__name__}.",
            path="vectorize",
            expected="a callable",
            received=repr(pyfunc),
            write="ops.vectorize(lambda a, b: a + b)",
        )
    return lift(jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature))


def jvp(fun: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[PyTree, ...]:
    """A function's value and its derivative along the tangents: `jax.jvp`.

    >>> value, slope = jvp(jnp.sin, (0.0,), (2.0,))
    >>> float(value), float(slope)
    (0.0, 2.0)
    """

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[PyTree, ...]:
        return jax.jvp(fun, tuple(primals), tuple(tangents), has_aux=has_aux)

    result: tuple[PyTree, ...] = lift(_named("jvp", push))(primals, tangents)
    return result


def _named(name: str, function: Function) -> Function:
    """A function under the name by which a graph shall show it."""
    function.__name__ = name
    return function


# fmt: off
__all__ = [
    "associative_scan", "cond", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch", "vectorize",
    "vectorized_map", "while_loop",
]
# fmt: on
