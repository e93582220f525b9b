"""The NumPy part of the table: `jax.numpy` under Keras's names, recordable on symbolic tensors.

A row is `name = lift(function, "name")`. Where Keras's arguments have other names or defaults than JAX's, a function
with Keras's signature stands between.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from jkeras import dtypes
from jkeras.core.lift import lift
from jkeras.ops.control import vectorize
from jkeras.ops.counting import bincount, histogram, nonzero, unique
from jkeras.ops.creation import *  # noqa: F403 - what Keras's namespace has too
from jkeras.typing import Array, ArrayLike, PyTree

# -- one argument

abs = lift(jnp.abs, "abs")
absolute = lift(jnp.absolute, "absolute")
angle = lift(jnp.angle, "angle")
arccos = lift(jnp.arccos, "arccos")
arccosh = lift(jnp.arccosh, "arccosh")
arcsin = lift(jnp.arcsin, "arcsin")
arcsinh = lift(jnp.arcsinh, "arcsinh")
arctan = lift(jnp.arctan, "arctan")
arctanh = lift(jnp.arctanh, "arctanh")
bitwise_invert = lift(jnp.bitwise_invert, "bitwise_invert")
bitwise_not = lift(jnp.bitwise_not, "bitwise_not")
cbrt = lift(jnp.cbrt, "cbrt")
ceil = lift(jnp.ceil, "ceil")
conj = lift(jnp.conj, "conj")
conjugate = lift(jnp.conjugate, "conjugate")
copy = lift(jnp.copy, "copy")
cos = lift(jnp.cos, "cos")
cosh = lift(jnp.cosh, "cosh")
deg2rad = lift(jnp.deg2rad, "deg2rad")
exp = lift(jnp.exp, "exp")
exp2 = lift(jnp.exp2, "exp2")
expm1 = lift(jnp.expm1, "expm1")
fabs = lift(jnp.fabs, "fabs")
floor = lift(jnp.floor, "floor")
i0 = lift(jnp.i0, "i0")
imag = lift(jnp.imag, "imag")
isfinite = lift(jnp.isfinite, "isfinite")
isinf = lift(jnp.isinf, "isinf")
isnan = lift(jnp.isnan, "isnan")
isneginf = lift(jnp.isneginf, "isneginf")
isposinf = lift(jnp.isposinf, "isposinf")
isreal = lift(jnp.isreal, "isreal")
log = lift(jnp.log, "log")
log10 = lift(jnp.log10, "log10")
log1p = lift(jnp.log1p, "log1p")
log2 = lift(jnp.log2, "log2")
logical_not = lift(jnp.logical_not, "logical_not")
negative = lift(jnp.negative, "negative")
positive = lift(jnp.positive, "positive")
rad2deg = lift(jnp.rad2deg, "rad2deg")
real = lift(jnp.real, "real")
reciprocal = lift(jnp.reciprocal, "reciprocal")
round = lift(jnp.round, "round")
sign = lift(jnp.sign, "sign")
signbit = lift(jnp.signbit, "signbit")
sin = lift(jnp.sin, "sin")
sinc = lift(jnp.sinc, "sinc")
sinh = lift(jnp.sinh, "sinh")
sqrt = lift(jnp.sqrt, "sqrt")
square = lift(jnp.square, "square")
tan = lift(jnp.tan, "tan")
tanh = lift(jnp.tanh, "tanh")
trunc = lift(jnp.trunc, "trunc")

# -- two arguments

add = lift(jnp.add, "add")
arctan2 = lift(jnp.arctan2, "arctan2")
bitwise_and = lift(jnp.bitwise_and, "bitwise_and")
bitwise_left_shift = lift(jnp.left_shift, "bitwise_left_shift")
bitwise_or = lift(jnp.bitwise_or, "bitwise_or")
bitwise_right_shift = lift(jnp.right_shift, "bitwise_right_shift")
bitwise_xor = lift(jnp.bitwise_xor, "bitwise_xor")
divide = lift(jnp.divide, "divide")
equal = lift(jnp.equal, "equal")
floor_divide = lift(jnp.floor_divide, "floor_divide")
fmax = lift(jnp.fmax, "fmax")
fmin = lift(jnp.fmin, "fmin")
fmod = lift(jnp.fmod, "fmod")
gcd = lift(jnp.gcd, "gcd")
greater = lift(jnp.greater, "greater")
greater_equal = lift(jnp.greater_equal, "greater_equal")
heaviside = lift(jnp.heaviside, "heaviside")
hypot = lift(jnp.hypot, "hypot")
lcm = lift(jnp.lcm, "lcm")
ldexp = lift(jnp.ldexp, "ldexp")
left_shift = lift(jnp.left_shift, "left_shift")
less = lift(jnp.less, "less")
less_equal = lift(jnp.less_equal, "less_equal")
logaddexp = lift(jnp.logaddexp, "logaddexp")
logaddexp2 = lift(jnp.logaddexp2, "logaddexp2")
logical_and = lift(jnp.logical_and, "logical_and")
logical_or = lift(jnp.logical_or, "logical_or")
logical_xor = lift(jnp.logical_xor, "logical_xor")
maximum = lift(jnp.maximum, "maximum")
minimum = lift(jnp.minimum, "minimum")
mod = lift(jnp.mod, "mod")
multiply = lift(jnp.multiply, "multiply")
nextafter = lift(jnp.nextafter, "nextafter")
not_equal = lift(jnp.not_equal, "not_equal")
power = lift(jnp.power, "power")
right_shift = lift(jnp.right_shift, "right_shift")
subtract = lift(jnp.subtract, "subtract")
true_divide = lift(jnp.true_divide, "true_divide")


def _divide_no_nan(x1: ArrayLike, x2: ArrayLike) -> Array:
    zero = jnp.equal(x2, 0)
    return jnp.where(zero, 0.0, jnp.divide(x1, jnp.where(zero, 1.0, x2)))


divide_no_nan = lift(_divide_no_nan, "divide_no_nan")

# -- products

corrcoef = lift(jnp.corrcoef, "corrcoef")
correlate = lift(jnp.correlate, "correlate")
cross = lift(jnp.cross, "cross")
dot = lift(jnp.dot, "dot")
einsum = lift(jnp.einsum, "einsum")
inner = lift(jnp.inner, "inner")
kron = lift(jnp.kron, "kron")
matmul = lift(jnp.matmul, "matmul")
outer = lift(jnp.outer, "outer")
slogdet = lift(jnp.linalg.slogdet, "slogdet")
tensordot = lift(jnp.tensordot, "tensordot")
trace = lift(jnp.trace, "trace")
vdot = lift(jnp.vdot, "vdot")

# -- reductions: `(x, axis=None, keepdims=False)`


def _reduction(function: Callable[..., Array], op: str) -> Callable[..., PyTree]:
    def reduce(x: ArrayLike, axis: Any = None, keepdims: bool = False, **options: Any) -> Array:
        axes = tuple(axis) if isinstance(axis, list) else axis
        return function(x, axis=axes, keepdims=keepdims, **options)

    reduce.__name__, reduce.__doc__ = op, f"`jax.numpy.{op}`."
    return lift(reduce, op)


all = _reduction(jnp.all, "all")
amax = _reduction(jnp.amax, "amax")
amin = _reduction(jnp.amin, "amin")
any = _reduction(jnp.any, "any")
argmax = _reduction(jnp.argmax, "argmax")
argmin = _reduction(jnp.argmin, "argmin")
max = _reduction(jnp.max, "max")
mean = _reduction(jnp.mean, "mean")
median = _reduction(jnp.median, "median")
min = _reduction(jnp.min, "min")
nanargmax = _reduction(jnp.nanargmax, "nanargmax")
nanargmin = _reduction(jnp.nanargmin, "nanargmin")
nanmax = _reduction(jnp.nanmax, "nanmax")
nanmean = _reduction(jnp.nanmean, "nanmean")
nanmedian = _reduction(jnp.nanmedian, "nanmedian")
nanmin = _reduction(jnp.nanmin, "nanmin")
nanprod = _reduction(jnp.nanprod, "nanprod")
nanstd = _reduction(jnp.nanstd, "nanstd")
nansum = _reduction(jnp.nansum, "nansum")
nanvar = _reduction(jnp.nanvar, "nanvar")
prod = _reduction(jnp.prod, "prod")
ptp = _reduction(jnp.ptp, "ptp")
std = _reduction(jnp.std, "std")
sum = _reduction(jnp.sum, "sum")
var = _reduction(jnp.var, "var")

allclose = lift(jnp.allclose, "allclose")
average = lift(jnp.average, "average")
count_nonzero = lift(jnp.count_nonzero, "count_nonzero")
cumprod = lift(jnp.cumprod, "cumprod")
cumsum = lift(jnp.cumsum, "cumsum")
diff = lift(jnp.diff, "diff")
isclose = lift(jnp.isclose, "isclose")
nancumprod = lift(jnp.nancumprod, "nancumprod")
nancumsum = lift(jnp.nancumsum, "nancumsum")
trapezoid = lift(jnp.trapezoid, "trapezoid")


def _quantile(function: Callable[..., Array], op: str) -> Callable[..., PyTree]:
    def quantile(x: ArrayLike, q: ArrayLike, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Array:
        return function(x, q, axis=axis, method=method, keepdims=keepdims)

    quantile.__name__, quantile.__doc__ = op, f"`jax.numpy.{op}`."
    return lift(quantile, op)


nanpercentile = _quantile(jnp.nanpercentile, "nanpercentile")
nanquantile = _quantile(jnp.nanquantile, "nanquantile")
percentile = _quantile(jnp.percentile, "percentile")
quantile = _quantile(jnp.quantile, "quantile")

# -- sorting, searching, counting

argpartition = lift(jnp.argpartition, "argpartition")
argsort = lift(jnp.argsort, "argsort")
digitize = lift(jnp.digitize, "digitize")
isin = lift(jnp.isin, "isin")
searchsorted = lift(jnp.searchsorted, "searchsorted")
sort = lift(jnp.sort, "sort")

# -- shapes

append = lift(jnp.append, "append")
array_split = lift(jnp.array_split, "array_split")
broadcast_to = lift(jnp.broadcast_to, "broadcast_to")
dsplit = lift(jnp.dsplit, "dsplit")
dstack = lift(jnp.dstack, "dstack")
expand_dims = lift(jnp.expand_dims, "expand_dims")
flip = lift(jnp.flip, "flip")
fliplr = lift(jnp.fliplr, "fliplr")
flipud = lift(jnp.flipud, "flipud")
hsplit = lift(jnp.hsplit, "hsplit")
hstack = lift(jnp.hstack, "hstack")
meshgrid = lift(jnp.meshgrid, "meshgrid")
moveaxis = lift(jnp.moveaxis, "moveaxis")
ravel = lift(jnp.ravel, "ravel")
repeat = lift(jnp.repeat, "repeat")
roll = lift(jnp.roll, "roll")
rot90 = lift(jnp.rot90, "rot90")
split = lift(jnp.split, "split")
squeeze = lift(jnp.squeeze, "squeeze")
stack = lift(jnp.stack, "stack")
swapaxes = lift(jnp.swapaxes, "swapaxes")
transpose = lift(jnp.transpose, "transpose")
vsplit = lift(jnp.vsplit, "vsplit")
vstack = lift(jnp.vstack, "vstack")


def _concatenate(xs: Sequence[Array], axis: int = 0) -> Array:
    return jnp.concatenate(xs, axis)


def _pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Array:
    options = {} if constant_values is None else {"constant_values": constant_values}
    return jnp.pad(x, pad_width, mode, **options)


def _reshape(x: Array, newshape: Any) -> Array:
    return jnp.reshape(x, newshape)


def _tile(x: Array, repeats: Any) -> Array:
    return jnp.tile(x, repeats)


concatenate = lift(_concatenate, "concatenate")
pad = lift(_pad, "pad")
reshape = lift(_reshape, "reshape")
tile = lift(_tile, "tile")

# -- choosing

diag = lift(jnp.diag, "diag")
diagflat = lift(jnp.diagflat, "diagflat")
diagonal = lift(jnp.diagonal, "diagonal")
nan_to_num = lift(jnp.nan_to_num, "nan_to_num")
select = lift(jnp.select, "select")
take = lift(jnp.take, "take")
take_along_axis = lift(jnp.take_along_axis, "take_along_axis")
tril = lift(jnp.tril, "tril")
triu = lift(jnp.triu, "triu")
unravel_index = lift(jnp.unravel_index, "unravel_index")


def _clip(x: Array, x_min: Any, x_max: Any) -> Array:
    return jnp.clip(x, x_min, x_max)


def _where(condition: Array, x1: Any = None, x2: Any = None) -> PyTree:
    return jnp.where(condition) if x1 is None and x2 is None else jnp.where(condition, x1, x2)


def _get_item(x: Array, key: Any) -> Array:
    return x[tuple(key) if isinstance(key, list) else key]  # JSON has no tuples


clip = lift(_clip, "clip")
get_item = lift(_get_item, "get_item")
where = lift(_where, "where")

# -- making arrays from arrays

arange = lift(jnp.arange, "arange")
array = lift(jnp.array, "array")
full_like = lift(jnp.full_like, "full_like")
geomspace = lift(jnp.geomspace, "geomspace")
linspace = lift(jnp.linspace, "linspace")
logspace = lift(jnp.logspace, "logspace")
ones_like = lift(jnp.ones_like, "ones_like")
vander = lift(jnp.vander, "vander")
zeros_like = lift(jnp.zeros_like, "zeros_like")
empty_like = lift(jnp.empty_like, "empty_like")


def _full(shape: Any, fill_value: Any, dtype: Any = None) -> Array:
    return jnp.full(shape, fill_value, dtype)


full = lift(_full, "full")


# -- about a tensor


def _size(x: ArrayLike) -> Any:
    return jnp.size(x)


def _view(x: ArrayLike, dtype: Any = None) -> Array:
    """The same bytes, read as another dtype; the last axis grows or shrinks with the size of an element."""
    return jnp.asarray(x).view(None if dtype is None else dtypes.standardize(dtype))


size = lift(_size, "size")
view = lift(_view, "view")


def ndim(x: Any) -> int:
    """The number of axes.

    >>> ndim(jnp.zeros((2, 3)))
    2
    """
    return len(x.shape)


# fmt: off
__all__ = [
    "abs", "absolute", "add", "all", "allclose", "amax", "amin", "angle", "any", "append", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort",
    "array", "array_split", "average", "bincount", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "broadcast_to", "cbrt", "ceil", "clip", "concatenate", "conj",
    "conjugate", "copy", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cross", "cumprod", "cumsum",
    "deg2rad", "diag", "diagflat", "diagonal", "diff", "digitize", "divide", "divide_no_nan", "dot", "dsplit", "dstack",
    "einsum", "empty_like", "equal", "exp", "exp2", "expand_dims", "expm1", "fabs", "flip", "fliplr", "flipud", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "full", "full_like", "gcd", "geomspace", "get_item", "greater",
    "greater_equal", "heaviside", "histogram", "hsplit", "hstack", "hypot", "i0", "imag", "inner", "isclose",
    "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "kron", "lcm", "ldexp", "left_shift",
    "less", "less_equal", "linspace", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logspace", "matmul", "max", "maximum", "mean", "median", "meshgrid",
    "min", "minimum", "mod", "moveaxis", "multiply", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum",
    "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar",
    "ndim", "negative", "nextafter", "nonzero", "not_equal", "ones_like", "outer", "pad", "percentile", "positive",
    "power", "prod", "ptp", "quantile", "rad2deg", "ravel", "real", "reciprocal", "repeat", "reshape", "right_shift",
    "roll", "rot90", "round", "searchsorted", "select", "sign", "signbit", "sin", "sinc", "sinh", "size", "slogdet",
    "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take",
    "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose", "trapezoid", "tril", "triu",
    "true_divide", "trunc", "unique", "unravel_index", "vander", "var", "vdot", "vectorize", "view", "vsplit", "vstack",
    "where", "zeros_like",
]
# fmt: on
