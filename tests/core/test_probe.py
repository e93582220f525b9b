"""`capture` and `replace`: what layers inside a call return, and other values in its place."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core import Layer
from jkeras.errors import ArgumentError, ShapeError, TraceLevelError

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4)), "float32")


class Encoder(jkeras.Model):
    """Calls one layer twice, and another inside a second model."""

    def __init__(self):
        super().__init__()
        self.twice = layers.Dense(4, activation="tanh")
        self.inner = jkeras.Sequential([layers.Dense(3, name="first"), layers.Dense(2)])

    def call(self, x):
        return self.inner(self.twice(self.twice(x)))


def functional():
    x = jkeras.Input((4,))
    hidden = layers.Dense(3, activation="relu", name="hidden")(x)
    return jkeras.Model(x, {"a": layers.Dense(2, name="a")(hidden), "b": layers.Dense(1, name="b")(hidden)})


def run(model, **options):
    return model.stateless_call(*model.init(KEY, X), X, **options)


def assert_equal(ours, expected):
    chex.assert_trees_all_close(ours, expected, rtol=1e-6, atol=1e-6)


def test_a_functional_model():
    model = functional()
    variables = model.init(KEY)
    outputs, _, captured = run(model, capture="^(hidden|a)$")
    assert list(captured) == ["hidden", "a"]
    hidden = model.get_layer("hidden").stateless_call(variables.trainable["hidden"], {}, X)[0]
    assert_equal(captured, {"hidden": hidden, "a": outputs["a"]})
    patched, _ = run(model, replace={"hidden": jnp.ones_like(hidden)})
    bias = variables.trainable["b"]["kernel"].sum()
    np.testing.assert_allclose(patched["b"], np.full((2, 1), bias), rtol=1e-6)


def test_a_subclassed_model_with_parts():
    model = Encoder()
    variables = model.init(KEY, X)
    outputs, _, captured = run(model, capture="")
    assert set(captured) == {"twice", "inner", "inner/first", "inner/dense"}
    dense = model.twice.stateless_call
    once, again = (
        (first := dense(variables.trainable["twice"], {}, X)[0]),
        dense(variables.trainable["twice"], {}, first)[0],
    )
    assert_equal(captured["twice"], (once, again))  # a tuple, in the order of the calls
    assert_equal(captured["inner"], outputs)
    zeros, _ = run(model, replace={"inner/first": jnp.zeros_like})
    assert_equal(zeros, jnp.zeros((2, 2)))


def test_losses_come_before_captures():
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(2, kernel_regularizer="l2")])
    outputs, non_trainable, losses, captured = run(model, capture="dense", return_losses=True)
    assert list(losses) == ["dense/kernel"] and list(captured) == ["dense"] and non_trainable == {}
    assert_equal(captured["dense"], outputs)
    assert len(run(model, replace={"dense": jnp.sin})) == 2


def stacked(**options):
    block = layers.Residual(layers.Dense(4, activation="tanh"))
    return jkeras.Sequential([jkeras.Input((4,)), layers.Stack(block, 3, name="stack", **options), layers.Dense(2)])


def unrolled(model, change=lambda index, y: y):
    """What each copy returns, by a loop over copies, where a function may change it; and the model's outputs."""
    variables = model.init(KEY, X)
    stack, head = model.layers
    x, found = X, []
    for index, copy in enumerate(stack.unstack(type(variables)(*(side.get("stack", {}) for side in variables)))):
        x = change(index, stack.block.stateless_call(*copy, x)[0])
        found.append(x)
    return jnp.stack(found), head.stateless_call(variables.trainable["dense"], {}, x)[0]


@pytest.mark.parametrize("options", [{}, {"remat": True}, {"unroll": 3}])
def test_a_stack_has_the_axis_of_its_copies(options):
    model = stacked(**options)
    outputs, _, captured = run(model, capture="block")
    assert {path: leaf.shape for path, leaf in captured.items()} == {
        "stack/block": (3, 2, 4),
        "stack/block/layer": (3, 2, 4),
    }
    found, expected = unrolled(model)
    assert_equal((captured["stack/block"], outputs), (found, expected))
    assert_equal(run(model, replace={"stack/block": found})[0], outputs)
    assert_equal(run(model, replace={"stack/block": found.at[2].set(0.0)})[0], jnp.zeros((2, 2)))


def test_one_copy_of_a_stack():
    model = stacked()

    def changed(index, y):
        return 2 * y if index == 1 else y

    for replace in ({"stack/block[1]": lambda y: 2 * y}, {"stack/block[1]": 2 * unrolled(model)[0][1]}):
        assert_equal(run(model, replace=replace)[0], unrolled(model, changed)[1])
    both = {"stack/block[1]": jnp.zeros_like, "stack/block[2]": jnp.ones_like}
    ones = unrolled(model, lambda index, y: jnp.ones_like(y) if index == 2 else y)[1]
    assert_equal(run(model, replace=both)[0], ones)
    inner = run(model, replace={"stack/block[0]/layer": jnp.zeros_like}, capture="stack/block$")[2]["stack/block"]
    assert_equal(inner[0], X)  # the residual branch adds nothing
    with pytest.raises(ArgumentError, match=re.escape("'stack/bloc[1]'")):
        run(model, replace={"stack/bloc[1]": jnp.zeros_like})


