"""The NumPy part of the table: `jax.numpy` under Keras's names, recordable on symbolic tensors.

A row is `name = lift(function, "name")`. Where Keras's arguments have other names or defaults than JAX's, a function
with Keras's signature stands between.
"""

import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.ops import arithmetic, choosing, counting, reductions, shapes
from jkeras.ops.arithmetic import *  # noqa: F403 - each module lists what it holds
from jkeras.ops.choosing import *  # noqa: F403
from jkeras.ops.control import vectorize
from jkeras.ops.counting import *  # noqa: F403
from jkeras.ops.creation import *  # noqa: F403 - what Keras's namespace has too
from jkeras.ops.precision import in_float32
from jkeras.ops.reductions import *  # noqa: F403
from jkeras.ops.shapes import *  # noqa: F403
from jkeras.ops.singular import angle, arctan2, hypot, logaddexp, logaddexp2, power

# -- one argument

abs = lift(jnp.abs, "abs", "x")
absolute = lift(jnp.absolute, "absolute", "x")
arccos = lift(jnp.arccos, "arccos", "x")
arccosh = lift(jnp.arccosh, "arccosh", "x")
arcsin = lift(jnp.arcsin, "arcsin", "x")
arcsinh = lift(jnp.arcsinh, "arcsinh", "x")
arctan = lift(jnp.arctan, "arctan", "x")
arctanh = lift(jnp.arctanh, "arctanh", "x")
bitwise_invert = lift(jnp.bitwise_invert, "bitwise_invert", "x")
bitwise_not = lift(jnp.bitwise_not, "bitwise_not", "x")
cbrt = lift(jnp.cbrt, "cbrt", "x")
conj = lift(jnp.conj, "conj", "x")
conjugate = lift(jnp.conjugate, "conjugate", "x")
copy = lift(jnp.copy, "copy", "x")
cos = lift(jnp.cos, "cos", "x")
cosh = lift(jnp.cosh, "cosh", "x")
deg2rad = lift(jnp.deg2rad, "deg2rad", "x")
exp = lift(jnp.exp, "exp", "x")
exp2 = lift(jnp.exp2, "exp2", "x")
expm1 = lift(jnp.expm1, "expm1", "x")
fabs = lift(jnp.fabs, "fabs", "x")
i0 = lift(jnp.i0, "i0")
imag = lift(jnp.imag, "imag", "x")
isfinite = lift(jnp.isfinite, "isfinite", "x")
isinf = lift(jnp.isinf, "isinf", "x")
isnan = lift(jnp.isnan, "isnan", "x")
isneginf = lift(jnp.isneginf, "isneginf", "x")
isposinf = lift(jnp.isposinf, "isposinf", "x")
isreal = lift(jnp.isreal, "isreal")
log = lift(jnp.log, "log", "x")
log10 = lift(jnp.log10, "log10", "x")
log1p = lift(jnp.log1p, "log1p", "x")
log2 = lift(jnp.log2, "log2", "x")
logical_not = lift(jnp.logical_not, "logical_not", "x")
negative = lift(jnp.negative, "negative", "x")
positive = lift(jnp.positive, "positive")
rad2deg = lift(jnp.rad2deg, "rad2deg", "x")
real = lift(jnp.real, "real", "x")
reciprocal = lift(jnp.reciprocal, "reciprocal", "x")
round = lift(jnp.round, "round", "x")
sign = lift(jnp.sign, "sign", "x")
signbit = lift(jnp.signbit, "signbit", "x")
sin = lift(jnp.sin, "sin", "x")
sinc = lift(jnp.sinc, "sinc", "x")
sinh = lift(jnp.sinh, "sinh", "x")
sqrt = lift(jnp.sqrt, "sqrt", "x")
square = lift(jnp.square, "square", "x")
tan = lift(jnp.tan, "tan", "x")
tanh = lift(jnp.tanh, "tanh", "x")
trunc = lift(jnp.trunc, "trunc")

# -- two arguments

