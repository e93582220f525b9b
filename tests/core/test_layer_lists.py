"""The lists of a layer's declarations, in Keras's order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras.core
import jkeras.layers
from jkeras import tree
from jkeras.core import Layer, SeedGenerator, Variable
from jkeras.errors import LeafError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Noise, Run, RunningMean, Scale
from tests.oracle import asking_keras, keras

LISTS = (
    *("variables", "trainable_variables", "non_trainable_variables"),
    *("weights", "trainable_weights", "non_trainable_weights"),
)


def classes(library, generator):
    """Custom layers, written once for either library."""

    class Statistic(library.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.stream = generator(1)

        def build(self, input_shape):
            self.count = self.add_weight(shape=(), dtype="int32", trainable=False, name="count")
            self.gain = self.add_weight(shape=(input_shape[-1],), name="gain")
            self.mean = self.add_weight(shape=(input_shape[-1],), trainable=False, name="mean")
            self.shift = self.add_weight(shape=(input_shape[-1],), name="shift")

        def call(self, inputs):
            return inputs

    class Block(library.Layer):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)
            self.statistic = Statistic()
            self.denses = [library.layers.Dense(size, name=f"d{i}") for i in range(2)]
            self.table = {"z": Statistic(), "a": (library.layers.Dense(size, use_bias=False),)}

        def build(self, input_shape):
            self.own = self.add_weight(shape=(3,), name="own")

        def call(self, inputs):
            inputs = self.statistic(inputs)
            for dense in self.denses:
                inputs = dense(inputs)
            return self.table["a"][0](self.table["z"](inputs))

    class Net(library.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = self.add_weight(shape=(2,), name="scale")
            self.blocks = [Block(3), Block(4)]
            self.blocks[1].trainable = False
            self.again = self.blocks[0].denses[1]
            self.stream = generator(2)
            self.head = library.layers.Dense(2)

        def call(self, inputs):
            for block in self.blocks:
                inputs = block(inputs)
            return self.head(inputs)

    return Statistic, Block, Net


class Ours:
    Layer = Layer
    layers = jkeras.layers


def both(index, shape):
    ours = classes(Ours, SeedGenerator)[index]
    theirs = classes(keras, lambda seed: keras.random.SeedGenerator(seed))[index]
    with asking_keras():
        mine, reference = (made(*([3] if index == 1 else [])) for made in (ours, theirs))
        reference(np.ones(shape, "float32"))
    mine.infer_build(shape)
    return mine, reference


def described(variables):
    return [(v.name, tuple(v.shape), v.trainable) for v in variables]


class TestOrder:
    @pytest.mark.parametrize("index", [0, 1, 2], ids=["one layer", "nested", "deep"])
    @pytest.mark.parametrize("which", LISTS)
    def test_the_order_is_keras_s(self, index, which):
        ours, theirs = both(index, (1, 3))
        assert described(getattr(ours, which)) == described(getattr(theirs, which))

    @pytest.mark.parametrize("which", LISTS)
    def test_freezing_as_in_keras(self, which):
        ours, theirs = both(2, (1, 3))
        states = []
        for layer in (ours, theirs):
            layer.blocks[0].trainable = False
            one = described(getattr(layer, which))
            layer.trainable = False
            two = described(getattr(layer, which))
            layer.trainable = True
            layer.blocks[1].denses[0].trainable = False
            states.append((one, two, described(getattr(layer, which))))
        assert states[0] == states[1]

    def test_count_params_as_in_keras(self):
        ours, theirs = both(2, (1, 3))
        assert ours.count_params() == theirs.count_params()

    def test_weights_have_no_streams_and_variables_do(self):
        layer = Chain(Scale(), Noise())
        layer.init(KEY, (1, 2))
        assert [v.name for v in layer.weights] == ["factor"]
        assert [v.name for v in layer.variables] == ["factor", "seed_generator_state"]
        assert [v.name for v in layer.non_trainable_weights] == []

    def test_a_weight_with_the_name_of_a_stream_is_a_weight(self):
        class Named(Layer):
            def build(self, input_shape):
                self.state = self.add_weight(shape=(2,), trainable=False, name="seed_generator_state")

            def call(self, inputs):
                return inputs

        layer = Named()
        layer.build((1,))
        assert len(layer.weights) == len(layer.non_trainable_weights) == 1

    def test_a_shared_layer_counts_once(self):
        shared = Scale()
        layer = Chain(shared, Chain(shared))
        variables = layer.init(KEY, (1, 2))
        assert len(layer.weights) == 1 and list(tree.flatten(variables.trainable)) == ["parts/0/factor"]
        outputs, _ = layer.stateless_call({"parts": {"0": {"factor": jnp.full(2, 3.0)}}}, {}, jnp.ones((1, 2)))
        assert outputs.tolist() == [[9.0, 9.0]]


class TestTrainable:
    def test_the_setter_reaches_parts_and_weights(self):
        layer = Chain(Scale(), Chain(Scale()))
        layer.init(KEY, (1, 2))
        layer.trainable = 0
        assert layer.trainable is False and not layer.parts[1].parts[0].trainable
        assert not any(v.trainable for v in layer.weights) and layer.trainable_weights == []

    def test_a_frozen_part_moves_to_the_other_tree(self):
        layer = Chain(Scale(), Scale())
        layer.init(KEY, (1, 2))
        layer.parts[0].trainable = False
        variables = layer.init(KEY)
        assert list(tree.flatten(variables.trainable)) == ["parts/1/factor"]
        assert list(tree.flatten(variables.non_trainable)) == ["parts/0/factor"]

    def test_freezing_changes_no_value_and_no_output(self):
        layer, x = Chain(Dense(3), RunningMean()), jnp.ones((2, 2))
        before = layer.init(KEY, x)
        expected, _ = layer.stateless_call(*before, x)
        layer.parts[0].trainable = False
        after = layer.repartition(before)
        assert {**tree.flatten(after[0]), **tree.flatten(after[1])}.keys() == {
            *tree.flatten(before[0]),
            *tree.flatten(before[1]),
        }
        assert layer.stateless_call(*after, x)[0].tolist() == expected.tolist()
        layer.parts[0].trainable = True
        again = layer.repartition(after)
        assert jax.tree.structure(again) == jax.tree.structure(before)

    def test_freezing_keeps_what_is_assigned_assignable(self):
        layer, x = Chain(RunningMean()), jnp.ones((2, 2))
        layer.init(KEY, x)
        layer.trainable = False
        _, state = layer.stateless_call(*layer.init(KEY), x, training=True)
        assert int(state["parts"]["0"]["count"]) == 1

    def test_unfreezing_does_not_train_state(self):
        layer = Chain(RunningMean())
        layer.init(KEY, (1, 2))
        layer.trainable = False
        layer.trainable = True
        assert [v.name for v in layer.trainable_weights] == ["gain"]

    def test_a_part_that_was_made_frozen_is_frozen_for_every_owner(self):
        # Keras's owner of such a part trains what the part itself calls frozen
        layer = Chain(Chain(Scale(), trainable=False), Scale())
        layer.init(KEY, (1, 2))
        assert [v.path for v in layer.trainable_weights] == ["parts/1/factor"]
        assert layer.parts[0].trainable_weights == []

    def test_a_single_variable(self):
        layer = Dense(2)
        layer.init(KEY, (1, 2))
        layer.bias.trainable = False
        assert [v.name for v in layer.trainable_weights] == ["kernel"]
        assert list(layer.init(KEY).non_trainable) == ["bias"]


class TestValues:
    def test_get_and_set_weights(self):
        layer = Chain(Dense(2), Noise(), RunningMean())
        variables = layer.init(KEY, (1, 3))
        weights = layer.get_weights(variables)
        assert [type(w) for w in weights] == [np.ndarray] * 5
        assert [w.shape for w in weights] == [v.shape for v in layer.weights]
        changed = layer.set_weights(variables, [w + 1 for w in weights])
        assert jax.tree.structure(changed) == jax.tree.structure(variables)
        for before, after in zip(weights, layer.get_weights(changed), strict=True):
            np.testing.assert_array_equal(after, before + 1)
        stream = "parts/1/generator/seed_generator_state"
        old, new = (tree.flatten(v.non_trainable)[stream] for v in (variables, changed))
        assert old.tolist() == new.tolist()

    def test_values_keep_the_dtypes_of_the_leaves(self):
        layer = Scale(dtype="bfloat16")
        variables = layer.init(KEY, (1, 2))
        assert layer.set_weights(variables, [np.ones(2, "float64")]).trainable["factor"].dtype == "bfloat16"

    def test_the_wrong_number(self):
        layer = Dense(2)
        variables = layer.init(KEY, (1, 3))
        with pytest.raises(
            LeafError, match=r"dense: `weights` must have one array for each declaration(.|\n)*2 arrays(.|\n)*1 arrays"
        ):
            layer.set_weights(variables, [np.ones((3, 2))])

    def test_wrong_shapes_are_all_named(self):
        layer = Dense(2)
        variables = layer.init(KEY, (1, 3))
        with pytest.raises(LeafError, match=r"'kernel' has shape(.|\n)*'bias' has shape"):
            layer.set_weights(variables, [np.ones((2, 3)), np.ones(3)])

    def test_weights_of_keras_are_weights_of_ours(self):
        ours, theirs = both(2, (1, 3))
        x = np.float32([[1, 2, 3]])
        with asking_keras():
            weights, expected = theirs.get_weights(), theirs(x)
        variables = ours.set_weights(ours.init(KEY), weights)
        # four matrix products of at most four terms each
        np.testing.assert_allclose(ours.stateless_call(*variables, x)[0], np.asarray(expected), rtol=1e-5)


class TestRepartition:
    def test_new_weights_are_drawn_with_a_key_and_refused_without(self):
        layer = Dense(2)
        variables = layer.init(KEY, (1, 3))
        layer.enable_lora(1)
        with pytest.raises(LeafError, match=r"'lora_kernel_a' is missing(.|\n)*'lora_kernel_b' is missing"):
            layer.repartition(variables)
        moved = layer.repartition(variables, KEY)
        assert sorted(moved.trainable) == ["bias", "lora_kernel_a", "lora_kernel_b"]
        assert moved.non_trainable["kernel"] is variables.trainable["kernel"]

    def test_unknown_leaves_are_refused(self):
        layer = Scale()
        variables = layer.init(KEY, (1, 2))
        with pytest.raises(LeafError, match="'other' in `trainable` is unknown"):
            layer.repartition(({**variables.trainable, "other": jnp.ones(1)}, {}))


def test_variables_made_by_hand_come_after_those_of_add_weight():
    class Hand(Layer):
        def build(self, input_shape):
            self.made = Variable("ones", shape=(1,))
            self.added = self.add_weight(shape=(2,))

        def call(self, inputs):
            return inputs + self.made.value + self.added.value

    layer = Hand()
    assert list(layer.init(KEY, (2,)).trainable) == ["added", "made"]
    assert Run(lambda layer, x: x).weights == []
