"""Losses against Keras, and what is our own: masks as arguments, integer labels, labels looked at beforehand."""

import inspect
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from keras.src.backend import set_keras_mask
from keras.src.losses.losses import LossFunctionWrapper as KerasWrapper
from keras.src.trainers.compile_utils import get_loss as keras_get_loss

from jkeras import losses, metrics, ops
from jkeras.errors import ArgumentError, DataError, MissingCallError, ShapeError, UnknownNameError
from tests.descriptors.losses import BESIDE_KERAS, NAMED, ROWS, sample
from tests.oracle import EPS32, asking_keras, assert_close, keras

THEIRS = types.SimpleNamespace(**{**vars(keras.losses), "LossFunctionWrapper": KerasWrapper})
REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)
# In Keras's module, but not in the table of its `get`.
UNLISTED = {"CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy"}


def value_and_gradient(loss, y_true, y_pred):
    """The values of a loss, and the gradient of their sum with respect to the predictions."""

    def total(y_true, y_pred):
        values = loss(y_true, y_pred)
        return jnp.sum(values), values

    (_, values), gradient = jax.jit(jax.value_and_grad(total, argnums=1, has_aux=True))(y_true, y_pred)
    return values, gradient


def close(ours, theirs, what):
    # one sample is a dozen elementwise operations and a sum of three; 64 roundings of the largest value cover
    # logarithms that cancel (log-cosh, Kullback-Leibler)
    assert_close(ours, theirs, scale=max(1.0, float(np.abs(theirs).max())), err_msg=what)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_gradients_are_those_of_keras(row):
    y = sample(row.kind, (4, 3))
    ours = value_and_gradient(row.make(reduction=None), *y)
    with asking_keras():
        theirs = value_and_gradient(row.make(THEIRS, reduction=None), *y)
    for mine, other, what in zip(ours, theirs, ("value", "gradient"), strict=True):
        close(mine, other, what)
    if row.arguments != NAMED:  # whose reduction another row has shown already
        y = sample(row.kind)
        with asking_keras():
            theirs = jax.jit(row.make(THEIRS).__call__)(*y)
        close(jax.jit(row.make().__call__)(*y), theirs, "reduced")


# (values of shape (4, 3)): the shape of the weights, and the shape in which Keras takes the same ones
WEIGHTS = {
    "none": None,
    "scalar": (),
    "sample": (4,),
    "sample, kept": (4, 1),
    "entry": (4, 3),
    "entry, kept": (4, 3, 1),
}


@pytest.mark.parametrize("mask_shape", [None, (4, 3), (4, 1)], ids=str)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_masks_and_reductions_are_those_of_keras(weights, mask_shape):
    random = np.random.default_rng(1)
    y_true, y_pred = (random.normal(size=(4, 3, 2)).astype("float32") for _ in range(2))
    shape = WEIGHTS[weights]
    weight = None if shape is None else random.uniform(0.5, 2, shape).astype("float32")
    mask = None if mask_shape is None else random.integers(0, 2, mask_shape).astype(bool)
    if mask is not None:
        mask[0] = True
        mask[1] = False
    # Keras lines (4,) up with the last axis of (4, 3), and fails; ours are weights of samples
    theirs_weight = weight[:, None] if weights == "sample" else weight
    for reduction in REDUCTIONS:
        ours = losses.MeanSquaredError(reduction)(y_true, y_pred, weight, mask=mask)
        with asking_keras():
            masked = jnp.asarray(y_pred)
            if mask is not None:
                set_keras_mask(masked, jnp.asarray(mask))
            theirs = keras.losses.MeanSquaredError(reduction)(y_true, masked, theirs_weight)
        assert_close(ours, theirs, err_msg=str(reduction))  # a sum of 24 squares


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=str)
def test_gradients_under_weights_and_a_mask_are_those_of_keras(reduction):
    random = np.random.default_rng(2)
    y_true, y_pred = (random.normal(size=(4, 3, 2)).astype("float32") for _ in range(2))
    weight, mask = random.uniform(0.5, 2, (4, 3)).astype("float32"), random.integers(0, 2, (4, 3)).astype(bool)

    def theirs(y_true, y_pred):
        set_keras_mask(y_pred, jnp.asarray(mask))
        return keras.losses.Huber(reduction=reduction)(y_true, y_pred, weight)

    def ours(y_true, y_pred):
        return losses.Huber(reduction=reduction)(y_true, y_pred, weight, mask=mask)

    _, gradient = value_and_gradient(ours, y_true, y_pred)
    with asking_keras():
        _, expected = value_and_gradient(theirs, y_true, y_pred)
    assert np.any(gradient)
    assert not np.any(np.asarray(gradient)[~mask])
    assert_close(gradient, expected)


