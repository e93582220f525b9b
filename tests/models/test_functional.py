"""Models made from symbolic inputs and outputs."""

import copy
import gc
import pickle
import weakref

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.errors import ArgumentError, DuplicateNameError, GraphError, NeverCalledError, ShapeError
from jkeras.models import Functional
from tests.contract.object_graph import arrays_in
from tests.models.networks import NETWORKS, off_default
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def shapes(variables):
    return jax.tree.map(np.shape, variables)


def dense_model(**options):
    inputs = jkeras.Input((3,), name="x")
    return jkeras.Model(inputs, layers.Dense(2)(inputs), **options)


def adder(inputs, outputs=None):
    """A model without weights whose output is the sum of its inputs."""
    leaves = jax.tree.leaves(inputs)
    return jkeras.Model(inputs, ops.add(leaves[0], leaves[1]) if outputs is None else outputs)


def pair():
    return jkeras.Input((3,), name="a"), jkeras.Input((3,), name="b")


def run(model, inputs, **options):
    return model.stateless_call(*model.init(KEY), inputs, **options)[0]


# -- construction


def test_model_of_a_graph_is_functional():
    model = dense_model(name="net")
    assert isinstance(model, Functional)
    assert (model.name, model.built) == ("net", True)
    assert dense_model().name == "functional"
    inputs = jkeras.Input((3,))
    assert jkeras.Model(outputs=layers.Dense(2)(inputs), inputs=inputs).output_shape == (None, 2)


@pytest.mark.parametrize("arguments", [{"inputs": 3, "outputs": 3}, {"inputs": X, "outputs": X}])
def test_only_symbolic_tensors(arguments):
    with pytest.raises(ArgumentError, match="must be symbolic tensors"):
        jkeras.Model(**arguments)


def test_outputs_must_be_symbolic():
    with pytest.raises(ArgumentError, match="all `outputs`"):
        jkeras.Model(jkeras.Input((3,)), X)


def test_half_a_graph_is_an_error():
    with pytest.raises(ArgumentError, match="got no `outputs`"):
        jkeras.Model(jkeras.Input((3,)))


def test_init_needs_no_inputs():
    assert shapes(dense_model().init(KEY).trainable) == {"dense": {"kernel": (3, 2), "bias": (2,)}}


def test_layers_in_topological_order_with_inputs():
    a, b = pair()
    model = jkeras.Model([a, b], layers.Dense(2)(layers.Add()([layers.Dense(4)(a), layers.Dense(4)(b)]) * 2.0))
    assert [layer.name for layer in model.layers] == ["a", "b", "dense", "dense_1", "add", "dense_2"]
    with pytest.raises(AttributeError):
        model.layers = []


def test_symbolic_properties():
    model = NETWORKS["siamese"].build(jkeras)
    assert model.input_shape == [(None, 4), (None, 4)]
    assert model.output_shape == [(None, 3 * 2), (None, 3), (None, 1)]
    assert (model.input_names, set(model.input)) == (["left", "right"], {"left", "right"})
    assert set(model.output) == {"both", "close"}
    assert model.output_names == ["concatenate", "subtract", "dot"]
    assert [tensor.shape for tensor in model.inputs] == model.input_shape
    single = dense_model()
    assert (single.input_shape, single.output_shape) == ((None, 3), (None, 2))
    assert isinstance(single.input, jkeras.KerasTensor)


def test_an_unused_input_stays():
    a, b = pair()
    model = jkeras.Model([a, b], layers.Dense(2)(a))
    assert len(model.inputs) == 2
    assert run(model, [X, X]).shape == (2, 2)


def test_a_frozen_model():
    model = dense_model(trainable=False)
    trainable, non_trainable = model.init(KEY)
    assert trainable == {}
    assert list(non_trainable) == ["dense"]


def test_attributes_are_parts_too():
    model = dense_model()
    model.head = layers.Dense(4)
    model.head.build((None, 2))
    assert list(model.init(KEY).trainable) == ["dense", "head"]


# -- errors of graphs


def test_a_disconnected_graph():
    with pytest.raises(GraphError, match="disconnected") as error:
        jkeras.Model(jkeras.Input((3,)), layers.Dense(2)(jkeras.Input((3,), name="forgotten")))
    assert "forgotten" in str(error.value)
    assert "write:" in str(error.value)


