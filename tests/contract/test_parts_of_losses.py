"""The loss of a batch is that of its parts: sums and counts are added, and divided once.

Every loss with a value per sample, every reduction, with and without weights and a mask, in parts that do not divide
the batch evenly. Losses with one value for the batch count it once for each example.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import losses
from jkeras.errors import ArgumentError
from tests.descriptors import losses as loss_rows
from tests.oracle import assert_close
from tests.tables import compiled

REDUCED = ("sum", "sum_over_batch_size", "mean_with_sample_weight")
WEIGHT, MASK = np.array([1.0, 0.5, 0.0, 2.0], "float32"), np.array([True, False, True, True])
WHOLE = {"Dice", "Tversky", "Circle"}  # compare the examples of a batch with each other
ROWS = [
    row
    for row in loss_rows.ROWS
    if row.arguments != loss_rows.NAMED and row.arguments.get("axis") != 0 and row.name not in WHOLE
]


def in_parts(loss, y_true, y_pred, weight, mask):
    def part(which):
        y, w, m = (y_true[which], y_pred[which]), *(each if each is None else each[which] for each in (weight, mask))
        return loss.sum_and_count(*y, w, mask=m)

    totals, counts = zip(part(slice(0, 1)), part(slice(1, 4)), strict=True)
    return loss.divide(sum(totals), sum(counts))


@pytest.mark.parametrize("reduction", REDUCED)
def test_parts_add_up(reduction):
    samples = [loss_rows.sample(row.kind) for row in ROWS]
    ways = [(None, MASK), (WEIGHT, MASK)]

    def all_of(samples):
        found = []
        for row, y in zip(ROWS, samples, strict=True):
            loss = row.make(reduction=reduction)
            for weight, mask in ways:
                whole = loss.divide(*loss.sum_and_count(*y, weight, mask=mask))
                found.append((in_parts(loss, *y, weight, mask), whole, loss(*y, weight, mask=mask)))
        return found

    found = compiled(all_of)(samples)
    names = [f"{row} {way}" for row in ROWS for way in range(2)]
    for (parts, whole, called), name in zip(found, names, strict=True):
        assert float(whole) == float(called), name
        assert_close(parts, whole, ulps=16, err_msg=name)


@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_one_value_for_a_batch_counts_once_for_each_example(name):
    loss = getattr(losses, name)()
    y_true, y_pred = loss_rows.sample("binary probability", (6,))
    for given in ({}, {"sample_weight": np.full(6, 0.5, "float32")}, {"mask": np.arange(6) < 4}):
        total, count = loss.sum_and_count(y_true, y_pred, **given)
        assert float(count) == (4 if "mask" in given else 6)
        assert_close(loss.divide(total, count), loss(y_true, y_pred, **given), ulps=2)


@pytest.mark.parametrize("reduction", ["none", None])
def test_nothing_is_divided_without_a_reduction(reduction):
    with pytest.raises(ArgumentError, match="sum_over_batch_size"):
        losses.MeanSquaredError(reduction).sum_and_count([[0.0]], [[1.0]])


class Total(losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        values = jnp.sum(jnp.abs(y_true - y_pred), -1)
        return jnp.sum(values if sample_weight is None else values * sample_weight)


class Masked(losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None, *, mask=None):
        return jnp.sum(jnp.where(mask, jnp.sum(y_pred, -1), 0))


def test_a_loss_that_overrides_call_is_given_masks_as_weights():
    y_true, y_pred = np.zeros((4, 2), "float32"), np.ones((4, 2), "float32")
    mask = np.array([True, True, False, False])
    for loss, given, value in (
        (Total(reduction="sum"), {"mask": mask}, 4.0),
        (Total(), {}, 8.0),
        (Masked(), {"mask": mask}, 4.0),
    ):
        found = losses.resolve(loss, (4, 2), (4, 2))
        assert float(found(y_true, y_pred, **given)) == value
        total, count = jax.jit(lambda y, found=found, given=given: found.sum_and_count(y_true, y, **given))(y_pred)
        assert (float(total), float(count)) == (4 * value, 4)
        assert float(found.divide(total, count)) == value


def test_a_loss_that_overrides_call_returns_a_scalar():
    class Vector(losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            return y_pred[:, 0]

    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        losses.resolve(Vector(), (4, 2), (4, 2))(np.zeros((4, 2)), np.ones((4, 2)))
