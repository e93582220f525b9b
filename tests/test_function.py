"""Functions, nodes and symbolic tensors: graphs without layers' values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.core import Function, KerasTensor, Node, Operation, is_keras_tensor
from jkeras.core.graph import map_graph, number
from jkeras.core.tensor import any_symbolic, keras_tensors
from jkeras.errors import ArgumentError, DuplicateNameError, GraphError, NeverCalledError
from tests.oracle import asking_keras, keras

X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


class Double(Operation):
    def call(self, x):
        return 2 * x


class Split(Operation):
    """Two outputs."""

    def call(self, x):
        return {"plus": x + 1, "minus": x - 1}


def tensors(count, shape=(None, 3)):
    return [jkeras.Input(shape[1:], name=f"x{index}") for index in range(count)]


def same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):  # None counts as nothing
        np.testing.assert_array_equal(a, b)


# -- Function: structures


STRUCTURES = {
    "single": (lambda a, b, c: a, X),
    "list": (lambda a, b, c: [a, b], [X, X]),
    "tuple": (lambda a, b, c: (a, b), (X, X)),
    "dict": (lambda a, b, c: {"one": a, "two": b}, {"one": X, "two": X}),
    "nested": (lambda a, b, c: {"pair": (a, [b]), "one": c}, {"pair": (X, [X]), "one": X}),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_inputs_of_any_structure(name):
    make, values = STRUCTURES[name]
    inputs = make(*tensors(3))
    outputs = ops.sum(ops.stack(jax.tree.leaves(inputs)), axis=0)
    function = Function(inputs, outputs)
    assert function.inputs_structure is inputs
    assert function.inputs == jax.tree.leaves(inputs)
    np.testing.assert_allclose(function(values), len(jax.tree.leaves(values)) * X)


@pytest.mark.parametrize("name", STRUCTURES)
def test_outputs_of_any_structure(name):
    make, _ = STRUCTURES[name]
    x = jkeras.Input((3,))
    function = Function(x, make(x + 1.0, x + 2.0, x + 3.0))
    result = function(X)
    assert jax.tree.structure(result) == jax.tree.structure(function.outputs_structure)
    same(result, make(X + 1, X + 2, X + 3))


@pytest.mark.parametrize("empty", [[], {}, ()])
@pytest.mark.parametrize("argument", ["inputs", "outputs"])
def test_empty_structures_are_errors(empty, argument):
    x = jkeras.Input((3,))
    with pytest.raises(ArgumentError, match=f"`{argument}` cannot be empty"):
        Function(**{"inputs": x, "outputs": x * 2.0, argument: empty})


def test_a_list_of_one_stays_a_list():
    x = jkeras.Input((3,))
    assert isinstance(Function([x], [x + 1.0])([X]), list)


# -- Function: order, depth, sharing


def test_operations_come_deepest_first():
    a, b = tensors(2)
    first, second = Double(name="first"), Double(name="second")
    outputs = second(first(a) + b)
    names = [operation.name for operation in Function([a, b], outputs).operations]
    assert names == ["x0", "first", "x1", "add", "second"]
    assert names == [operation.name for operation in Function([a, b], outputs).operations]


def test_operations_is_a_copy():
    x = jkeras.Input((3,))
    function = Function(x, x + 1.0)
    function.operations.clear()
    assert len(function.operations) == 2


def test_depth_is_that_of_the_last_consumer():
    x = jkeras.Input((3,))
    one, two = Double(name="one"), Double(name="two")
    graph = map_graph([x], jax.tree.leaves([two(one(x)) + x]))
    depths = {operation.name: depth for depth, group in graph.operations_by_depth.items() for operation in group}
    assert depths == {"input_layer": 3, "one": 2, "two": 1, "add": 0}
    assert {depth: len(nodes) for depth, nodes in graph.nodes_by_depth.items()} == {3: 1, 2: 1, 1: 1, 0: 1}


def test_a_shared_operation_stands_at_its_greatest_depth_with_a_node_per_call():
    x = jkeras.Input((3,))
    double = Double()
    function = Function(x, double(double(x)))
    assert [operation.name for operation in function.operations] == ["input_layer", "double"]
    assert len(double.nodes) == 2
    same(function(X), 4 * X)


def test_unused_inputs_stay():
    a, b = tensors(2)
    function = Function([a, b], a + 1.0)
    assert [operation.name for operation in function.operations] == ["x0", "add", "x1"]
    same(function([X, X]), X + 1)


def test_a_graph_may_begin_in_the_middle():
    x = jkeras.Input((3,))
    middle = x + 1.0
    function = Function(middle, middle * 2.0)
    assert [operation.name for operation in function.operations] == ["multiply"]
    same(function(X), 2 * X)


def test_calls_whose_arguments_are_missing_are_left_out():
    """`replay` runs what it can: here an optional input has no value, and nothing needs it."""
    a, b = tensors(2)
    function = Function([a, b], a + 1.0)
    assert function.replay([X, None], lambda operation: operation).shape == X.shape


def test_calls_that_return_none_beside_tensors():
    class Both(Operation):
        def call(self, x):
            return {"plus": x + 1, "none": None, "two": (None, 2 * x)}

    x = jkeras.Input((3,))
    same(Function(x, Both()(x))(X), {"plus": X + 1, "two": 2 * X})

    class Layer(layers.Layer):
        def call(self, x):
            return None, 2 * x

    model = jkeras.Model(x, Layer()(x)[1])
    same(model.stateless_call({}, {}, X)[0], 2 * X)


# -- Function: calls


def test_symbolic_calls_of_the_same_shape_make_fresh_tensors():
    x = jkeras.Input((3,))
    function = Function(x, x + 1.0)
    y = function(jkeras.Input((3,)))
    assert (y.shape, y.dtype) == ((None, 3), "float32")
    assert y is not function.outputs[0]
    assert y.history.operation is function


def test_symbolic_calls_of_other_shapes_are_walked():
    x = jkeras.Input((None, 3))
    function = Function(x, ops.concatenate([x, x], axis=1))
    assert function(KerasTensor((7, 5, 3))).shape == (7, 10, 3)
    assert function(KerasTensor((None, None, 3))).shape == (None, None, 3)
    assert function.compute_output_shape((None, 4, 3)) == (None, 8, 3)


def test_output_shapes_of_nested_shapes():
    a, b = tensors(2)
    function = Function({"a": a, "b": [b]}, [a + b])
    assert function.compute_output_shape({"a": (2, 3), "b": [(2, 3)]}) == [(2, 3)]


def test_the_dtype_follows_the_operations():
    x = jkeras.Input((3,))
    assert Function(x, ops.cast(x, "int32"))(jkeras.Input((3,))).dtype == "int32"
    assert Function(x, ops.greater(x, 0.0))(KerasTensor((5, 3))).dtype == "bool"


def test_functions_nest():
    x = jkeras.Input((3,))
    inner = Function(x, x + 1.0)
    y = jkeras.Input((3,))
    outer = Function(y, inner(inner(y)) * 2.0)
    assert len(inner.nodes) == 2
    same(outer(X), 2 * (X + 2))


@pytest.mark.parametrize("given", [[X], (X, X), {"a": X}, X], ids=["one", "tuple", "dict", "x"])
def test_another_structure_is_an_error(given):
    a, b = tensors(2)
    with pytest.raises(GraphError, match="another structure"):
        Function([a, b], a + b)(given)


@pytest.mark.parametrize("value", [np.zeros((2, 4), "float32"), np.zeros((2, 3, 3), "float32"), 3.0])
def test_an_incompatible_shape_is_an_error(value):
    x = jkeras.Input((3,), name="pixels")
    with pytest.raises(GraphError, match="'pixels' has another shape") as error:
        Function(x, x + 1.0)(value)
    assert "expected: shape (None, 3)" in str(error.value)


def test_unknown_dimensions_match_on_either_side():
    x = KerasTensor((4, None))
    function = Function(x, x + 1.0)
    assert function(jnp.zeros((4, 7))).shape == (4, 7)
    assert function(KerasTensor((None, 7))).shape == (None, 7)
    with pytest.raises(GraphError):
        function(jnp.zeros((5, 7)))


# -- Function: wrong graphs


def test_disconnected():
    a, b = tensors(2)
    with pytest.raises(GraphError, match="disconnected") as error:
        Function(a, (a + 1.0) * b)
    message = str(error.value)
    assert "x1" in message
    assert "reached so far: x0, add" in message


def test_an_output_without_connection():
    a, b = tensors(2)
    with pytest.raises(GraphError, match="disconnected"):
        Function(a, [a + 1.0, b])


def test_a_tensor_that_no_call_made_is_an_input_only():
    bare = KerasTensor((None, 3))
    assert Function(bare, bare + 1.0)(X).shape == X.shape
    with pytest.raises(GraphError, match="disconnected"):
        Function(jkeras.Input((3,)), KerasTensor((None, 3)))


def test_cycles():
    x = jkeras.Input((3,))
    double = Double()
    y = double(x)
    node = double.nodes[0]
    node.args, node.input_tensors = (y,), [y]
    with pytest.raises(GraphError, match="part of a cycle"):
        Function(x, y)


def test_duplicate_names():
    x = jkeras.Input((3,))
    with pytest.raises(DuplicateNameError, match="'same' is used more than once"):
        Function(x, Double(name="same")(Double(name="same")(x)))


def test_there_is_no_limit_to_depth():
    x = y = KerasTensor((2,))
    for _ in range(1500):
        y = y + 1.0
    function = Function(x, y)
    assert len(function.operations) == 1500
    assert function(jnp.zeros(2)).tolist() == [1500.0, 1500.0]


def test_a_function_has_no_weights():
    x = jkeras.Input((3,))
    function = Function(x, layers.Dense(2)(x))
    assert not isinstance(function, jkeras.Layer)
    assert not hasattr(function, "weights")


# -- names


def test_numbers():
    first, second, third = Double(), Double(name="double_1"), Double()
    assert list(number([first, second, third]).values()) == ["double", "double_1", "double_2"]
    assert list(number([first], taken=["double"]).values()) == ["double_1"]


def test_a_given_name_stays_where_it_is_free():
    first, second = Double(), Double()
    second.given_name = "double"
    assert number([first, second]) == {first: "double_1", second: "double"}
    assert number([second], taken=["double"]) == {second: "double_1"}
    second.explicit_name = "mine"
    assert number([first, second]) == {first: "double", second: "mine"}


# -- Node


def test_a_node_notes_the_call():
    a, b = tensors(2)
    split = Split()
    outputs = split(a)
    node = split.nodes[0]
    assert node.input_tensors == [a]
    assert node.output_tensors == [outputs["minus"], outputs["plus"]]
    assert [tuple(tensor.history) for tensor in node.output_tensors] == [(split, 0, 0), (split, 0, 1)]
    assert node.parents == [a.history.operation.nodes[0]]
    assert not node.is_input
    assert a.history.operation.nodes[0].is_input
    assert "split" in repr(node)
    split(b)
    assert split.nodes[1].output_tensors[0].history.node_index == 1


def test_a_node_needs_symbolic_outputs():
    with pytest.raises(GraphError, match="must return symbolic tensors"):
        Node(Double(), (KerasTensor((2,)),), {}, jnp.zeros(2))


def test_tensors_that_no_call_made_have_no_operation():
    assert tuple(KerasTensor((2,)).history) == (None, 0, 0)


def test_without_history_nothing_is_recorded():
    double = Double()
    y = double(KerasTensor((2,), record_history=False))
    assert (double.nodes, y.record_history, y.history.operation) == ([], False, None)
    assert ((y + 1.0) * 2.0).history.operation is None


def test_fill_replaces_tensors():
    a, b = tensors(2)

    class Mixed(Operation):
        def call(self, x, pair, scale=1.0):
            return x + pair[0] * scale

    mixed = Mixed()
    mixed(a, [b, 3], scale=2.0)
    args, kwargs = mixed.nodes[0].fill({id(a): "A", id(b): "B"})
    assert (args, kwargs) == (("A", ["B", 3]), {"scale": 2.0})
    assert mixed.nodes[0].fill({id(a): "A"})[0] == ("A", [None, 3])


def test_first_call_is_input_and_output():
    a, b = tensors(2)
    double = Double()
    with pytest.raises(NeverCalledError):
        _ = double.output
    y = double(a)
    double(b)
    assert (double.input, double.output) == (a, y)


# -- KerasTensor


def test_shape_and_dtype():
    x = KerasTensor([None, 3], "int32", name="x")
    assert (x.shape, x.dtype, x.ndim, x.name) == ((None, 3), "int32", 2, "x")
    assert (x.sparse, x.ragged) == (False, False)
    assert repr(x) == "<KerasTensor shape=(None, 3), dtype=int32, name=x>"
    for attribute in ("shape", "dtype", "sparse", "ragged"):
        with pytest.raises(AttributeError):
            setattr(x, attribute, None)


@pytest.mark.parametrize("shape", [3, "3", None, (-1, 2), (1.5,)])
def test_no_shape(shape):
    with pytest.raises(ArgumentError):
        KerasTensor(shape)


@pytest.mark.parametrize("kind", ["sparse", "ragged"])
def test_only_dense_tensors(kind):
    with pytest.raises(ArgumentError, match="must be False"):
        KerasTensor((2,), **{kind: True})


def test_is_keras_tensor():
    assert is_keras_tensor(KerasTensor((2,)))
    assert not is_keras_tensor(jnp.zeros(2))
    assert any_symbolic((1, {"a": [KerasTensor((2,))]}), {})
    assert any_symbolic((), {"x": KerasTensor((2,))})
    assert not any_symbolic((jnp.zeros(2),), {"y": 3})
    assert len(keras_tensors([KerasTensor((2,)), 3], KerasTensor((2,)))) == 2


USES = {"bool": bool, "int": int, "float": float, "list": list, "numpy": np.asarray, "star": lambda x: [*x]}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_symbolic_tensor_has_no_value(use):
    with pytest.raises((GraphError, TypeError), match=r"symbolic tensor has no|KerasTensor"):
        use(KerasTensor((2,)))


def test_a_jax_function_refuses():
    with pytest.raises(GraphError, match=r"ops\.lift"):
        jnp.asarray(KerasTensor((2,)))
    with pytest.raises((TypeError, ValueError)):  # JAX's own: its functions no longer ask for `__jax_array__`
        jnp.sin(KerasTensor((2,)))


OPERATORS = {
    "add": lambda x, y: x + y,
    "radd": lambda x, y: 2 + x,
    "sub": lambda x, y: x - y,
    "rsub": lambda x, y: 2 - x,
    "mul": lambda x, y: x * y,
    "rmul": lambda x, y: 2 * x,
    "truediv": lambda x, y: x / y,
    "rtruediv": lambda x, y: 1 / y,
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "pow": lambda x, y: y**2,
    "rpow": lambda x, y: 2**x,
    "neg": lambda x, y: -x,
    "abs": lambda x, y: abs(x),
    "round": lambda x, y: round(x, 1),
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "ne": lambda x, y: x != y,
    "matmul": lambda x, y: x @ y.reshape((3, 2)),
    "and": lambda x, y: (x > 0) & (y > 1),
    "or": lambda x, y: (x > 0) | (y > 1),
    "xor": lambda x, y: (x > 0) ^ (y > 1),
    "invert": lambda x, y: ~(x > 0),
    "getitem": lambda x, y: x[:, 1:] + x[..., :2],
    "squeeze": lambda x, y: x[:, :1].squeeze(1) + x[0, 0],
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_recorded(name):
    """The replay of the graph is the operator on arrays; the symbolic result is what Keras's is."""
    use = OPERATORS[name]
    x, y = KerasTensor((2, 3)), KerasTensor((2, 3))
    outputs = use(x, y)
    one, two = jnp.asarray(X), jnp.asarray(np.abs(X) + 0.5)
    real = use(one, two)
    assert (outputs.shape, outputs.dtype) == (real.shape, real.dtype)
    same(Function([x, y], outputs)([one, two]), real)
    with asking_keras():
        theirs = use(keras.KerasTensor((2, 3)), keras.KerasTensor((2, 3)))
    assert (outputs.shape, outputs.dtype) == (tuple(theirs.shape), theirs.dtype)


# -- Input


def test_input():
    x = jkeras.Input((3, None), batch_size=4, dtype="int32", name="x")
    assert (x.shape, x.dtype, x.name) == ((4, 3, None), "int32", "x")
    assert isinstance(x.history.operation, layers.InputLayer)
    assert jkeras.Input(batch_shape=(2, 3)).shape == (2, 3)
    assert jkeras.Input(()).shape == (None,)


@pytest.mark.parametrize(
    "arguments", [{}, {"shape": (2,), "batch_shape": (1, 2)}, {"shape": 3}, {"shape": (2,), "sparse": True}]
)
def test_wrong_inputs(arguments):
    with pytest.raises(ArgumentError):
        jkeras.Input(**arguments)


def test_an_input_may_wrap_a_tensor():
    tensor = KerasTensor((None, 3))
    assert jkeras.Input(tensor=tensor, name="wrapped") is tensor
    assert tensor.history.operation.name == "wrapped"