add = lift(jnp.add, "add", "x1 x2")
bitwise_and = lift(jnp.bitwise_and, "bitwise_and", "x y")
bitwise_left_shift = lift(jnp.left_shift, "bitwise_left_shift", "x y")
bitwise_or = lift(jnp.bitwise_or, "bitwise_or", "x y")
bitwise_right_shift = lift(jnp.right_shift, "bitwise_right_shift", "x y")
bitwise_xor = lift(jnp.bitwise_xor, "bitwise_xor", "x y")
divide = lift(jnp.divide, "divide", "x1 x2")
equal = lift(jnp.equal, "equal", "x1 x2")
floor_divide = lift(jnp.floor_divide, "floor_divide", "x1 x2")
fmax = lift(jnp.fmax, "fmax")
fmin = lift(jnp.fmin, "fmin")
fmod = lift(jnp.fmod, "fmod", "x1 x2")
gcd = lift(jnp.gcd, "gcd")
greater = lift(jnp.greater, "greater", "x1 x2")
greater_equal = lift(jnp.greater_equal, "greater_equal", "x1 x2")
heaviside = lift(jnp.heaviside, "heaviside", "x1 x2")
lcm = lift(jnp.lcm, "lcm")
ldexp = lift(jnp.ldexp, "ldexp", "x1 x2")
left_shift = lift(jnp.left_shift, "left_shift", "x y")
less = lift(jnp.less, "less", "x1 x2")
less_equal = lift(jnp.less_equal, "less_equal", "x1 x2")
logical_and = lift(jnp.logical_and, "logical_and", "x1 x2")
logical_or = lift(jnp.logical_or, "logical_or", "x1 x2")
logical_xor = lift(jnp.logical_xor, "logical_xor", "x1 x2")
maximum = lift(jnp.maximum, "maximum", "x1 x2")
minimum = lift(jnp.minimum, "minimum", "x1 x2")
mod = lift(jnp.mod, "mod", "x1 x2")
multiply = lift(jnp.multiply, "multiply", "x1 x2")
nextafter = lift(jnp.nextafter, "nextafter", "x1 x2")
not_equal = lift(jnp.not_equal, "not_equal", "x1 x2")
right_shift = lift(jnp.right_shift, "right_shift", "x y")
subtract = lift(jnp.subtract, "subtract", "x1 x2")
true_divide = lift(jnp.true_divide, "true_divide", "x1 x2")


# -- products

corrcoef = lift(in_float32(jnp.corrcoef), "corrcoef")
correlate = lift(jnp.correlate, "correlate", "x1 x2")
cross = lift(jnp.cross, "cross", "x1 x2")
dot = lift(jnp.dot, "dot", "x1 x2")
inner = lift(jnp.inner, "inner", "x1 x2")
kron = lift(jnp.kron, "kron", "x1 x2")
outer = lift(jnp.outer, "outer", "x1 x2")
slogdet = lift(jnp.linalg.slogdet, "slogdet", "x")
tensordot = lift(jnp.tensordot, "tensordot", "x1 x2")
trace = lift(jnp.trace, "trace", "x")
vdot = lift(jnp.vdot, "vdot", "x1 x2")


# -- along an axis, and all together

allclose = lift(jnp.allclose, "allclose", "x1 x2")
average = lift(in_float32(jnp.average), "average", "x")
count_nonzero = lift(jnp.count_nonzero, "count_nonzero", "x")
cumprod = lift(in_float32(jnp.cumprod), "cumprod", "x")
cumsum = lift(jnp.cumsum, "cumsum", "x")
diff = lift(jnp.diff, "diff")
isclose = lift(jnp.isclose, "isclose", "x1 x2")
nancumprod = lift(in_float32(jnp.nancumprod), "nancumprod", "x")
nancumsum = lift(jnp.nancumsum, "nancumsum", "x")
trapezoid = lift(jnp.trapezoid, "trapezoid")


# -- sorting, searching, counting

argpartition = lift(jnp.argpartition, "argpartition", "x")
digitize = lift(jnp.digitize, "digitize", "x bins")
isin = lift(jnp.isin, "isin", "x1 x2")
searchsorted = lift(jnp.searchsorted, "searchsorted", "sorted_sequence values")
sort = lift(jnp.sort, "sort", "x")

# -- shapes

