"""Sequential: chains with and without a declared input."""

import gc
import weakref

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import (
    ArgumentError,
    BuildError,
    DuplicateNameError,
    MissingCallError,
    NeverCalledError,
    ShapeError,
    UnknownNameError,
)
from tests.contract.object_graph import arrays_in
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def chain(*sizes, **options):
    return jkeras.Sequential([layers.Dense(size) for size in sizes], **options)


def shapes(variables):
    return jax.tree.map(np.shape, variables)


TREE = {"dense": {"kernel": (3, 4), "bias": (4,)}, "dense_1": {"kernel": (4, 2), "bias": (2,)}}


# -- names and trees


def test_names_are_numbered_classes():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    assert shapes(model.init(KEY).trainable) == TREE


def test_two_models_have_the_same_tree():
    assert shapes(chain(4, 2).init(KEY, X)) == shapes(chain(4, 2).init(KEY, X))


def test_explicit_names_come_first():
    model = jkeras.Sequential([layers.Dense(4), layers.Dense(2, name="dense"), layers.Dense(1)])
    assert list(model.addresses()) == ["dense_1", "dense", "dense_2"]


def test_adding_changes_no_name():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4)])
    before = dict(model.addresses())
    model.add(layers.Dense(2))
    model.add(layers.Dense(2, name="head"))
    assert list(model.addresses()) == ["dense", "dense_1", "head"]
    assert model.addresses().items() >= before.items()
    with pytest.raises(DuplicateNameError, match="'dense' is used more than once"):
        model.add(layers.Dense(2, name="dense"))


def test_a_child_is_its_parent_s_subtree():
    model = jkeras.Sequential(
        [jkeras.Input((3,)), layers.Dense(4), layers.Dropout(0.5), layers.BatchNormalization(), layers.Dense(2)]
    )
    trainable, non_trainable = model.init(KEY)
    x = X
    for layer in model.layers:
        name = layer.name
        x, _ = layer.stateless_call(trainable.get(name, {}), non_trainable.get(name, {}), x)
    outputs, _ = model.stateless_call(trainable, non_trainable, X)
    np.testing.assert_array_equal(outputs, x)


def test_a_layer_keeps_its_name_in_another_chain():
    """So that the values of the one are those of the other."""
    full = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    variables = full.init(KEY)
    head = jkeras.Sequential([jkeras.Input((4,)), full.layers[1]])
    features = jkeras.Model(full.inputs, full.layers[0].output)
    assert list(head.addresses()) == ["dense_1"]
    hidden, _ = features.stateless_call({"dense": variables.trainable["dense"]}, {}, X)
    outputs, _ = head.stateless_call({"dense_1": variables.trainable["dense_1"]}, {}, hidden)
    np.testing.assert_array_equal(outputs, full.stateless_call(*variables, X)[0])


def test_a_layer_may_come_twice():
    layer = layers.Dense(3)
    model = jkeras.Sequential([jkeras.Input((3,)), layer, layer])
    variables = model.init(KEY)
    assert list(variables.trainable) == ["dense"]
    kernel = variables.trainable["dense"]["kernel"]
    assert_close(model.stateless_call(*variables, X)[0], X @ kernel @ kernel)


def test_attributes_are_parts_too():
    model = chain(4)
    model.extra = layers.Dense(2)
    assert list(model.addresses()) == ["dense", "extra"]


# -- building


def test_without_input_it_waits_for_a_shape():
    model = chain(4, 2)
    assert not model.built
    with pytest.raises(BuildError, match="depend on the inputs"):
        model.init(KEY)
    variables = model.init(KEY, jax.ShapeDtypeStruct((1, 3), "float32"))
    assert model.built
    assert shapes(variables.trainable) == TREE
    assert model.input_shape == (None, 3)
    assert model.output_shape == (None, 2)
    assert [layer.output.shape for layer in model.layers] == [(None, 4), (None, 2)]
    assert shapes(model.init(KEY).trainable) == TREE


