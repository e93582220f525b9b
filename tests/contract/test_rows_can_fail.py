"""Each contract notices the fault that it is for: the fault is planted in the library, and a row of the contract runs.

`test_layers_can_fail` does the same for the contract of layers.
"""

import jax.numpy as jnp
import optax
import pytest

from jkeras import regularizers, slots
from jkeras.core import KerasTensor, meeting
from jkeras.layers.merging import base as merging
from jkeras.losses import Loss, base, entries, focal
from jkeras.metrics import sums
from jkeras.optimizers import base as optimizers
from tests import test_loss_limits, test_ops_shapes
from tests.contract import (
    test_entries_that_do_not_count,
    test_large_counts,
    test_layer_numbers,
    test_masked_padding,
    test_optimizers,
    test_parts_of_losses,
    test_singular_points,
    test_slots,
)


def only(monkeypatch, module, table, *names):
    """Leaves the first rows of these names in a contract's table."""
    rows = {row.name: row for row in reversed(getattr(module, table))}
    monkeypatch.setattr(module, table, [rows[name] for name in names])


def test_weights_that_come_after_the_function(monkeypatch):
    only(monkeypatch, test_entries_that_do_not_count, "LOSSES", "MeanSquaredError")
    test_entries_that_do_not_count.test_losses()
    monkeypatch.setattr(entries, "zeroed", lambda x, counts: x)
    with pytest.raises(AssertionError):
        test_entries_that_do_not_count.test_losses()


def test_weights_of_metrics_that_come_after_the_function(monkeypatch):
    only(monkeypatch, test_entries_that_do_not_count, "METRICS", "MeanSquaredError")
    monkeypatch.setattr(entries, "zeroed", lambda x, counts: x)
    with pytest.raises(AssertionError):
        test_entries_that_do_not_count.test_metrics()


def test_statistics_that_see_what_is_masked(monkeypatch):
    case = test_masked_padding.CASES["BatchNormalization in training"]
    layer = type(test_masked_padding.Case(case).layer)
    call = layer.call
    monkeypatch.setattr(layer, "call", lambda self, inputs, training=None, mask=None: call(self, inputs, training))
    with pytest.raises(AssertionError):
        test_masked_padding.check(test_masked_padding.Case(case))


def test_sums_in_one_word(monkeypatch):
    only(monkeypatch, test_large_counts, "METRICS", "MeanSquaredError")
    monkeypatch.setattr(sums, "_add_floats", lambda a, a_rest, b, b_rest: (a + b, a_rest))
    with pytest.raises(AssertionError, match="MeanSquaredError"):
        test_large_counts.test_metrics_move_after_many_values()


def test_losses_that_are_computed_in_the_dtype_of_the_data(monkeypatch):
    only(monkeypatch, test_large_counts, "LOSSES", "MeanSquaredError")

    def narrow(self, y_true, y_pred, sample_weight=None, *, mask=None):
        values = self.call(y_true, y_pred).astype(self.dtype)
        return (jnp.cumsum(values)[-1].astype("float32") / values.size).astype(self.dtype)

    monkeypatch.setattr(Loss, "__call__", narrow)
    with pytest.raises(AssertionError, match="MeanSquaredError"):
        test_large_counts.test_losses_of_many_half_precision_entries()


def test_parts_that_are_weighed_by_their_examples(monkeypatch):
    only(monkeypatch, test_parts_of_losses, "ROWS", "MeanSquaredError")
    whole = base.sum_and_count

    def by_examples(values, sample_weight, mask, reduction, examples=1):
        total, count = whole(values, sample_weight, mask, reduction, examples)
        return total / jnp.maximum(count, 1) * examples, jnp.asarray(examples, "float32")

    monkeypatch.setattr(base, "sum_and_count", by_examples)
    with pytest.raises(AssertionError, match="MeanSquaredError"):
        test_parts_of_losses.test_parts_add_up("sum_over_batch_size")


def test_roots_that_jax_differentiates(monkeypatch):
    monkeypatch.setattr("jkeras.constraints.root", jnp.sqrt)
    name = next(name for name in test_singular_points.CASES if name.startswith("UnitNorm"))
    with pytest.raises(AssertionError, match="gradient"):
        test_singular_points.test_derivatives_at_singular_points_are_numbers(name, 0.0)


def test_powers_whose_derivative_is_infinite(monkeypatch):
    monkeypatch.setattr(test_loss_limits, "LIMITS", [row for row in test_loss_limits.LIMITS if "gamma" in row[1]])
    monkeypatch.setattr(focal, "power", jnp.power)
    with pytest.raises(AssertionError, match="FocalCrossentropy"):
        test_loss_limits.test_limits()


def test_integers_that_wrap_around(monkeypatch):
    monkeypatch.setattr(merging, "wide_dtype", lambda dtype: jnp.dtype(dtype).name)
    with pytest.raises(AssertionError):
        test_layer_numbers.test_small_integers_do_not_wrap_around("Add")


def test_penalties_in_the_dtype_of_the_weights(monkeypatch):
    monkeypatch.setattr("jkeras.regularizers._widen", lambda x: x)
    with pytest.raises(AssertionError):
        test_layer_numbers.test_penalties_of_half_precision_are_sums_in_float32(regularizers.L2(1.0), "bfloat16")


def test_moments_in_the_dtype_of_the_weights(monkeypatch):
    monkeypatch.setattr(optimizers, "compute_in_float32", lambda inner: optax.with_extra_args_support(inner))
    with pytest.raises((AssertionError, TypeError)):
        test_optimizers.test_averages_of_half_precision_move_as_those_of_float32("Adam", "alone")


def test_slots_that_take_anything(monkeypatch):
    monkeypatch.setattr(slots, "check", lambda thing, kind, path: None)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_slots.test_a_slot_takes_its_own_kind_alone("loss", "optimizer")


def test_unknown_dimensions_that_meet_nothing(monkeypatch):
    def call():
        return KerasTensor((None, None, 8)) + KerasTensor((None, 5, 8))

    test_ops_shapes.test_unknown_meets_fixed(call, (None, 5, 8))
    monkeypatch.setattr(meeting, "RULES", {})
    with pytest.raises((AssertionError, TypeError)):
        test_ops_shapes.test_unknown_meets_fixed(call, (None, 5, 8))
