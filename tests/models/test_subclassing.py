"""Models that are classes: with `call`, or with a graph passed on to `super().__init__`."""

import gc
import weakref

import chex
import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError, MissingCallError, NotInitializedError, SerializationError, UnknownNameError
from jkeras.models import Functional, model_from_json
from tests.contract.object_graph import arrays_in
from tests.models.networks import off_default
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def shapes(variables):
    return jax.tree.map(np.shape, variables)


def classifier(library):
    """The same class for both libraries."""

    class Classifier(library.Model):
        def __init__(self, units=4, rate=0.5, **kwargs):
            super().__init__(**kwargs)
            self.units, self.rate = units, rate
            self.blocks = [library.layers.Dense(units, activation="relu") for _ in range(2)]
            self.noise = library.layers.Dropout(rate)
            self.norm = library.layers.BatchNormalization()
            self.head = library.layers.Dense(2, name="logits")

        def call(self, inputs, training=False):
            for block in self.blocks:
                inputs = block(inputs)
            return self.head(self.norm(self.noise(inputs), training=training))

    return Classifier


Classifier = classifier(jkeras)


def test_attribute_names_are_addresses():
    trainable, non_trainable = Classifier().init(KEY, X)
    assert shapes(trainable) == {
        "blocks": {"0": {"kernel": (3, 4), "bias": (4,)}, "1": {"kernel": (4, 4), "bias": (4,)}},
        "norm": {"gamma": (4,), "beta": (4,)},
        "logits": {"kernel": (4, 2), "bias": (2,)},
    }
    assert shapes(non_trainable) == {
        "noise": {"seed_generator": {"seed_generator_state": (2,)}},
        "norm": {"moving_mean": (4,), "moving_variance": (4,)},
    }


def test_it_computes_what_keras_computes():
    ours = Classifier()
    variables = off_default(ours.init(KEY, X))
    with asking_keras():
        theirs = classifier(keras)()
        theirs(X)
        theirs.set_weights(ours.get_weights(variables))
        expected = theirs(X, training=False)
    assert_close(ours.stateless_call(*variables, X)[0], expected)


def test_training_reaches_the_layers():
    model = Classifier()
    variables = model.init(KEY, X)
    _, after = model.stateless_call(*variables, X, training=True)
    assert after["noise"]["seed_generator"]["seed_generator_state"][1] == 1
    assert not np.array_equal(after["norm"]["moving_mean"], variables.non_trainable["norm"]["moving_mean"])


def test_layers_and_get_layer():
    model = Classifier()
    assert list(model.addresses()) == ["blocks/0", "blocks/1", "noise", "norm", "logits"]
    assert model.get_layer("logits") is model.head
    assert model.get_layer("blocks/1") is model.blocks[1]
    assert model.get_layer(index=2) is model.noise
    with pytest.raises(UnknownNameError, match="'logits' \\(did you mean it"):
        model.get_layer("logit")


def test_a_layer_that_two_attributes_hold_is_one():
    class Twice(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.one = self.two = layers.Dense(3)

        def call(self, x):
            return self.two(self.one(x))

    model = Twice()
    assert list(model.init(KEY, X).trainable) == ["one"]
    assert len(model.layers) == 1


def test_without_call():
    with pytest.raises(MissingCallError, match="Empty"):
        type("Empty", (jkeras.Model,), {})().init(KEY, X)


def test_without_super_init():
    class Forgetful(jkeras.Model):
        def __init__(self):
            self.dense = layers.Dense(2)

    with pytest.raises(NotInitializedError, match="super"):
        Forgetful().init(KEY, X)


def test_positional_arguments_are_a_graph():
    class Careless(jkeras.Model):
        def __init__(self):
            super().__init__(1, 2, 3, 4)

    with pytest.raises(ArgumentError, match="inputs, outputs and name"):
        Careless()


def test_it_holds_weights_of_its_own():
    class Scaled(jkeras.Model):
        def __init__(self):
            super().__init__(name="scaled")
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x) * self.scale.value

    trainable, _ = Scaled().init(KEY, X)
    assert list(trainable) == ["scale", "dense"]