def test_deferred_and_declared_have_the_same_values():
    declared = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4), layers.Dense(2)]).init(KEY)
    chex.assert_trees_all_equal(declared, chain(4, 2).init(KEY, X))


@pytest.mark.parametrize("transform", ["jit", "vmap", "eval_shape"])
def test_init_of_a_deferred_model_is_pure(transform):
    model = chain(4, 2)
    spec = jax.ShapeDtypeStruct((1, 3), "float32")

    def init(key):
        return model.init(key, spec)

    if transform == "eval_shape":
        assert shapes(jax.eval_shape(init, KEY).trainable) == TREE
        return
    eager = chain(4, 2).init(KEY, spec)
    found = jax.jit(init)(KEY) if transform == "jit" else jax.tree.map(lambda v: v[0], jax.vmap(init)(KEY[None]))
    chex.assert_trees_all_equal(found, eager)


def test_build_takes_a_shape():
    model = chain(4, 2)
    model.build((None, 3))
    assert shapes(model.init(KEY).trainable) == TREE
    assert [layer.output.shape for layer in model.layers] == [(None, 4), (None, 2)]
    model.build((None, 3))
    with pytest.raises((BuildError, ShapeError)):
        model.build((None, 5))


def test_build_refuses_another_shape_than_the_input_s():
    model = jkeras.Sequential([jkeras.Input((3,))])
    model.add(layers.Dense(2), rebuild=False)
    with pytest.raises(BuildError, match="`input_shape` must be the shape"):
        model.build((None, 4))
    model.build((None, 3))
    assert model.output_shape == (None, 2)


def test_build_without_a_shape_takes_the_input_s():
    model = jkeras.Sequential([jkeras.Input((3,))])
    model.add(layers.Dense(2), rebuild=False)
    model.build()
    assert model.get_build_config() == {"input_shape": (None, 3)}
    model.build()
    model.build(None)
    assert model.output_shape == (None, 2)
    with pytest.raises(BuildError, match="`input_shape` must be given"):
        chain(2).build()


def test_an_empty_model_cannot_be_built():
    with pytest.raises(BuildError, match="no layers"):
        jkeras.Sequential().build((None, 3))


def test_unknown_time_axis():
    model = jkeras.Sequential([layers.Dense(2), layers.GlobalAveragePooling1D()])
    model.init(KEY, jkeras.KerasTensor((None, None, 3)))
    assert model.input_shape == (None, None, 3)
    assert model.output_shape == (None, 2)


def test_a_structure_of_inputs_runs_through_the_chain():
    class Pair(jkeras.Layer):
        def call(self, inputs):
            return {"sum": inputs[0] + inputs[1], "first": inputs[0]}

    model = jkeras.Sequential([Pair(), layers.Lambda(lambda x: x["sum"] - x["first"])])
    variables = model.init(KEY, [X, 2 * X])
    assert_close(model.stateless_call(*variables, [X, 2 * X])[0], 2 * X)
    built = jkeras.Sequential([layers.Add(), layers.Dense(2)])
    built.build([(None, 3), (None, 3)])
    assert built.stateless_call(*built.init(KEY), [X, X])[0].shape == (2, 2)


def test_add_and_pop():
    model = jkeras.Sequential()
    model.add(jkeras.Input((3,)))
    assert not model.built
    model.add(layers.Dense(4))
    assert model.output_shape == (None, 4)
    model.add(layers.Dense(2))
    before = model.init(KEY)
    popped = model.pop()
    assert popped.units == 2
    assert model.output_shape == (None, 4)
    model.add(layers.Dense(5))
    assert list(model.addresses()) == ["dense", "dense_1"]
    after = model.init(KEY)
    np.testing.assert_array_equal(before.trainable["dense"]["kernel"], after.trainable["dense"]["kernel"])
    assert after.trainable["dense_1"]["kernel"].shape == (4, 5)


def test_adding_to_a_model_that_an_example_built():
    model = chain(4)
    model.init(KEY, X)
    model.add(layers.Dense(2))
    assert shapes(model.init(KEY).trainable) == TREE


