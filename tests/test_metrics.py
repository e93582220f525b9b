"""Metrics against Keras's, batch after batch, and the laws of their states."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras.src.trainers.compile_utils import get_metric as keras_get_metric

from jkeras import losses, metrics
from jkeras.errors import ArgumentError, MissingCallError, ShapeError, UnknownNameError
from jkeras.metrics import sums
from tests.descriptors.losses import sample as losses_sample
from tests.descriptors.metrics import ROWS
from tests.oracle import asking_keras, assert_close, keras

BATCHES = [((4,), 0, None), ((4,), 1, (4,)), ((4,), 2, (4, 1)), ((4,), 3, ())]


def weights(shape, seed, dtype="float32"):
    """Weights of a shape; whole numbers for a metric that counts in them."""
    found = None if shape is None else np.random.default_rng(seed).uniform(0.5, 4, shape)
    return found if shape is None else np.asarray(found, dtype)


def close(ours, theirs):
    # at most a dozen samples, each a dozen operations
    assert_close(ours, theirs, scale=max(1.0, float(np.abs(theirs).max())))


def ignores(row):
    return row.arguments.get("ignore_class") is not None


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_update_gives_what_keras_gives(row):
    ours = row.make()
    state = ours.init()
    with asking_keras():
        theirs = row.make(keras.metrics)
        if not row.is_built_late:
            close(ours.result(state), theirs.result())
    for batch, seed, shape in BATCHES:
        data = row.sample(batch, seed)
        if ignores(row) and shape is None:
            shape = batch  # see test_ignored_entries_never_count
        if row.arguments.get("axis") == 1:
            data = row.sample((*batch, 3), seed)
            shape = (*batch, 3) if shape == batch else shape if shape in (None, ()) else (*batch, 1)
        if row.name in ("F1Score", "FBetaScore") and shape is not None:
            shape = batch  # Keras broadcasts others to axes that are not there
        weight = weights(shape, seed, ours.dtype)
        state = ours.update(state, *data, weight)
        with asking_keras():
            theirs.update_state(*data, sample_weight=weight)
            close(ours.result(state), theirs.result())


@pytest.mark.parametrize(
    "name", ["Mean", "Sum", "MeanSquaredError", "RootMeanSquaredError", "SparseCategoricalAccuracy"]
)
@pytest.mark.parametrize("shape", [None, (), (4,), (4, 1), (4, 3)], ids=str)
def test_values_of_higher_rank_and_weights_of_every_rank(name, shape):
    row = next(row for row in ROWS if row.name == name)
    data, weight = row.sample((4, 3), 5), weights(shape, 5)
    with asking_keras():
        theirs = row.make(keras.metrics)(*data, sample_weight=weight)
    close(row.make()(*data, weight), theirs)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_merging_the_parts_is_updating_with_all(row):
    metric = row.make()
    first, second = ((*row.sample((4,), seed), weights((4,), seed, metric.dtype)) for seed in (0, 1))
    both = metric.update(metric.update(metric.init(), *first), *second)
    parts = [metric.update(metric.init(), *part) for part in (first, second)]
    assert_close(metric.result(metric.merge(*parts)), metric.result(both))
    merged = metric.merge(metric.init(), both)
    assert merged.keys() == both.keys()
    for key in both:
        assert_close(merged[key], both[key], ulps=0)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_configs_go_both_ways(row):
    ours = row.make()
    with asking_keras():
        theirs = row.make(keras.metrics, name=ours.name)  # Keras numbers names that are not given
        read_by_keras = keras.metrics.deserialize(metrics.serialize(ours))
        assert type(read_by_keras) is type(theirs)
        keras_config = keras.metrics.serialize(theirs)
    again = metrics.deserialize(metrics.serialize(ours))
    assert vars(again) == vars(ours)
    lost = (
        type(ours).unwritten.keys() & row.arguments.keys() - {"from_sorted_ids"} if hasattr(ours, "unwritten") else ()
    )
    if not lost:  # Keras loses the axis of CosineSimilarity
        config = {
            key: np.asarray(x).tolist() if key == "label_weights" else x for key, x in theirs.get_config().items()
        }
        assert ours.get_config() == config
        assert metrics.deserialize(keras_config).get_config() == ours.get_config()


def test_a_state_is_a_carry_of_scan():
    metric = metrics.get("sparse_categorical_accuracy")
    y_true, y_pred = np.zeros((5, 4), "int32"), np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    state, _ = jax.lax.scan(lambda state, batch: (metric.update(state, *batch), None), metric.init(), (y_true, y_pred))
    assert_close(metric.result(state), metric(y_true, y_pred))


def test_ignored_entries_never_count():
    """Keras counts them as zeros, unless there are sample weights; then its value is ours."""
    y_true, y_pred = np.array([0, 1, 2, 1]), np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    arguments = {"from_logits": True, "ignore_class": 1}
    ours = metrics.SparseCategoricalCrossentropy(**arguments)
    with asking_keras():
        theirs = keras.metrics.SparseCategoricalCrossentropy(**arguments)(y_true, y_pred, sample_weight=np.ones(4))
    for weight in (None, np.ones(4), np.ones((4, 1))):
        close(ours(y_true, y_pred, weight), theirs)
    close(ours(y_true, y_pred), losses.SparseCategoricalCrossentropy(**arguments)(y_true, y_pred))


def test_what_has_weight_zero_may_be_nan():
    y_pred = np.array([[1.0], [np.nan]], "float32")
    assert float(metrics.MeanSquaredError()(np.zeros((2, 1)), y_pred, sample_weight=[1.0, 0.0])) == 1
    assert float(metrics.Sum()(y_pred, sample_weight=[1.0, 0.0])) == 1


def test_a_mask_is_a_weight():
    y_true, y_pred = np.zeros((2, 3)), np.arange(6, dtype="float32").reshape(2, 3)
    mask = np.array([[True, True, False], [False, False, True]])
    weight = losses.apply_mask(np.array([1.0, 2.0]), mask)
    assert_close(metrics.Mean()(y_pred, weight), (0 + 1 + 2 * 5) / 4)
    with pytest.raises(ShapeError, match="sample_weight"):
        metrics.MeanSquaredError()(y_true, y_pred, weight)


def test_class_indices_are_compared_as_integers():
    y_pred = jnp.zeros((1, 300), "bfloat16").at[0, 256].set(1)
    assert float(metrics.sparse_categorical_accuracy([257], y_pred)[0]) == 0  # 257 would round to 256
    assert float(metrics.sparse_categorical_accuracy([256.0], y_pred)[0]) == 1
    assert float(metrics.sparse_categorical_accuracy([[256]], y_pred)[0]) == 1


def test_top_k_at_ties():
    y_pred = np.array([[0.5, 0.5, 0.1]], "float32")
    for label, expected in ((0, 1), (1, 1), (2, 0)):
        assert float(metrics.sparse_top_k_categorical_accuracy([label], y_pred, k=1)[0]) == expected
    assert float(metrics.sparse_top_k_categorical_accuracy([0], np.full((1, 3), np.nan), k=1)[0]) == 0


def test_shapes_that_do_not_fit():
    for metric, y_true, y_pred in [
        (metrics.BinaryAccuracy(), np.zeros(3), np.zeros((3, 3))),
        (metrics.SparseCategoricalAccuracy(), np.zeros(2), np.zeros((3, 3))),
        (metrics.SparseTopKCategoricalAccuracy(), np.zeros(2), np.zeros((3, 3))),
        (metrics.RootMeanSquaredError(), np.zeros(3), np.zeros((3, 3))),
    ]:
        with pytest.raises(ShapeError, match="y_true of shape"):
            metric(y_true, y_pred)


def test_names_mean_what_they_mean_to_keras():
    from keras.src.metrics import ALL_OBJECTS_DICT

    table = metrics.base.FAMILY.table
    assert set(table) == set(ALL_OBJECTS_DICT)
    assert all(table[name].__name__ == ALL_OBJECTS_DICT[name].__name__ for name in table)
    assert metrics.get(None) is None
    assert metrics.get(len) is len
    with pytest.raises(UnknownNameError, match="mean_squared_error"):
        metrics.get("mean_squared_eror")


def test_signatures_are_those_of_keras():
    for name in set(keras.metrics.__dict__) & set(metrics.__all__):
        theirs, ours = getattr(keras.metrics, name), getattr(metrics, name)
        parameters = [
            [(p.name, p.default) for p in inspect.signature(thing).parameters.values()] for thing in (ours, theirs)
        ]
        assert parameters[0] == parameters[1], name
    public = {name for name in vars(keras.metrics) if not name.startswith("_")}
    assert public == set(metrics.__all__) - {"accuracy", "resolve"}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("TopKCategoricalAccuracy", {"k": 0}, "`k` must be a positive integer"),
        ("SparseTopKCategoricalAccuracy", {"k": 2.5}, "`k` must be a positive integer"),
        ("SparseTopKCategoricalAccuracy", {"from_sorted_ids": 1}, "True or False"),
        ("BinaryAccuracy", {"threshold": None}, "a number"),
        ("BinaryCrossentropy", {"label_smoothing": 1.5}, "`label_smoothing`"),
        ("CategoricalCrossentropy", {"label_smoothing": -1}, "`label_smoothing`"),
        ("CategoricalCrossentropy", {"axis": None}, "an int"),
        ("SparseCategoricalCrossentropy", {"ignore_class": "0"}, "an int or None"),
        ("CosineSimilarity", {"axis": True}, "an int"),
        ("MeanMetricWrapper", {"fn": 3}, "function"),
        ("Mean", {"name": 3}, "name"),
        ("Mean", {"dtype": "float33"}, "float33"),
    ],
    ids=str,
)
def test_bad_arguments_raise_at_construction(name, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(metrics, name)(**arguments)


def test_a_metric_that_lacks_a_method_says_which():
    metric = metrics.Metric()
    for call in (metric.init, lambda: metric.update({}), lambda: metric.result({}), lambda: metric.merge({}, {})):
        with pytest.raises(MissingCallError, match="def "):
            call()


def test_directions():
    for name in ("Accuracy", "CosineSimilarity", "TopKCategoricalAccuracy"):
        assert getattr(metrics, name)().direction == "up"
    for metric in (metrics.MeanSquaredError(), metrics.MeanMetricWrapper(losses.mean_squared_error)):
        assert metric.direction == "down"
    assert metrics.Mean().direction is None


SHAPES = [((8, 1), (8, 1)), ((8,), (8, 1)), ((8,), (8, 3)), ((8, 1), (8, 3)), ((8, 3), (8, 3)), ((8, 5), (8, 5, 3))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_resolution_is_that_of_keras(shapes):
    def custom(y_true, y_pred):
        return jnp.zeros(len(y_pred))

    arrays = [np.zeros(shape) for shape in shapes]
    for identifier in ("accuracy", "acc", "Acc", "mse", "MeanAbsoluteError", custom, "binary_accuracy"):
        ours = metrics.resolve(identifier, *shapes)
        theirs = keras_get_metric(identifier, *arrays)
        assert (type(ours).__name__, ours.name) == (type(theirs).__name__, theirs.name)
    given = metrics.Mean()
    assert metrics.resolve(given, *shapes) is given


def test_crossentropy_as_a_metric_depends_on_shapes():
    kinds = ["Binary", "Binary", "SparseCategorical", "SparseCategorical", "Categorical", "SparseCategorical"]
    for shapes, kind in zip(SHAPES, kinds, strict=True):
        metric = metrics.resolve("crossentropy", *shapes)
        assert (type(metric).__name__, metric.name) == (f"{kind}Crossentropy", "crossentropy")
        assert metrics.resolve("ce", *shapes).name == "ce"


def test_a_loss_may_serve_as_a_metric():
    metric = metrics.resolve(losses.Huber(name="robust"), (8, 1), (8, 1))
    assert metric.name == "robust"
    assert float(metric(np.zeros((2, 1)), np.ones((2, 1)))) == 0.5


def test_what_resolves_to_no_metric():
    for identifier in (None, 3, "acuracy"):
        with pytest.raises(ArgumentError):
            metrics.resolve(identifier, (8, 1), (8, 1))


# -- states with an entry per threshold, class or output

STATES = {
    "AUC": metrics.AUC(num_thresholds=20, multi_label=True),
    "Precision": metrics.Precision(thresholds=[0.8, 0.3]),
    "MeanIoU": metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False),
    "F1Score": metrics.F1Score(),
    "R2Score": metrics.R2Score(class_aggregation=None),
}


@pytest.mark.parametrize("metric", STATES.values(), ids=STATES.keys())
def test_parts_in_any_order_are_the_whole(metric):
    """Shards of one batch, on three devices say, updated by `vmap` and merged, are the batch."""
    y_true, y_pred = losses_sample("class probability", (12,), 1)
    parts = y_true.reshape(3, 4, 3), y_pred.reshape(3, 4, 3)
    states = jax.vmap(lambda *part: metric.update(metric.init_for(part[-1]), *part))(*parts)
    one, two, three = (jax.tree.map(lambda leaf: leaf[index], states) for index in range(3))  # noqa: B023
    whole = metric.update(metric.init(), y_true, y_pred)
    for order in ((one, two, three), (three, one, two), (metric.init(), three, two, one)):
        merged = sums.values(functools.reduce(metric.merge, order))
        for key, leaf in sums.values(whole).items():
            # counts are whole numbers, and exact; the moments of R2Score are sums of a dozen terms of order 1
            assert_close(merged[key], leaf, ulps=16 if isinstance(metric, metrics.R2Score) else 0)


@pytest.mark.parametrize("metric", STATES.values(), ids=STATES.keys())
def test_the_state_for_predictions_is_a_carry_of_scan(metric):
    y_true, y_pred = losses_sample("class probability", (2, 4), 1)
    start = metric.init_for(jax.ShapeDtypeStruct(y_pred.shape[1:], "float32"))
    state, _ = jax.lax.scan(lambda state, batch: (metric.update(state, *batch), None), start, (y_true, y_pred))
    assert_close(metric.result(state), metric(y_true.reshape(8, 3), y_pred.reshape(8, 3)))


def test_scores_on_thresholds():
    """A score that equals a threshold does not exceed it; NaN exceeds none."""
    y_pred = np.array([0.0, 0.25, 0.5, 0.75, 1.0, np.nan], "float32")
    for thresholds in ([0.0, 0.5, 1.0], [0.0, 0.5, 0.75], [1.0, 0.75, 0.5, *np.linspace(0, 0.45, 20).tolist()]):
        metric = metrics.TruePositives(thresholds=thresholds)
        assert metric.thresholds == thresholds
        expected = [np.sum(y_pred > np.float32(threshold)) for threshold in thresholds]
        assert metric(np.ones(6), y_pred).tolist() == expected


def test_counts_stay_exact_where_sums_of_ones_would_not():
    metric = metrics.TruePositives()
    state = {**metric.init(), "positives": jnp.array([0.0, 2.0**24], "float32")}
    state = metric.merge(state, {**metric.init(), "positives": jnp.array([0.0, 2.0], "float32")})
    assert float(metric.result(state)) == 2**24 + 2
    pixels = metrics.MeanIoU(2).init()["confusion"]
    assert pixels.dtype == "int32"


def test_weights_weigh_whatever_axes_they_have():
    y_true, y_pred = losses_sample("binary probability", (4,), 0)
    weight = np.array([1.0, 0.0, 2.0, 0.5], "float32")
    for metric in (
        metrics.Precision(thresholds=0.4),
        metrics.AUC(num_thresholds=5),
        metrics.BinaryIoU(dtype="float32"),
    ):
        values = [metric(y_true, y_pred, w) for w in (weight, weight[:, None], np.repeat(weight[:, None], 3, axis=1))]
        assert_close(values[1], values[0], ulps=0)
        assert_close(values[2], values[0], ulps=0)
        with pytest.raises(ShapeError, match="sample_weight"):
            metric(y_true, y_pred, weight[:3])


def test_an_r2_score_far_from_zero_keeps_its_digits():
    """The labels' squares are 1e8 times their variation; Keras subtracts such sums."""
    y_true = np.array([[1e4 - 1], [1e4], [1e4 + 1], [1e4 + 2]], "float32")
    y_pred = y_true + np.array([[0.5], [0.0], [0.5], [0.0]], "float32")
    # 1 - 0.5 / 5; the mean 10000.5 is exact
    assert_close(metrics.R2Score()(y_true, y_pred), 0.9)
    metric = metrics.R2Score()
    parts = [metric.update(metric.init(), y_true[i : i + 1], y_pred[i : i + 1]) for i in range(4)]
    assert_close(metric.result(functools.reduce(metric.merge, parts)), 0.9)
    assert float(metrics.R2Score()(np.ones((3, 1)), np.ones((3, 1)))) == 0
    assert_close(metrics.R2Score(num_regressors=9)(y_true, y_pred), 0.9)  # not adjusted: 9 predictors of 4 labels


