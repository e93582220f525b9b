"""What packages written for Keras import from its backend: every name, and the answers that Keras gives."""

import itertools

import jax
import jax.numpy as jnp
import pytest

import jkeras
from jkeras import backend
from jkeras.errors import ArgumentError, UnknownNameError
from tests.oracle import asking_keras, keras

DTYPES = (
    *("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32"),
    *("bfloat16", "float16", "float32", "int64", "float64"),
)
OPERANDS = (*DTYPES, int, float, bool, None)


@pytest.fixture(params=["float32", "float16", "bfloat16"])
def floatx(request):
    before = jkeras.config.floatx()
    for each in (jkeras.config, keras.config):
        each.set_floatx(request.param)
    yield request.param
    for each in (jkeras.config, keras.config):
        each.set_floatx(before)


def test_every_public_name_of_keras_is_there():
    theirs = {name for name in dir(keras.backend) if not name.startswith("_")}
    assert theirs <= set(backend.__all__) <= set(dir(backend))


def test_the_names_that_packages_import_for_masks_are_those_of_the_core():
    from keras.src import backend as inner

    for name in ("get_keras_mask", "set_keras_mask", "is_tensor", "convert_to_tensor", "cast", "shape", "Variable"):
        assert hasattr(inner, name) and hasattr(backend, name)
    assert (backend.get_keras_mask, backend.set_keras_mask) == (jkeras.get_mask, jkeras.set_mask)


def test_the_engine_is_jax():
    with asking_keras():
        assert backend.backend() == keras.backend.backend() == "jax"


@pytest.mark.parametrize("first", OPERANDS, ids=str)
def test_result_types_are_those_of_keras(first, floatx):
    for rest in itertools.chain([()], itertools.product(OPERANDS), itertools.product(OPERANDS, (int, float, "int8"))):
        if floatx != "float32" and {first, *rest} <= {int, float, bool, "bool"}:
            continue  # of Python's numbers alone Keras makes int16
        if floatx == "bfloat16" and float in (first, *rest):
            continue  # a Python float that decides is float16 there
        assert backend.result_type(first, *rest) == keras.backend.result_type(first, *rest), (first, rest)


def test_pythons_numbers_alone_are_int32_and_floatx(floatx):
    assert backend.result_type(int) == backend.result_type(bool, int) == "int32"
    assert backend.result_type(float) == backend.result_type(int, float) == floatx


def test_without_arguments_the_result_type_is_floatx(floatx):
    assert backend.result_type() == keras.backend.result_type() == floatx


def test_the_result_type_is_that_of_the_operation():
    for one, other in itertools.product(DTYPES[:10], repeat=2):
        assert (jnp.zeros(1, one) + jnp.zeros(1, other)).dtype == backend.result_type(one, other)
        assert (jnp.zeros(1, one) + 1).dtype == backend.result_type(one, int) or one == "bool"


def test_under_64_bits_types_keep_64_bits():
    with jax.enable_x64(True):
        assert backend.result_type("int64", "float32") == "float32"
        assert backend.result_type("float64", "float32") == "float64"


@pytest.mark.parametrize("dtype", (*OPERANDS, "float8_e4m3fn", "complex64", jnp.float32, jnp.dtype("uint8")), ids=str)
def test_kinds_of_dtypes_are_those_of_keras(dtype):
    for name in ("is_float_dtype", "is_int_dtype"):
        assert getattr(backend, name)(dtype) == getattr(keras.backend, name)(dtype), name
    assert backend.standardize_dtype(dtype) == keras.backend.standardize_dtype(dtype)


@pytest.mark.parametrize("name", ["is_float_dtype", "is_int_dtype", "standardize_dtype", "result_type"])
def test_an_unknown_dtype_is_refused(name):
    with pytest.raises(UnknownNameError, match="float33"):
        getattr(backend, name)("float33")


def test_names_are_not_counted():
    with pytest.raises(ArgumentError, match="cannot number names"):
        backend.get_uid("dense")


def test_clearing_the_session_keeps_what_there_is():
    layer = jkeras.layers.Dense(2)
    variables = layer.init(jax.random.key(0), (1, 2))
    backend.clear_session(free_memory=True)
    assert layer.stateless_call(*variables, jnp.ones((1, 2)))[0].shape == (1, 2)
