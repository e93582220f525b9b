"""Sums and counts beyond what a float16, a float32 or an int32 holds: every loss and every metric goes on counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import metrics
from jkeras.metrics import sums
from tests.descriptors import losses as loss_rows
from tests.descriptors import metrics as metric_rows
from tests.tables import compiled

# Circle compares all pairs, which are too many here, and CTC runs through times one after the other: both take long
PAIRS = {"Circle", "CTC"}
LOSSES = [row for row in loss_rows.ROWS if row.arguments != loss_rows.NAMED and row.name not in PAIRS]
METRICS = list({row.name: row for row in reversed(metric_rows.ROWS)}.values())  # the first row of each
MANY = 20_000  # examples of 4: a float16 ends at 65,504


def test_losses_of_many_half_precision_entries():
    """A float16 has 11 digits: the mean of many copies of four examples is that of the four, rounded once."""
    samples = [loss_rows.sample(row.kind) for row in LOSSES]

    def table(samples):
        found = []
        for row, (y_true, y_pred) in zip(LOSSES, samples, strict=True):
            few = row.make(dtype="float32", reduction="mean")(y_true, y_pred)
            labels, predictions = (jnp.tile(each, (MANY,) + (1,) * (each.ndim - 1)) for each in (y_true, y_pred))
            loss = row.make(dtype="float16", reduction="mean")
            weight = jnp.ones(len(labels)) if row.arguments.get("axis") != 0 else None
            found.append((few, loss(labels, predictions), loss(labels, predictions, weight)))
        return found

    for row, (few, *many) in zip(LOSSES, compiled(table)(samples), strict=True):
        for each in many:
            assert each.dtype == "float16"
            np.testing.assert_allclose(np.float32(each), few, rtol=2**-10, err_msg=str(row))


def doubled(metric, state, times):
    return jax.lax.fori_loop(0, times, lambda _, state: metric.merge(state, state), state)


def test_metrics_move_after_many_values():
    """After 2^26 entries, of integers 2^32, 512 batches of 4 count one by one as they do all at once."""
    samples = [(row.sample(seed=0), row.sample(seed=1)) for row in METRICS]

    def table(samples):
        found = []
        for row, (first, second) in zip(METRICS, samples, strict=True):
            metric = row.make()
            times = 30 if metric.state_dtype == "int32" else 24
            start = metric.init_for(second[-1])
            large = doubled(metric, metric.update(start, *first), times)
            batch = metric.update(start, *second)
            one_by_one, _ = jax.lax.scan(
                lambda state, _, m=metric, b=batch: (m.merge(state, b), None), large, length=512
            )
            at_once = metric.merge(large, doubled(metric, batch, 9))
            found.append((sums.values(one_by_one), sums.values(at_once), sums.values(large), times))
        return found

    moved = 0
    for row, (ours, expected, before, times) in zip(METRICS, compiled(table)(samples), strict=True):
        for name, value in ours.items():
            # the four entries of a batch, 2^times of them
            np.testing.assert_allclose(value, expected[name], rtol=4e-7, err_msg=f"{row} {name}")
            moved += times == 24 and bool(np.any(np.abs(expected[name] / before[name] - 1) > 1e-5))
    assert moved > 35  # most of them: so an addition that is lost shows


@pytest.mark.parametrize("integers", [False, True], ids=["floats", "integers"])
def test_words(integers):
    """The words hold what Python's integers hold; nothing is the identity; infinity stays."""
    random, dtype = np.random.default_rng(0), "int32" if integers else "float32"
    parts = random.integers(0, 2**31 if integers else 2**24, 200)
    nothing = sums.zeros(("n",), (), dtype)

    @jax.jit
    def total(parts):
        return jax.lax.scan(lambda state, n: (sums.add(state, sums.single({"n": n})), None), nothing, parts)[0]

    state = total(parts.astype(dtype))
    words = [int(state["n"]), int(state["n_rest"])]
    assert (words[0] % 2**32 + 2**32 * words[1] if integers else sum(words)) == parts.sum()
    for order in ((state, nothing), (nothing, state)):
        assert [int(each) for each in sums.add(*order).values()] == words
    if integers:
        less = sums.add(state, sums.single({"n": jnp.array(-5)}))
        assert int(less["n"]) % 2**32 + 2**32 * int(less["n_rest"]) == parts.sum() - 5
    else:
        infinite = sums.add(state, sums.single({"n": jnp.array(jnp.inf)}))
        assert np.isposinf(sums.value(sums.add(infinite, state), "n"))


def test_a_batch_of_more_entries_than_a_float_counts():
    metric = metrics.TruePositives(thresholds=[0.1 * step for step in range(1, 10)])
    size = 2**24 + 2**10
    ones = jnp.ones(size, "float32")
    assert float(jax.jit(metric)(ones, ones)[0]) == size