def test_a_cycle():
    inputs = jkeras.Input((3,))
    layer = layers.Dense(3)
    outputs = layer(inputs)
    node = layer.nodes[0]
    node.args, node.input_tensors = (outputs,), [outputs]
    with pytest.raises(GraphError, match="part of a cycle"):
        jkeras.Model(inputs, outputs)


def test_duplicate_names():
    inputs = jkeras.Input((3,))
    hidden = layers.Dense(3, name="same")(inputs)
    with pytest.raises(DuplicateNameError, match="'same' is used more than once"):
        jkeras.Model(inputs, layers.Dense(3, name="same")(hidden))


# -- what may be given for the inputs


def test_lists_stand_for_tuples():
    a, b = pair()
    for model, given in ((adder([a, b]), (X, X)), (adder((a, b)), [X, X])):
        np.testing.assert_array_equal(run(model, given), 2 * X)


def test_a_dict_is_read_by_names():
    a, b = pair()
    np.testing.assert_array_equal(run(adder([a, b]), {"b": X, "a": X, "more": X}), 2 * X)
    np.testing.assert_array_equal(run(adder({"a": a, "b": b}), {"b": X, "a": X, "more": X}), 2 * X)
    np.testing.assert_array_equal(run(dense_model(), {"x": X}), run(dense_model(), X))


@pytest.mark.parametrize("structure", [list, dict])
def test_a_missing_input_is_named(structure):
    a, b = pair()
    model = adder([a, b] if structure is list else {"a": a, "b": b})
    with pytest.raises((GraphError, ShapeError), match="missing: \\['b'\\]"):
        run(model, {"a": X})


def test_one_input_may_be_wrapped():
    inputs = jkeras.Input((3,))
    for model in (jkeras.Model([inputs], [inputs * 2.0]), jkeras.Model(inputs, inputs * 2.0)):
        for given in (X, [X], (X,)):
            np.testing.assert_array_equal(run(model, given), 2 * X)


def test_another_structure_warns():
    a, b = pair()
    with pytest.warns(UserWarning, match="taken in order"):
        outputs = run(adder({"a": a, "b": b}), [X, X])
    np.testing.assert_array_equal(outputs, 2 * X)


@pytest.mark.parametrize("given", [[X], [X, X, X], X], ids=["one", "three", "bare"])
def test_a_wrong_number_of_inputs_is_an_error(given):
    with pytest.raises((GraphError, ShapeError), match=r"number of inputs must be|must have the structure"):
        run(adder(list(pair())), given)


def test_an_unordered_dict_is_not_guessed():
    a, b = pair()
    with pytest.raises(GraphError, match="must have the structure"):
        run(adder({"b": b, "a": a}), [X, X])


def test_keys_that_are_not_the_names_warn():
    a, b = pair()
    with pytest.warns(UserWarning, match="its key in the dict of inputs, 'one'"):
        adder({"one": a, "b": b})


def test_unnamed_inputs_take_the_keys():
    inputs = {"a": jkeras.Input((3,)), "b": jkeras.Input((3,))}
    model = adder(inputs)
    assert [layer.name for layer in model.layers] == ["a", "b"]


def test_nested_inputs_and_outputs():
    a, b = pair()
    c = jkeras.Input((3,), name="c")
    model = jkeras.Model({"pair": (a, b), "one": [c]}, {"sums": [a + b], "both": (b + c, c)})
    outputs = run(model, {"pair": [X, 2 * X], "one": (3 * X,)})
    np.testing.assert_array_equal(outputs["sums"][0], 3 * X)
    np.testing.assert_array_equal(outputs["both"][0], 5 * X)
    assert isinstance(outputs["both"], tuple)


def test_a_list_of_one_output_is_unpacked():
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, [inputs + 1.0])
    assert run(model, X).shape == (2, 3)
    assert model(jkeras.Input((3,))).shape == (None, 3)


def test_an_output_may_be_an_input():
    inputs = jkeras.Input((3,))
    outputs = run(jkeras.Model(inputs, [inputs, inputs + 1.0]), X)
    np.testing.assert_array_equal(outputs[0], X)


class Optional(jkeras.Layer):
    def call(self, x, y=None):
        return x if y is None else x + y