def test_weights_of_rank_one_values():
    y_true, y_pred = sample("real")
    weight = np.array([1.0, 0.0, 2.0, 0.5], "float32")
    for reduction in REDUCTIONS:
        for shape in ((4,), (4, 1)):
            ours = losses.MeanAbsoluteError(reduction)(y_true, y_pred, weight.reshape(shape))
            with asking_keras():
                theirs = keras.losses.MeanAbsoluteError(reduction)(y_true, y_pred, weight.reshape(shape))
            assert_close(ours, theirs, err_msg=f"{reduction} {shape}")


def test_ignored_classes_masks_and_weights_together():
    y_true, y_pred = sample("index logit", (4, 3))
    mask = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
    weight = np.linspace(0.5, 2, 12, dtype="float32").reshape(4, 3)
    for reduction in REDUCTIONS:
        arguments = {"from_logits": True, "ignore_class": 1, "reduction": reduction}
        ours = losses.SparseCategoricalCrossentropy(**arguments)(y_true, y_pred, weight, mask=mask)
        with asking_keras():
            masked = jnp.asarray(y_pred)
            set_keras_mask(masked, jnp.asarray(mask))
            theirs = keras.losses.SparseCategoricalCrossentropy(**arguments)(y_true, masked, weight)
        assert_close(ours, theirs, err_msg=str(reduction))


def test_a_mean_of_nothing_is_zero():
    y = np.ones((2, 3), "float32")
    for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"):
        loss = losses.MeanSquaredError(reduction)
        assert float(loss(y, 2 * y, mask=np.zeros(2, bool))) == 0
        assert float(loss(y[:0], y[:0])) == 0


def test_what_is_masked_may_be_nan():
    y_true, y_pred = np.zeros((2, 3), "float32"), np.array([[1, 1, 1], [np.nan] * 3], "float32")
    assert float(losses.MeanSquaredError()(y_true, y_pred, mask=[True, False])) == 1
    assert float(losses.MeanSquaredError("sum")(y_true, y_pred, sample_weight=[1.0, 0.0])) == 1
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    value, gradient = value_and_gradient(loss, np.array([0, -1]), y_pred)
    assert_close(value, np.log(3.0))
    assert np.isfinite(gradient).all()
    assert not np.any(gradient[1])


def test_trees_of_labels_and_predictions_reach_the_function_as_trees():
    def both(y_true, y_pred):
        return jnp.mean(jnp.square(y_true["a"] - y_pred["a"]), -1) + jnp.mean(jnp.abs(y_true["b"] - y_pred["b"]), -1)

    random = np.random.default_rng(0)
    y_true = {"a": random.normal(size=(4,)).astype("float32"), "b": random.normal(size=(4, 3)).astype("float32")}
    y_pred = {"a": random.normal(size=(4, 1)).astype("float32"), "b": random.normal(size=(4, 3)).astype("float32")}
    ours = losses.LossFunctionWrapper(both)(y_true, y_pred)
    with asking_keras():
        theirs = KerasWrapper(both)(y_true, y_pred)
    assert_close(ours, theirs)