def test_a_model_in_a_model():
    class Outer(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.inner = Classifier()
            inputs = jkeras.Input((2,))
            self.graph = jkeras.Model(inputs, layers.Dense(3)(inputs))
            self.chain = jkeras.Sequential([layers.Dense(1)])

        def call(self, x):
            return self.chain(self.graph(self.inner(x)))

    model = Outer()
    variables = model.init(KEY, X)
    assert list(variables.trainable) == ["inner", "graph", "chain"]
    assert shapes(variables.trainable["graph"]) == {"dense": {"kernel": (2, 3), "bias": (3,)}}
    assert shapes(variables.trainable["chain"]) == {"dense": {"kernel": (3, 1), "bias": (1,)}}
    outputs, after = model.stateless_call(*variables, X, training=True)
    assert outputs.shape == (2, 1)
    assert shapes(after) == shapes(variables.non_trainable)


def test_symbolic_calls_nest_it_in_a_graph():
    inputs = jkeras.Input((3,))
    inner = Classifier(name="inner")
    model = jkeras.Model(inputs, layers.Softmax()(inner(inputs)))
    assert model.output_shape == (None, 2)
    variables = model.init(KEY)
    assert list(variables.trainable) == ["inner"]
    outputs, _ = model.stateless_call(*variables, X)
    logits, _ = inner.stateless_call(variables.trainable["inner"], variables.non_trainable["inner"], X)
    np.testing.assert_array_equal(outputs, jax.nn.softmax(logits))


@pytest.mark.parametrize("how", ["jit", "eval_shape"])
def test_init_is_pure(how):
    eager = Classifier().init(KEY, X)
    model = Classifier()
    if how == "jit":
        compiled = jax.jit(lambda key: model.init(key, X))(KEY)
        chex.assert_trees_all_equal(compiled, eager)
    else:
        assert shapes(jax.eval_shape(lambda key: model.init(key, X), KEY)) == shapes(eager)


def test_several_arguments_and_keywords():
    class Fuse(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, a, b, *, flip=False):
            return self.dense(b - a if flip else a - b)

    model = Fuse()
    variables = model.init(KEY, X, 2 * X)
    one, _ = model.stateless_call(*variables, X, 2 * X)
    other, _ = model.stateless_call(*variables, X, 2 * X, flip=True)
    assert_close(one, -other)


def test_masks_need_no_support_of_the_model():
    """What the layers inside do with a mask is theirs; the model itself neither drops nor invents one."""

    class Pool(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.pool = layers.GlobalAveragePooling1D()

        def call(self, x):
            return self.pool(x)

    inputs = jkeras.Input((3,), dtype="int32")
    model = jkeras.Model(inputs, Pool()(layers.Embedding(4, 2, mask_zero=True)(inputs)))
    variables = model.init(KEY)
    table = variables.trainable["embedding"]["embeddings"]
    outputs, _ = model.stateless_call(*variables, np.array([[1, 3, 0]], "int32"))
    assert_close(outputs[0], (table[1] + table[3]) / 2)


# -- a graph in a subclass


class Regression(jkeras.Model):
    """Its constructor makes the graph."""

    def __init__(self, units=2, name=None):
        inputs = jkeras.Input((3,))
        hidden = layers.Dense(4)(inputs)
        super().__init__(inputs, layers.Dense(units)(hidden), name=name)
        self.units = units
        self.hidden = jkeras.Model(inputs, hidden)


class Custom(jkeras.Model):
    """Constructed as `Model` is, with a method more."""

    def parts(self):
        return len(self.layers)


def test_a_subclass_may_describe_a_graph():
    model = Regression()
    assert not isinstance(model, Functional)
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    variables = model.init(KEY)
    assert list(variables.trainable) == ["dense", "dense_1"]
    assert model.stateless_call(*variables, X)[0].shape == (2, 2)
    hidden, _ = model.hidden.stateless_call({"dense": variables.trainable["dense"]}, {}, X)
    assert hidden.shape == (2, 4)


def test_its_config_is_its_arguments():
    model = Regression(units=5)
    assert model.get_config() == {"units": 5, "name": None}
    again = model_from_json(model.to_json(), custom_objects={"Regression": Regression})
    assert isinstance(again, Regression)
    assert again.output_shape == (None, 5)


def test_a_class_that_is_constructed_as_model_is_has_a_graph_config():
    inputs = jkeras.Input((3,))
    model = Custom(inputs, layers.Dense(2)(inputs), name="custom")
    again = model_from_json(model.to_json(), custom_objects={"Custom": Custom})
    assert isinstance(again, Custom)
    assert (again.parts(), again.name) == (2, "custom")


def test_mixins():
    class Counted:
        def __init__(self, *args, **kwargs):
            self.count = 0
            super().__init__(*args, **kwargs)

    class Both(Counted, jkeras.Model):
        pass

    inputs = jkeras.Input((3,))
    model = Both(inputs, layers.Dense(2)(inputs))
    assert (model.count, model.output_shape) == (0, (None, 2))
    assert "layers" in model.get_config()


def test_call_may_be_overridden():
    class Doubled(jkeras.Model):
        def call(self, inputs, training=None):
            return 2 * super().call(inputs, training=training)

    inputs = jkeras.Input((3,))
    model = Doubled(inputs, inputs + 1.0)
    assert_close(model.stateless_call({}, {}, X)[0], 2 * (X + 1))
    assert model(jkeras.Input((3,))).shape == (None, 3)


# -- configs


def test_plain_arguments_are_the_config():
    model = Classifier(units=3, rate=0.1, name="c")
    config = model.get_config()
    assert {name: config[name] for name in ("units", "rate", "name")} == {"units": 3, "rate": 0.1, "name": "c"}
    assert "inputs" not in config
    again = model_from_json(model.to_json(), custom_objects={"Classifier": Classifier})
    assert (again.units, again.rate, again.name) == (3, 0.1, "c")


def test_a_config_rebuilds_what_was_built():
    model = Classifier()
    variables = model.init(KEY, X)
    again = model_from_json(model.to_json(), custom_objects={"Classifier": Classifier})
    assert again.built
    assert shapes(again.init(KEY)) == shapes(variables)


def test_arguments_that_are_no_plain_values_need_get_config():
    class Wrapper(jkeras.Model):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def call(self, x):
            return self.layer(x)

    with pytest.raises(SerializationError, match="get_config"):
        Wrapper(layers.Dense(2)).to_json()


# -- what a model holds


def test_no_array_is_reachable():
    model = Classifier()
    model.stateless_call(*model.init(KEY, X), X, training=True)
    assert arrays_in(model) == []


def test_it_is_collectable():
    model = Classifier()
    model.stateless_call(*model.init(KEY, X), X)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_a_child_is_its_parent_s_subtree():
    model = Classifier()
    trainable, non_trainable = model.init(KEY, X)
    hidden, _ = model.blocks[0].stateless_call(trainable["blocks"]["0"], {}, X)
    hidden, _ = model.blocks[1].stateless_call(trainable["blocks"]["1"], {}, hidden)
    hidden, _ = model.norm.stateless_call(trainable["norm"], non_trainable["norm"], hidden)
    outputs, _ = model.head.stateless_call(trainable["logits"], {}, hidden)
    np.testing.assert_array_equal(model.stateless_call(trainable, non_trainable, X)[0], outputs)
