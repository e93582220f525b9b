"""The functions of Keras's backend module that other packages use: `from jkeras import backend`.

The engine is JAX, always. Nothing here keeps state but the defaults of `jkeras.config`.
"""

from typing import NoReturn

import jax
import jax.numpy as jnp

from jkeras import dtypes
from jkeras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    standardize_data_format,
)
from jkeras.core import KerasTensor, SeedGenerator, Variable, is_keras_tensor
from jkeras.core import get_mask as get_keras_mask
from jkeras.core import set_mask as set_keras_mask
from jkeras.dtypes import standardize as standardize_dtype
from jkeras.errors import ArgumentError
from jkeras.jax_compat import canonical_dtype
from jkeras.ops import cast, convert_to_numpy, convert_to_tensor, is_tensor, shape
from jkeras.typing import DType, DTypeLike

__all__ = [
    "KerasTensor",
    "SeedGenerator",
    "Variable",
    "backend",
    "cast",
    "clear_session",
    "convert_to_numpy",
    "convert_to_tensor",
    "epsilon",
    "floatx",
    "get_keras_mask",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "is_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_keras_mask",
    "shape",
    "standardize_data_format",
    "standardize_dtype",
]


def backend() -> str:
    """The name of the engine.

    >>> backend()
    'jax'
    """
    return "jax"


def clear_session(free_memory: bool = True) -> None:
    """Does nothing: no graph, name or value is kept in the process, so there is nothing to clear.

    A model and its values are freed when the last reference to them goes; compiled functions by `jax.clear_caches()`.

    Args:
        free_memory: accepted because Keras has it, and ignored.

    >>> clear_session()
    """


def is_float_dtype(dtype: DTypeLike) -> bool:
    """Whether a dtype is a floating one, bfloat16 and the 8-bit floats included.

    Args:
        dtype: a dtype or its name; `None` for `floatx()`.

    Raises:
        UnknownNameError: JAX has no dtype of this name.

    >>> is_float_dtype("bfloat16"), is_float_dtype("int32")
    (True, False)
    """
    return jnp.issubdtype(jnp.dtype(dtypes.standardize(dtype)), jnp.floating)


def is_int_dtype(dtype: DTypeLike) -> bool:
    """Whether a dtype is one of integers, signed or not; bool is not.

    Args:
        dtype: a dtype or its name; `None` for `floatx()`.

    Raises:
        UnknownNameError: no dtype has this name.

    >>> is_int_dtype("uint8"), is_int_dtype("bool"), is_int_dtype("float32")
    (True, False, False)
    """
    return jnp.issubdtype(jnp.dtype(dtypes.standardize(dtype)), jnp.integer)


def result_type(*given: DTypeLike) -> DType:
    """The dtype of an operation's result for arguments of these dtypes, by JAX's table of promotion.

    Args:
        given: dtypes or their names; `int`, `float` and `bool` stand for Python's numbers, which do not widen an
            array's dtype and are int32, `floatx()` and bool by themselves; `None` for `floatx()`. Without any,
            `floatx()`.

    >>> result_type("int32", "float16"), result_type("bfloat16", float), result_type("int8", "uint8")
    ('float16', 'bfloat16', 'int16')

    Source: https://docs.jax.dev/en/latest/jep/9407-type-promotion.html
    """
    if not given:
        return floatx()
    arguments = [each if each in (int, float) else canonical_dtype(dtypes.standardize(each)) for each in given]
    dtype, weak = jax.dtypes.result_type(*arguments, return_weak_type_flag=True)
    return floatx() if weak and is_float_dtype(dtype) else dtype.name


def get_uid(prefix: str = "") -> NoReturn:
    """Always raises: there is no global counter of names; a layer's name is unique among its siblings.

    Args:
        prefix: the name to which Keras appends a number.

    Raises:
        ArgumentError: always.

    >>> get_uid("dense")
    Traceback (most recent call last):
    ...
    jkeras.errors.ArgumentError: ...
    """
    raise ArgumentError(
        "cannot number names: jkeras has no global counter of names.",
        path="backend.get_uid",
        expected="a name that you choose; layers without one are numbered among their siblings",
        received=repr(prefix),
        write=f'name="{prefix}_1"',
    )