def test_ranks_are_matched_and_never_broadcast():
    column = np.arange(4, dtype="float32").reshape(4, 1)
    assert float(losses.MeanSquaredError()(column[:, 0], column)) == 0
    for loss in (losses.MeanSquaredError(), losses.BinaryCrossentropy(), losses.Hinge()):
        with pytest.raises(ShapeError, match="y_true of shape"):
            loss(np.ones(3, "float32"), np.ones((3, 3), "float32"))
    with pytest.raises(ShapeError):
        losses.CategoricalCrossentropy()(np.ones((4, 1), "float32"), np.ones((4, 3), "float32"))
    with pytest.raises(ShapeError, match="CategoricalCrossentropy"):
        losses.SparseCategoricalCrossentropy()(np.ones((4, 3)), np.ones((4, 3), "float32"))
    with pytest.raises(ShapeError, match="sample_weight"):
        losses.MeanSquaredError()(column, column, sample_weight=np.ones((4, 3)))


def test_labels_never_pass_through_a_float():
    # 257 is no bfloat16, and 16 777 217 no float32
    y_pred = jnp.zeros((1, 300)).at[0, 257].set(5.0)
    right = losses.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")([257], y_pred)
    assert float(right) < float(jnp.log(300.0)) - 3
    for label, read in ((2**24 + 1, 2**24 + 1), (2**32 + 1, 2**31 - 1)):  # the second is 1 in the last 32 bits
        with pytest.raises(DataError, match=rf"0 <= label < 3\n.* label {read} at index 0"):
            losses.sparse_categorical_crossentropy(np.array([label, 0]), jnp.zeros((2, 3)), from_logits=True)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused_and_in_a_program_gives_nan(label):
    """Every function and class that takes class indices."""
    labels, scores = np.array([0, label]), jnp.full((2, 3), 0.3)
    sequences = np.array([[1, 2], [label if label > 0 else -2, 1]]), jnp.zeros((2, 4, 3))  # -1 is padding
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=7)
    for function, y_true, y_pred in (
        (losses.sparse_categorical_crossentropy, labels, scores),
        (lambda *y: losses.sparse_categorical_crossentropy(*y, from_logits=True), labels, scores),
        (lambda *y: losses.categorical_generalized_cross_entropy(*y, 0.5), labels, scores),
        (losses.SparseCategoricalCrossentropy(reduction=None), labels, scores),
        (losses.LossFunctionWrapper(losses.sparse_categorical_crossentropy), labels, scores),
        (ignoring, labels, scores),
        (losses.CategoricalGeneralizedCrossEntropy(), labels, scores),
        (ops.sparse_categorical_crossentropy, labels, scores),
        (metrics.sparse_categorical_accuracy, labels, scores),
        (lambda *y: metrics.sparse_top_k_categorical_accuracy(*y, k=2), labels, scores),
        (metrics.SparseCategoricalCrossentropy(), labels, scores),
        (metrics.SparseCategoricalAccuracy(), labels, scores),
        (metrics.SparseTopKCategoricalAccuracy(k=2), labels, scores),
        (metrics.IoU(3, [0], sparse_y_pred=False), labels, scores),
        (metrics.MeanIoU(3), labels, np.array([0, 1])),
        (metrics.MeanIoU(3), np.array([0, 1]), labels),
        (metrics.MeanIoU(3, dtype="float32"), labels, np.array([0, 1])),
        (metrics.BinaryIoU(), labels, scores[:, 0]),
        (losses.ctc, *sequences),
        (losses.CTC(), *sequences),
        (lambda *y: ops.ctc_loss(*y, np.array([2, 1]), np.array([4, 4])), *sequences),
    ):
        with pytest.raises(DataError, match=r"(?s)0 <= (label|prediction) < .*at index"):
            function(y_true, y_pred)
        assert np.isnan(np.asarray(jax.jit(function)(y_true, y_pred)).ravel()[-1])