def test_pop_of_nothing():
    with pytest.raises(BuildError, match="cannot remove the last layer"):
        jkeras.Sequential().pop()


def test_a_model_in_front_declares_the_input():
    inputs = jkeras.Input((3,))
    inner = jkeras.Model(inputs, layers.Dense(4)(inputs))
    model = jkeras.Sequential([inner, layers.Dense(2)])
    assert model.input_shape == (None, 3)
    assert shapes(model.init(KEY).trainable) == {"functional": {"dense": TREE["dense"]}, "dense": TREE["dense_1"]}
    again = jkeras.Sequential([jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4)])])
    assert again.output_shape == (None, 4)


def test_the_old_way_to_declare_inputs_warns():
    with pytest.warns(UserWarning, match="old way"):
        layer = layers.Dense(4, input_shape=(3,))
    model = jkeras.Sequential([layer])
    assert model.input_shape == (None, 3)


@pytest.mark.parametrize("given", ["tensor", "layer"])
def test_an_input_is_a_tensor_or_a_layer(given):
    begin = jkeras.Input((3,)) if given == "tensor" else layers.InputLayer((3,))
    model = jkeras.Sequential([begin, layers.Dense(4)])
    assert model.input_shape == (None, 3)
    assert [type(layer) for layer in model.layers] == [layers.Dense]


# -- errors


def test_a_second_input_is_an_error():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    with pytest.raises(BuildError, match="an `Input` must be the first item"):
        model.add(jkeras.Input((4,)))


@pytest.mark.parametrize("thing", [3, "dense", lambda x: x, jkeras.KerasTensor((2,))])
def test_only_layers(thing):
    with pytest.raises(ArgumentError, match="items of a Sequential must be layers"):
        jkeras.Sequential([thing])


class Two(jkeras.Layer):
    def call(self, a, b):
        return a + b


class Zero(jkeras.Layer):
    def call(self):
        return 0


@pytest.mark.parametrize("layer", [Two, Zero])
def test_a_layer_takes_one_input(layer):
    with pytest.raises(ArgumentError, match="must take exactly one input"):
        jkeras.Sequential([layer()])


def test_duplicate_names():
    with pytest.raises(DuplicateNameError, match="'a' is used more than once") as error:
        jkeras.Sequential([layers.Dense(4, name="a"), layers.Dense(2, name="a")])
    assert "write:" in str(error.value)


def test_nothing_symbolic_before_the_shape_is_known():
    for name in ("inputs", "outputs", "input_shape", "output_shape", "input", "output"):
        with pytest.raises(NeverCalledError, match="not known yet"):
            getattr(chain(4), name)


def test_layers_cannot_be_set():
    with pytest.raises(AttributeError):
        chain(4).layers = []


@pytest.mark.parametrize(
    "x, expected",
    [(np.zeros((2, 5), "float32"), "shape (None, 3)"), (np.zeros((2, 3, 3), "float32"), "shape (None, 3)")],
    ids=["last axis", "rank"],
)
@pytest.mark.parametrize("declared", [True, False])
def test_a_wrong_input_is_named_before_any_work(x, expected, declared):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Flatten(), layers.Dense(2)]) if declared else chain(2)
    variables = model.init(KEY, X)
    if not declared and x.ndim == 3:
        return  # a dense layer takes any rank
    with pytest.raises(ShapeError) as error:
        model.stateless_call(*variables, x)
    message = str(error.value)
    assert "expected:" in message
    assert f"received: shape {x.shape}" in message
    assert "write:" in message
    assert message.count("\n") < 6
    if declared:
        assert expected in message


def test_the_error_of_a_layer_inside_names_it():
    model = jkeras.Sequential([layers.Dense(2), layers.Conv2D(2, 3)], name="net")
    with pytest.raises(ShapeError, match="conv2d"):
        model.init(KEY, X)


