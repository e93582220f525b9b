"""What holds for every loss and every metric, whatever it computes.

- Eager and jitted values are equal, and a vmapped loss is the loss of each.
- The gradient is the numerical one, in float64.
- Half-precision predictions give the value of the same predictions in float32.
- The same call gives the same value, and inputs are untouched.
- No tracer leaks.
- A metric's state keeps its structure, shapes, dtypes and weak types.
- No array is held by a loss or a metric.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import losses, metrics
from tests.descriptors import losses as loss_rows
from tests.descriptors import metrics as metric_rows
from tests.leaks import checking_leaks
from tests.oracle import assert_close

LOSSES, METRICS = loss_rows.ROWS, metric_rows.ROWS
# a row that differs from another in its name, reduction and dtype alone computes nothing new
COMPUTING = [row for row in LOSSES if row.arguments != loss_rows.NAMED]
MEASURING = [row for row in METRICS if row.arguments != metric_rows.NAMED]
HALF = ("bfloat16", "float16")
WEIGHT = np.array([1.0, 0.5, 0.0, 2.0], "float32")


def public(module, base):
    return {
        name for name in module.__all__ if inspect.isclass(thing := getattr(module, name)) and issubclass(thing, base)
    }


def test_every_public_loss_and_metric_has_a_row():
    assert public(losses, losses.Loss) - {"Loss"} - loss_rows.BESIDE_KERAS == {row.name for row in LOSSES}
    assert public(metrics, metrics.Metric) - {"Metric"} == {row.name for row in METRICS}


# Arguments that no row can move: Keras takes indices of classes on the last axis alone.
UNMOVED = {("SparseCategoricalCrossentropy", "axis")}


@pytest.mark.parametrize("rows", [LOSSES, METRICS], ids=["losses", "metrics"])
def test_the_rows_of_a_class_move_each_of_its_arguments(rows):
    for name in {row.name for row in rows}:
        of_class = [row for row in rows if row.name == name]
        for argument in inspect.signature(type(of_class[0].make())).parameters.values():
            if argument.kind is argument.VAR_KEYWORD or (name, argument.name) in UNMOVED or argument.name == "dtype":
                continue  # dtype is moved below, for every row
            values = [row.arguments.get(argument.name, argument.default) for row in of_class]
            assert any(value != argument.default for value in values), f"{name}({argument.name}=...)"


@pytest.mark.parametrize("row", COMPUTING, ids=str)
def test_loss(row):
    y_true, y_pred = loss_rows.sample(row.kind)
    weight = None if row.arguments.get("axis") == 0 else WEIGHT  # over the samples: values are no longer theirs
    before = y_true.copy(), y_pred.copy()
    loss = row.make()
    eager = loss(y_true, y_pred, weight)
    assert eager.dtype == "float32"
    assert eager.shape == ()
    compiled = jax.jit(lambda *args: loss(*args))
    with checking_leaks():
        compiled.trace(y_true, y_pred, weight)
    assert_close(compiled(y_true, y_pred, weight), eager, ulps=16)  # fusion reorders one sum of four
    np.testing.assert_array_equal(compiled(y_true, y_pred, weight), compiled(y_true, y_pred, weight))
    np.testing.assert_array_equal(y_true, before[0])
    np.testing.assert_array_equal(y_pred, before[1])
    many = jax.jit(jax.vmap(loss, (None, 0, None)))(y_true, np.stack([y_pred, y_pred[::-1]]), weight)
    assert_close(many[0], eager, ulps=16)


@pytest.mark.parametrize("row", COMPUTING, ids=str)
def test_gradient_of_loss(row):
    y_true, y_pred = loss_rows.sample(row.kind)
    loss, step = row.make(dtype="float64"), 1e-6
    direction = np.random.default_rng(0).normal(size=y_pred.shape)

    @jax.jit
    def derivatives(y_pred, direction):
        def along(t):
            return loss(y_true, y_pred + t * direction)

        numerical = (along(step) - along(-step)) / (2 * step)
        _, forward = jax.jvp(along, (0.0,), (1.0,))
        backward = jnp.vdot(jax.grad(lambda y: loss(y_true, y))(y_pred), direction)
        return numerical, forward, backward

    with jax.enable_x64(True):
        numerical, forward, backward = derivatives(y_pred.astype("float64"), direction)
    # central differences of losses of order 1 to 100: errors of 1e-8 from rounding, 1e-10 from curvature
    for analytic in (forward, backward):
        np.testing.assert_allclose(analytic, numerical, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("row", COMPUTING, ids=str)
def test_half_precision_predictions_of_loss(row):
    y_true, y_pred = loss_rows.sample(row.kind)
    halves = [jnp.asarray(y_pred, dtype) for dtype in HALF]

    @jax.jit
    def values(y_true, *halves):
        loss = row.make()
        return [
            (loss(y_true, half), loss(y_true, half.astype("float32")), row.make(dtype=half.dtype)(y_true, half))
            for half in halves
        ]

    for dtype, (value, upcast, low) in zip(HALF, values(y_true, *halves), strict=True):
        # the predictions are cast to float32 at once: nothing is computed in half precision
        assert value.dtype == "float32"
        assert_close(value, upcast, ulps=0)
        assert low.dtype == dtype
        np.testing.assert_array_equal(low, value.astype(dtype))  # cast last


@pytest.mark.parametrize("row", MEASURING, ids=str)
def test_metric(row):
    metric, data = row.make(), row.sample()
    weight = None if row.arguments.get("axis") == 1 and row.kind == "distribution" else WEIGHT.astype(metric.dtype)
    before = [x.copy() for x in data]
    state = metric.init_for(data[-1])
    eager = metric.update(state, *data, weight)
    update = jax.jit(lambda state, *args: metric.update(state, *args))
    with checking_leaks():
        update.trace(state, *data, weight)
    compiled = update(state, *data, weight)
    for key in eager:
        assert_close(compiled[key], eager[key], ulps=16, err_msg=key)
    np.testing.assert_array_equal(metric.result(eager), metric.result(metric.update(metric.init(), *data, weight)))
    for x, copy in zip(data, before, strict=True):
        np.testing.assert_array_equal(x, copy)
    outputs = jax.eval_shape(lambda *states: metric.merge(*states), compiled, state)
    for other in (eager, compiled, outputs):
        assert jax.tree.map(jax.typeof, state) == jax.tree.map(
            lambda x: jax.core.ShapedArray(x.shape, x.dtype, weak_type=x.weak_type), other
        )
    assert len({id(leaf) for leaf in state.values()}) == len(state)  # a buffer can be donated only once
    for empty in (state, metric.init()):
        assert not np.any(metric.result(empty))
    floating = jnp.issubdtype(metric.dtype, jnp.floating)
    assert jax.eval_shape(metric.result, state).dtype == (metric.dtype if floating else "float32")


@pytest.mark.parametrize("row", [row for row in MEASURING if row.full], ids=str)
def test_vmapped_metric(row):
    metric, (first, second) = row.make(), (row.sample((4,), seed) for seed in (0, 1))
    states = jax.vmap(lambda _: metric.init())(jnp.arange(2))
    states = jax.jit(jax.vmap(lambda state, data: metric.update(state, *data)))(
        states, tuple(np.stack(pair) for pair in zip(first, second, strict=True))
    )
    each = [metric(*first), metric(*second)]
    assert_close(jax.vmap(metric.result)(states), each, ulps=16, scale=max(1.0, float(np.abs(each).max())))


@pytest.mark.parametrize("row", [row for row in MEASURING if row.full], ids=str)
def test_half_precision_predictions_of_metric(row):
    *y_true, y_pred = row.sample()
    for dtype in HALF:
        metric = row.make(dtype=dtype)
        state = metric.init()
        assert {leaf.dtype.name for leaf in state.values()} == {"float32"}  # a bfloat16 cannot count beyond 256
        assert jax.eval_shape(metric.result, state).dtype == dtype
    if y_pred.dtype.kind != "f":
        return

    @jax.jit
    def values(*halves):
        return [(row.make()(*y_true, half), row.make()(*y_true, half.astype("float32"))) for half in halves]

    for value, upcast in values(*(jnp.asarray(y_pred, dtype) for dtype in HALF)):
        assert value.dtype == "float32"
        assert_close(value, upcast, ulps=0)


@pytest.mark.parametrize("row", [*LOSSES, *METRICS], ids=str)
def test_no_array_is_held(row):
    thing = row.make()
    thing(*row.sample()) if isinstance(thing, metrics.Metric) else thing(*loss_rows.sample(row.kind))
    leaves = jax.tree.leaves(vars(thing))
    assert not [leaf for leaf in leaves if isinstance(leaf, jax.Array | np.ndarray)]
