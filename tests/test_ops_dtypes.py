"""Which dtype each operation gives for each dtype of its arrays, against Keras: shapes alone are computed."""

import jax
import pytest

from jkeras import ops
from tests import tables, test_ops, test_ops_image
from tests.oracle import asking_keras, keras

# One dtype for all arrays of a call, or two that take turns.
GIVEN = (
    *(("bool",), ("uint8",), ("int8",), ("int32",), ("bfloat16",), ("float32",)),
    *(("int32", "float32"), ("bfloat16", "float32"), ("float16", "bfloat16"), ("int8", "float16")),
    *(("bool", "int32"), ("uint8", "int8")),
)
HALVES = "labels take the dtype of the predictions, which bfloat16 and float16 together do not have"
INTEGERS = "Keras rounds what it normalizes to integers"
# What differs from Keras's, each with the reason.
DIFFERENT = {
    "layer_normalization": INTEGERS,
    "rms_normalization": INTEGERS,
    "ssim": "Keras rounds the similarity of integers to an integer",
    "binary_crossentropy": HALVES,
    "categorical_crossentropy": HALVES,
    "sparse_categorical_crossentropy": "its real result is float32, its symbolic one has the dtype of the predictions",
    "one_hot": "JAX deprecates classes that are floats; Keras silences that",
    "multi_hot": "JAX counts no classes in booleans",
}
# Keras makes an array of the number first, which has a dtype.
ARRAYS = {"arctan2", "logaddexp", "logaddexp2"}
KINDS = "biuf"
TABLES = [(test_ops.CASES, ops, keras.ops), (test_ops_image.CASES, ops.image, keras.ops.image)]


def dtypes(function, args, kwargs, given):
    """The dtypes of the results where the arrays have the dtypes `given`, in turn; `None` where there is an error."""
    arrays, filled = tables.opened((args, kwargs), KINDS)

    def run(arrays):
        args, kwargs = filled(arrays)
        return function(*args, **kwargs)

    specs = [jax.ShapeDtypeStruct(array.shape, given[turn % len(given)]) for turn, array in enumerate(arrays)]
    try:
        return [leaf.dtype.name for leaf in jax.tree.leaves(jax.eval_shape(run, specs))]
    except Exception:  # whatever JAX and Keras raise for dtypes that an operation does not take
        return None


def compared(given, caplog, chosen=lambda name: name not in DIFFERENT):
    """The dtypes of ours and of Keras's results, where Keras has any, by name and options."""
    found = {}
    for cases, mine, others in TABLES:
        for name, args, kwargs in cases:
            arrays, _ = tables.opened((args, kwargs), KINDS)
            if len(arrays) < len(given) or name in test_ops.OURS or not chosen(name):
                continue
            ours = dtypes(getattr(mine, name), args, kwargs, given)
            with asking_keras(), caplog.at_level("CRITICAL"):
                theirs = dtypes(getattr(others, name), args, kwargs, given)
            if theirs is not None:
                found[name, *kwargs] = (ours, theirs)
    return found


@pytest.mark.parametrize("given", GIVEN, ids="-".join)
def test_dtypes_are_keras_s(given, caplog):
    found = compared(given, caplog)
    assert len(found) >= 75
    assert not {key: pair for key, pair in found.items() if pair[0] != pair[1]}


def test_what_differs_differs(caplog):
    found = [compared(given, caplog, DIFFERENT.__contains__) for given in GIVEN]
    assert {name for each in found for (name, *_), (ours, theirs) in each.items() if ours != theirs} == set(DIFFERENT)


@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("given", ["uint8", "int32", "bfloat16", "float32"])
def test_numbers_of_python_promote_as_in_keras(given, number):
    found = {}
    for name in test_ops.BINARY.split():
        for args in ((test_ops.X, number), (number, test_ops.X)):
            ours = dtypes(getattr(ops, name), args, {}, (given,))
            with asking_keras():
                theirs = dtypes(getattr(keras.ops, name), args, {}, (given,))
            if theirs is not None and ours != theirs and name not in ARRAYS:
                found[name, args[0] is number] = (ours, theirs)
    assert not found