def test_labels_that_do_not_count_may_be_anything():
    labels, scores, weight = np.array([0, 9]), jnp.full((2, 3), 0.3), np.array([1, 0])
    for thing in (
        losses.SparseCategoricalCrossentropy(),
        metrics.SparseCategoricalAccuracy(),
        metrics.SparseTopKCategoricalAccuracy(k=1),
        metrics.SparseCategoricalCrossentropy(),
        metrics.MeanIoU(3, sparse_y_pred=False),
    ):
        assert np.isfinite(thing(labels, scores, weight))
    assert np.isfinite(losses.SparseCategoricalCrossentropy(ignore_class=9)(labels, scores))
    assert np.isfinite(metrics.MeanIoU(3, sparse_y_pred=False, ignore_class=9)(labels, scores))


def test_labels_of_ctc_end_with_the_blank_or_minus_one():
    labels, logits = np.array([[1, 2, 0], [2, 0, 0]]), sample("sequence")[1][:2]
    for function in (losses.ctc, jax.jit(losses.ctc)):
        assert_close(function(np.where(labels == 0, -1, labels), logits), function(labels, logits), ulps=0)
    for wrong in ([[1, 0, 2], [1, 1, 1]], [[1, -1, 2], [1, 1, 1]]):
        with pytest.raises(DataError, match="before the end"):
            losses.CTC().validate(np.array(wrong), (2, 5, 3))
    with pytest.raises(DataError, match=r"label 3 at index \(1, 0\)"):
        losses.LossFunctionWrapper(losses.ctc).validate(np.array([[1, 2], [3, 1]]), (2, 5, 3))


def test_sparse_crossentropy_is_that_of_optax_and_its_gradient_scatters_nothing():
    labels, logits = sample("index logit", (5,))
    ours = value_and_gradient(losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None), labels, logits)
    theirs = value_and_gradient(
        lambda y, x: optax.losses.softmax_cross_entropy_with_integer_labels(x, y), labels, logits
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    program = jax.jit(jax.grad(lambda x: loss(labels, x))).lower(logits).as_text()
    assert "scatter" not in program
    jvp = jax.jvp(lambda x: loss(labels, x), (logits,), (np.ones_like(logits),))[1]
    assert abs(float(jvp)) <= 8 * EPS32  # the loss does not change when all logits rise together


def test_classes_on_another_axis():
    labels, logits = sample("index logit", (4, 2))
    one_hot = np.eye(3, dtype="float32")[labels]
    moved = np.moveaxis(logits, -1, 1)
    for arguments in ({"from_logits": True}, {"from_logits": True, "label_smoothing": 0.2}):
        last = losses.categorical_crossentropy(one_hot, logits, **arguments)
        assert_close(losses.categorical_crossentropy(np.moveaxis(one_hot, -1, 1), moved, axis=1, **arguments), last)
    last = losses.sparse_categorical_crossentropy(labels, logits, from_logits=True, ignore_class=1)
    ours = losses.sparse_categorical_crossentropy(labels, moved, from_logits=True, ignore_class=1, axis=1)
    assert_close(ours, last)


def test_logits_of_any_size_are_exact():
    logits = np.array([[-1000.0], [1000.0], [0.0]], "float32")
    value, gradient = value_and_gradient(
        losses.BinaryCrossentropy(from_logits=True, reduction=None), np.ones((3, 1), "float32"), logits
    )
    np.testing.assert_allclose(value, [1000.0, 0.0, np.log(2.0)], rtol=4 * EPS32)
    np.testing.assert_allclose(gradient[:, 0], [-1.0, 0.0, -0.5], rtol=4 * EPS32)
    for loss in (
        losses.BinaryFocalCrossentropy(from_logits=True),
        losses.CategoricalFocalCrossentropy(from_logits=True),
    ):
        value, gradient = value_and_gradient(loss, np.eye(3, dtype="float32"), 1000 * np.eye(3, dtype="float32") - 500)
        assert float(value) == 0
        assert np.isfinite(gradient).all()


def test_half_precision_probabilities_of_zero_and_one_stay_finite():
    for dtype in ("float16", "bfloat16"):
        y_true, y_pred = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]], dtype)
        for function in (losses.binary_crossentropy, losses.categorical_crossentropy, losses.kl_divergence):
            values = function(y_true, y_pred)
            assert values.dtype == dtype
            assert np.isfinite(np.asarray(values, "float32")).all()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_configs_go_both_ways(row):
    ours = row.make()
    with asking_keras():
        theirs = row.make(THEIRS)
        if row.name not in UNLISTED:  # these Keras cannot read, not even its own
            assert keras.losses.deserialize(losses.serialize(ours)).get_config() == theirs.get_config()
    read_by_us = losses.deserialize(keras.losses.serialize(theirs))
    assert type(read_by_us) is type(ours)
    ours_again = losses.deserialize(losses.serialize(ours))
    assert vars(ours_again) == vars(ours)
    if not type(ours).unwritten.keys() & row.arguments.keys():  # Keras loses these
        assert read_by_us.get_config() == ours.get_config()
        assert ours.get_config() == theirs.get_config()


