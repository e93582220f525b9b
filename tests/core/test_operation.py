"""Operation: callable on symbolic and real tensors, and made again from its arguments."""

import copy
import pickle

import jax
import jax.numpy as jnp
import pytest

from jkeras.core import Input, KerasTensor, Layer, Operation, lift, remat
from jkeras.errors import (
    ArgumentError,
    ConfigError,
    MissingCallError,
    NeverCalledError,
    SerializationError,
)
from tests.core.samples import run
from tests.oracle import asking_keras, keras


class Add(Operation):
    def __init__(self, amount=1.0, sizes=(1, 2), name=None):
        super().__init__(name=name)
        self.amount, self.sizes = amount, sizes

    def call(self, x, y=None):
        return x + self.amount if y is None else x + y


class Split(Operation):
    def call(self, x):
        return {"sum": jnp.sum(x, axis=-1), "first": x[..., 0]}


class TestNames:
    def test_the_class_name_in_snake_case(self):
        assert Add().name == Add().name == "add" and Add(name="mine").name == "mine"

    @pytest.mark.parametrize("name", [3, "a/b", ""])
    def test_invalid_names(self, name):
        with pytest.raises(ArgumentError, match="Add: `name` must be a string"):
            Add(name=name)

    def test_repr(self):
        assert repr(Add(name="mine")) == "<Add name=mine>"


class TestCalling:
    def test_arrays_run_call(self):
        assert Add(2.0)(jnp.ones(2)).tolist() == [3.0, 3.0]

    @pytest.mark.parametrize("how", ["positional", "keyword", "nested"])
    def test_a_symbolic_tensor_anywhere_is_recorded(self, how):
        x, operation = KerasTensor((None, 2)), Add()
        outputs = {
            "positional": lambda: operation(x),
            "keyword": lambda: operation(jnp.ones((1, 2)), y=x),
            "nested": lambda: lift(lambda pair: pair[0] + pair[1])([jnp.ones((1, 2)), x]),
        }[how]()
        assert isinstance(outputs, KerasTensor) and outputs.shape == (None, 2)

    def test_symbolic_call_is_the_spec_and_a_node(self):
        x, operation = KerasTensor((None, 3)), Split()
        outputs = operation.symbolic_call(x)
        assert {name: tensor.shape for name, tensor in outputs.items()} == {"sum": (None,), "first": (None,)}
        assert [node.operation for node in operation.nodes] == [operation]
        assert operation.nodes[0].input_tensors == [x]

    def test_no_call(self):
        with pytest.raises(MissingCallError, match=r"Operation: (.|\n)*def call\(self, inputs\)"):
            Operation()(jnp.ones(1))

    @pytest.mark.parametrize("error", [TypeError, KeyError, ZeroDivisionError])
    def test_failures_keep_their_class_and_say_where(self, error):
        class Fail(Operation):
            def call(self, x):
                raise error("no")

        with pytest.raises(error) as caught:
            Fail(name="failing")(KerasTensor((None, 2)))
        assert any("While inferring the outputs of Fail 'failing'" in note for note in caught.value.__notes__)

    def test_input_and_output_are_those_of_the_first_call(self):
        x, y = KerasTensor((2,)), KerasTensor((3,))
        operation = Add()
        first = operation(x)
        operation(y)
        assert operation.input is x and operation.output is first

    def test_lists_of_several(self):
        x, y = KerasTensor((2,)), KerasTensor((2,))
        operation = Add()
        outputs = operation(x, y=y)
        assert operation.input == [x, y] and operation.output is outputs
        split = Split()
        split(x)
        assert len(split.output) == 2

    @pytest.mark.parametrize("which", ["input", "output"])
    def test_before_the_first_call(self, which):
        with pytest.raises(NeverCalledError, match=f"add: `{which}` exists only after the first call") as caught:
            getattr(Add(), which)
        assert isinstance(caught.value, AttributeError) and not hasattr(Add(), which)

    def test_remat_computes_the_same_and_its_values_again(self):
        def program(function, x):
            return run(lambda layer, x: function(x).sum(), x)[0]

        def sines(x):
            return jnp.sin(jnp.sin(x))

        x = jnp.ones(3)
        gradients = [jax.grad(lambda x, f=f: program(f, x))(x) for f in (sines, remat(sines))]
        assert gradients[0].tolist() == gradients[1].tolist()
        count = [
            str(jax.make_jaxpr(jax.grad(lambda x, f=f: program(f, x)))(x)).count(" sin ") for f in (sines, remat(sines))
        ]
        assert count[1] > count[0]


