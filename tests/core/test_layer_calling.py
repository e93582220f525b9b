"""Calling layers: casts, arguments, `training`, masks, losses."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
import jkeras.core
from jkeras import dtypes, registry
from jkeras.core import Input, InputSpec, Layer, get_mask, set_mask
from jkeras.errors import ArgumentError, BuildError, DataError, OutsideScopeError, ShapeError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Penalty, Run, Scale, run
from tests.oracle import asking_keras, assert_close, keras


def call(layer, *args, **kwargs):
    """A layer's outputs, after initializing it for the same arguments."""
    given = {name: value for name, value in kwargs.items() if name != "training"}
    variables = layer.init(KEY, *args, **given)
    return layer.stateless_call(*variables, *args, **kwargs)[0]


class Look(Layer):
    """Notes the dtypes of what `call` gets and of what it reads."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def build(self, input_shape):
        self.weight = self.add_weight(shape=(1,), name="weight")

    def call(self, inputs, **kwargs):
        arrays = [leaf for leaf in jax.tree.leaves((inputs, kwargs)) if hasattr(leaf, "dtype")]
        self.seen.append([str(array.dtype) for array in [*arrays, self.weight.value]])
        return inputs


class TestDtypes:
    @pytest.mark.parametrize(
        ("dtype", "variable", "compute"),
        [
            (None, "float32", "float32"),
            ("bfloat16", "bfloat16", "bfloat16"),
            ("mixed_float16", "float32", "float16"),
            (dtypes.DTypePolicy("mixed_bfloat16"), "float32", "bfloat16"),
            ({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}}, "float64", "float64"),
            (jnp.float16, "float16", "float16"),
        ],
        ids=str,
    )
    def test_policies(self, dtype, variable, compute):
        layer = Scale(dtype=dtype)
        assert (layer.dtype, layer.variable_dtype, layer.compute_dtype, layer.input_dtype) == (
            *(variable, variable),
            *(compute, compute),
        )

    def test_the_policy_can_be_set(self):
        layer = Scale()
        layer.dtype_policy = "mixed_bfloat16"
        assert layer.compute_dtype == "bfloat16" and layer.dtype_policy.name == "mixed_bfloat16"

    @pytest.mark.parametrize(
        ("given", "policy", "expected"),
        [
            ("float32", "mixed_bfloat16", "bfloat16"),
            ("float16", "float32", "float32"),
            ("int32", "mixed_bfloat16", "int32"),
            ("bool", "float32", "bool"),
            ("complex64", "float32", "complex64"),
        ],
    )
    @pytest.mark.parametrize("library", [np, jnp], ids=["numpy", "jax"])
    def test_float_inputs_are_cast(self, given, policy, expected, library):
        layer = Look(dtype=policy)
        call(layer, library.ones((1, 1), given))
        assert layer.seen[-1][0] == expected

    def test_all_arguments_and_structures(self):
        layer = Look(dtype="mixed_float16")
        call(
            layer, [jnp.ones((1, 1)), jnp.ones((1, 1), "int8")], other={"a": np.ones((1, 1), "float64")}, static="text"
        )
        assert layer.seen[-1] == ["float16", "int8", "float16", "float16"]

    def test_no_cast_without_autocast(self):
        layer = Look(dtype="mixed_float16", autocast=False)
        call(layer, jnp.ones((1, 1)))
        assert layer.seen[-1] == ["float32", "float32"]

    def test_numpy_arrays_become_jax_arrays(self):
        outputs = run(lambda layer, x: (isinstance(x, jax.Array), x)[1], np.ones((1, 1)))[0]
        assert isinstance(outputs, jax.Array)

    @pytest.mark.parametrize("inner", ["float32", "bfloat16", "mixed_bfloat16", "int32"])
    @pytest.mark.parametrize("autocast", [True, False])
    def test_nested_layers_swap_what_reads_are_cast_to(self, inner, autocast):
        ours = Look(dtype=inner, autocast=autocast)
        Chain(ours, dtype="mixed_float16").infer_build((1, 1))

        class Theirs(keras.layers.Layer):
            def build(self, input_shape):
                self.weight = self.add_weight(shape=(1,), name="weight")

            def call(self, inputs):
                seen.append([str(inputs.dtype), str(self.weight.value.dtype)])
                return inputs

        class Outer(keras.layers.Layer):
            def __init__(self):
                super().__init__(dtype="mixed_float16")
                self.inner = Theirs(dtype=inner, autocast=autocast)

            def call(self, inputs):
                return self.inner(inputs)

        seen = []
        with asking_keras():
            Outer()(np.ones((1, 1), "float32"))
        assert ours.seen[-1] == seen[-1]

    def test_a_policy_map_goes_by_path(self):
        policies = dtypes.DTypePolicyMap("float32", {"parts/0": dtypes.DTypePolicy("bfloat16")})
        policies["parts/.*/inner"] = dtypes.DTypePolicy("float16")

        class Outer(Layer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.inner = Scale(dtype=self.declared_dtype_policy)

            def call(self, inputs):
                return self.inner(inputs)

        layer = Chain(Scale(dtype=policies), Outer(dtype=policies), Scale(dtype=policies))
        assert Chain(Scale(dtype=policies)).compute_output_spec(jnp.ones((1, 2))).dtype == "bfloat16"
        variables = layer.init(KEY, (1, 2))
        kept = jax.tree.map(lambda leaf: str(leaf.dtype), variables.trainable)["parts"]
        assert kept == {"0": {"factor": "bfloat16"}, "1": {"inner": {"factor": "float16"}}, "2": {"factor": "float32"}}
        assert layer.stateless_call(*variables, jnp.ones((1, 2)))[0].dtype == "float32"

    def test_a_layer_on_its_own_goes_by_its_name(self):
        policies = dtypes.DTypePolicyMap("float32", {"head": dtypes.DTypePolicy("bfloat16")})
        assert Dense(2, dtype=policies, name="head").init(KEY, (1, 2)).trainable["kernel"].dtype == "bfloat16"
        assert Dense(2, dtype=policies, name="head")(Input((2,))).dtype == "bfloat16"
        assert Dense(2, dtype=policies).init(KEY, (1, 2)).trainable["kernel"].dtype == "float32"

    def test_what_a_layer_was_built_with_stays(self):
        # the name that a model gives comes after the variables are declared
        policies = dtypes.DTypePolicyMap("float32", {"dense_1": dtypes.DTypePolicy("bfloat16")})
        x = inputs = Input((2,))
        for _ in range(2):
            x = Dense(2, dtype=policies)(x)
        model = jkeras.Model(inputs, x)
        assert model.layers[2].name == model.layers[2].path == "dense_1"
        assert (model.layers[2].variable_dtype, model.layers[2].compute_dtype) == ("float32", "float32")
        model.layers[2].dtype_policy = "float16"
        assert model.layers[2].compute_dtype == "float16"

    def test_symbolic_inputs_are_cast_too(self):
        assert Scale(dtype="bfloat16")(Input((2,), dtype="float32")).dtype == "bfloat16"
        assert Chain(Penalty(dtype="bfloat16"))(Input((2,), dtype="int32")).dtype == "int32"


class Two(Layer):
    def call(self, a, b=None, scale=1.0):
        return a * scale


class TestArguments:
    @pytest.mark.parametrize("argument", [3.0, "text", True, [1.0, 2.0], {"a": 1}], ids=str)
    def test_only_tensors_by_position(self, argument):
        with pytest.raises(ArgumentError, match=r"only tensors may be passed by position(.|\n)*two\(x, argument="):
            Two().stateless_call({}, {}, jnp.ones(2), argument)

    def test_none_is_allowed(self):
        assert Two().stateless_call({}, {}, jnp.ones(2), None)[0].tolist() == [1.0, 1.0]

    def test_others_by_keyword(self):
        assert Two().stateless_call({}, {}, jnp.ones(2), scale=3)[0].tolist() == [3.0, 3.0]

    @pytest.mark.parametrize("value", [[jnp.ones(1), "text"], {"a": jnp.ones(1), "b": 3}], ids=["list", "dict"])
    def test_no_mixtures(self, value):
        with pytest.raises(ArgumentError, match="the argument 'b' mixes tensors with other things"):
            Two().stateless_call({}, {}, jnp.ones(2), b=value)

    def test_structures_of_tensors(self):
        assert Two().stateless_call({}, {}, jnp.ones(2), b=[jnp.ones(1), {"c": np.ones(2)}])[0].shape == (2,)

    def test_all_by_keyword(self):
        assert Two().stateless_call({}, {}, b=jnp.ones(1), a=jnp.ones(2))[0].tolist() == [1.0, 1.0]

    @pytest.mark.parametrize(
        ("args", "kwargs", "message"),
        [
            ((), {}, "missing a required argument: 'a'"),
            ((1, 2, 3, 4), {}, "too many positional arguments"),
            ((1,), {"a": 1}, "multiple values for argument 'a'"),
            ((1,), {"c": 1}, "got an unexpected keyword argument 'c'"),
        ],
    )
    def test_arguments_that_do_not_fit_the_signature(self, args, kwargs, message):
        arrays = [jnp.ones(2) for _ in args]
        with pytest.raises(TypeError, match=message):
            Two().stateless_call({}, {}, *arrays, **dict.fromkeys(kwargs, jnp.ones(2)))

    def test_other_errors_say_which_layer_they_left_first(self):
        class Broken(Layer):
            def call(self, inputs):
                return inputs @ jnp.ones((7, 7))

        layer = Chain(Penalty(), Chain(Broken(name="broken")))
        with pytest.raises(TypeError) as error:
            layer.stateless_call({}, {}, jnp.ones((4, 3)))
        notes = [note for note in error.value.__notes__ if note.startswith("While")]
        assert notes == ["While calling layer 'parts/1/parts/broken' (Broken) with inputs_shape=(4, 3)."]

    def test_arguments_that_do_not_fit_say_so_too(self):
        def program(layer, x):
            return layer.two(x, factor=2)

        with pytest.raises(TypeError, match="unexpected keyword argument 'factor'") as error:
            run(program, jnp.ones(3), two=Two())
        assert "While calling layer 'two' (Two)." in error.value.__notes__

    def test_symbolic_calls_keep_python_arguments_as_they_are(self):
        class Takes(Layer):
            def call(self, inputs, training=False, axes=(), mode=None):
                assert training is True and axes == (0, 1) and mode == 2.5
                return inputs

        assert Takes()(Input((2,)), training=True, axes=(0, 1), mode=2.5).shape == (None, 2)
        Takes().init(KEY, (1, 2), training=True, axes=(0, 1), mode=2.5)

    def test_no_call(self):
        class Empty(Layer):
            pass

        with pytest.raises(NotImplementedError, match=r"Empty: the class must define `call`"):
            Empty().stateless_call({}, {}, jnp.ones(1))

    def test_outside_a_scope(self):
        with pytest.raises(OutsideScopeError, match="a layer holds no values"):
            Scale()(jnp.ones((1, 2)))

    def test_never_built(self):
        with pytest.raises(BuildError, match="scale: the layer must be built before it is called"):
            Scale().stateless_call({}, {}, jnp.ones((1, 2)))

    def test_a_part_that_was_never_built(self):
        layer = Chain(Scale())
        layer._built = True  # as if `build` had left the part out
        with pytest.raises(BuildError, match="parts/0: the layer must be built before it is called"):
            layer.stateless_call({}, {}, jnp.ones((1, 2)))


SPECS = {
    "ndim": (InputSpec(ndim=2), (2, 3), (3,), "rank 2"),
    "max_ndim": (InputSpec(max_ndim=2), (2, 3), (1, 2, 3), "rank <= 2"),
    "min_ndim": (InputSpec(min_ndim=2), (2, 3), (3,), "rank >= 2"),
    "axes": (InputSpec(axes={-1: 3}), (2, 3), (2, 4), "size 3 in axis -1"),
    "shape": (InputSpec(shape=(None, 3)), (2, 3), (2, 4), r"shape \(None, 3\)"),
    "squeeze": (InputSpec(shape=(None, 3, 1), allow_last_axis_squeeze=True), (2, 3), (2, 4), "shape"),
}


class TestInputSpecs:
    @pytest.mark.parametrize("name", SPECS)
    def test_one_input(self, name):
        spec, good, bad, message = SPECS[name]
        layer = Penalty(name="layer")
        layer.input_spec = spec
        layer.stateless_call({}, {}, jnp.ones(good))
        with pytest.raises(
            ShapeError, match=f"layer: the input must have the shape and dtype of `input_spec`(.|\n)*{message}"
        ) as error:
            layer.stateless_call({}, {}, jnp.ones(bad))
        assert f"received: shape {bad}, dtype float32" in str(error.value) and "write:" in str(error.value)

    def test_dtype(self):
        layer = Chain()
        layer.input_spec = InputSpec(dtype="int32")
        layer.stateless_call({}, {}, jnp.ones(2, "int32"))
        with pytest.raises(ShapeError, match="dtype int32"):
            layer.stateless_call({}, {}, jnp.ones(2))

    def test_several_inputs(self):
        layer = Run(lambda layer, x: x[0])
        layer.input_spec = [InputSpec(ndim=1), InputSpec(ndim=2)]
        layer.stateless_call({}, {}, [jnp.ones(1), jnp.ones((1, 1))])
        with pytest.raises(ShapeError, match="the number of inputs must be"):
            layer.stateless_call({}, {}, [jnp.ones(1)])
        with pytest.raises(ShapeError, match="rank 2"):
            layer.stateless_call({}, {}, [jnp.ones(1), jnp.ones(1)])

    def test_named_inputs(self):
        layer = Run(lambda layer, x: x["a"])
        layer.input_spec = [InputSpec(ndim=1, name="b"), InputSpec(ndim=2, name="a")]
        layer.stateless_call({}, {}, {"a": jnp.ones((1, 1)), "b": jnp.ones(1)})
        with pytest.raises(ShapeError, match=r"inputs are missing: \['b'\]"):
            layer.stateless_call({}, {}, {"a": jnp.ones((1, 1))})

    def test_optional_inputs(self):
        layer = Run(lambda layer, x: x[0])
        layer.input_spec = [InputSpec(ndim=1), InputSpec(ndim=2, optional=True)]
        layer.stateless_call({}, {}, [jnp.ones(1), None])

    def test_checked_again_after_building(self):
        class Strict(Layer):
            def build(self, input_shape):
                self.input_spec = InputSpec(axes={-1: 5})

            def call(self, inputs):
                return inputs

        with pytest.raises(ShapeError, match="size 5 in axis -1"):
            Strict().init(KEY, (1, 2))

    @pytest.mark.parametrize("name", SPECS)
    def test_keras_agrees(self, name):
        spec, good, bad, _ = SPECS[name]
        with asking_keras():
            theirs = keras.InputSpec(**{k: v for k, v in vars(spec).items() if k != "axes"}, axes=spec.axes or None)
            layer = keras.layers.Layer()
            layer.input_spec, layer.call = theirs, lambda x: x
            layer(np.ones(good))
            with pytest.raises(ValueError):
                layer(np.ones(bad))


def family(library):
    """The same three layers of either library: an inner one that notes `training`, around it one that takes it and one
    that does not."""

    class Inner(library.Layer):
        def call(self, inputs, training=None):
            noted.append(training)
            return inputs

    class Default(library.Layer):
        def call(self, inputs, training=True):
            noted.append(training)
            return inputs

    class Plain(library.Layer):
        def __init__(self, inner, **given):
            super().__init__()
            self.inner, self.given = inner, given

        def call(self, inputs):
            return self.inner(inputs, **self.given)

    class Taking(Plain):
        def call(self, inputs, training=False):
            noted.append(training)
            return self.inner(inputs, **self.given)

    class Starting(Plain):
        def call(self, inputs, training=True):
            return self.inner(inputs)

    return Inner, Default, Plain, Taking, Starting


noted: list = []

TRAINING = {
    "explicit": lambda Inner, Default, Plain, Taking, Starting: Inner(),
    "through a layer without it": lambda Inner, Default, Plain, Taking, Starting: Plain(Inner()),
    "through a layer that takes it": lambda Inner, Default, Plain, Taking, Starting: Taking(Plain(Inner())),
    "given to a part": lambda Inner, Default, Plain, Taking, Starting: Taking(Plain(Inner()), training=True),
    "given as False": lambda Inner, Default, Plain, Taking, Starting: Plain(Taking(Inner()), training=False),
    "default of the owner's signature": lambda Inner, Default, Plain, Taking, Starting: Starting(Plain(Inner())),
    "default of the signature": lambda Inner, Default, Plain, Taking, Starting: Plain(Default()),
}


class TestTraining:
    @pytest.mark.parametrize("name", TRAINING)
    @pytest.mark.parametrize("training", [True, False, None])
    def test_as_in_keras(self, name, training):
        results = []
        for library in (jkeras.core, keras):
            noted.clear()
            layer = TRAINING[name](*family(library))
            with asking_keras():
                if library is keras:
                    layer(np.ones((1, 1), "float32"), **({} if training is None else {"training": training}))
                else:
                    layer.stateless_call({}, {}, jnp.ones((1, 1)), training=training)
            results.append(list(noted))
        ours, theirs = results
        # Keras first runs `call` to build. Where nobody says anything, it says None or False.
        assert [bool(value) for value in ours] == [bool(value) for value in theirs[-len(ours) :]]

    def test_an_argument_reaches_the_parts_of_a_layer_and_not_its_siblings(self):
        Inner, _, Plain, _, _ = family(jkeras.core)
        noted.clear()
        first, second = Plain(Inner(), training=True), Plain(Inner())
        Chain(first, second).stateless_call({}, {}, jnp.ones(1), training=False)
        assert noted == [True, False]

    def test_training_is_not_given_to_a_call_that_does_not_take_it(self):
        assert Penalty().stateless_call({}, {}, jnp.ones(1), training=True)[0].tolist() == [1.0]

    def test_other_context_arguments(self):
        class Inner(Layer):
            def __init__(self):
                super().__init__()
                self.register_context_arguments("foo_mode")

            def call(self, inputs, foo_mode=False):
                return inputs + 1 if foo_mode else inputs

        class Outer(Layer):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def call(self, inputs):
                return self.inner(inputs)

        outer = Outer()
        outer.register_context_arguments("foo_mode")
        assert outer.stateless_call({}, {}, jnp.zeros(1), foo_mode=True)[0].tolist() == [1.0]
        assert outer.stateless_call({}, {}, jnp.zeros(1))[0].tolist() == [0.0]


class Masks(Layer):
    """Makes a mask of the positive entries."""

    def call(self, inputs):
        return inputs * 1

    def compute_mask(self, inputs, previous_mask):
        return inputs > 0


class Passes(Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def call(self, inputs):
        return 2 * inputs


class Takes(Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        noted.append(mask)
        return inputs + 1


X = jnp.array([1.0, -1.0])


class TestMasks:
    def test_one_tensor(self):
        noted.clear()
        Chain(Masks(), Passes(), Takes()).stateless_call({}, {}, X)
        assert noted[0].tolist() == [True, False]

    def test_several_tensors(self):
        class Both(Layer):
            def call(self, query, value, query_mask=None, value_mask=None, mask=None):
                noted.append((query_mask, value_mask, mask))
                return query

        def program(layer, x):
            return layer.both(layer.masks(x), x)

        noted.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the mask ends there
            run(program, X, both=Both(), masks=Masks())
        assert noted[-1][0].tolist() == [True, False] and noted[-1][1:] == (None, None)

    def test_structures(self):
        noted.clear()

        class Merge(Takes):
            def call(self, inputs, mask=None):
                noted.append(mask)
                return inputs[0]

        run(lambda layer, x: layer.merge([layer.masks(x), x]), X, merge=Merge(), masks=Masks())
        assert noted[-1][0].tolist() == [True, False] and noted[-1][1] is None

    def test_an_explicit_mask_wins(self):
        given = jnp.array([False, False])

        def program(layer, x):
            y = layer.takes(layer.masks(x), mask=given)
            return get_mask(y)

        noted.clear()
        outputs, _ = run(program, X, takes=Takes(), masks=Masks())
        assert outputs.tolist() == noted[-1].tolist() == [False, False]

    def test_a_mask_for_a_call_that_takes_none(self):
        outputs, _ = run(lambda layer, x: get_mask(layer.passes(x, mask=X > 0)), X, passes=Passes())
        assert outputs.tolist() == [True, False]

    def test_stateless_call(self):
        noted.clear()
        Takes().stateless_call({}, {}, X, mask=X > 0)
        assert noted[-1].tolist() == [True, False]

    def test_outputs_keep_masks_of_their_own(self):
        class Own(Passes):
            def call(self, inputs):
                outputs = 2 * inputs
                set_mask(outputs, inputs < 0)
                return outputs

        outputs, _ = run(lambda layer, x: get_mask(layer.own(layer.masks(x))), X, own=Own(), masks=Masks())
        assert outputs.tolist() == [False, True]

    def test_every_output_gets_its_mask(self):
        class Fork(Layer):
            def call(self, inputs):
                return [inputs * 1, inputs * 2, inputs * 3]

            def compute_mask(self, inputs, previous_mask):
                return [previous_mask, None, ~previous_mask]

        def program(layer, x):
            return [get_mask(y) for y in layer.fork(layer.masks(x))]

        (first, second, third), _ = run(program, X, fork=Fork(), masks=Masks())
        assert (first.tolist(), second, third.tolist()) == ([True, False], None, [False, True])

    def test_supports_masking(self):
        assert Masks().supports_masking and Passes().supports_masking and not Penalty().supports_masking
        layer = Penalty()
        layer.supports_masking = True
        assert layer.supports_masking

    def test_a_mask_that_ends_says_so(self):
        layer = Chain(Masks(), Chain(Scale(name="scale")))
        layer.parts[1].supports_masking = True
        with pytest.warns(UserWarning, match=r"Layer 'parts/1/parts/scale' \(Scale\) does not support masking"):
            call(layer, X[None])

    def test_the_default_passes_the_mask_on(self):
        assert Layer().compute_mask(None, "mask") == "mask"

    def test_a_cast_input_keeps_its_mask(self):
        noted.clear()
        takes = Takes()
        takes.dtype_policy = "bfloat16"
        Chain(Masks(), takes).stateless_call({}, {}, X)
        assert noted[-1].tolist() == [True, False]

    def test_masks_pass_through_jit_and_grad(self):
        def loss(x):
            noted.clear()
            Chain(Masks(), Takes()).stateless_call({}, {}, x)
            return jnp.sum(x * noted[-1])

        assert jax.jit(jax.grad(loss))(X).tolist() == [1.0, 0.0]


class TestLosses:
    @pytest.mark.parametrize("shape", [(4, 3), (2,), ()], ids=str)
    def test_activity_is_penalized_per_example_as_in_keras(self, shape):
        x = np.arange(1, 1 + int(np.prod(shape)), dtype="float32").reshape(shape)
        layer = Penalty(activity_regularizer="l2")
        _, _, losses = layer.stateless_call({}, {}, x, return_losses=True)

        class Theirs(keras.layers.Layer):
            def call(self, inputs):
                return inputs

        with asking_keras():
            theirs = Theirs(activity_regularizer="l2")
            theirs(x)
            expected = theirs.losses[0]
        assert_close(losses["activity_regularizer"], expected, ulps=2)  # a sum of a dozen squares, and one division

    def test_each_output(self):
        layer = Run(lambda layer, x: [x, {"y": x}])
        layer.activity_regularizer = Penalty(activity_regularizer="l1").activity_regularizer
        _, _, losses = layer.stateless_call({}, {}, jnp.ones(2), return_losses=True)
        assert list(losses) == ["activity_regularizer", "activity_regularizer_1"]

    def test_with_unknown_batch(self):
        assert Scale(activity_regularizer="l2")(Input((2,))).shape == (None, 2)

    @pytest.mark.parametrize("value", ["text", object()], ids=["str", "object"])
    def test_something_that_is_no_loss(self, value):
        with pytest.raises(ArgumentError, match="`loss` must be a scalar tensor"):
            run(lambda layer, x: layer.add_loss(value), X)

    def test_losses_inside_a_scope_and_out_of_it(self):
        layer = Chain(
            Dense(2, kernel_regularizer="l2", kernel_initializer="ones", activity_regularizer="l1"), Penalty()
        )
        seen = []

        def program(outer, x):
            outputs = outer.layer(x)
            seen.append([float(loss) for loss in outer.layer.losses])
            return outputs

        outer = Run(program, layer=layer)
        variables = layer.init(KEY, (1, 3))
        trees = ({"layer": variables.trainable}, {})
        outer.stateless_call(*trees, jnp.ones((1, 3)))
        _, _, losses = outer.stateless_call(*trees, jnp.ones((1, 3)), return_losses=True)
        assert {name: round(float(loss), 6) for name, loss in losses.items()} == {
            "layer/parts/0/activity_regularizer": 0.06,
            "layer/parts/1/add_loss": 6.0,
            "layer/parts/0/kernel": 0.06,
        }
        np.testing.assert_allclose(seen[0], [0.06, 6.0, 0.06], rtol=1e-6)

    def test_frozen_weights_have_no_penalty(self):
        layer = Chain(Dense(2, kernel_regularizer="l2", bias_regularizer="l1"), Dense(2, kernel_regularizer="l2"))
        layer.init(KEY, (1, 2))
        layer.parts[0].trainable = False
        _, _, losses = layer.stateless_call(*layer.init(KEY), jnp.ones((1, 2)), return_losses=True)
        assert list(losses) == ["parts/1/kernel"]

    def test_outside_a_scope(self):
        with pytest.raises(OutsideScopeError, match="return_losses=True"):
            _ = Scale().losses


# -- integers


@pytest.mark.parametrize("wrong", [np.array([[1, 2**32 + 1]]), np.array([[1, 2**32 + 1]], "uint64")], ids=str)
def test_an_integer_that_32_bits_do_not_hold_is_refused_with_its_place(wrong):
    layer = jkeras.layers.Embedding(4, 2)
    variables = layer.init(jax.random.key(0), (1, 2))
    with pytest.raises(DataError, match=r"int64 4294967297 at \[0, 1\]"):
        layer.stateless_call(*variables, wrong)
    assert_close(layer.stateless_call(*variables, wrong[:, :1])[0], variables.trainable["embeddings"][1][None, None])


def test_a_registered_policy_keeps_and_computes_in_its_dtypes_and_comes_back_from_configs():
    policy = dtypes.register("narrow_values", "bfloat16", "float32")
    layer = Dense(2, dtype="narrow_values")
    variables = layer.init(jax.random.key(0), (1, 3))
    assert variables.trainable["kernel"].dtype == "bfloat16"
    assert layer.stateless_call(*variables, jnp.ones((1, 3)))[0].dtype == "float32"
    assert registry.deserialize(registry.serialize(layer)).dtype_policy == policy
    assert dtypes.register("narrow_values", jnp.bfloat16, float) == policy  # once more, the same
    for name, pair in (("narrow_values", ("float32", "float32")), ("float16", ("float16", "float16"))):
        with pytest.raises(ArgumentError, match="must be new"):
            dtypes.register(name, *pair)