def test_arguments_that_keras_loses_in_configs_survive_here():
    with asking_keras():
        theirs = keras.losses.deserialize(losses.serialize(losses.Huber(delta=0.25)))
    assert theirs._fn_kwargs == {"delta": 0.25}
    assert losses.deserialize(losses.serialize(losses.CosineSimilarity(axis=1))).arguments == {"axis": 1}
    assert losses.deserialize(losses.serialize(losses.MeanSquaredError(dtype="bfloat16"))).dtype == "bfloat16"


def test_names_mean_what_they_mean_to_keras():
    from keras.src.losses import ALL_OBJECTS_DICT

    assert set(losses.base.FAMILY.table) == set(ALL_OBJECTS_DICT) | UNLISTED | BESIDE_KERAS
    for name in set(ALL_OBJECTS_DICT) - {"LossFunctionWrapper"}:
        ours, theirs = losses.get(name), keras.losses.get(name)
        assert inspect.isfunction(ours) == inspect.isfunction(theirs), name
        same = (
            ours.__name__ == theirs.__name__
            if inspect.isfunction(ours)
            else type(ours).__name__ == type(theirs).__name__
        )
        assert same, name
    assert losses.get(None) is None
    assert losses.get(len) is len
    assert isinstance(losses.get(losses.Huber), losses.Huber)
    with pytest.raises(UnknownNameError, match=r"^losses\.get: .*\n.*mean_squared_error"):
        losses.get("mean_squared_eror")


def test_signatures_are_those_of_keras():
    for name in set(keras.losses.__dict__) & set(losses.__all__):
        theirs, ours = getattr(keras.losses, name), getattr(losses, name)
        parameters = [
            [(p.name, p.default) for p in inspect.signature(thing).parameters.values()] for thing in (ours, theirs)
        ]
        assert parameters[0] == parameters[1], name
    public = {name for name in vars(keras.losses) if not name.startswith("_")}
    assert public <= set(losses.__all__)


def test_defaults_of_a_loss_of_ones_own():
    class MyLoss(losses.Loss):
        def call(self, y_true, y_pred):
            assert y_true.dtype == y_pred.dtype == "float32"
            return jnp.mean(y_pred - y_true, axis=-1)

    loss = MyLoss()
    assert loss.name == "my_loss"
    assert MyLoss().name == "my_loss"
    assert float(loss(np.array([[1, 2]]), np.array([[2.0, 4.0]]))) == 1.5
    with pytest.raises(MissingCallError, match="def call"):
        losses.Loss()(np.ones(1), np.ones(1))