def test_correlation_of_what_does_not_vary():
    constant, varied = np.ones((1, 3), "float32"), np.array([[1.0, 2.0, 3.0]], "float32")
    assert np.isnan(metrics.pearson_correlation(constant, varied))
    assert float(metrics.concordance_correlation(constant, varied)[0]) == 0
    both = np.stack([varied, varied])
    assert_close(metrics.pearson_correlation(both, both + 1, axis=(1, 2)), np.ones(2))


def test_whole_numbers_are_not_weighed_with_fractions():
    with pytest.raises(ArgumentError, match=r'MeanIoU\(\.\.\., dtype="float32"\)'):
        metrics.MeanIoU(2)([0, 1], [0, 1], sample_weight=[0.5, 1.0])
    assert_close(metrics.MeanIoU(2)([0, 1], [0, 1], sample_weight=[True, False]), 1)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_a_state_that_has_seen_what_is_no_class_has_no_result(dtype):
    """Inside a compiled function, where nothing can be refused; whatever is merged with it."""
    metric = metrics.MeanIoU(2, dtype=dtype)
    right = metric.update(metric.init(), [0, 1], [0, 1])
    for pair in (([0, 7], [0, 1]), ([0, 1], [0, -1])):
        wrong = jax.jit(metric.update)(metric.init(), *map(np.array, pair))
        for order in ((wrong, right), (right, wrong), (wrong, wrong)):
            assert np.isnan(metric.result(metric.merge(metric.merge(*order), right)))


