"""Building layers: from shapes to declared weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
import jkeras.layers
from jkeras import constraints, initializers, regularizers, tree
from jkeras.core import Input, InputSpec, KerasTensor, Layer, SeedGenerator
from jkeras.errors import ArgumentError, BuildError, NotInitializedError, ShapeError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Noise, Penalty, Scale
from tests.oracle import asking_keras, keras


class Recorder(Layer):
    """Notes the shapes that `build` gets."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.builds = []

    def build(self, input_shape):
        self.builds.append(input_shape)
        self.weight = self.add_weight(shape=(2,), name="weight")

    def call(self, inputs):
        return jax.tree.leaves(inputs)[0]


class TwoShapes(Recorder):
    def build(self, b_shape, a_shape):
        self.builds.append((a_shape, b_shape))

    def call(self, a, b=None, scale=1.0):
        return a


class TestConstructing:
    def test_layer_s_own_arguments(self):
        layer = Scale(activity_regularizer="l2", trainable=False, dtype="mixed_bfloat16", autocast=False, name="mine")
        assert isinstance(layer.activity_regularizer, regularizers.L2) and not layer.trainable and not layer.autocast
        assert (layer.dtype_policy.name, layer.name) == ("mixed_bfloat16", "mine")

    def test_unknown_arguments(self):
        with pytest.raises(ArgumentError, match=r"Dense: unrecognized arguments: \['unit'\](.|\n)*units, activation"):
            Dense(3, unit=3)

    @pytest.mark.parametrize("arguments", [{"input_shape": (3,)}, {"input_dim": 3}], ids=str)
    def test_the_old_way_to_declare_inputs(self, arguments):
        with pytest.warns(UserWarning, match=r"put `jkeras.Input\(shape\)` before the layer"):
            layer = Scale(**arguments)
        assert layer.declared_input_shape == (None, 3)

    @pytest.mark.parametrize("trainable", [None, 1, "yes"])
    def test_trainable_is_a_bool(self, trainable):
        with pytest.raises(ArgumentError, match="`trainable` must be a bool"):
            Scale(trainable=trainable)

    def test_a_constructor_that_forgets_its_base(self):
        class Forgetful(Layer):
            def __init__(self):
                self.size = 3

            def build(self, input_shape):
                self.weight = self.add_weight(shape=(3,))

            def call(self, inputs):
                return inputs

        x = jnp.ones((1, 2))
        uses = (
            lambda layer: layer.init(KEY, x),
            lambda layer: layer(x),
            lambda layer: layer.add_weight(shape=(1,)),
            lambda layer: layer.build((1, 2)),
            lambda layer: layer.stateless_call({}, {}, x),
            lambda layer: layer.get_config(),
        )
        for use in uses:
            with pytest.raises(NotInitializedError, match=r"Forgetful: (.|\n)*super\(\).__init__\(\*\*kwargs\)"):
                use(Forgetful())

    def test_repr(self):
        layer = Scale(name="mine")
        assert repr(layer) == "<Scale name=mine, built=False>"
        layer.build((None, 2))
        assert str(layer) == "<Scale name=mine, built=True>"