def test_optional_inputs():
    x, y = jkeras.Input((3,), name="x"), jkeras.Input((3,), name="y", optional=True)
    model = jkeras.Model([x, y], Optional()(x, y))
    np.testing.assert_array_equal(run(model, [X, X]), 2 * X)
    np.testing.assert_array_equal(run(model, [X, None]), X)
    with pytest.raises((GraphError, ShapeError), match=r"not optional|must be a tensor"):
        run(model, [None, X])
    named = jkeras.Model({"x": x, "y": y}, Optional()(x, y))
    np.testing.assert_array_equal(run(named, {"x": X, "y": None}), X)


@pytest.mark.parametrize("declared", ["float16", "int32", "float32"])
def test_inputs_are_cast_to_their_declared_dtype(declared):
    inputs = jkeras.Input((3,), dtype=declared)
    assert run(jkeras.Model(inputs, inputs + inputs), X * 4).dtype == declared


def test_a_last_axis_of_one_comes_and_goes():
    column, flat = np.ones((4, 1), "float32"), np.ones((4,), "float32")
    inputs = jkeras.Input((1,))
    model = jkeras.Model(inputs, inputs + 1.0)
    assert run(model, flat).shape == run(model, column).shape == (4, 1)
    inputs = jkeras.Input(())
    model = jkeras.Model(inputs, inputs + 1.0)
    assert run(model, flat).shape == run(model, column).shape == (4,)


@pytest.mark.parametrize("x", [np.zeros((2, 5), "float32"), np.zeros((2, 3, 3), "float32"), np.zeros((), "float32")])
def test_a_wrong_input_is_a_lesson(x):
    model = dense_model(name="net")
    with pytest.raises(ShapeError) as error:
        run(model, x)
    message = str(error.value)
    assert "net" in message
    assert "expected: an input with shape (None, 3)" in message
    assert f"received: shape {x.shape}" in message
    assert "write:" in message


def test_the_input_spec_can_be_set():
    model = dense_model()
    assert [spec.shape for spec in model.input_spec] == [(None, 3)]
    model.input_spec = jkeras.InputSpec(min_ndim=5)
    with pytest.raises(ShapeError, match="rank >= 5"):
        run(model, X)


# -- sharing


def test_a_shared_layer_is_declared_once():
    model = NETWORKS["siamese"].build(jkeras)
    assert shapes(model.init(KEY).trainable) == {"dense": {"kernel": (4, 3), "bias": (3,)}}
    assert len(model.get_layer("dense").nodes) == 2


def test_models_from_the_middle_share_layers_and_names():
    inputs = jkeras.Input((3,))
    hidden = layers.Dense(4)(inputs)
    middle = layers.Dense(5)(hidden)
    outputs = layers.Dense(2)(middle)
    full = jkeras.Model(inputs, outputs)
    head, body = jkeras.Model(hidden, outputs), jkeras.Model(inputs, [hidden, middle])
    assert [layer.name for layer in head.layers] == ["dense_1", "dense_2"]
    trainable, _ = full.init(KEY)
    first, second = body.stateless_call({name: trainable[name] for name in ("dense", "dense_1")}, {}, X)[0]
    assert (first.shape, second.shape) == ((2, 4), (2, 5))
    again, _ = head.stateless_call({name: trainable[name] for name in ("dense_1", "dense_2")}, {}, first)
    np.testing.assert_array_equal(again, full.stateless_call(trainable, {}, X)[0])


def test_the_first_model_names_a_layer():
    """Two models, each with a `dense`, in one: the first keeps its name."""
    one, two = dense_model(), dense_model()
    inputs = jkeras.Input((3,))
    a, b = one.get_layer("dense"), two.get_layer("dense")
    both = jkeras.Model(inputs, [a(inputs), b(inputs)])
    assert {name: layer for name, layer in both.addresses().items() if layer in (a, b)} == {"dense": a, "dense_1": b}


