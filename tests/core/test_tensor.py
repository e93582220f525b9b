"""KerasTensor, Node, Input and shape inference."""

import operator
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core import Function, Input, InputLayer, KerasTensor, Layer, Node, Operation, is_keras_tensor, lift
from jkeras.core.infer import SIZES, SMALLEST, infer
from jkeras.core.node import producer
from jkeras.core.tensor import any_symbolic, is_shape, keras_tensors, standardize_shape
from jkeras.errors import ArgumentError, GraphError
from tests.core.samples import KEY
from tests.oracle import asking_keras, keras


class Twice(Operation):
    def call(self, x):
        return 2 * x


class Pair(Operation):
    def call(self, x, y):
        return x + y, x - y


class TestNode:
    def test_a_node_belongs_to_its_operation(self):
        x, operation = KerasTensor((2,)), Twice()
        node = Node(operation, (x,), {}, KerasTensor((2,)))
        assert operation.nodes == [node] and node.operation is operation

    def test_outputs_are_symbolic(self):
        with pytest.raises(GraphError, match=r"twice: an operation must return symbolic tensors") as error:
            Node(Twice(), (KerasTensor((2,)),), {}, jnp.ones(2))
        assert "received: ArrayImpl" in str(error.value)

    def test_outputs_know_where_they_came_from(self):
        operation, x = Pair(), KerasTensor((2,))
        operation(x, x)
        plus, minus = operation(x, x)
        assert plus.history == (operation, 1, 0) and minus.history == (operation, 1, 1)
        assert producer(minus) is operation.nodes[1]

    def test_tensors_of_no_operation(self):
        x = KerasTensor((2,))
        Twice()(x)
        assert x.history == (None, 0, 0) and producer(x) is None

    def test_inputs_outputs_and_parents(self):
        x = Input((2,))
        y = Twice()(x)
        plus, minus = Pair()(x, y)
        node = producer(plus)
        assert node.input_tensors == [x, y] and node.output_tensors == [plus, minus] and not node.is_input
        assert node.parents == [producer(x), producer(y)] and producer(x).is_input

    def test_tensors_that_record_no_history(self):
        operation = Twice()
        y = operation(KerasTensor((2,), record_history=False))
        assert y.history.operation is None and not y.record_history and operation.nodes == []
        assert Twice()(y).history.operation is None

    def test_arguments_are_filled_in(self):
        x, y = KerasTensor((2,)), KerasTensor((2,))
        node = Node(Pair(), (x,), {"y": [y, 3], "z": None}, KerasTensor((2,)))
        assert node.input_tensors == [x, y]
        assert node.fill({id(x): "a", id(y): "b"}) == (("a",), {"y": ["b", 3], "z": None})
        assert node.fill({id(x): "a"}) == (("a",), {"y": [None, 3], "z": None})

    def test_one_tensor(self):
        x = KerasTensor((2,))
        assert Node(Twice(), (x,), {}, KerasTensor((2,))).fill({id(x): 5}) == ((5,), {})

    def test_constants_of_a_graph_are_on_no_device(self):
        x = Input((2,))
        node = producer(x + jnp.ones((1, 2)))
        assert type(node.args[1]) is np.ndarray
        # a Python scalar that became an array keeps giving way to the dtype of the tensor
        half = Input((2,), dtype="float16")
        assert (half + jnp.asarray(1.0)).dtype == "float16" and (half + jnp.float32(1)).dtype == "float32"

    def test_a_graph_keeps_no_tracer(self):
        with pytest.raises(GraphError, match="cannot keep a value that is being traced"):
            jax.jit(lambda v: (Input((2,)) + v, v)[1])(jnp.ones((1, 2)))

    def test_repr(self):
        assert repr(producer(Twice()(Input((2,), name="x")))).startswith("<Node operation=twice, inputs=[<KerasTensor")


