"""Gradients of operations: against Keras's, and against difference quotients, which do not share JAX's rules with ours.

Each table of cases is one program; what disagrees is reported together.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import ops
from tests import tables, test_ops, test_ops_image
from tests.oracle import EPS32, asking_keras, assert_close, keras

# Where Keras's gradients are no oracle; difference quotients are the only one there.
OTHERWISE = {
    "affine_transform": "it reads other channels in place of dividing by the last two numbers",
    "rearrange": "Keras cannot trace it",
    "sparsemax": "it computes another projection",
}
# JAX has no derivative of these, and says so; Keras neither.
UNDEFINED = {
    "eig": "eigenvectors have a factor that is free",
    "segment_prod": "products are scattered",
}
if jax.__version_info__ < (0, 12):
    UNDEFINED["nextafter"] = "it is made of bits"
# Results that are no floats, or steps: these gradients are zeros.
FLAT = """
    allclose argmax argmin argpartition argsort cast ceil digitize empty_like equal floor floor_divide full_like greater
    greater_equal heaviside histogram in_top_k isclose isfinite isinf isnan isneginf isposinf isreal less less_equal
    matrix_rank nanargmax nanargmin not_equal ones_like round saturate_cast searchsorted sign signbit stop_gradient
    trunc view zeros_like
"""
# Where the quotient is not the derivative.
NO_QUOTIENTS = {"stop_gradient": "it hides a derivative", "view": "other bits, which are not near each other"}
KINDS = "fc"  # what gradients are taken in
TABLES = [(test_ops.CASES, ops, keras.ops), (test_ops_image.CASES, ops.image, keras.ops.image)]
both_tables = pytest.mark.parametrize(("cases", "mine", "others"), TABLES, ids=["ops", "images"])


def chosen(cases, left_out):
    """The cases that take floats, without those of some names, and how they are called."""
    found = [case for case in cases if case[0] not in left_out and tables.has_floats(case[1:], KINDS)]
    return [test_ops.identify(case) for case in found], [case[0] for case in found], [case[1:] for case in found]


def weighed(leaves):
    """One number that depends on every finite float in the leaves, on each with another weight."""
    random = np.random.default_rng(7)  # not the tables' numbers: x is orthogonal to the cross product of x and y
    arrays = [jnp.asarray(leaf) for leaf in leaves]
    parts = [part for x in arrays for part in ((x.real, x.imag) if jnp.iscomplexobj(x) else (x,))]
    floats = [part for part in parts if jnp.issubdtype(part.dtype, jnp.floating)]
    weights = [random.normal(size=part.shape).astype(part.dtype) for part in floats]
    terms = [jnp.where(jnp.isfinite(part), part, 0) * each for part, each in zip(floats, weights, strict=True)]
    return sum(map(jnp.sum, terms), jnp.zeros(()))


def differentiated(functions, arguments):
    """A compiled function, and the float arrays in the arguments that it takes.

    It gives the gradients of `weighed` results in these arrays, and the numbers themselves, for each function.
    """
    run, arrays = tables.program(functions, arguments, KINDS)

    def total(arrays):
        values = jnp.stack([weighed(leaves) for leaves in run(arrays)])
        return jnp.sum(values), values

    return tables.compiled(jax.grad(total, has_aux=True)), arrays


def apart(ours, theirs):
    """How many float32 rounding errors of the largest number in `theirs` two arrays differ by."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return float(np.abs(ours - theirs).max(initial=0)) / (EPS32 * max(float(np.abs(theirs).max(initial=0)), 1e-30))


def disagreements(names, ours, theirs):
    """How far apart two gradients are, by the name of the case, where that is too far or not a number.

    64 rounding errors of the largest entry, as for values (see `assert_close`): a gradient takes a few roundings more
    than its value, summed over a dozen entries. The largest that was seen is 15, behind a solution of eight equations.
    """
    compared = zip(names, ours, theirs, strict=True)
    return {name: wrong for name, *pair in compared if (wrong := [e for e in map(apart, *pair) if not e <= 64])}