class TestBuilding:
    def test_build_marks_the_layer_built_and_creates_no_array(self):
        layer = Recorder()
        assert not layer.built
        layer.build((None, 2))
        assert layer.built and layer.builds == [(None, 2)]

    def test_the_first_call_builds(self):
        layer = Recorder()
        layer.init(KEY, jnp.ones((3, 2)))
        assert layer.builds == [(3, 2)]
        layer.init(KEY, jnp.ones((5, 2)))
        assert layer.builds == [(3, 2)]

    @pytest.mark.parametrize(
        "example",
        [jnp.ones((3, 2)), np.ones((3, 2)), jax.ShapeDtypeStruct((3, 2), "float32"), (3, 2), KerasTensor((3, 2))],
        ids=["array", "numpy", "spec", "shape", "symbolic"],
    )
    def test_what_init_takes(self, example):
        layer = Recorder()
        layer.init(KEY, example)
        assert layer.builds == [(3, 2)]

    def test_unknown_dimensions_stay_unknown(self):
        layer = Recorder()
        layer.init(KEY, KerasTensor((None, 2)))
        assert layer.builds == [(None, 2)]

    @pytest.mark.parametrize(
        ("inputs", "expected"),
        [([(3, 2), (4,)], [(3, 2), (4,)]), ({"a": (3, 2), "b": (4,)}, {"a": (3, 2), "b": (4,)})],
        ids=["list", "dict"],
    )
    def test_nested_first_arguments_give_nested_shapes(self, inputs, expected):
        layer = Recorder()
        layer.init(KEY, inputs)
        assert layer.builds == [expected]

    def test_the_first_argument_by_keyword(self):
        layer = Recorder()
        layer.init(KEY, inputs=jnp.ones((3, 2)))
        assert layer.builds == [(3, 2)]

    def test_several_shapes_by_the_names_of_the_arguments(self):
        layer = TwoShapes()
        layer.init(KEY, (3, 2), (4, 5))
        assert layer.builds == [((3, 2), (4, 5))]

    @pytest.mark.parametrize("signature", ["a_shape, c_shape", "a_shape, b"])
    def test_names_that_fit_no_argument(self, signature):
        scope = {}
        exec(f"def build(self, {signature}): pass", scope)
        layer = type("Wrong", (TwoShapes,), {"build": scope["build"]})()
        with pytest.raises(ArgumentError, match=r"Wrong: `build` takes several shapes(.|\n)*a_shape, b_shape"):
            layer.init(KEY, (3, 2), (4, 5))

    def test_the_same_for_compute_output_shape(self):
        class Shapes(TwoShapes):
            def compute_output_shape(self, b_shape, a_shape):
                return (*a_shape, *b_shape)

        assert Shapes()(Input((2,)), b=Input((5,))).shape == (None, 2, None, 5)

    def test_a_layer_without_build_builds_its_parts(self):
        layer = Chain(Scale(), Dense(3))
        assert not layer.built
        assert layer(Input((2,))).shape == (None, 3)
        assert layer.built and all(part.built for part in layer.parts)

    def test_calling_the_default_build_builds_the_parts_too(self):
        layer = Chain(Scale(), Dense(3))
        layer.build((None, 2))
        assert layer.built and layer.count_params() == 2 + 9

    def test_no_weights_after_building(self):
        layer = Recorder()
        layer.build((None, 2))
        with pytest.raises(BuildError, match=r"no variables can be added(.|\n)*in `build` or `__init__`"):
            layer.add_weight(shape=(1,))

    @pytest.mark.parametrize("calls", [1, 2])
    def test_building_again_for_a_compatible_shape_changes_nothing(self, calls):
        layer = Recorder()
        for _ in range(calls):
            layer.build((None, 2))
        layer.build((7, 2))
        assert layer.builds == [(None, 2)] and len(layer.weights) == 1

    def test_building_again_for_another_shape(self):
        layer = Recorder()
        layer.build((None, 2))
        with pytest.raises(BuildError, match=r"again for another shape(.|\n)*\(None, 2\)(.|\n)*\(None, 3\)"):
            layer.build((None, 3))

    def test_a_build_that_calls_its_base(self):
        class More(Scale):
            def build(self, input_shape):
                super().build(input_shape)
                self.more = self.add_weight(shape=(1,), name="more")

        layer = More()
        assert list(layer.init(KEY, (1, 2)).trainable) == ["factor", "more"]

    def test_a_build_that_failed_declares_nothing(self):
        class Fails(Layer):
            fail = True

            def build(self, input_shape):
                self.weight = self.add_weight(shape=(1,), name="weight")
                if self.fail:
                    raise KeyError

            def call(self, inputs):
                return inputs

        layer = Fails()
        with pytest.raises(KeyError):
            layer.build((1,))
        assert not layer.built
        layer.fail = False
        assert list(layer.init(KEY, (1,)).trainable) == ["weight"]

    def test_a_build_that_needs_to_know_a_dimension(self):
        # the batch is unknown in the first inference, which fails; the weights must not be declared twice
        class Compares(Layer):
            def build(self, input_shape):
                self.weight = self.add_weight(shape=(1,), name="weight")
                if input_shape[0] > 3:
                    self.big = True

            def call(self, inputs):
                return inputs

        layer = Compares()
        assert layer(Input((2,))).shape == (None, 2)
        assert [v.name for v in layer.weights] == ["weight"]

    @pytest.mark.parametrize(
        ("layer", "inputs", "config"),
        [
            (Recorder(), [(None, 2)], {"input_shape": (None, 2)}),
            (TwoShapes(), [(3, 2), (4, 5)], {"shapes_dict": {"a_shape": (3, 2), "b_shape": (4, 5)}}),
            (Chain(Scale()), [(None, 2)], {"input_shape": (None, 2)}),
        ],
        ids=["one", "two", "by running call"],
    )
    def test_build_configs(self, layer, inputs, config):
        assert layer.get_build_config() is None
        layer.infer_build(*inputs)
        assert layer.get_build_config() == config
        again = type(layer)(*([Scale()] if isinstance(layer, Chain) else []))
        again.build_from_config(config)
        assert again.built and [v.shape for v in again.weights] == [v.shape for v in layer.weights]

    def test_two_arguments_and_no_build(self):
        class Add(Layer):
            def __init__(self):
                super().__init__()
                self.first, self.second = Dense(3), Dense(3)

            def call(self, a, b):
                return self.first(a) + self.second(b)

        layer, again = Add(), Add()
        layer.infer_build((None, 2), (None, 4))
        again.build_from_config(layer.get_build_config())
        assert [v.shape for v in again.weights] == [(2, 3), (3,), (4, 3), (3,)]

    def test_layers_without_weights_are_built_from_the_start(self):
        assert Penalty().built and Chain(Penalty()).built and Noise().built and not Chain(Scale()).built

    def test_no_inputs_are_needed_for_what_is_built(self):
        assert list(tree.flatten(Noise().init(KEY).non_trainable)) == ["generator/seed_generator_state"]
        with pytest.raises(BuildError, match="depend on the inputs"):
            Scale().init(KEY)

    def test_count_params(self):
        layer = Chain(Dense(3), Noise())
        with pytest.raises(BuildError, match="number of parameters is not known"):
            layer.count_params()
        layer.build((None, 2))
        assert layer.count_params() == 9

    def test_weights_in_the_constructor(self):
        class Early(Layer):
            def __init__(self):
                super().__init__()
                self.weight = self.add_weight(shape=(2,), initializer="ones", name="weight")

            def call(self, inputs):
                return inputs * self.weight.value

        variables = Early().init(KEY)
        assert variables.trainable["weight"].tolist() == [1.0, 1.0]

    def test_optional_tensors(self):
        layer = TwoShapes()
        layer.init(KEY, (3, 2), b=None)
        assert layer.builds == [((3, 2), None)]