class TestKerasTensor:
    def test_is_keras_tensor(self):
        assert is_keras_tensor(KerasTensor((2,))) and not is_keras_tensor(jnp.ones(2))

    def test_constructor(self):
        tensor = KerasTensor([None, 2], dtype="int8", name="x")
        assert (tensor.shape, tensor.dtype, tensor.name, tensor.ndim) == ((None, 2), "int8", "x", 2)
        assert repr(tensor) == "<KerasTensor shape=(None, 2), dtype=int8, name=x>"
        assert KerasTensor(()).name == "keras_tensor"

    @pytest.mark.parametrize("shape", [3, None, "ab", (-1,), (1.5,), ("a",)])
    def test_invalid_shapes(self, shape):
        with pytest.raises(ArgumentError):
            KerasTensor(shape)

    @pytest.mark.parametrize("attribute", ["shape", "dtype", "sparse", "ragged"])
    def test_read_only(self, attribute):
        with pytest.raises(AttributeError):
            setattr(KerasTensor((2,)), attribute, None)

    @pytest.mark.parametrize(
        "arguments", [{"sparse": True}, {"ragged": True}, {"sparse": True, "ragged": True}], ids=str
    )
    def test_dense_only(self, arguments):
        with pytest.raises(ArgumentError, match="`sparse` and `ragged` must be False"):
            KerasTensor((2,), **arguments)
        assert not KerasTensor((2,)).sparse and not KerasTensor((2,)).ragged

    def test_any_symbolic(self):
        assert any_symbolic((1, {"a": [KerasTensor((2,))]}), {}) and any_symbolic((), {"k": KerasTensor((2,))})
        assert not any_symbolic((1, jnp.ones(1)), {"k": None})

    def test_keras_tensors_in_order(self):
        x, y = KerasTensor((2,)), KerasTensor((2,))
        assert keras_tensors([x, 1], {"k": y}) == [x, y]

    def test_shapes(self):
        assert standardize_shape(np.array([2, 3])) == (2, 3) and standardize_shape(()) == ()
        assert is_shape((2, None)) and is_shape([3]) and not is_shape([(2,)]) and not is_shape((True,))


def replay(inputs, outputs, *values):
    return Function(inputs, outputs)(list(values) if len(values) > 1 else values[0])


ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge", "ne")


class TestOperators:
    """symbolic results that replay to what the operator gives on arrays."""

    @pytest.mark.parametrize("name", ARITHMETIC)
    def test_two_tensors(self, name):
        function, x, y = getattr(operator, name), Input(batch_shape=(2, 2)), Input(batch_shape=(2, 2))
        a, b = np.float32([[1, 2], [3, 4]]), np.float32([[2, 2], [1.5, 3]])
        symbolic = function(x, y)
        result = replay([x, y], symbolic, a, b)
        np.testing.assert_array_equal(result, function(jnp.asarray(a), jnp.asarray(b)))
        assert (symbolic.shape, symbolic.dtype) == (result.shape, result.dtype)

    @pytest.mark.parametrize("name", [name for name in ARITHMETIC if name != "ne"])
    @pytest.mark.parametrize("constant", [3.0, np.float32([[2.0, 5.0], [1.0, 1.0]])], ids=["scalar", "numpy"])
    def test_constants_on_either_side(self, name, constant):
        if name == "matmul":
            constant = np.ones((2, 2), "float32") * constant  # a scalar has no matrix product
        function, x = getattr(operator, name), Input(batch_shape=(2, 2))
        value = np.float32([[1, 2], [3, 4]])
        np.testing.assert_array_equal(replay(x, function(x, constant), value), function(jnp.asarray(value), constant))
        np.testing.assert_array_equal(replay(x, function(constant, x), value), function(constant, jnp.asarray(value)))

    @pytest.mark.parametrize("name", ["and_", "or_", "xor"])
    def test_bits(self, name):
        function, x = getattr(operator, name), Input(batch_shape=(2,), dtype="int32")
        value = np.int32([6, 3])
        assert replay(x, function(x, 5), value).tolist() == function(value, 5).tolist()
        assert replay(x, function(5, x), value).tolist() == function(5, value).tolist()
        assert replay(x, ~x, value).tolist() == (~value).tolist()

    def test_unary(self):
        x, value = Input(batch_shape=(2,)), np.float32([-1.3, 2.0])
        for function in (operator.neg, operator.pos, abs, round):
            np.testing.assert_array_equal(replay(x, function(x), value), function(jnp.asarray(value)))

    @pytest.mark.parametrize(
        "key", [0, -1, slice(1, None), (slice(None), 1), (Ellipsis, None, 0), (slice(None, None, -1),)], ids=str
    )
    def test_slicing(self, key):
        x, value = Input(batch_shape=(3, 2)), np.arange(6, dtype="float32").reshape(3, 2)
        symbolic = x[key]
        assert symbolic.shape == value[key].shape
        np.testing.assert_array_equal(replay(x, symbolic, value), value[key])

    def test_unknown_dimensions_stay(self):
        x = Input((None, 4))
        assert (
            (x + 1).shape == (None, None, 4)
            and x[:, 0].shape == (None, 4)
            and (x @ x[0, :4].reshape((4, -1))).ndim == 3
        )

    def test_reshape_and_squeeze(self):
        x = Input(batch_shape=(2, 1, 3))
        assert x.reshape((3, 2)).shape == (3, 2) and x.squeeze(1).shape == (2, 3) and x.squeeze().shape == (2, 3)

    def test_equality_is_identity(self):
        x, y = KerasTensor((2,)), KerasTensor((2,))
        assert (x == x) is True and (x == y) is False and len({x, y}) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        "use",
        [bool, list, int, float, np.asarray, lambda x: jnp.ones(2) + x],
        ids=["bool", "iter", "int", "float", "np", "jnp"],
    )
    def test_no_values(self, use):
        with pytest.raises(GraphError, match="stands for values that do not exist yet") as error:
            use(KerasTensor((2,), name="x"))
        assert "lift(my_function)(tensor)" in str(error.value) and isinstance(error.value, ValueError)


