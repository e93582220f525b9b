"""Low-rank adaptation: what is frozen, what is trained, what moves, and that merging keeps the outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import Sequential, layers, lora, registry, tree
from jkeras.core import Layer, Scope
from jkeras.errors import ArgumentError, BuildError, LeafError
from tests.oracle import asking_keras, assert_close, keras

TOKENS = jnp.array([[1, 3, 2], [0, 6, 5]])


class Tower(Layer):
    """A table, a norm that cannot be adapted, and two affine maps."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(7, 4)
        self.norm = layers.BatchNormalization()
        self.blocks = [layers.Dense(5, activation="tanh"), layers.Dense(3)]

    def call(self, tokens):
        x = self.norm(self.table(tokens))
        for block in self.blocks:
            x = block(x)
        return x


def built(layer=None, x=TOKENS):
    layer = layer or Tower()
    return layer, layer.init(jax.random.key(0), x)


def shapes(variables):
    return tuple({path: leaf.shape for path, leaf in tree.flatten(side).items()} for side in variables)


def trained(layer, variables, x=TOKENS, steps=2):
    """The values after some steps of gradient descent on the squared outputs."""

    @jax.jit
    def step(trainable, non_trainable):
        def loss(trainable):
            outputs, state = layer.stateless_call(trainable, non_trainable, x, training=True)
            return jnp.sum((outputs - 1) ** 2), state

        gradients, state = jax.grad(loss, has_aux=True)(trainable)
        return jax.tree.map(lambda value, gradient: value - 0.1 * gradient, trainable, gradients), state

    for _ in range(steps):
        variables = type(variables)(*step(*variables))
    return variables


def test_enabling_moves_weights_draws_pairs_and_keeps_outputs():
    layer, before = built()
    expected, _ = layer.stateless_call(*before, TOKENS)
    after = lora.enable(layer, 2, before, jax.random.key(1))
    assert shapes(after) == (
        {
            "table/lora_embeddings_a": (7, 2),
            "table/lora_embeddings_b": (2, 4),
            "norm/gamma": (4,),
            "norm/beta": (4,),
            "blocks/0/bias": (5,),
            "blocks/0/lora_kernel_a": (4, 2),
            "blocks/0/lora_kernel_b": (2, 5),
            "blocks/1/bias": (3,),
            "blocks/1/lora_kernel_a": (5, 2),
            "blocks/1/lora_kernel_b": (2, 3),
        },
        {
            "table/embeddings": (7, 4),
            "norm/moving_mean": (4,),
            "norm/moving_variance": (4,),
            "blocks/0/kernel": (4, 5),
            "blocks/1/kernel": (5, 3),
        },
    )
    assert after.non_trainable["blocks"]["0"]["kernel"] is before.trainable["blocks"]["0"]["kernel"]
    outputs, _ = layer.stateless_call(*after, TOKENS)
    np.testing.assert_array_equal(outputs, expected)  # B is zero: nothing is added
    a = [leaf for path, leaf in tree.flatten(after.trainable).items() if path.endswith("_a")]
    assert all(np.unique(leaf).size == leaf.size for leaf in a)


def test_training_changes_the_pairs_and_biases_and_no_adapted_weight():
    layer, variables = built()
    before = lora.enable(layer, 2, variables, jax.random.key(1))
    after = trained(layer, before)
    changed = [
        path
        for path, leaf in tree.flatten(after.trainable).items()
        if not np.array_equal(leaf, tree.flatten(before.trainable)[path])
    ]
    assert set(changed) == set(tree.flatten(before.trainable))
    for path in ("table/embeddings", "blocks/0/kernel", "blocks/1/kernel"):
        np.testing.assert_array_equal(tree.flatten(after.non_trainable)[path], tree.flatten(before.non_trainable)[path])