class TestAddWeight:
    def test_arguments(self):
        layer = Layer()
        weight = layer.add_weight(
            shape=(2, 3),
            initializer="ones",
            dtype="float16",
            trainable=False,
            autocast=False,
            regularizer="l2",
            constraint="non_neg",
            aggregation="sum",
            overwrite_with_gradient=True,
            name="w",
        )
        assert (weight.shape, weight.dtype, weight.trainable, weight.autocast) == ((2, 3), "float16", False, False)
        assert (weight.aggregation, weight.overwrite_with_gradient, weight.name) == ("sum", True, "w")
        assert isinstance(weight.initializer, initializers.Ones)
        assert isinstance(weight.regularizer, regularizers.L2)
        assert isinstance(weight.constraint, constraints.NonNeg)

    @pytest.mark.parametrize(
        ("dtype", "policy", "expected"),
        [
            (None, "float32", initializers.GlorotUniform),
            (None, "mixed_bfloat16", initializers.GlorotUniform),
            ("int32", "float32", initializers.Zeros),
            ("bool", "float32", initializers.Zeros),
        ],
    )
    def test_defaults(self, dtype, policy, expected):
        weight = Layer(dtype=policy).add_weight(dtype=dtype)
        assert (weight.shape, weight.dtype, weight.trainable) == ((), dtype or "float32", True)
        assert isinstance(weight.initializer, expected)

    def test_three_positional_arguments(self):
        weight = Layer().add_weight((2,), "ones", "int8")
        assert (weight.shape, weight.dtype) == ((2,), "int8")
        with pytest.raises(TypeError, match="at most 3 positional"):
            Layer().add_weight((2,), "ones", "int8", True)

    @pytest.mark.parametrize(("args", "kwargs"), [(("kernel",), {"shape": (2,)}), (("kernel", (2,)), {})])
    def test_the_name_may_come_first(self, args, kwargs):
        weight = Layer().add_weight(*args, **kwargs)
        assert (weight.name, weight.shape) == ("kernel", (2,))

    def test_add_variable(self):
        assert Layer().add_variable((2,), name="w").shape == (2,)

    def test_a_weight_of_a_frozen_layer_is_not_trained(self):
        layer = Scale(trainable=False)
        variables = layer.init(KEY, (1, 2))
        assert variables.trainable == {} and list(variables.non_trainable) == ["factor"]

    @pytest.mark.parametrize("shape", [(None, 2), (2.5,)])
    def test_unknown_shapes(self, shape):
        with pytest.raises(ArgumentError, match="`shape` must be a tuple of ints"):
            Layer().add_weight(shape)