THRESHOLDED = [
    ("AUC", {"num_thresholds": 1}, "`num_thresholds` must be at least 2"),
    ("AUC", {"curve": "DET"}, "'ROC', 'PR' or 'PRGAIN'"),
    ("AUC", {"summation_method": "trapezoid"}, "interpolation"),
    ("AUC", {"thresholds": [0.5, 1.5]}, r"\[0, 1\]"),
    ("AUC", {"num_labels": 3}, "multi_label"),
    ("AUC", {"label_weights": [1.0, -1.0]}, "numbers >= 0"),
    ("AUC", {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 1.0]}, "3 numbers"),
    ("Precision", {"thresholds": -0.1}, r"\[0, 1\]"),
    ("Precision", {"thresholds": []}, r"\[0, 1\]"),
    ("Recall", {"top_k": 0}, "`top_k`"),
    ("Recall", {"class_id": -1}, "`class_id`"),
    ("PrecisionAtRecall", {"recall": 1.5}, "`recall`"),
    (
        "SensitivityAtSpecificity",
        {"specificity": 0.5, "num_thresholds": 0},
        "`num_thresholds` must be a positive integer",
    ),
    ("IoU", {"num_classes": 2, "target_class_ids": [2]}, "from 0 to 1"),
    ("IoU", {"num_classes": 2, "target_class_ids": []}, "from 0 to 1"),
    ("MeanIoU", {"num_classes": 0}, "`num_classes` must be a positive integer"),
    ("BinaryIoU", {"threshold": "0"}, "a number"),
    ("FBetaScore", {"average": "mean"}, "micro"),
    ("FBetaScore", {"beta": 0.0}, "`beta` must be a float > 0"),
    ("F1Score", {"threshold": 1.5}, "`threshold`"),
    ("R2Score", {"class_aggregation": "mean"}, "uniform_average"),
    ("R2Score", {"num_regressors": -1}, "`num_regressors`"),
    ("PearsonCorrelation", {"axis": 0.5}, "an int"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), THRESHOLDED, ids=str)