def test_merging_keeps_the_trained_outputs_and_restores_the_form():
    layer, variables = built()
    form = shapes(variables)
    variables = trained(layer, lora.enable(layer, 2, variables, jax.random.key(1), alpha=3.0))
    expected, _ = layer.stateless_call(*variables, TOKENS)
    merged = lora.merge(layer, variables)
    assert shapes(merged) == form == shapes(built()[1])
    outputs, _ = layer.stateless_call(*merged, TOKENS)
    # (x W + x A B) against x (W + A B): sums of at most 7 products, each rounded once more
    assert_close(outputs, expected, ulps=64)
    assert not any(part.lora_enabled for _, part in lora.adaptable(layer))
    again = lora.merge(layer, merged)
    assert all(a is b for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(merged), strict=True))
    lora.enable(layer, 1, merged, jax.random.key(2))  # and it can be adapted anew


def test_what_a_pattern_does_not_match_is_frozen():
    layer, variables = built()
    after = lora.enable(layer, 2, variables, jax.random.key(1), pattern="^blocks/1$")
    assert set(tree.flatten(after.trainable)) == {
        f"blocks/1/{name}" for name in ("bias", "lora_kernel_a", "lora_kernel_b")
    }


class Nested(Layer):
    """Adaptable layers inside of stacks of stacks, wrappers and models, and one that a wrapper normalizes."""

    def __init__(self):
        super().__init__()
        inner = layers.Stack(layers.Residual(layers.EinsumDense("abc,cd->abd", (None, 4))), 2)
        self.deep = layers.Stack(Sequential([inner, layers.Remat(layers.Dense(4))]), 3)
        self.steps = layers.TimeDistributed(layers.Dense(3))
        self.model = Sequential([layers.Dense(2)])
        self.normalized = layers.SpectralNormalization(layers.Dense(2))

    def call(self, x):
        return self.normalized(self.model(self.steps(self.deep(x))))


def test_lora_reaches_into_stacks_wrappers_and_models():
    x = jax.random.normal(jax.random.key(3), (2, 5, 4))
    layer, before = built(Nested(), x)
    expected, _ = layer.stateless_call(*before, x)
    with pytest.warns(UserWarning, match="normalized: LoRA does not adapt this layer"):
        variables = lora.enable(layer, 2, before, jax.random.key(1))
    pairs = {path: shape for path, shape in shapes(variables)[0].items() if path.endswith("_a")}
    assert pairs == {
        "deep/block/stack/block/layer/lora_kernel_a": (3, 2, 4, 2),
        "deep/block/remat/layer/lora_kernel_a": (3, 4, 2),
        "steps/layer/lora_kernel_a": (4, 2),
        "model/dense/lora_kernel_a": (3, 2),
    }
    assert np.array_equal(layer.stateless_call(*variables, x)[0], expected)
    after = trained(layer, variables, x)
    frozen = tree.flatten(variables.non_trainable)
    assert all(
        np.array_equal(leaf, frozen[path])
        for path, leaf in tree.flatten(after.non_trainable).items()
        if "kernel" in path
    )
    adapted, _ = layer.stateless_call(*after, x)
    assert not np.allclose(adapted, expected)
    merged = lora.merge(layer, after)
    assert shapes(merged) == shapes(before)
    assert_close(layer.stateless_call(*merged, x)[0], adapted, ulps=256)


@pytest.mark.parametrize("train_others", [False, True])
def test_what_a_pattern_freezes_is_free_again_after_merging(train_others):
    layer, variables = built()
    form = shapes(variables)
    options = {"train_others": train_others}
    after = lora.enable(layer, 2, variables, jax.random.key(1), pattern="^blocks/1$", **options)
    again = lora.enable(layer, 1, after, jax.random.key(2), pattern="^table$", **options)  # besides the first
    pairs = {"table/lora_embeddings_a", "table/lora_embeddings_b", "blocks/1/lora_kernel_a", "blocks/1/lora_kernel_b"}
    others = {"norm/gamma", "norm/beta", "blocks/0/kernel", "blocks/0/bias"} if train_others else set()
    assert set(tree.flatten(again.trainable)) == pairs | {"blocks/1/bias"} | others
    layer.stateless_call(*again, TOKENS)
    assert shapes(lora.merge(layer, again)) == form


