"""Reductions in the table: `(x, axis=None, keepdims=False)`."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.functional.roots import root
from jkeras.ops.precision import in_float32
from jkeras.typing import Array, ArrayLike, Axes, DTypeLike, PyTree

DOCSTRING = """{what}

Args:
    x: an array.
{given}    axis: the axis that is reduced, or several; all of them by default.
{more}    keepdims: whether reduced axes stay, with length 1.

Returns:
    An array without the reduced axes; the function itself is `jax.numpy.{op}`.

>>> x = jnp.array([[1.0, 5.0], [4.0, 2.0]])
>>> {op}(x, {example}axis=0).tolist()
{result}
"""


def _axes(axis: Axes | None) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _named(function: Callable[..., Array], op: str, what: str, result: str, **parts: str) -> Callable[..., PyTree]:
    """`function` lifted, with a name and a docstring of its own."""
    function.__name__ = function.__qualname__ = op
    function.__doc__ = DOCSTRING.format(
        op=op, what=what, result=result, **{"given": "", "more": "", "example": "", **parts}
    )
    return lift(function, op)


def _reduction(function: Callable[..., Array], what: str, result: str) -> Callable[..., PyTree]:
    def reduce(x: ArrayLike, axis: Axes | None = None, keepdims: bool = False, **options: Any) -> Array:
        return function(x, axis=_axes(axis), keepdims=keepdims, **options)

    return _named(reduce, function.__name__, what, result)


def _extreme(function: Callable[..., Array], what: str, result: str) -> Callable[..., PyTree]:
    def extreme(
        x: ArrayLike, axis: Axes | None = None, keepdims: bool = False, initial: ArrayLike | None = None, **options: Any
    ) -> Array:
        return function(x, axis=_axes(axis), keepdims=keepdims, initial=initial, **options)

    more = "    initial: a value that takes part in the comparison; empty arrays require one.\n"
    return _named(extreme, function.__name__, what, result, more=more)


def _quantile(function: Callable[..., Array], what: str, unit: str) -> Callable[..., PyTree]:
    def quantile(
        x: ArrayLike, q: ArrayLike, axis: Axes | None = None, method: str = "linear", keepdims: bool = False
    ) -> Array:
        return in_float32(function)(x, q, axis=_axes(axis), method=method, keepdims=keepdims)

    return _named(
        quantile,
        function.__name__,
        what,
        "[1.75, 2.75]",
        given=f"    q: which part lies below, from 0 to {unit}; one number or several, whose axis then comes first.\n",
        more='    method: between two elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.\n',
        example=f"{float(unit) / 4:g}, ",
    )


def _deviation(variance: Callable[..., Array], op: str, what: str) -> Callable[..., PyTree]:
    def deviation(x: ArrayLike, axis: Axes | None = None, keepdims: bool = False, **options: Any) -> Array:
        return root(variance(x, axis=_axes(axis), keepdims=keepdims, **options))

    return _named(
        in_float32(deviation),
        op,
        f"{what}: the root of the variance; where that is 0, so is the derivative.",
        "[1.5, 1.5]",
    )


def _prod(
    x: ArrayLike, axis: Axes | None = None, keepdims: bool = False, dtype: DTypeLike | None = None, **options: Any
) -> Array:
    return jnp.prod(x, axis=_axes(axis), keepdims=keepdims, dtype=dtype, **options)


all = _reduction(jnp.all, "Whether all elements are true, that is not zero.", "[True, True]")
amax = _reduction(jnp.amax, "The largest element.", "[4.0, 5.0]")
amin = _reduction(jnp.amin, "The smallest element.", "[1.0, 2.0]")
any = _reduction(jnp.any, "Whether some element is true, that is not zero.", "[True, True]")
argmax = _reduction(jnp.argmax, "The index of the largest element, the first of several.", "[1, 0]")
argmin = _reduction(jnp.argmin, "The index of the smallest element, the first of several.", "[0, 1]")
max = _extreme(jnp.max, "The largest element.", "[4.0, 5.0]")
mean = _reduction(jnp.mean, "The mean: the sum over the number of elements.", "[2.5, 3.5]")
median = _reduction(in_float32(jnp.median), "The median: as many elements are below as above.", "[2.5, 3.5]")
min = _extreme(jnp.min, "The smallest element.", "[1.0, 2.0]")
nanargmax = _reduction(jnp.nanargmax, "The index of the largest element that is not NaN.", "[1, 0]")
nanargmin = _reduction(jnp.nanargmin, "The index of the smallest element that is not NaN.", "[0, 1]")
nanmax = _reduction(jnp.nanmax, "The largest element that is not NaN.", "[4.0, 5.0]")
nanmean = _reduction(in_float32(jnp.nanmean), "The mean of the elements that are not NaN.", "[2.5, 3.5]")
nanmedian = _reduction(in_float32(jnp.nanmedian), "The median of the elements that are not NaN.", "[2.5, 3.5]")
nanmin = _reduction(jnp.nanmin, "The smallest element that is not NaN.", "[1.0, 2.0]")
nanprod = _reduction(jnp.nanprod, "The product of the elements that are not NaN.", "[4.0, 10.0]")
nanstd = _deviation(jnp.nanvar, "nanstd", "The standard deviation of the elements that are not NaN")
nansum = _reduction(jnp.nansum, "The sum of the elements that are not NaN.", "[5.0, 7.0]")
nanvar = _reduction(jnp.nanvar, "The variance of the elements that are not NaN.", "[2.25, 2.25]")
prod = _named(
    _prod,
    "prod",
    "The product of all elements.",
    "[4.0, 10.0]",
    more="    dtype: of the result; by default that of `x`, and of small integers int32.\n",
)
ptp = _reduction(jnp.ptp, "The largest element minus the smallest.", "[3.0, 3.0]")
std = _deviation(jnp.var, "std", "The standard deviation")
sum = _reduction(jnp.sum, "The sum of all elements.", "[5.0, 7.0]")
var = _reduction(jnp.var, "The variance: the mean of squared distances from the mean.", "[2.25, 2.25]")

nanpercentile = _quantile(
    jnp.nanpercentile, "The element below which lie `q` percent of those that are not NaN.", "100"
)
nanquantile = _quantile(jnp.nanquantile, "The element below which lies the part `q` of those that are not NaN.", "1")
percentile = _quantile(jnp.percentile, "The element below which lie `q` percent of them.", "100")
quantile = _quantile(jnp.quantile, "The element below which lies the part `q` of them.", "1")

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "max",
    "mean",
    "median",
    "min",
    "nanargmax",
    "nanargmin",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "percentile",
    "prod",
    "ptp",
    "quantile",
    "std",
    "sum",
    "var",
]
