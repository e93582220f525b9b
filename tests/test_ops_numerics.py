"""Operations where a value is easy and its derivative is not, and sums that half precision does not hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import ops
from tests import tables
from tests.oracle import EPS32

INF = np.inf
ZEROS, TWOS = np.zeros(3, "float32"), np.full(3, 2, "float32")
TOP = np.full(2, -INF, "float32")

# What is called, where, and the gradient there: a limit of gradients, or 0 where they differ by the direction.
SINGULAR = {
    "norm": (ops.norm, [ZEROS], [ZEROS]),
    "norm of rows": (lambda x: ops.norm(x, axis=-1), [np.array([[0, 0], [3, 4]], "float32")], [[[0, 0], [0.6, 0.8]]]),
    "Frobenius": (lambda x: ops.norm(x, "fro", (0, 1)), [np.zeros((2, 2), "float32")], [np.zeros((2, 2))]),
    "norm of order 3": (lambda x: ops.norm(x, 3), [ZEROS], [ZEROS]),
    "spectral norm": (lambda x: ops.norm(x, 2, (0, 1)), [np.zeros((2, 2), "float32")], [np.zeros((2, 2))]),
    "nuclear norm": (lambda x: ops.norm(x, "nuc", (0, 1)), [np.zeros((2, 2), "float32")], [np.zeros((2, 2))]),
    "normalize": (lambda x: ops.normalize(x, epsilon=0.5), [ZEROS], [2 * np.ones(3)]),
    "std": (ops.std, [TWOS], [ZEROS]),
    "nanstd": (ops.nanstd, [TWOS], [ZEROS]),
    "nanstd beside NaN": (ops.nanstd, [np.array([2, np.nan, 3], "float32")], [[-0.5, 0, 0.5]]),
    "var": (ops.var, [TWOS], [ZEROS]),
    "cdist": (lambda x: ops.cdist(x, np.ones((1, 3), "float32")), [np.ones((1, 3), "float32")], [[ZEROS]]),
    "prod": (ops.prod, [np.array([0, 2, 3], "float32")], [[6, 0, 0]]),
    "cumprod": (ops.cumprod, [np.array([0, 2, 3], "float32")], [[9, 0, 0]]),
    "logsumexp of -inf": (ops.logsumexp, [TOP], [[0.5, 0.5]]),
    "logsumexp beside -inf": (ops.logsumexp, [np.array([-INF, 1], "float32")], [[0, 1]]),
    "logsumexp of inf": (ops.logsumexp, [np.array([INF, 1], "float32")], [[1, 0]]),
    "logaddexp of -inf": (ops.logaddexp, [TOP[:1], TOP[:1]], [[0.5], [0.5]]),
    "logaddexp beside -inf": (ops.logaddexp, [TOP[:1], ZEROS[:1]], [[0], [1]]),
    "logaddexp of inf": (ops.logaddexp, [-TOP[:1], ZEROS[:1]], [[1], [0]]),
    "logaddexp2 of -inf": (ops.logaddexp2, [TOP[:1], TOP[:1]], [[0.5], [0.5]]),
    "hypot": (ops.hypot, [ZEROS[:1], ZEROS[:1]], [[0], [0]]),
    "arctan2": (ops.arctan2, [ZEROS[:1], ZEROS[:1]], [[0], [0]]),
    "angle": (lambda x: ops.angle(x + 0j), [ZEROS[:1]], [[0]]),
    "power": (ops.power, [ZEROS[:1], ZEROS[:1]], [[0], [0]]),
    "square": (lambda x: ops.power(x, 2), [ZEROS[:1]], [[0]]),
    "divide_no_nan": (ops.divide_no_nan, [TWOS[:1], ZEROS[:1]], [[0], [0]]),
    "softmax beside -inf": (lambda x: ops.softmax(x)[0], [np.array([-INF, 1], "float32")], [[0, 0]]),
    "sinc": (ops.sinc, [ZEROS[:1]], [[0]]),
}
# JAX has no second derivative of singular values that are alike, and there is none.
NO_SECOND = {"spectral norm", "nuclear norm"}


def total(function):
    return lambda *arrays: jnp.sum(function(*arrays))


def test_derivatives_exist_where_values_do():
    functions, points, expected = zip(*SINGULAR.values(), strict=True)

    @tables.compiled
    def run(points):
        places = [tuple(range(len(arrays))) for arrays in points]
        return [jax.grad(total(f), n)(*arrays) for f, n, arrays in zip(functions, places, points, strict=True)]

    wrong = {
        name: (ours, theirs)
        for name, ours, theirs in zip(SINGULAR, run(points), expected, strict=True)
        if not all(np.allclose(a, b, rtol=1e-6, atol=2 * EPS32) for a, b in zip(ours, theirs, strict=True))
    }
    assert not wrong


def test_second_derivatives_and_tangents_are_finite_there():
    chosen = {name: row for name, row in SINGULAR.items() if name not in NO_SECOND}
    functions, points, _ = zip(*chosen.values(), strict=True)

    @tables.compiled
    def run(points):
        ones = [[jnp.ones_like(x) for x in arrays] for arrays in points]
        rows = list(zip(map(total, functions), points, ones, strict=True))
        return (
            [jax.jvp(f, arrays, tangents)[1] for f, arrays, tangents in rows],
            [jax.jvp(jax.grad(f), arrays, tangents)[1] for f, arrays, tangents in rows],
        )

    first, second = run(points)
    assert not [
        name
        for name, *found in zip(chosen, first, second, strict=True)
        if not np.all(np.isfinite(np.hstack([np.ravel(x) for x in found])))
    ]


MANY, SIXTY = np.ones(4096), 60 * np.ones(4096)
LARGE = np.full(512, 300.0)
AROUND = LARGE + 30 * (np.arange(512) % 7)
SPREAD = np.r_[np.full(256, -30000.0), np.full(256, 30000.0)]
NEAR_ONE = 1 + 0.01 * np.random.default_rng(0).normal(size=4096)
FIRST = np.zeros((4096, 1), "int32")

# What is called on half precision: sums of more than fits, and squares that overflow.
SUMS = {
    "sum": (ops.sum, [MANY]),
    "mean": (ops.mean, [SIXTY]),
    "var": (ops.var, [AROUND]),
    "std": (ops.std, [SPREAD]),
    "nansum": (ops.nansum, [MANY]),
    "nanmean": (ops.nanmean, [SIXTY]),
    "nanvar": (ops.nanvar, [AROUND]),
    "nanstd": (ops.nanstd, [SPREAD]),
    "median": (ops.median, [np.full(2, 60000.0)]),
    "quantile": (lambda x: ops.quantile(x, 0.5), [np.full(2, 60000.0)]),
    "prod": (ops.prod, [NEAR_ONE]),
    "nanprod": (ops.nanprod, [NEAR_ONE]),
    "cumsum": (ops.cumsum, [MANY]),
    "cumprod": (ops.cumprod, [NEAR_ONE]),
    "nancumsum": (ops.nancumsum, [MANY]),
    "nancumprod": (ops.nancumprod, [NEAR_ONE]),
    "average": (lambda x, w: ops.average(x, weights=w), [SIXTY, MANY]),
    "dot": (ops.dot, [MANY, MANY]),
    "vdot": (ops.vdot, [MANY, MANY]),
    "inner": (ops.inner, [MANY, MANY]),
    "matmul": (ops.matmul, [MANY, MANY]),
    "einsum": (lambda x: ops.einsum("i->", x), [MANY]),
    "tensordot": (lambda x, y: ops.tensordot(x, y, 1), [MANY, MANY]),
    "trace": (ops.trace, [np.eye(2048)]),
    "correlate": (ops.correlate, [MANY, MANY]),
    "corrcoef": (ops.corrcoef, [np.stack([AROUND, np.roll(AROUND, 1)])]),
    "trapezoid": (ops.trapezoid, [MANY]),
    "norm": (ops.norm, [LARGE]),
    "norm of order 3": (lambda x: ops.norm(x, 3), [LARGE]),
    "normalize": (ops.normalize, [LARGE]),
    "normalize of order 3": (lambda x: ops.normalize(x, order=3), [LARGE]),
    "cdist": (ops.cdist, [LARGE[None], 0 * LARGE[None]]),
    "hypot": (ops.hypot, [LARGE, LARGE]),
    "moments": (lambda x: jnp.stack(ops.moments(x, 0)), [AROUND]),
    "logsumexp": (ops.logsumexp, [MANY]),
    "softmax": (ops.softmax, [MANY]),
    "log_softmax": (ops.log_softmax, [MANY]),
    "segment_sum": (lambda x: ops.segment_sum(x, FIRST[:, 0], 1), [MANY]),
    "segment_prod": (lambda x: ops.segment_prod(x, FIRST[:, 0], 1), [NEAR_ONE]),
    "scatter": (lambda x: ops.scatter(FIRST, x, (1,)), [MANY]),
    "scatter_update": (lambda x: ops.scatter_update(x[:1], FIRST, x, "add"), [MANY]),
    "bincount": (lambda x: ops.bincount(FIRST[:, 0], x, length=1), [MANY]),
    "histogram": (lambda x: ops.histogram(x, 2)[0], [np.r_[MANY, 0]]),
    "average_pool": (lambda x: ops.average_pool(x[None, :, None], 4096), [SIXTY]),
    "psnr": (lambda x, y: ops.psnr(x, y, 255.0), [AROUND, 0 * AROUND]),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_float32(dtype):
    """Results differ from those of float64 by the rounding of the result, 1/2 of epsilon, and of float32 before it."""
    functions, arrays = zip(*SUMS.values(), strict=True)
    run = tables.compiled(lambda arrays: [f(*each) for f, each in zip(functions, arrays, strict=True)])
    halves = [[jnp.asarray(x, dtype) for x in each] for each in arrays]
    ours = run(halves)
    assert {y.dtype.name for y in ours} == {dtype}
    with jax.enable_x64(True):
        exact = jax.device_get(run([[jnp.asarray(np.asarray(x, "float64")) for x in each] for each in halves]))
    epsilon = float(jnp.finfo(dtype).eps)
    apart = {
        name: float(np.max(np.abs(np.asarray(y, "float64") - z)) / np.max(np.abs(z)) / epsilon)
        for name, y, z in zip(SUMS, ours, exact, strict=True)
    }
    assert not {name: error for name, error in apart.items() if not error <= 0.51}