def test_matrices_that_are_left_out_are_named():
    def model():
        return Sequential([layers.Bidirectional(layers.GRU(3)), layers.Dense(2)])

    left = r"LoRA cannot adapt the layers of bidirectional/forward_gru/gru_cell/kernel, .*: these weights"
    layer, variables = built(model(), jnp.ones((1, 5, 4)))
    with pytest.warns(UserWarning, match=left):
        lora.enable(layer, 2, variables, jax.random.key(1))
    for options, trained in (({"train_others": True}, {"bidirectional", "dense"}), ({"pattern": "."}, {"dense"})):
        layer, variables = built(model(), jnp.ones((1, 5, 4)))
        assert set(lora.enable(layer, 2, variables, jax.random.key(1), **options).trainable) == trained


def test_a_pattern_chooses_layers():
    layer, variables = built()
    after = lora.enable(layer, 2, variables, jax.random.key(1), pattern="^blocks/1$", train_others=True)
    assert set(tree.flatten(after.non_trainable)) - set(tree.flatten(variables.non_trainable)) == {"blocks/1/kernel"}
    with pytest.raises(ArgumentError, match="`pattern` must match a layer") as error:
        lora.enable(layer, 2, after, jax.random.key(1), pattern="heads")
    assert "blocks/0" in str(error.value)
    with pytest.raises(ArgumentError, match="`pattern` must match a layer"):
        lora.enable(*(layers.ReLU(), 2, ({}, {}), jax.random.key(1)))


def test_a_layer_that_cannot_be_adapted_leaves_all_others_as_they_are():
    layer = Tower()
    layer.blocks.append(layers.Dense(2, kernel_constraint="non_neg"))
    layer, variables = built(layer)
    with pytest.raises(ArgumentError, match="constraint"):
        lora.enable(layer, 2, variables, jax.random.key(1))
    layer.stateless_call(*variables, TOKENS)  # the trees still fit
    with pytest.raises(LeafError, match="missing"):
        lora.enable(layer, 2, (variables.trainable, {}), jax.random.key(1), pattern="table")
    layer.stateless_call(*variables, TOKENS)


def test_enable_lora_of_one_layer_and_repartition_do_the_same():
    layer, variables = built()
    layer.blocks[1].enable_lora(2, lora_alpha=4, b_initializer="ones")
    with pytest.raises(LeafError, match=r"repartition"):
        layer.stateless_call(*variables, TOKENS)
    with pytest.raises(LeafError, match="lora_kernel_a"):
        layer.repartition(variables)  # without a key nothing can be drawn
    variables = layer.repartition(variables, jax.random.key(1))
    np.testing.assert_array_equal(variables.trainable["blocks"]["1"]["lora_kernel_b"], np.ones((2, 3)))


@pytest.mark.parametrize(
    "name, config, weight, x",
    [
        ("Dense", {"units": 4}, "kernel", jnp.ones((2, 3))),
        ("Embedding", {"input_dim": 5, "output_dim": 4}, "embeddings", jnp.array([1, 4])),
    ],
)
def test_a_layer_agrees_with_keras(name, config, weight, x):
    ours = getattr(layers, name)(**config)
    values = ours.init(jax.random.key(0), x)
    ours.enable_lora(2, lora_alpha=3)
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=variable.shape).astype("float32") for variable in ours.weights]
    values = ours.set_weights(ours.repartition(values, jax.random.key(1)), arrays)
    with asking_keras():
        theirs = getattr(keras.layers, name)(**config)
        theirs.build(x.shape)
        theirs.enable_lora(2, lora_alpha=3)
        theirs.set_weights(arrays)
        expected, merged = theirs(x), getattr(theirs, weight)
    assert [w.name for w in ours.trainable_variables] == [w.name for w in theirs.trainable_variables]
    assert {key: ours.get_config()[key] for key in ("lora_rank", "lora_alpha")} == {"lora_rank": 2, "lora_alpha": 3}
    assert_close(ours.stateless_call(*values, x)[0], expected)
    by_name = {w: tree.flatten({**values.trainable, **values.non_trainable})[w.name] for w in ours.weights}
    with Scope(by_name).open():
        assert_close(getattr(ours, weight).value, merged)
    assert_close(lora.merge(ours, values).trainable[weight], merged)