def test_bad_arguments_of_metrics_of_decisions(name, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(metrics, name)(**arguments)


def test_shapes_that_do_not_fit_decisions():
    flat, wide = np.zeros(4), np.zeros((4, 3))
    for metric, y_true, y_pred, message in [
        (metrics.Precision(), flat, wide, "y_true of shape"),
        (metrics.Precision(top_k=4), wide, wide, "top_k=4"),
        (metrics.Recall(class_id=3), wide, wide, "class_id=3"),
        (metrics.AUC(multi_label=True), flat, flat, r"\(b, labels\)"),
        (metrics.AUC(multi_label=True, num_labels=2), wide, wide, r"\(b, 2\)"),
        (metrics.AUC(label_weights=[1.0, 1.0]), wide, wide, r"\(\.\.\., 2\)"),
        (metrics.MeanIoU(2), flat, wide, "labels of shape"),
        (metrics.F1Score(), flat, flat, r"\(b, outputs\)"),
        (metrics.R2Score(), flat, flat, r"\(b, outputs\)"),
    ]:
        with pytest.raises(ShapeError, match=message):
            metric(y_true, y_pred)


def test_a_name_that_needs_arguments_says_so():
    for ask in (metrics.get, lambda name: metrics.resolve(name, (8, 3), (8, 3))):
        with pytest.raises(ArgumentError, match=r"MeanIoU\(num_classes=\.\.\.\)"):
            ask("mean_io_u")
