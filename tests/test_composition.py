"""Stack: the same numbers as its copies one after another, at the compile time of one. Remat and Residual."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError, ShapeError, UnknownNameError
from tests.descriptors.layers_composition import block
from tests.oracle import assert_close

X = jax.random.normal(jax.random.key(1), (4, 3))


def one_after_another(stack, variables, x, **options):
    """What the copies give when each is called by itself: outputs, new values, the sum of the losses."""
    new, total = [], 0.0
    for copy in stack.unstack(variables):
        x, non_trainable, losses = stack.block.stateless_call(*copy, x, return_losses=True, **options)
        new.append(jkeras.Variables(copy.trainable, non_trainable))
        total += sum(losses.values())
    return x, stack.stack(new), total


@pytest.mark.parametrize("remat", [False, True])
def test_a_stack_is_its_copies_one_after_another(remat):
    stack = layers.Stack(block(), n=3, remat=remat)
    variables = stack.init(jax.random.key(0), X)

    def loss(trainable):
        y, non_trainable, losses = stack.stateless_call(
            trainable, variables.non_trainable, X, training=True, return_losses=True
        )
        return jnp.sum(jnp.sin(y)) + sum(losses.values()), (y, non_trainable)

    def by_hand(trainable):
        y, new, total = one_after_another(stack, (trainable, variables.non_trainable), X, training=True)
        return jnp.sum(jnp.sin(y)) + total, (y, new.non_trainable)

    ours, expected = (jax.jit(jax.value_and_grad(each, has_aux=True))(variables.trainable) for each in (loss, by_hand))
    # three blocks of a dozen operations each, forwards and backwards
    jax.tree.map(lambda a, b: assert_close(a, b, ulps=256, scale=max(1.0, float(jnp.abs(b).max()))), ours, expected)


def test_each_copy_begins_with_values_and_random_numbers_of_its_own():
    stack = layers.Stack(block(), n=3)
    copies = stack.unstack(stack.init(jax.random.key(0), X))
    for one, other in ((0, 1), (1, 2)):
        kernels = [copies[index].trainable["layer"]["dense"]["kernel"] for index in (one, other)]
        seeds = [jax.tree.leaves(copies[index].non_trainable["layer"]["dropout"])[0] for index in (one, other)]
        assert not np.array_equal(*kernels) and not np.array_equal(*seeds)


def test_stacking_undoes_unstacking():
    stack = layers.Stack(block(), n=3)
    variables = stack.init(jax.random.key(0), X)
    chex.assert_trees_all_equal(stack.stack(stack.unstack(variables)), variables)


def test_the_block_is_traced_once_whatever_the_depth():
    traced = []

    class Counting(layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return inputs

    for depth in (2, 20):
        stack = layers.Stack(Counting(), n=depth)
        variables = stack.init(jax.random.key(0), X)
        traced.clear()
        jax.jit(stack.stateless_call)(*variables, X)
        assert len(traced) <= 2  # `scan` looks at the types of its carry first


def test_masks_and_further_arguments_reach_every_copy():
    class Shift(layers.Layer):
        supports_masking = True

        def call(self, inputs, by, mask=None):
            return jnp.where(jnp.expand_dims(mask, -1), inputs + by, inputs)

    stack = layers.Stack(Shift(), n=3)
    x, mask = jnp.zeros((1, 2, 1)), jnp.array([[True, False]])
    variables = stack.init(jax.random.key(0), x, jnp.ones(()), mask=mask)
    assert stack.stateless_call(*variables, x, jnp.full((), 2.0), mask=mask)[0].tolist() == [[[6.0], [0.0]]]


def test_a_stack_in_a_model_trains_and_comes_back_from_json():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Stack(block(), n=2), layers.Dense(1)])
    again = jkeras.models.model_from_json(model.to_json())
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    trainer = jkeras.Trainer(model, optimizer="adam", loss="mse")
    x = np.asarray(jax.random.normal(jax.random.key(2), (64, 3)))
    _, history = trainer.fit(trainer.init(jax.random.key(0)), x, x[:, :1], epochs=10, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def inner_models():
    inputs = jkeras.Input((3,))
    return [
        jkeras.Sequential([layers.Dense(3)]),
        jkeras.Sequential([layers.Dense(3)], name="inner"),
        jkeras.Model(inputs, layers.Dense(3)(inputs)),
    ]


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize(
    ("wrap", "shape"),
    [
        (layers.Residual, (None, 3)),
        (layers.Remat, (None, 3)),
        (lambda layer: layers.Stack(layer, n=2), (None, 3)),
        (layers.TimeDistributed, (None, 2, 3)),
    ],
)
def test_a_layer_around_a_model_has_the_same_addresses_after_its_config_is_read(index, wrap, shape):
    layer = wrap(inner_models()[index])
    again = layers.deserialize(layers.serialize(layer))
    for each in (layer, again):
        each.build(shape)
    assert [w.path for w in again.weights] == [w.path for w in layer.weights]
    inner = "block" if isinstance(layer, layers.Stack) else "inner" if index == 1 else "layer"
    assert layer.weights[0].path == f"{inner}/dense/kernel"


def test_a_layer_of_several_inputs_is_computed_again_too():
    attention = layers.MultiHeadAttention(2, 2)
    query, value = X.reshape(1, 4, 3), X.reshape(2, 2, 3)[:1]
    variables = attention.init(jax.random.key(0), query, value)
    again = layers.Remat(attention)
    again.init(jax.random.key(0), query, value)
    ours = again.stateless_call({"layer": variables.trainable}, {}, query, value)[0]
    assert_close(ours, attention.stateless_call(*variables, query, value)[0])


def pair_init(rng, inputs):
    return {"w": 0.1 * jax.random.normal(rng, (inputs.shape[-1],) * 2)}, {"calls": jnp.zeros(())}


def pair_call(params, state, rng, inputs, training):
    noise = jax.random.normal(rng, inputs.shape) if training else jnp.zeros(inputs.shape)
    return jnp.tanh(inputs @ params["w"]) + 0.1 * noise, {"calls": state["calls"] + 1}


@pytest.mark.parametrize("training", [False, True])
def test_a_stack_of_jax_functions_is_its_copies_one_after_another(training):
    stack = layers.Stack(layers.Residual(layers.JaxLayer(pair_call, pair_init)), n=3)
    variables = stack.init(jax.random.key(0), X)
    kernels = variables.trainable["block"]["layer"]["params"]["w"]
    assert kernels.shape == (3, 3, 3) and not np.array_equal(kernels[0], kernels[1])

    def loss(trainable):
        y, new = stack.stateless_call(trainable, variables.non_trainable, X, training=training)
        return jnp.sum(jnp.sin(y)), (y, new)

    def by_hand(trainable):
        y, new, _ = one_after_another(stack, (trainable, variables.non_trainable), X, training=training)
        return jnp.sum(jnp.sin(y)), (y, new.non_trainable)

    ours, expected = (jax.value_and_grad(each, has_aux=True)(variables.trainable) for each in (loss, by_hand))
    assert ours[0][1][1]["block"]["layer"]["state"]["calls"].tolist() == [1, 1, 1]
    # three tanh and three products of 3 terms, forwards and backwards
    jax.tree.map(lambda a, b: assert_close(a, b, ulps=64, scale=max(1.0, float(jnp.abs(b).max()))), ours, expected)


def test_freezing_a_part_of_the_block_freezes_it_in_every_copy():
    stack = layers.Stack(layers.Residual(layers.Dense(3)), n=2)
    stack.build((None, 3))
    stack.block.layer.trainable = False
    assert [w.path for w in stack.non_trainable_variables] == ["block/layer/kernel", "block/layer/bias"]
    stack.block.layer.trainable = True
    stack.trainable = False
    assert not stack.trainable_variables


def test_rematerialization_keeps_numbers_and_drops_what_is_saved():
    def saved(layer, trainable):
        _, pull = jax.vjp(lambda t: layer.stateless_call(t, {}, X)[0], trainable)
        return sum(leaf.size for leaf in jax.tree.leaves(pull) if hasattr(leaf, "size")), pull(jnp.ones_like(X))

    deep = jkeras.Sequential([layers.Dense(3, activation="tanh") for _ in range(4)])
    again = layers.Remat(deep)
    trainable = again.init(jax.random.key(0), X).trainable
    plain, again = saved(deep, trainable["layer"]), saved(again, trainable)
    assert again[0] < plain[0]
    for ours, theirs in zip(jax.tree.leaves(again[1]), jax.tree.leaves(plain[1]), strict=True):
        assert_close(ours, theirs, ulps=64)


class Named(jkeras.Layer):
    """Two products, whose results have names."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.wide, self.narrow = layers.Dense(6), layers.Dense(3)

    def call(self, inputs):
        wide = checkpoint_name(self.wide(inputs), "wide")
        return checkpoint_name(self.narrow(jnp.tanh(wide)), "narrow")


