"""One rule for every operation: where an array belongs, nested lists and tuples of numbers are one, as in Keras."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import activations, constraints, dtypes, losses, ops, random, regularizers
from jkeras.core import KerasTensor, Layer
from jkeras.core.arrays import takes_lists
from tests import tables, test_ops, test_ops_image
from tests.oracle import asking_keras, keras

KINDS = "biuf"
CASES = [
    (mine, theirs, name, args, kwargs)
    for cases, mine, theirs in ((test_ops.CASES, ops, keras.ops), (test_ops_image.CASES, ops.image, keras.ops.image))
    for name, args, kwargs in cases
    if name not in test_ops.OURS and not tables.has_floats((args, kwargs), "c")
]


def with_lists(args, kwargs, chosen=None):
    """The call with its arrays, or the chosen one of them, as nested lists."""
    arrays, filled = tables.opened((args, kwargs), KINDS)
    return filled([a.tolist() if chosen in (None, place) else a for place, a in enumerate(arrays)])


def specs(function, args, kwargs):
    """Shapes and dtypes of the results; `None` where there is an error."""
    try:
        leaves = jax.tree.leaves(jax.eval_shape(lambda: function(*args, **kwargs)))
    except Exception:  # whatever JAX and Keras raise for lists that an operation does not take
        return None
    return [(leaf.shape, leaf.dtype.name) for leaf in leaves]


def test_lists_are_arrays_wherever_keras_takes_them(caplog):
    problems, compared = [], 0
    for mine, theirs, name, args, kwargs in CASES:
        arrays, _ = tables.opened((args, kwargs), KINDS)
        for chosen in {None, *range(len(arrays))} if len(arrays) > 1 else {None}:
            given = with_lists(args, kwargs, chosen)
            with asking_keras(), caplog.at_level("CRITICAL"):
                expected = specs(getattr(theirs, name), *given)
            if expected is None or name == "stop_gradient":  # of a structure: each number is a leaf
                continue
            compared += 1
            if specs(getattr(mine, name), *given) != expected:
                problems.append((name, chosen, list(kwargs)))
    assert compared >= 450
    assert not problems


def test_functions_of_lists_get_the_arrays():
    """What a function is called with is, of a list, the array of the same values and dtype."""
    for mine, _, name, args, kwargs in CASES:
        function = inspect.unwrap(getattr(mine, name))
        bind = inspect.signature(function).bind
        called = takes_lists(functools.wraps(function)(lambda *a, **k: dict(bind(*a, **k).arguments)), name)  # noqa: B023
        arrays = jax.tree.leaves(called(*args, **kwargs))
        lists = jax.tree.leaves(called(*with_lists(args, kwargs)[0], **with_lists(args, kwargs)[1]))
        if name in {"stop_gradient", "elastic_transform"}:
            continue
        assert len(arrays) == len(lists), name
        for one, two in zip(arrays, lists, strict=True):
            if not hasattr(one, "dtype"):
                assert one == two, name
                continue
            assert jnp.asarray(one).dtype.kind == jnp.asarray(two).dtype.kind or one.dtype.kind == "u", name
            np.testing.assert_array_equal(one, two, err_msg=name)


X = jnp.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda o, x: o.take(x, [0, 2], axis=1),
        lambda o, x: o.take(x, (0, 2), axis=1),
        lambda o, x: o.take(x, [np.int64(0), np.int32(2)], axis=1),
        lambda o, x: o.stack([x, [[1, 2, 3], [4, 5, 6]]]),
        lambda o, x: o.concatenate([[1, 2], [3]]),
        lambda o, x: o.sum([x, x + 1], axis=0),
        lambda o, x: o.add([[1, 2, 3]], x),
        lambda o, x: o.multiply([True, False, True], [2, 3, 4]),
        lambda o, x: o.mean([1, 2.5, True]),
        lambda o, x: o.einsum("i,ij->j", [1.0, 2.0], x),
        lambda o, x: o.one_hot([0, 2], 3),
        lambda o, x: o.expand_dims(5, -1),
        lambda o, x: o.argsort(3),
        lambda o, x: o.dot([1, 2], [3, 4]),
    ],
)
def test_lists_of_every_kind_are_keras_s(call):
    ours = call(ops, X)
    with asking_keras():
        theirs = call(keras.ops, X)
    assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
    np.testing.assert_array_equal(ours, theirs)


def test_lists_that_keras_does_not_take_everywhere():
    assert ops.where([[True, False, True]], X, [[0, 0, 0]]).tolist() == [[0.0, 0.0, 2.0], [3.0, 0.0, 5.0]]
    assert ops.segment_sum(X, [0, 0], num_segments=2).tolist() == [[3.0, 5.0, 7.0], [0.0, 0.0, 0.0]]
    assert (ops.shape([[1, 2, 3]]), ops.ndim([[1, 2, 3]]), ops.size([[1, 2, 3]])) == ((1, 3), 2, 3)


def test_lists_stand_beside_symbolic_tensors_and_come_back_from_configs():
    x = jkeras.Input((3,))
    model = jkeras.Model(x, ops.take(ops.add(x, [[1.0, 2.0, 3.0]]), [0, 2], axis=1))
    again = jkeras.Model.from_config(model.get_config())
    for each in (model, again):
        assert each.stateless_call(*each.init(jax.random.key(0)), X)[0].tolist() == [[1.0, 5.0], [4.0, 8.0]]


def test_lists_of_floats_have_the_configured_dtype(monkeypatch):
    monkeypatch.setattr(dtypes.config, "floatx", lambda: "bfloat16")
    assert (ops.add([1.0], [2]).dtype, ops.add([1], [2]).dtype) == ("bfloat16", "int32")


def read(function):
    """The value of a layer that gives a function its weight."""

    class Reader(Layer):
        def __init__(self):
            super().__init__()
            self.weight = self.add_weight(shape=(2, 2), initializer="ones")

        def call(self, x):
            return jnp.asarray(function(self.weight))

    layer = Reader()
    return layer.stateless_call(*layer.init(jax.random.key(0), (2,)), jnp.zeros(2))[0]


ACTIVATIONS = sorted(set(activations.__all__) - {"get", "serialize", "deserialize", "threshold"})
LOSSES = [
    name
    for name in losses.__all__
    if inspect.isfunction(getattr(losses, name))
    and list(inspect.signature(getattr(losses, name)).parameters)[:2] == ["y_true", "y_pred"]
    and name not in {"circle", "ctc", "categorical_generalized_cross_entropy"}  # of labels of other shapes
]


def test_functions_of_arrays_read_variables():
    ones = jnp.ones((2, 2))
    calls = {name: getattr(activations, name) for name in ACTIVATIONS}
    calls |= {
        name: functools.partial(getattr(losses, name), ones[:, 0] if "sparse" in name else ones) for name in LOSSES
    }
    calls |= {name: getattr(regularizers, name)() for name in ("L1", "L2", "L1L2", "OrthogonalRegularizer")}
    calls |= {name: getattr(constraints, name)() for name in ("MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm")}
    calls["threshold"] = lambda x: activations.threshold(x, 0.5, 2.0)
    calls["shuffle"] = lambda x: random.shuffle(x, seed=jax.random.key(0))
    calls["categorical"] = lambda x: random.categorical(x, 2, seed=jax.random.key(0))
    assert len(calls) >= 60
    for name, function in calls.items():
        np.testing.assert_array_equal(read(function), function(ones), err_msg=name)


def test_lists_may_hold_variables():
    class Stacked(Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = (self.add_weight(shape=(2,), initializer="ones", name=name) for name in "ab")

        def call(self, x):
            return ops.stack([self.a, self.b]), ops.sum([self.a, x], axis=0)

    layer = Stacked()
    variables = layer.init(jax.random.key(0), (2,))
    assert layer.stateless_call(*variables, jnp.zeros(2))[0][1].tolist() == [1.0, 1.0]
    assert ops.stack([KerasTensor((2,)), [1.0, 2.0]]).shape == (2, 2)


@jkeras.saving.register_keras_serializable("tests")
def doubled(x):
    return x + x


def test_mapped_functions_come_back_from_configs():
    x = jkeras.Input((3,))
    model = jkeras.Model(x, ops.vectorized_map(doubled, x))
    again = jkeras.Model.from_config(model.get_config())
    assert again.stateless_call(*again.init(jax.random.key(0)), X)[0].tolist() == (2 * X).tolist()