class TestConfigs:
    @pytest.mark.parametrize("arguments", [{}, {"amount": 2.5}, {"sizes": [1, [2, None]]}, {"name": "mine"}], ids=str)
    def test_plain_arguments_are_the_config(self, arguments):
        config = Add(**arguments).get_config()
        assert config == {"amount": 1.0, "sizes": (1, 2), "name": None, **arguments}
        assert Add.from_config(config).get_config() == config

    def test_defaults_are_included_as_keras_does(self):
        class Twin(keras.Operation):
            def __init__(self, amount=1.0, scale=2):
                super().__init__()

        class Ours(Operation):
            def __init__(self, amount=1.0, scale=2):
                super().__init__()

        with asking_keras():
            assert Ours(3.0).get_config() == Twin(3.0).get_config() == {"amount": 3.0, "scale": 2}

    def test_no_name_where_the_constructor_takes_none(self):
        class Unnamed(Operation):
            def __init__(self, size):
                super().__init__()

        assert Unnamed(3).get_config() == {"size": 3}

    @pytest.mark.parametrize("value", [object(), len, jnp.ones(1)], ids=["object", "function", "array"])
    def test_other_arguments_need_get_config(self, value):
        with pytest.raises(SerializationError, match=r"no plain values(.|\n)*def get_config\(self\)") as caught:
            Add(value).get_config()
        assert isinstance(caught.value, NotImplementedError)

    def test_positional_only_arguments_have_no_names(self):
        class Only(Operation):
            def __init__(self, size, /):
                super().__init__()

        class Star(Operation):
            def __init__(self, *sizes):
                super().__init__()

        for operation in (Only(1), Star(1, 2)):
            with pytest.raises(SerializationError, match="positional-only"):
                operation.get_config()

    def test_a_config_that_does_not_fit(self):
        with pytest.raises(ConfigError, match=r"Add: the constructor refused the config: .*'extra'") as caught:
            Add.from_config({"extra": 1})
        assert isinstance(caught.value, TypeError)

    def test_a_constructor_that_fails(self):
        class Picky(Operation):
            def __init__(self, size):
                super().__init__()
                if size < 0:
                    raise ValueError("negative size")

        with pytest.raises(ConfigError, match="Picky: the constructor refused the config: negative size"):
            Picky.from_config({"size": -1})

    @pytest.mark.parametrize(
        ("dtype", "expected"),
        [
            ("mixed_bfloat16", "mixed_bfloat16"),
            ({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float16"}}, "float16"),
        ],
    )
    def test_dtypes_may_be_configs_of_policies(self, dtype, expected):
        assert Layer.from_config({"dtype": dtype}).dtype_policy.name == expected

    def test_a_setattr_of_the_user_s(self):
        class Strict(Operation):
            def __init__(self, size):
                self.table = {}
                super().__init__()
                self.size = size

            def __setattr__(self, name, value):
                if name != "table":
                    self.table[name] = value
                super().__setattr__(name, value)

        assert Strict(3).get_config() == {"size": 3} and Strict(3).table["size"] == 3


class TestCopies:
    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
    def test_copies_are_complete(self, copied):
        operation = copied(Add(4.0, name="mine"))
        assert operation.get_config() == Add(4.0, name="mine").get_config()
        assert operation(jnp.zeros(1)).tolist() == [4.0]

    def test_graphs_are_copied_with_their_operations(self):
        operation = Add(2.0)
        outputs = operation(Input((2,)))
        again = copy.deepcopy(operation)
        assert again.output is not outputs and again.output.shape == (None, 2) and len(again.nodes) == 1


def test_a_lifted_function_is_an_operation_when_an_argument_is_symbolic():
    relu = lift(jax.nn.relu)
    assert relu(jnp.array([-1.0, 2.0])).tolist() == [0.0, 2.0]
    tensor = relu(KerasTensor((None, 2)))
    assert isinstance(tensor.history.operation, Operation) and tensor.history.operation.name == "relu"