def test_get_layer():
    model = chain(4, 2)
    assert model.get_layer("dense_1") is model.layers[1]
    assert model.get_layer(index=0) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[1]
    with pytest.raises(UnknownNameError, match="'dense_1' \\(did you mean it"):
        model.get_layer("dnese_1")
    for arguments in ({}, {"name": "dense", "index": 0}):
        with pytest.raises(ArgumentError, match="exactly one of `name` and `index`"):
            model.get_layer(**arguments)
    with pytest.raises(ArgumentError, match="0 to 1"):
        model.get_layer(index=2)


# -- running


def test_training_and_masks_reach_the_layers():
    model = jkeras.Sequential(
        [layers.Embedding(5, 3, mask_zero=True), layers.Dropout(0.5), layers.GlobalAveragePooling1D()]
    )
    tokens = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    variables = model.init(KEY, tokens)
    table = variables.trainable["embedding"]["embeddings"]
    outputs, after = model.stateless_call(*variables, tokens, training=False)
    assert_close(outputs, jnp.stack([(table[1] + table[2]) / 2, table[3]]))
    assert shapes(after) == shapes(variables.non_trainable)
    noisy, after = model.stateless_call(*variables, tokens, training=True)
    assert not np.array_equal(noisy, outputs)
    assert after["dropout"]["seed_generator"]["seed_generator_state"][1] == 1


def test_an_explicit_mask_reaches_the_first_layer():
    model = jkeras.Sequential([layers.GlobalAveragePooling1D()])
    x = np.arange(6, dtype="float32").reshape(1, 3, 2)
    variables = model.init(KEY, x)
    outputs, _ = model.stateless_call(*variables, x, mask=jnp.array([[True, False, False]]))
    assert outputs.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("dtype", ["int32", "float16", "float32"])
def test_inputs_are_cast_as_keras_casts_them(dtype):
    x = (X * 4).astype(dtype)
    ours = chain(2)
    variables = ours.init(KEY, x)
    with asking_keras():
        theirs = keras.Sequential([keras.layers.Dense(2)])
        theirs.build(x.shape)
        theirs.set_weights(ours.get_weights(variables))
        expected = theirs(x)
    outputs, _ = ours.stateless_call(*variables, x)
    assert str(outputs.dtype) == str(expected.dtype)
    assert_close(outputs, expected)


def test_a_last_axis_of_one_may_be_missing():
    model = jkeras.Sequential([jkeras.Input((1,)), layers.Dense(2)])
    variables = model.init(KEY)
    column = np.ones((3, 1), "float32")
    np.testing.assert_array_equal(
        model.stateless_call(*variables, column[:, 0])[0], model.stateless_call(*variables, column)[0]
    )


def test_compute_output_shape():
    assert chain(4, 2).compute_output_shape((7, 3)) == (7, 2)
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    assert model.compute_output_shape((None, 3)) == (None, 2)
    assert model(jkeras.KerasTensor((5, 3))).shape == (5, 2)
    assert model(jkeras.Input((3,))).shape == (None, 2)


def test_a_chain_outside_a_scope_is_a_lesson():
    with pytest.raises(RuntimeError, match="stateless_call"):
        chain(2)(X)


def test_a_layer_without_call():
    class Nothing(jkeras.Layer):
        pass

    with pytest.raises((MissingCallError, ArgumentError)):
        jkeras.Sequential([Nothing()]).init(KEY, X)


# -- what a model holds


def test_no_array_is_reachable():
    model = jkeras.Sequential([layers.Dense(2), layers.BatchNormalization(), layers.Dropout(0.2)])
    variables = model.init(KEY, X)
    model.stateless_call(*variables, X, training=True)
    model.summary(print_fn=lambda line: None)
    assert arrays_in(model) == []


def test_it_is_collectable():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    model.stateless_call(*model.init(KEY), X)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_the_names_of_inputs_and_outputs():
    model = jkeras.Sequential([jkeras.Input((3,), name="pixels"), layers.Dense(2)])
    assert (model.input_names, model.output_names) == (["pixels"], ["dense"])
    assert [variable.path for variable in model.variables] == ["dense/kernel", "dense/bias"]
    assert len(model.inputs) == len(model.outputs) == 1
    assert model.input is model.inputs[0]
    assert model.output is model.outputs[0]