POLICIES = {  # name: (policy, products in the program of the gradient, values that wait on the host)
    "nothing": ("nothing_saveable", 7, 0),
    "products": ("dots_saveable", 6, 0),
    "products on the host": ("offload_dot_with_no_batch_dims", 6, 1),
    "a name": ({"save_only_these_names": ["wide"]}, 6, 0),
    "other names": ({"save_any_names_but_these": ["wide"]}, 7, 0),
    "a name on the host": ({"save_and_offload_only_these_names": {"save": ["narrow"], "offload": ["wide"]}}, 6, 1),
    "either": ({"save_from_both_policies": ["nothing_saveable", {"save_only_these_names": ["wide"]}]}, 6, 0),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies_keep_numbers_and_what_they_say(name):
    policy, products, on_host = POLICIES[name]
    gradients = []
    for stack in (layers.Stack(Named(), n=3), layers.Stack(Named(), n=3, remat=policy)):

        def total(values, stack=stack):
            return jnp.sum(jnp.sin(stack.stateless_call(values, {}, X)[0]))

        trainable = stack.init(jax.random.key(0), X).trainable
        gradients.append(jax.jit(jax.grad(total))(trainable))
    jax.tree.map(functools.partial(assert_close, ulps=64), *gradients)
    assert str(jax.make_jaxpr(jax.grad(total))(trainable)).count("dot_general") == products
    kept = jax.make_jaxpr(lambda values: jax.vjp(total, values)[1])(trainable).out_avals
    assert sum("<host>" in str(each) for each in kept) == on_host
    assert layers.Stack.from_config(layers.Stack(layers.Dense(3), n=2, remat=policy).get_config()).remat == policy


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda: layers.Remat(layers.Dense(3), policy="save_only_these_names"),
            ArgumentError,
            "must have the arguments",
        ),
        (lambda: layers.Remat(layers.Dense(3), policy={"dots_saveable": []}), ArgumentError, "must have the arguments"),
        (lambda: layers.Stack(layers.Dense(3), n=2, remat={"a": 1, "b": 2}), UnknownNameError, "must be a name"),
        (lambda: layers.Stack(layers.Dense(3), n=0), ArgumentError, "`n` must be a positive integer"),
        (lambda: layers.Stack("dense", n=2), ArgumentError, "must be given a layer"),
        (lambda: layers.Stack(layers.Dense(3), n=2, unroll=True), ArgumentError, "`unroll`"),
        (lambda: layers.Stack(layers.Dense(3), n=2, remat="dots_savable"), UnknownNameError, "dots_saveable"),
        (lambda: layers.Remat(layers.Dense(3), policy="all"), UnknownNameError, "got 'all'"),
        (lambda: layers.Stack(layers.Dense(4), n=2).build((None, 3)), ShapeError, "keeps shape and dtype"),
        (lambda: layers.Residual(layers.Dense(4)).build((None, 3)), ShapeError, "must keep the shape"),
    ],
)
def test_what_cannot_be_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()
