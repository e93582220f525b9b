"""Losses where a formula divides by 0 or subtracts infinities: values are the limits, derivatives are finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import losses, metrics, ops
from tests.oracle import assert_close
from tests.tables import compiled

INF, LOG2 = np.inf, float(np.log(2))
LOGITS = {"from_logits": True}
FOCAL = {"from_logits": True, "alpha": 1.0, "gamma": 0.5}
SMALL = -float(np.log(1e-7))  # of a probability that is clipped to epsilon

CERTAIN = [[INF, 0.0, 1.0], [0.0, -INF, -INF], [INF, -INF, 0.0]]
SIZES = [[size, -size] for size in (0.0, 10.0, 20.0, 60.0, 200.0)]
# loss, arguments, labels, predictions, value; gradients and second derivatives are finite
LIMITS = [
    ("CategoricalCrossentropy", LOGITS, [[1.0, 0.0, 0.0]] * 3, CERTAIN, 0.0),
    ("SparseCategoricalCrossentropy", LOGITS, [0] * 3, CERTAIN, 0.0),
    ("CategoricalFocalCrossentropy", FOCAL, [[1.0, 0.0, 0.0]] * 3, CERTAIN, 0.0),
    ("CategoricalCrossentropy", LOGITS, [[0.5, 0.5, 0.0]], [[0.0, 0.0, -INF]], LOG2),
    ("CategoricalCrossentropy", LOGITS, [[0.0, 1.0]], [[-INF, -INF]], LOG2),
    ("SparseCategoricalCrossentropy", LOGITS, [1], [[-INF, -INF]], LOG2),
    ("CategoricalHinge", {}, [[1.0, 0.0, 0.0]], [[3.0, -INF, 1.0]], 0.0),
    ("BinaryCrossentropy", LOGITS, [[1.0, 0.0]], [[INF, -INF]], 0.0),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 0.5}, [[1.0, 0.0]], [[INF, -INF]], 0.0),
    *(
        ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": gamma}, [[1.0, 0.0]] * 5, SIZES, None)
        for gamma in (0.0, 0.3, 0.9, 1.0, 1.5)
    ),
    *(("BinaryFocalCrossentropy", {"gamma": gamma}, [[1.0, 0.0]], [[1.0, 0.0]], None) for gamma in (0.0, 0.3)),
    ("CategoricalFocalCrossentropy", {"gamma": 0.3}, [[1.0, 0.0]], [[1.0, 0.0]], None),
    ("CategoricalCrossentropy", {}, [[0.0, 1.0]], [[0.0, 0.0]], SMALL),
    ("CategoricalFocalCrossentropy", {"alpha": 1.0, "gamma": 0.5}, [[0.0, 1.0]], [[0.0, 0.0]], SMALL),
    ("SparseCategoricalCrossentropy", {}, [1], [[0.0, 0.0]], SMALL),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.5}, [1], [[1.0, 0.0]], 2.0),
    ("KLDivergence", {}, [[0.0, 1.0]], [[0.0, 1.0]], 0.0),
    ("CosineSimilarity", {}, [[1.0, 2.0]], [[0.0, 0.0]], 0.0),
    ("CosineSimilarity", {}, [[0.0, 0.0]], [[0.0, 0.0]], 0.0),
    ("Dice", {}, [[0.0, 0.0]], [[0.0, 0.0]], 1.0),
    ("Tversky", {}, [[0.0, 0.0]], [[0.0, 0.0]], 1.0),
    ("Circle", {}, [0, 1], [[1.0, 0.0], [0.0, 1.0]], 0.0),
    ("CTC", {}, [[1, 2]], [[[-INF, 0.0, -INF], [-INF, -INF, 0.0]]], 0.0),
]


def test_limits():
    data = [(np.asarray(y, "int32" if np.asarray(y).dtype.kind == "i" else "float32"), p) for _, _, y, p, _ in LIMITS]

    def table(predictions):
        found = []
        for (name, arguments, *_), (labels, _), y_pred in zip(LIMITS, data, predictions, strict=True):
            loss = getattr(losses, name)(**arguments)

            def value(y_pred, loss=loss, labels=labels):
                return loss(labels, y_pred)

            found.append((value(y_pred), jax.jvp(jax.grad(value), (y_pred,), (jnp.ones_like(y_pred),))))
        return found

    found = compiled(table)([np.asarray(each, "float32") for _, each in data])
    for (value, derivatives), (name, arguments, *_, expected) in zip(found, LIMITS, strict=True):
        label = f"{name} {arguments}"
        assert np.isfinite(value), label
        assert all(np.isfinite(each).all() for each in derivatives), label
        if expected is not None:
            np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=label)


@pytest.mark.parametrize("label", [0, 1])
def test_a_prediction_that_is_wrong_for_certain_costs_infinity(label):
    logits, one_hot = jnp.array([[INF, 0.0] if label else [-INF, 0.0]]), jnp.eye(2)[jnp.array([label])]
    assert np.isposinf(losses.CategoricalCrossentropy(**LOGITS)(one_hot, logits))
    assert np.isposinf(losses.SparseCategoricalCrossentropy(**LOGITS)([label], logits))
    assert np.isposinf(losses.BinaryCrossentropy(**LOGITS)([[1.0 - label]], [[INF if label else -INF]]))


def test_limits_of_operations_and_metrics():
    one_hot, logits, zeros = jnp.array([[0.0, 1.0]]), jnp.array([[-INF, 1.0]]), jnp.zeros((1, 2))
    assert_close(ops.categorical_crossentropy(one_hot, logits, from_logits=True), [0.0])
    assert_close(ops.sparse_categorical_crossentropy(jnp.array([1]), logits, from_logits=True), [0.0])
    assert_close(ops.binary_crossentropy(one_hot, jnp.array([[-INF, INF]]), from_logits=True), [[0.0, 0.0]])
    assert_close(ops.categorical_crossentropy(one_hot, zeros), [SMALL])
    assert_close(ops.sparse_categorical_crossentropy(jnp.array([1]), zeros), [SMALL])
    assert_close(metrics.CategoricalCrossentropy(from_logits=True)(one_hot, logits), 0.0)
    assert_close(metrics.BinaryCrossentropy(from_logits=True)(one_hot, jnp.array([[-INF, INF]])), 0.0)
    assert_close(metrics.SparseCategoricalCrossentropy()([1], zeros), SMALL)
    gradient = jax.grad(lambda y: metrics.RootMeanSquaredError()(one_hot, y))(one_hot)
    assert not np.any(gradient)


def test_focal_losses_of_few_misses_keep_their_precision():
    # a float32 of 1 - sigmoid(20) is 0, the miss is exp(-20)
    value, gradient = jax.value_and_grad(lambda z: losses.BinaryFocalCrossentropy(gamma=0.5, **LOGITS)([[1.0]], z))(
        jnp.array([[20.0]])
    )
    np.testing.assert_allclose(value, np.exp(-30.0), rtol=1e-5)
    np.testing.assert_allclose(gradient, [[-1.5 * np.exp(-30.0)]], rtol=1e-5)
