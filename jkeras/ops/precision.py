"""Half precision in the table: sums and squares are computed in float32, and results are cast last."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from jkeras import dtypes

F = TypeVar("F", bound=Callable[..., Any])
HALVES = ("float16", "bfloat16")


def in_float32(function: F) -> F:
    """A function that computes in float32 where it is given half precision, and returns the dtype that was given.

    A thousand ones added to one another in bfloat16 are 256, and the square of 300 is infinite in float16.

    Args:
        function: of arrays, whose floats are in the dtype to which those in its arguments promote.

    >>> @in_float32
    ... def root_of_squares(x):
    ...     return jnp.sqrt(jnp.cumsum(x * x)[-1])
    >>> root_of_squares(jnp.full(4, 300.0, "float16"))
    Array(600., dtype=float16)
    """

    @functools.wraps(function)
    def computed(*args: Any, **kwargs: Any) -> Any:
        floats = [x.dtype for x in jax.tree.leaves((args, kwargs)) if _is_float(x)]
        if not floats or (given := jnp.result_type(*floats)).name not in HALVES:
            return function(*args, **kwargs)
        args, kwargs = jax.tree.map(lambda x: x.astype("float32") if _is_float(x) else x, (args, kwargs))
        results = function(*args, **kwargs)
        return jax.tree.map(lambda y: y.astype(kwargs.get("dtype") or given) if _is_float(y) else y, results)

    return cast(F, computed)


def _is_float(x: Any) -> bool:
    return hasattr(x, "astype") and dtypes.is_float(x.dtype)