def test_models_in_models_have_subtrees():
    model = NETWORKS["nested"].build(jkeras)
    trainable, _ = model.init(KEY)
    assert shapes(trainable) == {
        "inner": {"dense": {"kernel": (4, 4), "bias": (4,)}},
        "chain": {"dense": {"kernel": (4, 2), "bias": (2,)}},
    }
    x = NETWORKS["nested"].inputs
    inner, chain = model.get_layer("inner"), model.get_layer("chain")
    once, _ = inner.stateless_call(trainable["inner"], {}, x)
    twice, _ = inner.stateless_call(trainable["inner"], {}, once)
    last, _ = chain.stateless_call(trainable["chain"], {}, twice)
    outputs, _ = model.stateless_call(trainable, {}, x)
    np.testing.assert_array_equal(outputs[0], last)


def test_two_models_have_the_same_tree():
    one, two = (NETWORKS["convolutional"].build(jkeras) for _ in range(2))
    chex.assert_trees_all_equal(one.init(KEY), two.init(KEY))
    assert jax.tree.structure(one.init(KEY)) == jax.tree.structure(two.init(KEY))


def test_a_layer_elsewhere_changes_no_value():
    """A weight's value depends on the key and its own path alone."""
    inputs = jkeras.Input((3,))
    short = jkeras.Model(inputs, layers.Dense(2, name="head")(layers.Dense(3)(inputs)))
    long = jkeras.Model(inputs, layers.Dense(2, name="head")(layers.BatchNormalization()(layers.Dense(3)(inputs))))
    np.testing.assert_array_equal(
        short.init(KEY).trainable["head"]["kernel"], long.init(KEY).trainable["head"]["kernel"]
    )


# -- training, masks, losses


def test_training_reaches_every_layer():
    inner = jkeras.Sequential([jkeras.Input((3,)), layers.BatchNormalization()])
    inputs = jkeras.Input((3,))
    model = jkeras.Model(inputs, layers.Dropout(0.5)(inner(inputs)))
    variables = model.init(KEY)
    _, still = model.stateless_call(*variables, X, training=False)
    _, moved = model.stateless_call(*variables, X, training=True)
    mean = ("sequential", "batch_normalization", "moving_mean")
    assert np.array_equal(still[mean[0]][mean[1]][mean[2]], np.zeros(3))
    assert not np.array_equal(moved[mean[0]][mean[1]][mean[2]], np.zeros(3))
    assert shapes(moved) == shapes(variables.non_trainable)


def test_an_explicit_training_argument_wins():
    """Dropout that stays on, and normalization that stays frozen, whatever the call of the model says."""
    inputs = jkeras.Input((3,))
    noisy = layers.Dropout(0.5)(inputs, training=True)
    model = jkeras.Model(inputs, [noisy, layers.BatchNormalization()(inputs, training=False)])
    variables = model.init(KEY)
    (dropped, _), _ = model.stateless_call(*variables, np.ones((8, 3), "float32"), training=False)
    assert 0.0 in np.asarray(dropped)
    _, after = model.stateless_call(*variables, X, training=True)
    np.testing.assert_array_equal(after["batch_normalization"]["moving_mean"], np.zeros(3))


def test_masks_travel_through_the_graph():
    tokens = jkeras.Input((4,), dtype="int32")
    embedded = layers.Embedding(5, 3, mask_zero=True)(tokens)
    model = jkeras.Model(tokens, layers.GlobalAveragePooling1D()(layers.Dense(2)(embedded)))
    with asking_keras():
        k = keras.layers
        their_tokens = keras.Input((4,), dtype="int32")
        pooled = k.GlobalAveragePooling1D()(k.Dense(2)(k.Embedding(5, 3, mask_zero=True)(their_tokens)))
        theirs = keras.Model(their_tokens, pooled)
        x = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
        variables = off_default(model.init(KEY))
        theirs.set_weights(model.get_weights(variables))
        expected = theirs(x)
    assert_close(model.stateless_call(*variables, x)[0], expected)


def test_an_explicit_mask_is_that_of_the_inputs():
    inputs = jkeras.Input((3, 2))
    model = jkeras.Model(inputs, layers.GlobalAveragePooling1D()(inputs))
    x = np.arange(6, dtype="float32").reshape(1, 3, 2)
    outputs, _ = model.stateless_call({}, {}, x, mask=jnp.array([[True, False, False]]))
    assert outputs.tolist() == [[0.0, 1.0]]


