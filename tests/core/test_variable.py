"""Variable: a declaration that reads and writes inside scopes."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import constraints, initializers, regularizers
from jkeras.core import Layer, Variable
from jkeras.core.scope import Scope
from jkeras.errors import ArgumentError, AssignmentError, OutsideScopeError, ShapeError
from tests.core.samples import KEY, run
from tests.oracle import asking_keras, keras


def constant(shape, dtype):
    return jnp.full(shape, 3, dtype)


class TestDeclaring:
    @pytest.mark.parametrize(
        ("initializer", "expected"),
        [
            ("ones", 1.0),
            (constant, 3.0),
            (initializers.Constant(2.0), 2.0),
            ({"class_name": "Ones", "config": {}}, 1.0),
        ],
        ids=["name", "callable", "object", "config"],
    )
    def test_initializers(self, initializer, expected):
        variable = Variable(initializer, shape=(2,))
        np.testing.assert_array_equal(variable.initialize(KEY), [expected] * 2)

    @pytest.mark.parametrize("value", [[[1.0, 2.0]], np.float32([1, 2, 3]), jnp.ones((2, 1), "bfloat16"), 4.0, 7, True])
    def test_values_keep_their_shape_and_dtype(self, value):
        ours = Variable(value)
        with asking_keras():
            theirs = keras.Variable(value)
        assert (ours.shape, ours.dtype) == (tuple(theirs.shape), theirs.dtype)
        np.testing.assert_array_equal(ours.initialize(KEY), np.asarray(theirs.value))

    def test_initializers_have_floatx(self):
        assert Variable("zeros", shape=(1,)).dtype == "float32"
        assert Variable("zeros", shape=(1,), dtype="int8").initialize(KEY).dtype == "int8"

    def test_a_callable_needs_a_shape(self):
        with pytest.raises(ArgumentError, match="`shape` must be given with an initializer"):
            Variable("zeros")

    @pytest.mark.parametrize("shape", [(None, 2), (2.0,), (-1,), (True,)])
    def test_shapes_are_known(self, shape):
        with pytest.raises(ArgumentError, match="`shape` must be a tuple of"):
            Variable("zeros", shape=shape)

    def test_attributes(self):
        variable = Variable(
            "zeros",
            shape=(2, 3),
            trainable=False,
            aggregation="mean",
            synchronization="on_read",
            name="w",
            regularizer="l2",
            constraint="non_neg",
        )
        assert (variable.name, variable.ndim, variable.size, variable.trainable) == ("w", 2, 6, False)
        assert (variable.aggregation, variable.synchronization) == ("mean", "on_read")
        assert isinstance(variable.regularizer, regularizers.L2)
        assert isinstance(variable.constraint, constraints.NonNeg)
        assert variable.path is None and not variable.overwrite_with_gradient

    def test_the_address_becomes_the_path(self):
        class Two(Layer):
            def build(self, input_shape):
                self.first = self.add_weight(name="named")
                self.second = self.add_weight()

        layer = Two()
        layer.build((1,))
        assert [(v.path, v.name) for v in layer.variables] == [("named", "named"), ("second", "second")]

    def test_what_is_declared_untrainable_stays_so(self):
        variable = Variable("zeros", shape=(), trainable=False)
        variable.trainable = True
        assert not variable.trainable

    @pytest.mark.parametrize(
        "arguments",
        [{"name": "a/b"}, {"name": ""}, {"name": 3}, {"aggregation": "max"}, {"synchronization": "never"}],
        ids=str,
    )
    def test_invalid_arguments(self, arguments):
        with pytest.raises(ArgumentError):
            Variable("zeros", shape=(), **arguments)

    def test_a_value_that_is_being_traced(self):
        def declare(layer, x):
            return Variable(x)

        with pytest.raises(ArgumentError, match="being traced"):
            run(declare, jnp.ones(2))

    def test_repr(self):
        text = repr(Variable("zeros", shape=(2,), name="w"))
        assert text == "<Variable path=w, shape=(2,), dtype=float32, trainable=True>"

    def test_an_initializer_of_another_shape(self):
        variable = Variable(lambda shape, dtype: jnp.zeros(3, dtype), shape=(2,), name="w")
        with pytest.raises(
            ShapeError, match=r"w: the initializer must return an array of the declared shape(.|\n)*\(2,\)(.|\n)*\(3,\)"
        ):
            variable.initialize(KEY)

    def test_no_array_is_kept(self):
        for value in (jnp.ones(2), jnp.float32(1), np.ones(3)):
            kept = vars(Variable(value).initializer).values()
            assert not any(isinstance(each, jax.Array | np.ndarray | np.generic) for each in kept)


def inside(variable, value, function):
    """`function()` in a scope where the variable has a value."""
    with Scope({variable: jnp.asarray(value)}).open() as scope:
        return function(), scope


class TestReadingAndWriting:
    def test_value(self):
        variable = Variable("zeros", shape=(2,))
        value, _ = inside(variable, [1.0, 2.0], lambda: variable.value)
        assert isinstance(value, jax.Array) and value.tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(("method", "expected"), [("assign", 2.0), ("assign_add", 7.0), ("assign_sub", 3.0)])
    def test_assignments_return_and_record(self, method, expected):
        variable = Variable("zeros", shape=(), trainable=False)
        returned, scope = inside(variable, 5.0, lambda: getattr(variable, method)(2.0))
        assert float(returned) == float(scope.values[variable]) == expected
        assert list(scope.updated) == [variable]

    def test_another_shape(self):
        variable = Variable("zeros", shape=(2,), trainable=False, name="w")
        with pytest.raises(ShapeError, match=r"w: the assigned value must have the shape of the variable"):
            inside(variable, [0.0, 0.0], lambda: variable.assign(jnp.ones(3)))

    def test_values_are_cast_to_the_dtype_of_the_variable(self):
        variable = Variable("zeros", shape=(), dtype="float16", trainable=False)
        returned, _ = inside(variable, np.float16(0), lambda: variable.assign(np.float32(1.5)))
        assert returned.dtype == "float16"

    def test_python_scalars_leave_no_weak_type(self):
        variable = Variable("zeros", shape=(), trainable=False)
        returned, _ = inside(variable, np.float32(0), lambda: variable.assign(1.5))
        assert not returned.weak_type

    def test_a_variable_may_be_assigned_from_another(self):
        one, two = (Variable("zeros", shape=(), trainable=False) for _ in range(2))
        with Scope({one: jnp.float32(1), two: jnp.float32(2)}).open():
            assert float(one.assign(two)) == 2 and float(one.assign_add(two)) == 4

    def test_the_declaration_decides_what_may_be_assigned(self):
        frozen = Variable("zeros", shape=())
        frozen.trainable = False  # moves to the other tree, and stays the optimizer's
        with pytest.raises(AssignmentError, match="declared with trainable=False"):
            inside(frozen, 0.0, lambda: frozen.assign(1.0))

    def test_reads_are_cast_inside_a_mixed_layer(self):
        class Look(Layer):
            def build(self, input_shape):
                self.float = self.add_weight(shape=(1,), name="float")
                self.int = self.add_weight(shape=(1,), dtype="int32", name="int")
                self.kept = self.add_weight(shape=(1,), autocast=False, name="kept")

            def call(self, inputs):
                every = (self.float, self.int, self.kept)
                seen.append([(str(v.value.dtype), v.dtype) for v in every])
                return inputs

        seen, layer = [], Look(dtype="mixed_bfloat16")
        layer.init(KEY, (1, 1))
        assert seen[-1] == [("bfloat16", "bfloat16"), ("int32", "int32"), ("float32", "float32")]
        assert [v.dtype for v in layer.variables] == ["float32", "int32", "float32"]

    def test_updates_of_a_mixed_layer_keep_the_precision_of_the_variable(self):
        class Add(Layer):
            def build(self, input_shape):
                self.total = self.add_weight(shape=(), initializer="ones", trainable=False, name="total")

            def call(self, inputs):
                self.total.assign_add(2.0**-12)  # lost in bfloat16
                return inputs

        layer = Add(dtype="mixed_bfloat16")
        variables = layer.init(KEY, (1, 1))
        _, state = layer.stateless_call(*variables, jnp.ones((1, 1)))
        assert float(state["total"]) == 1 + 2.0**-12

    @pytest.mark.parametrize("member", ["value", "assign(value)"])
    def test_outside_a_scope(self, member):
        variable = Variable("zeros", shape=(), trainable=False, name="w")
        with pytest.raises(OutsideScopeError) as error:
            _ = variable.value if member == "value" else variable.assign(1.0)
        assert f"Variable 'w'.{member}" in str(error.value)


BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge")
BITWISE = ("and_", "or_", "xor")


class TestOperators:
    """what Keras's variables can do, inside a scope."""

    @pytest.mark.parametrize("name", BINARY)
    @pytest.mark.parametrize("other", [np.float32([2, 3]), jnp.array([2.0, 3.0])], ids=["numpy", "jax"])
    def test_binary_operators_both_ways(self, name, other):
        variable, function, value = Variable("zeros", shape=(2,)), getattr(operator, name), np.float32([4, 1.5])
        with Scope({variable: jnp.asarray(value)}).open():
            np.testing.assert_array_equal(function(variable, other), function(jnp.asarray(value), other))
            np.testing.assert_array_equal(function(other, variable), function(other, jnp.asarray(value)))
            np.testing.assert_array_equal(function(variable, variable), function(jnp.asarray(value), value))

    @pytest.mark.parametrize("name", BITWISE)
    def test_bitwise_operators_both_ways(self, name):
        variable, function, value = (
            Variable("zeros", shape=(2,), dtype="int32"),
            getattr(operator, name),
            np.int32([6, 3]),
        )
        with Scope({variable: jnp.asarray(value)}).open():
            np.testing.assert_array_equal(function(variable, 5), function(value, 5))
            np.testing.assert_array_equal(function(np.int32([5, 5]), variable), function(value, 5))

    def test_others(self):
        variable = Variable("zeros", shape=(2,))
        with Scope({variable: jnp.array([-1.25, 2.0])}).open():
            assert (-variable).tolist() == [1.25, -2.0] and (+variable).tolist() == [-1.25, 2.0]
            assert abs(variable).tolist() == [1.25, 2.0] and round(variable).tolist() == [-1.0, 2.0]
            assert variable[1].tolist() == 2.0 and variable[::-1].tolist() == [2.0, -1.25]
            assert [float(each) for each in variable] == [-1.25, 2.0]

    def test_scalars(self):
        variable = Variable("zeros", shape=())
        with Scope({variable: jnp.float32(2.5)}).open():
            assert float(variable) == 2.5 and int(variable) == 2

    def test_no_truth_value(self):
        with pytest.raises(TypeError, match=r"bool\(w.value\)"):
            bool(Variable("zeros", shape=(), name="w"))

    def test_no_array(self):
        variable = Variable("zeros", shape=(2,), name="w")
        with pytest.raises(TypeError, match=r"read it: np.asarray\(w.value\)"):
            np.asarray(variable)
        with pytest.raises(OutsideScopeError):
            jnp.asarray(variable)
        with Scope({variable: jnp.ones(2)}).open():
            assert jnp.asarray(variable).tolist() == [1.0, 1.0]

    def test_equality_is_identity(self):
        one, two = Variable("zeros", shape=()), Variable("zeros", shape=())
        assert one == one and one != two and len({one, two}) == 2
