"""Metrics in bfloat16 against Keras's: all of them at once, and what disagrees is reported together."""

import jax
import jax.numpy as jnp
import pytest

from jkeras import metrics
from tests.descriptors.metrics import NAMED, ROWS
from tests.oracle import asking_keras, keras
from tests.test_half_precision import disagreements, results

# Where Keras's error is no measure of ours: in which rows (those with an argument, or all), and why.
OTHERWISE = {
    "MeanSquaredLogarithmicError": (None, "its roundings in bfloat16 happen to cancel: from 0.4 units to 0.01"),
    "R2Score": ("num_regressors", "its result cannot be traced"),
    "SparseCategoricalCrossentropy": ("ignore_class", "it counts what is ignored as zeros"),
}
# Whatever the `dtype` is, these are float32 in Keras. Ours add up in float32, and their results have the `dtype`.
FLOAT32_IN_KERAS = """
    AUC BinaryIoU FalseNegatives FalsePositives IoU MeanIoU OneHotIoU OneHotMeanIoU Precision PrecisionAtRecall R2Score
    Recall RecallAtPrecision SensitivityAtSpecificity SpecificityAtSensitivity TrueNegatives TruePositives
"""
CONFIGURED = [row for row in ROWS if row.arguments != NAMED]  # another row is the same metric
HALF = {"dtype": "bfloat16"}


def is_otherwise(row):
    argument, _ = OTHERWISE.get(row.name, ("", ""))
    return argument is None or argument in row.arguments


def updated(row, **overrides):
    """The value after some updates."""
    metric = row.make(**overrides)

    def run(*batches):
        state = metric.init()
        for batch in batches:
            state = metric.update(state, *batch)
        return metric.result(state)

    return run


def updated_keras(row, **overrides):
    """The same. The metric is made where it is traced, so that its variables end with the trace."""

    def run(*batches):
        metric = row.make(keras.metrics, **overrides)
        for batch in batches:
            metric.update_state(*batch)
        return metric.result()

    return run


@pytest.mark.parametrize("overrides", [{}, HALF], ids=["predictions", "results"])
def test_metrics_are_keras_s(overrides):
    """Predictions and float labels in bfloat16; with `results` the metric's dtype too."""
    rows = sorted(CONFIGURED, key=is_otherwise)
    arguments = [((row.sample(seed=0), row.sample(seed=1)), {}) for row in rows]
    ours = results([updated(row, **overrides) for row in rows], arguments, "bfloat16")
    exact = results([updated(row) for row in rows], arguments, "float32")
    compared = [row for row in rows if not is_otherwise(row)]
    with asking_keras():
        theirs = results([updated_keras(row, **overrides) for row in compared], arguments[: len(compared)], "bfloat16")
    if overrides:
        wide = {row.name for row, (leaf,) in zip(compared, theirs, strict=True) if leaf.dtype == "float32"}
        assert wide == set(FLOAT32_IN_KERAS.split())
        theirs = jax.tree.map(lambda leaf: leaf.astype("bfloat16"), theirs)
    theirs += ours[len(compared) :]  # held to the bound of eight units alone
    assert not disagreements(map(str, rows), ours, theirs, exact)
    assert {row.name for row in rows} | {"Metric"} == {name for name in metrics.__all__ if name[0].isupper()}


@pytest.mark.parametrize(("metric", "arrays"), [(metrics.Sum(**HALF), 1), (metrics.TruePositives(**HALF), 2)])
def test_states_count_beyond_256(metric, arrays):
    ones = [jnp.ones(1, "bfloat16")] * arrays
    state, _ = jax.lax.scan(lambda state, _: (metric.update(state, *ones), None), metric.init(), length=320)
    assert metric.result(state).dtype == "bfloat16"
    assert float(metric.result(state)) == 320