append = lift(jnp.append, "append", "x1 x2")
array_split = lift(jnp.array_split, "array_split", "x")
broadcast_to = lift(jnp.broadcast_to, "broadcast_to", "x")
dsplit = lift(jnp.dsplit, "dsplit", "x")
dstack = lift(jnp.dstack, "dstack", "xs")
expand_dims = lift(jnp.expand_dims, "expand_dims", "x")
flip = lift(jnp.flip, "flip", "x")
fliplr = lift(jnp.fliplr, "fliplr", "x")
flipud = lift(jnp.flipud, "flipud", "x")
hsplit = lift(jnp.hsplit, "hsplit", "x")
hstack = lift(jnp.hstack, "hstack", "xs")
meshgrid = lift(jnp.meshgrid, "meshgrid")
moveaxis = lift(jnp.moveaxis, "moveaxis", "x")
ravel = lift(jnp.ravel, "ravel", "x")
roll = lift(jnp.roll, "roll", "x")
rot90 = lift(jnp.rot90, "rot90", "array")
split = lift(jnp.split, "split", "x")
squeeze = lift(jnp.squeeze, "squeeze", "x")
stack = lift(jnp.stack, "stack", "x")
swapaxes = lift(jnp.swapaxes, "swapaxes", "x")
transpose = lift(jnp.transpose, "transpose", "x")
vsplit = lift(jnp.vsplit, "vsplit", "x")
vstack = lift(jnp.vstack, "vstack", "xs")


# -- choosing

diag = lift(jnp.diag, "diag", "x")
diagflat = lift(jnp.diagflat, "diagflat", "x")
diagonal = lift(jnp.diagonal, "diagonal", "x")
select = lift(jnp.select, "select")
take = lift(jnp.take, "take", "x")
tril = lift(jnp.tril, "tril", "x")
triu = lift(jnp.triu, "triu", "x")
unravel_index = lift(jnp.unravel_index, "unravel_index")


# -- making arrays from arrays

arange = lift(jnp.arange, "arange")
array = lift(jnp.array, "array", "x")
full_like = lift(jnp.full_like, "full_like", "x")
geomspace = lift(jnp.geomspace, "geomspace")
linspace = lift(jnp.linspace, "linspace")
logspace = lift(jnp.logspace, "logspace")
ones_like = lift(jnp.ones_like, "ones_like", "x")
vander = lift(jnp.vander, "vander")
zeros_like = lift(jnp.zeros_like, "zeros_like", "x")
empty_like = lift(jnp.empty_like, "empty_like", "x")

# fmt: off
__all__ = [
    "abs", "absolute", "add", "allclose", "append", "arange", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctanh", "argpartition", "array", "array_split", "average", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "broadcast_to", "cbrt", "conj", "conjugate", "copy", "corrcoef", "correlate", "cos", "cosh", "count_nonzero",
    "cross", "cumprod", "cumsum", "deg2rad", "diag", "diagflat", "diagonal", "diff", "digitize", "divide", "dot",
    "dsplit", "dstack", "empty_like", "equal", "exp", "exp2", "expand_dims", "expm1", "fabs", "flip", "fliplr",
    "flipud", "floor_divide", "fmax", "fmin", "fmod", "full_like", "gcd", "geomspace", "greater", "greater_equal",
    "heaviside", "hsplit", "hstack", "i0", "imag", "inner", "isclose", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "kron", "lcm", "ldexp", "left_shift", "less", "less_equal",
    "linspace", "log", "log10", "log1p", "log2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logspace", "maximum", "meshgrid", "minimum", "mod", "moveaxis", "multiply",
    "nancumprod", "nancumsum", "negative", "nextafter", "not_equal", "ones_like", "outer", "positive",
    "rad2deg", "ravel", "real", "reciprocal", "right_shift", "roll", "rot90", "round", "searchsorted",
    "select", "sign", "signbit", "sin", "sinc", "sinh", "slogdet", "sort", "split", "sqrt", "square", "squeeze",
    "stack", "subtract", "swapaxes", "take", "tan", "tanh", "tensordot", "trace", "transpose", "trapezoid", "tril",
    "triu", "true_divide", "trunc", "unravel_index", "vander", "vdot", "vectorize", "vsplit", "vstack",
    "zeros_like",
    "angle", "arctan2", "hypot", "logaddexp", "logaddexp2", "power",
    *arithmetic.__all__, *choosing.__all__, *counting.__all__, *reductions.__all__, *shapes.__all__,
]
# fmt: on