BAD = [
    ("MeanSquaredError", {"reduction": "sums"}, "reduction"),
    ("MeanSquaredError", {"name": 3}, "name"),
    ("MeanSquaredError", {"dtype": "float33"}, "float33"),
    ("Huber", {"delta": -1.0}, "`delta` must be a number >= 0"),
    ("Huber", {"delta": "1"}, "`delta` must be a number >= 0"),
    ("BinaryCrossentropy", {"label_smoothing": 1.5}, r"must be a number in \[0, 1\]"),
    ("BinaryCrossentropy", {"label_smoothing": -0.1}, r"must be a number in \[0, 1\]"),
    ("BinaryCrossentropy", {"from_logits": "yes"}, "True or False"),
    ("BinaryCrossentropy", {"axis": True}, "an int"),
    ("CategoricalCrossentropy", {"label_smoothing": 2}, r"must be a number in \[0, 1\]"),
    ("CategoricalCrossentropy", {"axis": True}, "an int"),
    ("SparseCategoricalCrossentropy", {"axis": None}, "an int"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0.5}, "an int or None"),
    ("BinaryFocalCrossentropy", {"gamma": -1}, "`gamma` must be a number >= 0"),
    ("BinaryFocalCrossentropy", {"alpha": 2}, "alpha"),
    ("CategoricalFocalCrossentropy", {"gamma": -1}, "`gamma` must be a number >= 0"),
    ("CosineSimilarity", {"axis": 0.5}, "an int"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 1}, r"`q` must be a number in \(0, 1\)"),
    ("Dice", {"axis": [0.5]}, "an int"),
    ("Tversky", {"alpha": -1}, "`alpha` must be a number >= 0"),
    ("Circle", {"margin": 2}, "margin"),
    ("Circle", {"gamma": -1}, "`gamma` must be a number >= 0"),
    ("LossFunctionWrapper", {"fn": 3}, "function"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=str)