@both_tables
def test_gradients_are_keras_s(cases, mine, others):
    ids, names, arguments = chosen(cases, OTHERWISE.keys() | UNDEFINED.keys())
    assert len(ids) >= 20
    run, arrays = differentiated([getattr(mine, name) for name in names], arguments)
    ours, _ = run(arrays)
    with asking_keras():
        run, arrays = differentiated([getattr(others, name) for name in names], arguments)
        theirs, _ = run(arrays)
    assert not disagreements(ids, ours, theirs)
    moving = {name for name, gradients in zip(names, ours, strict=True) if any(map(np.any, map(np.asarray, gradients)))}
    assert set(names) - moving == set(FLAT.split()) & set(names)


def misled(names, functions, arguments):
    """Derivatives along a direction by gradient and by difference quotient, and their scale, where the two differ.

    The step of 1e-5 costs rounding errors of 1e-16 / 1e-5, and 1e-10 times a curvature that a divisor near 0 brings to
    1e3: 1e-6 of the sum of the magnitudes. The largest that was seen is 2e-7.
    """
    run, arrays = differentiated(functions, arguments)
    random, step = np.random.default_rng(8), 1e-5

    def direction(x):
        real, imaginary = random.normal(size=(2, *x.shape))
        return real + 1j * imaginary if np.iscomplexobj(x) else real

    directions = jax.tree.map(direction, arrays)

    def at(distance):
        # away from the numbers of the table, some of which are ties or lie on a border between pixels
        return run(jax.tree.map(lambda x, d: x + (0.01 + distance) * d, arrays, directions))

    with jax.enable_x64(True):
        gradients, (_, up), (_, down) = at(0)[0], at(step), at(-step)
    quotients = (np.asarray(up) - np.asarray(down)) / (2 * step)
    terms = jax.tree.map(lambda g, d: (np.asarray(g) * d).real, gradients, directions)
    found = {}
    for name, each, quotient in zip(names, terms, quotients, strict=True):
        slope, scale = sum(map(np.sum, each)), sum(np.abs(x).sum() for x in each)
        if not abs(slope - quotient) <= 1e-6 * scale:
            found[name] = slope, quotient, scale
    return found


@both_tables
def test_gradients_are_slopes(cases, mine, others):
    ids, names, arguments = chosen(cases, NO_QUOTIENTS.keys() | UNDEFINED.keys())
    assert not misled(ids, [getattr(mine, name) for name in names], arguments)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_zeros_are_normalized_with_a_gradient(order):
    """Near them the norm is less than epsilon, and epsilon divides; Keras has NaN for orders above 1."""
    gradient = jax.grad(lambda x: weighed([ops.normalize(x, order=order, epsilon=0.25)]))
    zeros = jnp.zeros((2, 3))
    ones = zeros.at[1].set(1)
    assert_close(gradient(zeros), jax.grad(lambda x: weighed([x]))(zeros) / 0.25)
    assert_close(gradient(ones)[0], gradient(zeros)[0])
    assert abs(float(gradient(ones)[1].sum())) < 64 * EPS32  # the length of a vector does not matter


@pytest.mark.parametrize("name", UNDEFINED)
def test_where_there_is_no_derivative_an_error_says_so(name):
    _, _, (arguments,) = chosen([case for case in test_ops.CASES if case[0] == name], ())
    run, arrays = differentiated([getattr(ops, name)], [arguments])
    with pytest.raises(NotImplementedError):
        run(arrays)


WRONG = {
    "a term is lost": lambda x: x * jax.lax.stop_gradient(x),
    "no gradient": jax.lax.stop_gradient,
    "not a number": lambda x: x**2 + 0 * jnp.sqrt(jax.lax.stop_gradient(x) - x),
    "one part in 10000": lambda x: x**2 + 1e-4 * x * (x - jax.lax.stop_gradient(x)),
}


def test_a_wrong_gradient_is_noticed():
    arguments, right = [((test_ops.X,), {})] * len(WRONG), [lambda x: x**2] * len(WRONG)
    ours, theirs = (run(arrays)[0] for run, arrays in (differentiated(f, arguments) for f in (WRONG.values(), right)))
    assert disagreements(WRONG, ours, theirs).keys() == WRONG.keys()
    assert misled(WRONG, WRONG.values(), arguments).keys() == WRONG.keys()
    assert not disagreements(WRONG, theirs, theirs) and not misled(WRONG, right, arguments)