def test_a_config_with_a_rank_makes_an_adapted_layer_with_the_same_outputs():
    x = jnp.ones((2, 3))
    layer, variables = built(layers.Dense(4), x)
    variables = trained(layer, lora.enable(layer, 2, variables, jax.random.key(1), alpha=5.0), x)
    again = registry.deserialize(registry.serialize(layer))
    assert again.built and again.lora_enabled and again.lora_alpha == 5.0
    np.testing.assert_array_equal(again.stateless_call(*variables, x)[0], layer.stateless_call(*variables, x)[0])
    lora.merge(layer, variables)
    assert not {"lora_rank", "lora_alpha"} & set(layer.get_config())


def test_unfreezing_a_model_does_not_unfreeze_adapted_weights():
    layer, variables = built()
    lora.enable(layer, 2, variables, jax.random.key(1))
    layer.trainable = False
    assert layer.trainable_variables == []
    layer.trainable = True
    assert "blocks/0/kernel" not in [variable.path for variable in layer.trainable_variables]
    assert "blocks/0/lora_kernel_a" in [variable.path for variable in layer.trainable_variables]


def test_a_frozen_layer_stays_frozen_through_it_all():
    layer, variables = built()
    layer.blocks[0].trainable = False
    adapted = lora.enable(layer, 2, layer.repartition(variables), jax.random.key(1))
    assert set(adapted.non_trainable["blocks"]["0"]) == {"kernel", "bias", "lora_kernel_a", "lora_kernel_b"}
    merged = lora.merge(layer, adapted)
    assert set(merged.non_trainable["blocks"]["0"]) == {"kernel", "bias"}
    assert set(merged.trainable["blocks"]) == {"1"}


def test_pairs_are_float32_and_have_the_penalty_of_the_weight():
    layer = layers.Dense(4, kernel_regularizer="l2", lora_rank=2, dtype="bfloat16")
    x = jnp.ones((2, 3), "bfloat16")
    variables = layer.init(jax.random.key(0), x)
    assert variables.trainable["lora_kernel_a"].dtype == "float32"
    assert variables.non_trainable["kernel"].dtype == "bfloat16"
    outputs, _, losses = layer.stateless_call(*variables, x, return_losses=True)
    assert outputs.dtype == "bfloat16"
    assert set(losses) == {"lora_kernel_a", "lora_kernel_b"}
    assert lora.merge(layer, variables).trainable["kernel"].dtype == "bfloat16"


def test_no_gradient_has_the_size_of_the_adapted_weight():
    layer = layers.Dense(64, lora_rank=2, use_bias=False)
    x = jnp.ones((2, 48))
    trainable, frozen = layer.init(jax.random.key(0), x)
    program = jax.make_jaxpr(jax.grad(lambda t: layer.stateless_call(t, frozen, x)[0].sum()))(trainable)
    assert "f32[48,64] = dot_general" not in str(program)


@pytest.mark.parametrize("name, arguments", [("Dense", (3,)), ("Embedding", (5, 3))])
def test_mistakes(name, arguments):
    cls = getattr(layers, name)
    weight = cls.adapted
    with pytest.raises(BuildError, match="shape of the weight"):
        cls(*arguments).enable_lora(2)
    with pytest.raises(AttributeError, match="before the layer is built"):
        getattr(cls(*arguments), weight)
    layer = cls(*arguments)
    layer.build((None, 4))
    with pytest.raises(ArgumentError, match="positive"):
        layer.enable_lora(0)
    layer.enable_lora(2)
    with pytest.raises(BuildError, match="enabled twice"):
        layer.enable_lora(2)
    constrained = cls(*arguments, **{f"{weight}_constraint": "non_neg"})
    constrained.build((None, 4))
    with pytest.raises(ArgumentError, match="constraint"):
        constrained.enable_lora(2)
    with pytest.raises(ArgumentError, match="constraint"):
        cls(*arguments, lora_rank=2, **{f"{weight}_constraint": "non_neg"})
    with pytest.raises(ArgumentError, match="lora_rank"):
        cls(*arguments, lora_rank=-1)
    with pytest.raises(ArgumentError, match="quantized"):
        cls(*arguments, quantization_config={"class_name": "Int8QuantizationConfig"})