class Loops(Layer):
    """A layer inside each of the transforms."""

    def __init__(self, how):
        super().__init__()
        self.how, self.dense = how, layers.Dense(4, kernel_initializer="orthogonal")

    def call(self, x):
        if self.how == "scan":
            return jkeras.scan(lambda carry, _: (self.dense(carry), None), x, None, 3)[0]
        if self.how == "vmap":
            return jkeras.vmap(self.dense)(x[None])[0]
        if self.how == "remat":
            return jkeras.remat(self.dense)(x)
        if self.how == "cond":
            return jkeras.cond(x[0, 0] > 1e9, lambda x: x, self.dense, x)
        return jax.lax.scan(lambda carry, _: (self.dense(carry), None), x, None, 3)[0]


@pytest.mark.parametrize(
    ("how", "shape"), [("scan", (3, 2, 4)), ("vmap", (1, 2, 4)), ("remat", (2, 4)), ("cond", (2, 4))]
)
def test_transforms_carry_captures_out(how, shape):
    layer = Loops(how)
    variables = layer.init(KEY, X)
    outputs, _, captured = jax.jit(lambda v: layer.stateless_call(*v, X, capture="dense"))(variables)
    assert captured["dense"].shape == shape
    expected = layer.dense.stateless_call(variables.trainable["dense"], {}, X)[0]
    assert_equal(captured["dense"][0] if len(shape) == 3 else captured["dense"], expected)
    assert_equal(run(layer, replace={"dense": jnp.zeros_like})[0], jnp.zeros((2, 4)))
    assert_equal(outputs, run(layer)[0])


def test_jax_s_own_transforms_do_not():
    layer = Loops("jax.lax.scan")
    assert_equal(run(layer, replace={"dense": jnp.zeros_like})[0], jnp.zeros((2, 4)))
    with pytest.raises(TraceLevelError, match=r"jkeras\.scan"):
        run(layer, capture="dense")


def test_gradients_at_activations():
    model = functional()
    variables = model.init(KEY)
    shift = jnp.zeros((2, 3))

    def loss(shift):
        return model.stateless_call(*variables, X, replace={"hidden": lambda h: h + shift})[0]["a"].sum()

    assert_equal(jax.grad(loss)(shift), jnp.broadcast_to(variables.trainable["a"]["kernel"].sum(1), (2, 3)))


def test_captures_are_values_for_every_transform():
    model = functional()
    variables = model.init(KEY)

    def hidden(x):
        return model.stateless_call(*variables, x[None], capture="hidden")[2]["hidden"][0]

    assert jax.vmap(jax.jacrev(hidden))(X).shape == (2, 3, 4)


def test_nothing_is_paid_where_nothing_is_asked():
    model = stacked()
    variables = model.init(KEY, X)

    def text(**options):
        return jax.jit(lambda v: model.stateless_call(*v, X, **options)[0]).lower(variables).as_text()

    assert text() == text(capture=None, replace=None)
    assert text(capture="stack/block$") == text(capture="^stack$")  # only what is returned is computed


def test_masks_go_with_replaced_outputs():
    model = jkeras.Sequential(
        [jkeras.Input((3,), dtype="int32"), layers.Embedding(5, 2, mask_zero=True), layers.LSTM(2)]
    )
    tokens = jnp.array([[1, 2, 0], [3, 0, 0]])
    variables = model.init(KEY)
    outputs, _, captured = model.stateless_call(*variables, tokens, capture="embedding")
    again, _ = model.stateless_call(*variables, tokens, replace={"embedding": captured["embedding"]})
    assert_equal(again, outputs)


def test_half_precision_stays():
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(2, dtype="mixed_bfloat16")])
    assert run(model, replace={"dense": np.ones((2, 2))})[0].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"capture": "hiden"}, ArgumentError, "hidden"),
        ({"capture": "("}, ArgumentError, "regular expression"),
        ({"capture": 3}, ArgumentError, "regular expression"),
        ({"replace": {"hiden": jnp.zeros_like}}, ArgumentError, "'hidden' (did you mean it?)"),
        ({"replace": jnp.zeros_like}, ArgumentError, "{path: array or function}"),
        ({"replace": {"hidden": jnp.zeros((3, 2))}}, ShapeError, "(2, 3)"),
        ({"replace": {"hidden": lambda h: (h, h)}}, ShapeError, "(2, 3)"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, said):
    with pytest.raises(error, match=re.escape(said)):
        run(functional(), **options)