def test_masks_of_a_dict_follow_their_inputs():
    """Whatever the order, and whatever else the dict holds."""
    one, two = jkeras.Input((3, 2), name="z"), jkeras.Input((3, 2), name="a")
    pool = layers.GlobalAveragePooling1D()
    model = jkeras.Model([one, two], [pool(one), pool(two)])
    x = np.arange(6, dtype="float32").reshape(1, 3, 2)
    given = {"a": x, "more": x.copy(), "z": x + 10}
    masks = {"a": None, "more": None, "z": jnp.array([[True, False, False]])}
    outputs, _ = model.stateless_call({}, {}, given, mask=masks)
    assert [output.tolist() for output in outputs] == [[[10.0, 11.0]], [[2.0, 3.0]]]
    with pytest.raises(GraphError, match="`mask` must have one mask"):
        model.stateless_call({}, {}, [x, x + 1], mask=[jnp.ones((1, 3), bool)])


def test_losses_have_paths():
    inputs = jkeras.Input((3,))
    hidden = layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")(inputs)
    model = jkeras.Model(inputs, hidden)
    _, _, losses = model.stateless_call(*model.init(KEY), X, return_losses=True)
    assert {"dense/kernel", "dense/activity_regularizer"} <= set(losses)


# -- symbolic calls


def test_a_symbolic_call_of_the_same_shape_is_known():
    model = dense_model()
    outputs = model(jkeras.Input((3,)))
    assert outputs.shape == (None, 2)
    assert outputs is not model.outputs[0]
    assert outputs.history.operation is model


def test_a_symbolic_call_of_another_shape_is_inferred():
    assert dense_model()(jkeras.KerasTensor((7, 3))).shape == (7, 2)
    inputs = jkeras.Input((None, 3))
    model = jkeras.Model(inputs, layers.Dense(2)(inputs))
    assert model.compute_output_shape((None, 5, 3)) == (None, 5, 2)
    assert model.compute_output_shape((4, None, 3)) == (4, None, 2)


def test_a_symbolic_call_of_a_wrong_shape_is_an_error():
    with pytest.raises(ShapeError, match="must have the shape"):
        dense_model()(jkeras.KerasTensor((7, 4)))


def test_there_is_no_limit_to_depth():
    x = inputs = jkeras.Input((2,))
    for _ in range(1000):
        x = layers.Activation("linear")(x)
    model = jkeras.Model(inputs, x + 1.0)
    assert len(model.layers) == 1001
    assert jax.eval_shape(lambda x: run(model, x), jnp.ones((3, 2))).shape == (3, 2)
    again = Functional.from_config(model.get_config())
    assert len(again.layers) == 1001


# -- JAX


def test_it_is_a_pure_function():
    model = NETWORKS["residual"].build(jkeras)
    variables, x = off_default(model.init(KEY)), NETWORKS["residual"].inputs

    def loss(trainable):
        return jnp.sum(model.stateless_call(trainable, variables.non_trainable, x)[0] ** 2)

    eager, compiled = jax.grad(loss)(variables.trainable), jax.jit(jax.grad(loss))(variables.trainable)
    for one, other in zip(jax.tree.leaves(eager), jax.tree.leaves(compiled), strict=True):
        assert_close(one, other, ulps=256)  # fused sums round elsewhere
    both = jax.vmap(lambda x: model.stateless_call(*variables, x[None])[0][0])(x)
    assert_close(both, model.stateless_call(*variables, x)[0], ulps=256)


@pytest.mark.parametrize("name", ["nested", "operators", "convolutional"])
def test_no_array_is_reachable(name):
    model = NETWORKS[name].build(jkeras)
    run(model, NETWORKS[name].inputs)
    assert arrays_in(model) == []


def test_it_is_collectable():
    model = NETWORKS["nested"].build(jkeras)
    run(model, NETWORKS["nested"].inputs)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_copies_and_pickles():
    model = NETWORKS["operators"].build(jkeras)
    inputs = NETWORKS["operators"].inputs
    variables = model.init(KEY)
    expected, _ = model.stateless_call(*variables, inputs)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.layers[0] is not model.layers[0]
        for one, other in zip(copied.stateless_call(*variables, inputs)[0], expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_symbolic_tensors_without_a_graph():
    class Plain(jkeras.Model):
        def call(self, x):
            return x

    for name in ("inputs", "outputs", "input_shape", "output_shape", "input_names", "output_names", "input"):
        with pytest.raises(NeverCalledError):
            getattr(Plain(), name)