def test_bad_arguments_raise_at_construction(name, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(losses, name)(**arguments)


def problem(loss, y_true, y_pred_shape):
    with pytest.raises(DataError) as caught:
        loss.validate(np.asarray(y_true), y_pred_shape, "y['head']")
    assert str(caught.value).startswith("y['head']: ")
    assert len(str(caught.value).splitlines()) <= 6
    return caught.value


def test_validation_names_the_label_that_is_out_of_range():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    error = problem(loss, [[0, 1], [2, 9], [5, 1]], (8, 2, 4))
    assert error.expected == "integers 0 <= label < 4"
    assert error.received == "int64 label 9 at index (1, 1); 2 of 6 are out of range"
    assert error.write.startswith("Dense(10)")
    assert problem(loss, [1, 2, 3], (8, 3)).write.startswith("y['head'] = y['head'] - 1")
    assert "ignore_class=-1" in problem(loss, [1, 2, -1], (8, 3)).write
    assert "from_logits=True" in problem(loss, [0, 255], (8, 3)).write
    error = problem(loss, [0.0, 1.5], (8, 3))
    assert error.received == "float64 label 1.5 at index 1; 1 of 2 are out of range"
    assert error.write.startswith('loss="mse"')


def test_validation_respects_the_ignored_class():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    loss.validate(np.array([0, 255, 2], "uint8"), (8, 3))
    error = problem(loss, [0, 255, 3], (8, 3))
    assert error.expected == "integers 0 <= label < 3 or 255, which is ignored"
    assert error.received == "int64 label 3 at index 2; 1 of 3 are out of range"


def test_validation_points_to_the_loss_that_takes_these_labels():
    sparse, categorical = losses.SparseCategoricalCrossentropy(), losses.CategoricalCrossentropy(from_logits=True)
    assert "jkeras.losses.CategoricalCrossentropy(" in problem(sparse, np.eye(3), (8, 3)).write
    for labels in ([0, 1, 2], [[0], [1], [2]]):
        write = problem(categorical, labels, (8, 3)).write
        assert write == "loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    assert "SparseCategoricalCrossentropy" in problem(losses.BinaryCrossentropy(), [0, 1, 2], (8, 3)).write
    assert "BinaryCrossentropy" in problem(categorical, [[0], [1]], (8, 1)).write
    assert "BinaryCrossentropy" in problem(sparse, [0, 1], (8, 1)).write
    assert problem(losses.MeanSquaredError(), [0.0, 1.0], (8, 3)).expected == "shape (batch, 3)"
    for loss in (losses.Hinge(), losses.Poisson(), losses.Huber(), losses.BinaryFocalCrossentropy()):
        problem(loss, np.zeros((4, 2)), (8, 3))


def test_validation_points_to_labels_or_models_of_the_other_shape():
    loss = losses.MeanSquaredError()
    assert problem(loss, np.zeros((4, 7)), (8, 3)).write.startswith("Dense(7)")
    assert problem(loss, np.zeros((4, 1)), (8, 3)).write.startswith("Dense(1)")
    assert problem(loss, np.zeros((4, 5)), (8, 5, 3)).write.startswith("Dense(1)")
    assert problem(loss, np.zeros((4, 1), int), (8, 3)).write.startswith(
        "y['head'] = jax.nn.one_hot(y['head'].reshape(-1), 3)"
    )
    assert ".reshape(-1, 5), 3)" in problem(loss, np.zeros((4, 5), int), (8, 5, 3)).write
    assert problem(loss, np.zeros((4, 5, 2)), (8, 3)).write is None


def test_a_function_of_the_table_looks_at_labels_as_its_class_does():
    sparse = losses.resolve("sparse_categorical_crossentropy", (8,), (8, 3))
    assert problem(sparse, [0, 3], (8, 3)).received == "int64 label 3 at index 1; 1 of 2 are out of range"
    sparse = losses.LossFunctionWrapper(losses.sparse_categorical_crossentropy, ignore_class=3)
    sparse.validate(np.array([0, 3]), (8, 3))
    assert problem(losses.resolve("mse", (8, 1), (8, 3)), np.zeros((8, 1)), (8, 3)).expected == "shape (batch, 3)"
    losses.LossFunctionWrapper(lambda y_true, y_pred: y_pred).validate(np.zeros((4, 2)), (8, 3))


def test_validation_passes_what_fits():
    for loss, labels, shape in [
        (losses.MeanSquaredError(), np.zeros(4), (8, 1)),
        (losses.MeanSquaredError(), np.zeros((4, 3)), (None, 3)),
        (losses.BinaryCrossentropy(), np.array([0, 1]), (8, 1)),
        (losses.CategoricalCrossentropy(), np.eye(3), (8, 3)),
        (losses.CategoricalFocalCrossentropy(), np.eye(3), (8, 3)),
        (losses.SparseCategoricalCrossentropy(), np.array([0.0, 2.0]), (8, 3)),
        (losses.SparseCategoricalCrossentropy(), np.array([[0], [2]]), (8, 3)),
        (losses.SparseCategoricalCrossentropy(axis=1), np.zeros((4, 5), int), (8, 3, 5)),
        (losses.SparseCategoricalCrossentropy(), np.zeros((0,), int), (8, 3)),
    ]:
        loss.validate(labels, shape)


SHAPES = [((8, 1), (8, 1)), ((8,), (8, 1)), ((8,), (8, 3)), ((8, 1), (8, 3)), ((8, 3), (8, 3)), ((8, 5), (8, 5, 3))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_resolution_is_that_of_keras(shapes):
    def custom(y_true, y_pred):
        return jnp.zeros(len(y_pred))

    arrays = [np.zeros(shape) for shape in shapes]
    for identifier in ("crossentropy", "CE", "mse", "mean_absolute_error", custom, "MeanSquaredError"):
        ours, theirs = losses.resolve(identifier, *shapes), keras_get_loss(identifier, *arrays)
        assert (ours.name, ours.fn.__name__) == (theirs.name, theirs.fn.__name__)
    given = losses.Huber()
    assert losses.resolve(given, *shapes) is given


def test_what_resolves_to_no_loss():
    for identifier in (None, 3):
        with pytest.raises(ArgumentError):
            losses.resolve(identifier, (8, 1), (8, 1))
