"""Metrics in the loop: by name and by object, those whose state has an entry per class, and under masks."""

import jax
import numpy as np

import jkeras
from jkeras import layers, losses, metrics
from tests.oracle import assert_close

NAMED = [
    *("auc", "precision", "recall", "true_positives", "true_negatives", "false_positives", "false_negatives"),
    *("f1_score", "f_beta_score", "r2_score", "pearson_correlation", "concordance_correlation", "binary_io_u"),
]
MADE = [
    metrics.AUC(multi_label=True, num_thresholds=20, name="auc_of_each"),
    metrics.Precision(thresholds=[0.3, 0.6], name="precisions"),
    metrics.SensitivityAtSpecificity(0.5),
    metrics.SpecificityAtSensitivity(0.5),
    metrics.PrecisionAtRecall(0.5),
    metrics.RecallAtPrecision(0.3),
    metrics.OneHotIoU(3, [0]),
    metrics.OneHotMeanIoU(3),
]


def trainer_of(measured):
    model = jkeras.Sequential([jkeras.Input((5,)), layers.Dense(3, activation="sigmoid")])
    return jkeras.Trainer(model, jkeras.optimizers.SGD(0.1), losses.BinaryCrossentropy(), metrics=measured)


def data():
    random = np.random.default_rng(0)
    return random.normal(size=(20, 5)).astype("float32"), np.eye(3, dtype="float32")[random.integers(0, 3, 20)]


def test_the_state_with_every_metric_of_decisions_is_a_carry():
    trainer = trainer_of([*NAMED, *MADE])
    x, y = data()
    state = trainer.init(jax.random.key(0))
    assert {*NAMED, *(metric.name for metric in MADE)} <= set(state.metrics)
    after, logs = jax.eval_shape(trainer.train_step, state, (x, y))
    before, after = (
        jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), each.metrics) for each in (state, after)
    )
    assert before == after
    assert {name: value.shape for name, value in logs.items() if value.shape} == {
        "f1_score": (3,),
        "f_beta_score": (3,),
        "precisions": (2,),
    }


def test_fit_and_evaluate_with_metrics_of_decisions():
    """Batches of 8, 8 and 4 are merged to what one update with all predictions gives."""
    measured = ["auc", "f1_score", "r2_score", MADE[0], metrics.OneHotMeanIoU(3)]
    trainer, (x, y) = trainer_of(measured), data()
    state, history = trainer.fit(trainer.init(jax.random.key(0)), x, y, batch_size=8, epochs=1, verbose=0)
    logs, y_pred = trainer.evaluate(state, x, y, batch_size=8, verbose=0), trainer.predict(state, x, verbose=0)
    for each in measured:
        metric = metrics.resolve(each, y.shape, y.shape)
        assert_close(logs[metric.name], metric(y, y_pred), scale=1.0)  # scores of at most 1
        assert np.shape(history.history[metric.name][0]) == np.shape(logs[metric.name])


def test_a_mask_counts_in_whole_numbers():
    x, y = np.ones((2, 3, 2), "float32"), np.zeros((2, 3), "int32")
    x[0, 1:] = 0  # masked
    model = jkeras.Sequential([jkeras.Input((3, 2)), layers.Masking(), layers.Dense(2)])
    matrix = metrics.IoU(2, [0], sparse_y_pred=False)
    trainer = jkeras.Trainer(
        model, loss=losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[matrix], weighted_metrics=[matrix]
    )
    state, _ = trainer.test_step(trainer.init(jax.random.key(0)), (x, y))
    for name in ("io_u", "weighted_io_u"):
        assert state.metrics[name]["confusion"].dtype == "int32"
        assert int(state.metrics[name]["confusion"].sum()) == 4
