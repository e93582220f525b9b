"""Entries that do not count may hold anything: NaN and infinity in labels and predictions change nothing.

Every loss and every metric, with an example of weight 0 and, of losses, one that is masked: value, derivative along a
direction, gradient and second derivative are those of the run in which these entries hold ordinary numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import losses
from tests.descriptors import losses as loss_rows
from tests.descriptors import metrics as metric_rows
from tests.tables import compiled

LOSSES = [row for row in loss_rows.ROWS if row.arguments != loss_rows.NAMED]
METRICS = [row for row in metric_rows.ROWS if row.arguments != metric_rows.NAMED]
POISONS = {"none": 0, "NaN": np.nan, "infinity": np.inf, "minus infinity": -np.inf}


def per_column(row):
    """Whether a row has a value for each column rather than each example."""
    return row.arguments.get("axis") == 0


def weights_of(row, length):
    return np.array([1.0, 0.5, 0.0, 2.0] if length == 4 else [1.0, 0.0, 2.0], "float32")


def mask_of(length):
    return np.array([True, False, True, True][:length] if length == 4 else [False, True, True])


def poisoned(array, dead, poison, columns):
    """An array with a poison in dead entries; of integers, with one that is no class (0, which is one, for 0)."""
    found = np.array(array)
    where = (slice(None), dead) if columns else dead
    found[where] = poison if found.dtype.kind == "f" else -7 if poison else 0
    return found


def assert_equal_tables(ours, expected, names):
    for name, a, b in zip(names, ours, expected, strict=True):
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            assert np.isfinite(y).all(), name
            np.testing.assert_array_equal(x, y, err_msg=name)


def derivatives(loss, y_true, y_pred, direction, weight, mask):
    def value(y_pred):
        return loss(y_true, y_pred, weight, mask=mask)

    return jax.jvp(value, (y_pred,), (direction,)), jax.jvp(jax.grad(value), (y_pred,), (direction,))


def test_losses():
    samples, directions = [loss_rows.sample(row.kind) for row in LOSSES], []
    for _, y_pred in samples:
        directions.append(np.random.default_rng(1).normal(size=y_pred.shape).astype("float32"))

    def table(samples):
        found = []
        for row, (y_true, y_pred), direction in zip(LOSSES, samples, directions, strict=True):
            length = y_pred.shape[per_column(row)]
            given = weights_of(row, length), mask_of(length)
            found.append(derivatives(row.make(), y_true, y_pred, direction, *given))
        return found

    run = compiled(table)
    expected, names = None, [str(row) for row in LOSSES]
    for poison in POISONS.values():
        given = []
        for row, (y_true, y_pred) in zip(LOSSES, samples, strict=True):
            length, columns = y_pred.shape[per_column(row)], per_column(row)
            dead = ~mask_of(length) | (weights_of(row, length) == 0)
            given.append((poisoned(y_true, dead, poison, columns), poisoned(y_pred, dead, poison, columns)))
        found = run(given)
        expected = expected or found
        assert_equal_tables(found, expected, names)


def test_metrics():
    samples, names = [row.sample() for row in METRICS], [str(row) for row in METRICS]

    def table(samples):
        found = []
        for row, data in zip(METRICS, samples, strict=True):
            metric, columns = row.make(), per_column(row)
            weight = weights_of(row, data[-1].shape[-columns]).astype(metric.dtype)

            def value(y_pred, metric=metric, data=data, weight=weight):
                state = metric.update(metric.init_for(y_pred), *data[:-1], y_pred, weight)
                return jnp.sum(metric.result(state))

            floats = jnp.issubdtype(data[-1].dtype, jnp.floating)
            found.append(jax.value_and_grad(value)(data[-1]) if floats else value(data[-1]))
        return found

    run = compiled(table)
    expected = None
    for poison in POISONS.values():
        given = []
        for row, data in zip(METRICS, samples, strict=True):
            columns = per_column(row)
            dead = weights_of(row, data[-1].shape[-columns]).astype(row.make().dtype) == 0
            given.append(tuple(poisoned(each, dead, poison, columns and each.ndim > 1) for each in data))
        found = run(given)
        expected = expected or found
        assert_equal_tables(found, expected, names)


@pytest.mark.parametrize("name", ["dice", "tversky"])
def test_masked_pixels_are_no_part_of_a_region(name):
    random, function = np.random.default_rng(0), getattr(losses, name)
    y_true = random.integers(0, 2, (2, 4, 4, 3)).astype("float32")
    y_pred = random.uniform(size=y_true.shape).astype("float32")
    mask = np.zeros((2, 4, 4), bool)
    mask[:, :3] = True
    for axis in (None, (1, 2)):
        loss = getattr(losses, name.capitalize())(axis=axis)
        expected = np.mean(function(y_true[:, :3], y_pred[:, :3], axis=axis))
        np.testing.assert_allclose(loss(y_true, np.where(mask[..., None], y_pred, np.nan), mask=mask), expected, 1e-6)


def test_masked_times_are_taken_out_of_ctc():
    labels, logits = loss_rows.sample("sequence")
    whole = losses.CTC()(labels, logits)
    for places in ([0, 1, 2, 3, 4], [2, 3, 4, 5, 6], [0, 2, 3, 5, 6]):
        longer = np.full((4, 7, 3), np.nan, "float32")
        longer[:, places] = logits
        mask = np.isin(np.arange(7), places)
        given = {"mask": np.broadcast_to(mask, (4, 7))}
        value, gradient = jax.value_and_grad(lambda x, given=given: losses.CTC()(labels, x, **given))(longer)
        np.testing.assert_allclose(value, whole, rtol=1e-6)
        assert not np.any(np.asarray(gradient)[:, ~mask])
        assert np.isfinite(gradient).all()


def test_a_function_of_the_user_sees_the_entries_unless_it_has_a_value_for_each():
    y_true, y_pred = np.zeros((3, 2), "float32"), np.ones((3, 2), "float32")
    weight = np.array([1.0, 0.0, 1.0], "float32")
    seen = losses.LossFunctionWrapper(lambda a, b: jnp.mean(jnp.abs(a - b)))
    assert float(seen(y_true, y_pred, weight)) == float(np.float32(2) / 3)
    each = losses.LossFunctionWrapper(lambda a, b: jnp.mean(jnp.sqrt(b - a), axis=-1))
    gradient = jax.grad(lambda b: each(y_true, b, weight))(np.where(weight[:, None] > 0, y_pred, -1.0))
    assert np.isfinite(gradient).all()


def test_circle_compares_with_nothing_that_does_not_count():
    random = np.random.default_rng(0)
    labels, embeddings = np.array([0, 0, 1, 1, 0, 1]), random.normal(size=(6, 3)).astype("float32") / 4
    loss, kept = losses.Circle(gamma=4.0), np.array([0, 1, 2, 3])
    expected, slope = jax.value_and_grad(lambda x: loss(labels[kept], x))(embeddings[kept])
    embeddings[4:] = np.nan
    for given in ({"mask": np.arange(6) < 4}, {"mask": np.arange(6) < 5, "sample_weight": (np.arange(6) < 4) * 1.0}):
        value, gradient = jax.value_and_grad(lambda x, given=given: loss(labels, x, **given))(embeddings)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        np.testing.assert_allclose(gradient[:4], slope, rtol=1e-5, atol=1e-7)
        assert np.any(slope)