class TestInput:
    def test_arguments(self):
        assert Input((2,)).shape == (None, 2) and Input((2,), batch_size=3).shape == (3, 2)
        x = Input(batch_shape=(5, None), dtype="int32", name="tokens")
        assert (x.shape, x.dtype, x.name) == ((5, None), "int32", "tokens")
        assert isinstance(x.history.operation, InputLayer) and x.history.operation.output is x

    def test_a_tensor_that_exists(self):
        tensor = KerasTensor((2, 3), "int8")
        assert Input(tensor=tensor) is tensor and isinstance(tensor.history.operation, InputLayer)

    @pytest.mark.parametrize(
        "arguments", [{}, {"shape": (2,), "batch_shape": (1, 2)}, {"shape": (2,), "sparse": True}], ids=str
    )
    def test_invalid_arguments(self, arguments):
        with pytest.raises(ArgumentError):
            Input(**arguments)

    def test_configs_with_keras(self):
        config = InputLayer((2,), dtype="int32", name="tokens").get_config()
        with asking_keras():
            theirs = keras.layers.InputLayer.from_config(config).get_config()
        assert theirs == config and InputLayer.from_config(theirs).output.shape == (None, 2)

    def test_optional(self):
        assert Input((2,), optional=True).history.operation.optional


class Doubled(Layer):
    """Needs to know whether a dimension is at least 3, which no unknown dimension can say."""

    def call(self, inputs):
        seen.append(inputs.shape)
        return jnp.concatenate([inputs, inputs], axis=1) if inputs.shape[1] >= 3 else inputs


seen: list = []


