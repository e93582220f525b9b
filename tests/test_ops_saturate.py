"""`saturate_cast` from every dtype to every dtype: values outside become the bounds."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jkeras import ops

INTEGERS = ["uint8", "uint16", "uint32", "int8", "int16", "int32"]
FLOATS = ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32"]


def bounds(dtype):
    if dtype == "bool":
        return 0, 1
    info = ml_dtypes.iinfo(dtype) if dtype in INTEGERS else ml_dtypes.finfo(dtype)
    return info.min, info.max


@pytest.mark.parametrize("target", ["bool", "uint64", "int64", *INTEGERS, *FLOATS])
def test_values_are_clipped_to_what_the_dtype_holds(target):
    real = {"uint64": "uint32", "int64": "int32"}.get(target, target)  # without 64 bits
    for source in ["bool", *INTEGERS, *FLOATS]:
        low, high = bounds(source)
        middle = [0, 1] if source == "bool" else [0, 1, 2, 100]
        x = jnp.array(np.array([low, *middle, high], source))
        y = ops.saturate_cast(x, target)
        assert y.dtype == real
        least, greatest = map(float, bounds(real))
        exact = np.clip(np.asarray(x, "float64"), least, greatest)
        exact = exact.astype("bool") if real == "bool" else exact
        np.testing.assert_allclose(
            np.asarray(y, "float64"),
            exact,
            rtol=0.13 if "float8" in real else 1e-2,
            err_msg=source,
        )


def test_infinities_become_the_bounds():
    x = jnp.array([-jnp.inf, jnp.inf, -1.0, 5e9])
    assert ops.saturate_cast(x, "uint32").tolist() == [0, 4294967295, 0, 4294967295]
    assert ops.saturate_cast(x, "int8").tolist() == [-128, 127, -1, 127]
    assert ops.saturate_cast(x, "float16").tolist() == [-65504.0, 65504.0, -1.0, 65504.0]