class TestOutputs:
    def test_compute_output_shape_is_used_where_a_class_has_it(self):
        class Declared(Layer):
            def compute_output_shape(self, input_shape):
                return {"a": (*input_shape, 7), "b": [input_shape]}

            def call(self, inputs):
                raise AssertionError

        outputs = Declared(dtype="mixed_float16")(Input((2,)))
        assert outputs["a"].shape == (None, 2, 7) and outputs["b"][0].shape == (None, 2)
        assert outputs["a"].dtype == "float16"

    def test_then_the_layer_is_built_for_these_shapes(self):
        class Declared(Layer):
            def call(self, inputs):
                return inputs

            def compute_output_shape(self, input_shape):
                return input_shape

        layer = Declared()
        layer(Input((2,)))
        assert layer.get_build_config() == {"input_shape": (None, 2)}
        layer(Input((3,)))
        assert layer.get_build_config() == {"input_shape": (None, 2)}

    @pytest.mark.parametrize("returned", ["text", 3, None, {"a": "b"}], ids=str)
    def test_something_that_is_no_shape(self, returned):
        class Wrong(Layer):
            def compute_output_shape(self, input_shape):
                return returned

        with pytest.raises(ShapeError, match="`compute_output_shape` must return a shape"):
            Wrong()(Input((2,)))

    def test_a_list_of_ints_is_one_shape(self):
        class Listed(Layer):
            def compute_output_shape(self, input_shape):
                return [None, 5]

        assert Listed()(Input((2,))).shape == (None, 5)

    def test_parts_that_build_leaves_out_are_built_by_running_call(self):
        class Partly(Layer):
            def __init__(self):
                super().__init__()
                self.inner = Dense(3)

            def build(self, input_shape):
                self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

            def call(self, inputs):
                return self.inner(inputs) * self.scale.value

            def compute_output_shape(self, input_shape):
                return (*input_shape[:-1], 3)

        layer = Partly()
        assert layer(Input((2,))).shape == (None, 3)
        assert sorted(tree.flatten(layer.init(KEY).trainable)) == ["inner/bias", "inner/kernel", "scale"]

    def test_else_call_runs_for_shapes_alone(self):
        layer = Chain(Dense(4), Dense(3))
        assert layer.compute_output_shape((None, 2)) == (None, 3)
        assert layer.compute_output_spec(KerasTensor((5, 2))).shape == (5, 3)

    def test_structures(self):
        class Swap(Layer):
            def call(self, inputs):
                return {"b": inputs["a"], "a": inputs["b"]}

        assert Swap().compute_output_shape({"a": (None, 1), "b": (2,)}) == {"a": (2,), "b": (None, 1)}

    def test_failures_name_the_layer(self):
        class Broken(Layer):
            def call(self, inputs):
                return inputs @ jnp.ones((7, 7))

        with pytest.raises(TypeError) as error:
            Broken(name="broken")(Input((2,)))
        assert any("outputs of layer 'broken' (Broken)" in note for note in error.value.__notes__)

    def test_a_symbolic_call_is_one_node(self):
        layer, x = Chain(Scale()), Input((2,))
        y = layer(x)
        assert y.history == (layer, 0, 0) and layer.parts[0].nodes == [] and layer.nodes[0].args == (x,)

    @pytest.mark.parametrize(
        ("make", "shape"),
        [(lambda k: k.layers.Dense(3), (None, 4, 5)), (lambda k: k.layers.Embedding(7, 3), (None, 4))],
        ids=["Dense", "Embedding"],
    )
    def test_output_shapes_are_keras_s(self, make, shape):
        with asking_keras():
            theirs = make(keras).compute_output_shape(shape)
        assert make(jkeras).compute_output_shape(shape) == tuple(theirs)


class TestInputSpec:
    def test_axes_within_the_rank(self):
        with pytest.raises(ArgumentError, match="`axes` must name axes below the rank"):
            InputSpec(ndim=2, axes={2: 3})
        assert InputSpec(shape=(None, 3)).ndim == 2

    def test_configs(self):
        spec = InputSpec(dtype="int32", min_ndim=2, axes={-1: 4}, optional=True)
        config = spec.get_config()
        assert InputSpec.from_config(config).get_config() == config
        with asking_keras():
            theirs = keras.InputSpec(dtype="int32", min_ndim=2, axes={-1: 4}, optional=True).get_config()
        assert set(theirs) <= set(config)

    def test_repr(self):
        assert repr(InputSpec(shape=(None, 3))) == "InputSpec(shape=(None, 3))"


def test_a_layer_with_its_own_seed_generator_and_weights_is_built_in_order():
    class Both(Scale):
        def __init__(self):
            super().__init__()
            self.generator = SeedGenerator(1)

    layer = Both()
    layer.init(KEY, (1, 2))
    assert [v.name for v in layer.variables] == ["factor", "seed_generator_state"]