class TestInference:
    """shapes through `jax.eval_shape`, with symbolic dimensions."""

    def test_nothing_is_computed(self):
        spec = infer(lambda x: jnp.sum(x, axis=0), jax.ShapeDtypeStruct((10**9, 10**6), "bfloat16"))
        assert (spec.shape, spec.dtype) == ((10**6,), "bfloat16")

    @pytest.mark.parametrize(
        ("function", "expected"),
        [
            (lambda x: x, (None, None, 4)),
            (lambda x: jnp.reshape(x, (x.shape[0], -1)), (None, None)),
            (lambda x: jnp.mean(x, axis=(0, 1)), (4,)),
            (lambda x: jnp.concatenate([x, x], axis=1), (None, None, 4)),
            (lambda x: x[:, ::2], (None, None, 4)),
            (lambda x: jnp.zeros((x.shape[0], 7)), (None, 7)),
            (lambda x: x[:, :3], (None, None, 4)),
        ],
        ids=["identity", "reshape", "mean", "concatenate", "stride", "zeros", "at most 3"],
    )
    def test_unknown_dimensions(self, function, expected):
        assert infer(function, KerasTensor((None, None, 4))).shape == expected

    def test_python_arguments_pass_as_they_are(self):
        def function(x, flag, sizes, text, mode=None):
            assert flag is True and sizes == (2, 3) and text == "text" and mode == 0.5
            return x

        assert infer(function, KerasTensor((None,)), True, (2, 3), "text", mode=0.5).shape == (None,)

    def test_inconclusive_comparisons_are_decided_by_two_sizes(self):
        seen.clear()
        assert Doubled()(Input((None, 4))).shape == (None, None, 4)
        assert [shape[1] for shape in seen[1:]] == [SIZES[0][1], SIZES[1][1], SMALLEST[1]]

    @pytest.mark.parametrize(
        ("function", "shape", "expected"),
        [
            (jnp.diag, (None, 3), (None,)),
            (lambda x: x[:, :5], (2, None), (2, None)),
            (lambda x: x[: min(x.shape[0], 2)], (None, 4), (None, 4)),
            (lambda x: jnp.squeeze(jnp.diag(x)), (None, None), (None,)),  # of another rank for the smallest size
            (lambda x: x[:3] if x.shape[0] >= 3 else x.reshape(3, -1), (None, 4), (3, 4)),  # fails for it
        ],
        ids=["diag", "slice", "min", "squeeze", "too small"],
    )
    def test_a_size_that_two_samples_agree_on_is_no_fact(self, function, shape, expected):
        assert infer(function, KerasTensor(shape)).shape == expected

    def test_an_error_of_a_call_is_shown_once_in_the_shapes_that_were_given(self):
        class Wrong(Layer):
            def call(self, x):
                return x + jnp.ones((5, 7))

        with pytest.raises(TypeError) as caught:
            Wrong().init(KEY, (None, 8))
        shown = "".join(traceback.format_exception(caught.value))
        assert "(None, 8), (5, 7)" in shown and "x_shape=(None, 8)" in shown
        assert "During handling" not in shown and str(SIZES[0][0]) not in str(caught.value)

    def test_an_error_that_concerns_no_size_is_no_reason_for_another_run(self):
        runs = []

        def function(x):
            runs.append(x)
            raise AttributeError("module has no attribute 'nope'")

        with pytest.raises(AttributeError):
            infer(function, KerasTensor((None, 3)))
        assert len(runs) == 1

    def test_structures(self):
        spec = infer(lambda d: {"y": [d["x"], d["x"].sum()]}, {"x": KerasTensor((None, 2))})
        assert (spec["y"][0].shape, spec["y"][1].shape) == ((None, 2), ())

    def test_what_two_sizes_have_in_common_is_what_a_layer_was_built_for(self):
        inner = Weighted()

        class Outer(Layer):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def call(self, inputs):
                return self.inner(inputs) if inputs.shape[1] >= 3 else inputs

        Outer()(Input((None, 4)))
        assert inner.get_build_config() == {"input_shape": (None, None, 4)}
        inner.build((2, 7, 4))  # still fits

    @pytest.mark.parametrize(
        "structure", [lambda a, b: [a, (b,)], lambda a, b: {"a": a, "b": {"c": b}}], ids=["lists", "dicts"]
    )
    def test_the_same_in_structures(self, structure):
        class Several(Layer):
            def build(self, input_shape):
                self.kernel = self.add_weight(shape=(4,), name="kernel")

            def call(self, inputs):
                return jax.tree.leaves(inputs)[0]

        class Outer(Layer):
            def __init__(self):
                super().__init__()
                self.inner = Several()

            def call(self, inputs):
                return self.inner(structure(inputs, inputs[0])) if inputs.shape[1] >= 3 else inputs

        outer = Outer()
        outer(Input((None, 4)))
        assert outer.inner.get_build_config() == {"input_shape": structure((None, None, 4), (None, 4))}


class Weighted(Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1],), name="kernel")

    def call(self, inputs):
        return inputs * jnp.broadcast_to(self.kernel.value, inputs.shape)


def test_tensors_in_the_config_of_a_graph():
    x = Input((2,), name="x")
    config = jkeras.Model(x, layers.Dense(3, name="head")(x)).get_config()
    assert config["layers"][1]["inbound_nodes"][0]["args"][0] == {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 2], "dtype": "float32", "keras_history": ["x", 0, 0]},
    }


def test_masks_of_graphs_travel_when_the_graph_runs():
    inputs = Input((3,), dtype="int32")
    outputs = layers.Embedding(4, 2, mask_zero=True)(inputs)
    graph = Function(inputs, outputs)
    assert graph.compute_output_spec(inputs).shape == (None, 3, 2)


def test_lift_reads_variables():
    layer = Weighted()
    variables = layer.init(KEY, (1, 2))
    layer.call = lambda inputs: lift(jnp.multiply)(inputs, layer.kernel[None])
    assert layer.stateless_call(*variables, jnp.ones((1, 2)))[0].shape == (1, 2)
