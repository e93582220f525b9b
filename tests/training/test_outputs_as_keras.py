"""Losses, weights, metrics and labels in every structure of outputs: Keras's names, numbers and refusals."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers
from jkeras.training.inputs_outputs import Outputs
from tests.oracle import asking_keras
from tests.training.twins import assert_same, histories, twin

RNG = np.random.default_rng(0)
X, A, B, C = (RNG.normal(size=(16, n)).astype("float32") for n in (4, 1, 2, 1))
RAMP = np.linspace(0, 1, 16, dtype="float32")


def network(arrange):
    inputs = jkeras.Input((4,))
    hidden = layers.Dense(3, activation="tanh", name="hidden")(inputs)
    return jkeras.Model(
        inputs, arrange(*(layers.Dense(n, name=name)(hidden) for name, n in zip("abc", (1, 2, 1), strict=True)))
    )


def pair(a, b, c):
    return [a, b]


def named(a, b, c):
    return {"q": b, "p": a}


def nested(a, b, c):
    return [[a, c], b]


def nested_in_a_dict(a, b, c):
    return {"p": [a, c], "q": b}


def one(a, b, c):
    return a


def one_in_a_list(a, b, c):
    return [a]


def one_in_a_dict(a, b, c):
    return {"p": a}


def absolute(y_true, y_pred):
    return abs(y_true - y_pred)


def objects(library):
    return {"loss": {"a": absolute, "b": library.losses.Huber(delta=0.5)}, "loss_weights": {"a": 1.0, "b": 0.25}}


CASES = {
    "lists": (
        pair,
        [A, B],
        {
            "loss": ["mse", "mae"],
            "loss_weights": [1.0, 0.5],
            "metrics": [["mae", "mae"], "mse"],
            "weighted_metrics": [["mae", "mae"], None],
        },
        {"sample_weight": [RAMP, 1 - RAMP]},
    ),
    "dicts, one weight for all": (
        named,
        {"p": A, "q": B},
        {
            "loss": {"p": "mse", "q": "mae"},
            "loss_weights": {"p": 1.0, "q": 2.0},
            "metrics": {"q": ["mse", "mae"]},
            "weighted_metrics": {"q": ["mse"], "p": ["mae"]},
        },
        {"sample_weight": RAMP},
    ),
    "objects and functions by the names of the outputs": (pair, {"b": B, "a": A}, objects, {}),
    "None for an output": (pair, [A], {"loss": ["mse", None]}, {}),
    "nothing for an output": (named, {"p": A}, {"loss": {"p": "mse"}}, {"sample_weight": {"p": RAMP}}),
    "nested, tuples for lists": (nested, ((A, C), B), {"loss": [["mse", "mae"], "mse"]}, {}),
    "nested in a dict": (nested_in_a_dict, {"p": [A, C], "q": B}, {"loss": {"p": ["mse", "mae"], "q": "mse"}}, {}),
    "flat for nested": (nested, [A, C, B], {"loss": ["mse", "mae", "mse"]}, {}),
    "one for all": (nested, [[A, C], B], {"loss": "mse"}, {}),
    "duplicates": (
        one,
        A,
        {"loss": {"a": "mse"}, "metrics": ["mae", "mae", "mse"], "weighted_metrics": ["mae", "mae", "mse"]},
        {"sample_weight": RAMP},
    ),
    "lists in a list": (
        one_in_a_list,
        A,
        {"loss": ["mse"], "loss_weights": [0.5], "metrics": [["mae", "mse"]]},
        {},
    ),
    "by name": (one_in_a_dict, {"p": A}, {"loss": {"p": "mse"}, "metrics": {"p": ["mae"]}}, {}),
}


@pytest.mark.parametrize(("arrange", "y", "arguments", "options"), CASES.values(), ids=CASES.keys())
def test_histories(arrange, y, arguments, options):
    assert_same(*histories(network(arrange), X, y, arguments=arguments, batch_size=8, **options))


def test_outputs_of_any_structure_are_predicted():
    model = network(nested_in_a_dict)
    trainer = jkeras.Trainer(model, loss="mse")
    state = trainer.init(jax.random.key(0))
    copy = twin(model, state.variables)
    y = {"p": [A, C], "q": B}
    with asking_keras():
        copy.compile(loss="mse")
        expected = copy.predict(X, batch_size=5, verbose=0)
        logs = copy.test_on_batch(X, y, return_dict=True)
    ours = trainer.predict(state, X, batch_size=5, verbose=0)
    assert type(ours["p"]) is list
    for found in (ours, trainer.predict_on_batch(state, X)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    found = trainer.test_on_batch(state, X, y)
    assert found.keys() == logs.keys()
    for name, value in logs.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)


REFUSED = {
    "too few weights": ({"loss": ["mse", "mae"], "loss_weights": [1.0]}, "loss_weights", "2 entries", "1 entries"),
    "weight of nothing": (
        {"loss": {"a": "mse", "b": "mse"}, "loss_weights": {"z": 1.0}},
        "loss_weights",
        "one of 'a', 'b'",
        "'z'",
    ),
    "unknown output": ({"loss": {"z": "mse"}}, "loss", "one of 'a', 'b'", "'z'"),
    "too many losses": ({"loss": ["mse", "mae", "mse"]}, "loss", "2 entries, for 'a', 'b'", "3 entries"),
    "too few metrics": ({"loss": "mse", "metrics": ["mae"]}, "metrics", "2 entries", "1 entries"),
    "unknown in weighted_metrics": (
        {"weighted_metrics": {"bb": ["mae"]}},
        "weighted_metrics",
        "'b' (did you mean it?)",
        "'bb'",
    ),
}


@pytest.mark.parametrize(("arguments", "argument", "expected", "received"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_the_outputs(arguments, argument, expected, received):
    model = network(pair)
    with pytest.raises(errors.ArgumentError) as caught:
        jkeras.Trainer(model, "sgd", **arguments).init(jax.random.key(0))
    message = str(caught.value)
    assert message.startswith(f"Trainer({argument}=):") and len(message.splitlines()) <= 6
    for part in (f"expected: {expected}", f"received: {received}", f"{argument}={{'a': ..., 'b': ...}}"):
        assert part in message, message
    variables = model.init(jax.random.key(0))
    with asking_keras():
        copy = twin(model, variables)
        copy.compile("sgd", **arguments)
        with pytest.raises((ValueError, KeyError)):
            copy.fit(X, [A, B], verbose=0)


@pytest.mark.parametrize(
    ("y", "sample_weight", "path"),
    [
        ([A, B, C], None, "y"),
        (A, None, "y"),
        ({"a": A, "z": B}, None, "y"),
        ([A, B], [RAMP, RAMP, RAMP], "sample_weight"),
        ([A, B], {"z": RAMP}, "sample_weight"),
    ],
)
def test_labels_and_weights_that_do_not_fit_the_outputs(y, sample_weight, path):
    trainer = jkeras.Trainer(network(pair), "sgd", "mse")
    with pytest.raises(errors.DataError, match="structured like the model's outputs") as caught:
        trainer.fit(trainer.init(jax.random.key(0)), X, y, sample_weight=sample_weight, verbose=0)
    assert str(caught.value).startswith(f"{path}: ")


def test_class_weights_need_one_output():
    trainer = jkeras.Trainer(network(pair), "sgd", "mse")
    with pytest.raises(errors.ArgumentError, match="one array of labels"):
        trainer.fit(trainer.init(jax.random.key(0)), X, [A, B], class_weight={0: 1.0}, verbose=0)


def test_outputs_of_one_layer_have_names_of_their_own():
    assert list(Outputs([1, 2, 3], ("a", "a", "b")).values) == ["a", "a_1", "b"]


def test_a_metric_may_have_several_results():
    class Range(jkeras.metrics.Metric):
        """The smallest and the largest prediction."""

        def init(self):
            return {"low": np.float32(np.inf), "high": np.float32(-np.inf)}

        def update(self, state, y_true, y_pred, sample_weight=None):
            return self.merge(state, {"low": y_pred.min(), "high": y_pred.max()})

        def merge(self, a, b):
            return {"low": jax.numpy.minimum(a["low"], b["low"]), "high": jax.numpy.maximum(a["high"], b["high"])}

        def result(self, state):
            return dict(state)

    class Logging(jkeras.Trainer):
        def compute_metrics(self, x, y, y_pred, sample_weight):
            return {"first": y_pred[0, 0]}

    trainer = Logging(network(one), jkeras.optimizers.SGD(0.0), "mse", metrics=[Range()])
    state = trainer.init(jax.random.key(0))
    outputs = trainer.predict(state, X, verbose=0)
    logs = trainer.evaluate(state, X, A, batch_size=6, verbose=0)
    _, history = trainer.fit(state, iter([(X[:6], A[:6]), (X[6:12], A[6:12]), (X[12:], A[12:])]), verbose=0)
    assert set(logs) == set(history.history) == {"loss", "low", "high", "first"}
    for found in (logs, {name: values[0] for name, values in history.history.items()}):
        np.testing.assert_allclose([found["low"], found["high"]], [outputs.min(), outputs.max()], rtol=1e-5)
        np.testing.assert_allclose(found["first"], outputs[[0, 6, 12], 0].mean(), rtol=1e-5)
