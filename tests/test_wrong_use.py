"""Wrong use of layers and models is a lesson: the path, what was expected, what came, and the line to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import errors, layers, tree

KEY = jax.random.key(0)
X = np.ones((4, 6), "float32")


class Counter(jkeras.Layer):
    """Counts its calls, by way of a function that says how."""

    def __init__(self, count, trainable=False):
        super().__init__()
        self.count, self.is_trainable = count, trainable

    def build(self, input_shape):
        self.total = self.add_weight(shape=(), initializer="zeros", trainable=self.is_trainable, name="total")

    def call(self, inputs):
        self.count(self, inputs)
        return inputs


def model(*inner):
    return jkeras.Sequential([jkeras.Input((6,)), *inner, layers.Dense(3, name="head")])


def lesson(error, kind, expected=None, received=None, write=None, path=None):
    """The parts of a message that there should be are there, and it has at most six lines."""
    assert error.type is kind
    message = str(error.value)
    lines = message.splitlines()
    assert len(lines) <= 6 and all(len(line) <= 200 for line in lines), message
    assert path is None or lines[0].startswith(f"{path}: "), message
    for label, part in (("expected:", expected), ("received:", received), ("write:", write)):
        if part is not None:
            assert any(line.strip().startswith(label) and part in line for line in lines), (
                f"{label} {part} in:\n{message}"
            )


METRIC, OPTIMIZER = jkeras.metrics.AUC(), jkeras.optimizers.Adam()


@pytest.mark.parametrize(
    ("holder", "name", "write"),
    [
        *((model(), name, "jkeras.Trainer(model, ") for name in ("compile", "fit", "predict_on_batch")),
        *((METRIC, name, "metric.update(state, ") for name in ("update_state", "stateless_update_state")),
        *((METRIC, name, "metric.init()") for name in ("reset_state", "stateless_reset_state")),
        (METRIC, "stateless_result", "metric.result(state)"),
        *((OPTIMIZER, name, "optimizer.update(grads, ") for name in ("apply", "apply_gradients", "stateless_apply")),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_holds_no_values_says_where_keras_s_methods_are(holder, name, write):
    with pytest.raises(errors.HoldsNoValuesError) as error:
        getattr(holder, name)
    kind = type(holder).__name__
    lesson(error, errors.HoldsNoValuesError, path=kind, received=f"{kind}.{name}", write=write)
    assert not hasattr(holder, name)


class TestScopes:
    def test_a_layer_on_an_array_outside_a_scope(self):
        layer = layers.Dense(3, name="head")
        with pytest.raises(errors.OutsideScopeError) as error:
            layer(X)
        lesson(
            error,
            errors.OutsideScopeError,
            path="head",
            expected="the trees of values",
            write="head.init(jax.random.key(0)",
        )
        assert "head.stateless_call(*variables, x)" in str(error.value)

    def test_a_model_on_an_array_outside_a_scope(self):
        with pytest.raises(errors.OutsideScopeError) as error:
            model()(X)
        lesson(error, errors.OutsideScopeError, path="sequential", expected="trees of values", write="sequential.init(")

    def test_the_value_of_a_variable_outside_a_scope(self):
        layer = layers.Dense(3)
        layer.build((None, 6))
        with pytest.raises(errors.OutsideScopeError) as error:
            _ = layer.kernel.value
        lesson(
            error,
            errors.OutsideScopeError,
            path="Variable 'kernel'.value",
            expected="inside `stateless_call`, `init` or a Trainer's step",
            write="layer.stateless_call(trainable, non_trainable, x)",
        )

    def test_assigning_outside_a_scope(self):
        layer = Counter(lambda layer, x: None)
        layer.build((None, 6))
        with pytest.raises(errors.OutsideScopeError) as error:
            layer.total.assign_add(1.0)
        lesson(error, errors.OutsideScopeError, write="layer.stateless_call(")

    def test_assigning_a_trainable_variable(self):
        with pytest.raises(errors.AssignmentError) as error:  # already when the shapes are inferred
            model(Counter(lambda layer, x: layer.total.assign_add(1.0), trainable=True))
        lesson(
            error,
            errors.AssignmentError,
            path="total",
            expected="a variable declared with trainable=False",
            write="self.add_weight(..., trainable=False, name='total')",
        )

    @pytest.mark.parametrize("jitted", [False, True])
    def test_assigning_inside_scan(self, jitted):
        def count(layer, x):
            def body(carry, _):
                if not jkeras.core.in_building_scope():
                    layer.total.assign_add(1.0)
                return carry, None

            jax.lax.scan(body, 0.0, None, length=3)

        network = model(Counter(count))
        variables = network.init(KEY)
        call = jax.jit(network.stateless_call) if jitted else network.stateless_call
        with pytest.raises(errors.TraceLevelError) as error:
            call(*variables, X)
        lesson(
            error,
            errors.TraceLevelError,
            path="counter/total",
            expected="an assignment at the level of the layer's own call",
            write="jkeras.scan(...)",
        )


class TestLeaves:
    @pytest.mark.parametrize(
        ("change", "line"),
        [
            (
                lambda leaves: leaves.pop("head/kernel"),
                "'head/kernel' is missing from `trainable`: shape (6, 3), float32",
            ),
            (lambda leaves: leaves.update({"head/kernle": jnp.ones(1)}), "'head/kernle' in `trainable` is unknown"),
            (
                lambda leaves: leaves.update({"head/kernel": jnp.ones((3, 6))}),
                "'head/kernel' has shape (3, 6), expected (6, 3)",
            ),
        ],
        ids=["missing", "unknown", "mis-shaped"],
    )
    def test_a_leaf_that_does_not_fit(self, change, line):
        network = model()
        variables = network.init(KEY)
        leaves = tree.flatten(variables.trainable)
        change(leaves)
        with pytest.raises(errors.LeafError) as error:
            network.stateless_call(tree.unflatten(leaves), variables.non_trainable, X)
        lesson(error, errors.LeafError, path="sequential", write="variables = sequential.init(jax.random.key(0), x)")
        assert line in str(error.value)

    def test_the_star_forgotten(self):
        network = model()
        with pytest.raises(errors.LeafError) as error:
            network.stateless_call(network.init(KEY), X)
        lesson(
            error,
            errors.LeafError,
            path="sequential",
            expected="two nested dicts, or two flat lists",
            received="Variables",
            write="sequential.stateless_call(*variables, x)",
        )


class TestInputs:
    @pytest.mark.parametrize(
        "make", [lambda: layers.Dense(3, name="first"), lambda: model(layers.Dense(3, name="first"))]
    )
    @pytest.mark.parametrize("shape", [(6,), (4, 7)], ids=["rank", "last axis"])
    def test_the_wrong_shape_into_the_first_layer(self, make, shape):
        layer = make()
        variables = layer.init(KEY, X)
        with pytest.raises((errors.ShapeError, errors.GraphError)) as error:
            layer.stateless_call(*variables, jnp.ones(shape))
        lesson(error, error.type, expected="an input with", received=f"shape {shape}", write="")

    def test_the_remedies(self):
        layer = layers.Dense(3, name="first")
        variables = layer.init(KEY, X)
        with pytest.raises(errors.ShapeError) as error:
            layer.stateless_call(*variables, jnp.ones(6))
        lesson(
            error,
            errors.ShapeError,
            path="first",
            expected="an input with rank >= 2",
            write="x[..., None]   # or x[None]",
        )
        with pytest.raises(errors.ShapeError) as error:
            layer.stateless_call(*variables, jnp.ones((4, 7)))
        lesson(error, errors.ShapeError, path="first", expected="size 6 in axis -1", write="jkeras.Input((7,))")

    def test_a_last_axis_that_is_not_known(self):
        with pytest.raises(errors.BuildError) as error:
            layers.Dense(3)(jkeras.Input((None,)))
        lesson(error, errors.BuildError, path="dense", expected="an int as last dimension", received="(None, None)")

    def test_no_inputs_for_a_model_that_does_not_know_its_own(self):
        with pytest.raises(errors.BuildError) as error:
            jkeras.Sequential([layers.Dense(3)]).init(KEY)
        lesson(error, errors.BuildError, path="sequential", write="jax.ShapeDtypeStruct")

    def test_a_key_that_is_none(self):
        with pytest.raises(errors.LeafError) as error:
            model().init(0)
        lesson(error, errors.LeafError, path="sequential", received="0", write="sequential.init(jax.random.key(0)")


class TestArguments:
    @pytest.mark.parametrize("units", [0, -3, "3", 2.5, None, True], ids=repr)
    def test_units(self, units):
        with pytest.raises(errors.ArgumentError) as error:
            layers.Dense(units)
        lesson(error, errors.ArgumentError, path="Dense", expected="int", received=repr(units), write="Dense(units=64)")

    @pytest.mark.parametrize(
        ("make", "name", "meant"),
        [
            (lambda: layers.Dense(3, activation="rellu"), "rellu", "relu"),
            (lambda: layers.Activation("softmx"), "softmx", "softmax"),
            (lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"), "glorot_unifrom", "glorot_uniform"),
            (lambda: layers.Dense(3, kernel_regularizer="L_2"), "L_2", "l2"),
            (lambda: layers.Dense(3, kernel_constraint="non_ngative"), "non_ngative", "non_neg"),
            (lambda: layers.Dense(3, dtype="mixed_bfloat61"), "mixed_bfloat61", "mixed_bfloat16"),
            (lambda: layers.Dense(3, dtype="flaot32"), "flaot32", "float32"),
        ],
        ids=["activation", "Activation", "initializer", "regularizer", "constraint", "policy", "dtype"],
    )
    def test_unknown_names(self, make, name, meant):
        with pytest.raises(errors.UnknownNameError) as error:
            make()
        lesson(error, errors.UnknownNameError)
        assert repr(name) in str(error.value)
        assert f"'{meant}' (did you mean it?)".lower() in str(error.value).lower()

    def test_an_unknown_argument(self):
        with pytest.raises(errors.ArgumentError) as error:
            layers.Dense(3, activatoin="relu")
        lesson(error, errors.ArgumentError, path="Dense", expected="units, activation, use_bias")

    def test_an_attribute_that_hides_a_method(self):
        class Hides(jkeras.Layer):
            def __init__(self):
                super().__init__()
                self.structure = "tree"

            def call(self, inputs):
                return inputs

        with pytest.raises(errors.ArgumentError) as error:
            Hides().init(KEY, X)
        lesson(error, errors.ArgumentError, path="Hides", expected="another name", write="self.my_structure = ...")

    def test_no_super_init(self):
        class Forgets(jkeras.Layer):
            def __init__(self):
                self.size = 3

        with pytest.raises(errors.NotInitializedError) as error:
            Forgets().init(KEY, X)
        lesson(error, errors.NotInitializedError, path="Forgets", write="super().__init__(**kwargs)")

    def test_no_call(self):
        class Empty(jkeras.Layer):
            pass

        with pytest.raises(errors.MissingCallError) as error:
            Empty().init(KEY, X)
        lesson(error, errors.MissingCallError, path="Empty", write="def call(self, inputs)")
