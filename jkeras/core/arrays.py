"""Which parameters of an operation are arrays, and the one rule for lists: where an array belongs, nested lists and
tuples of numbers are one.

`jax.numpy` takes lists in few places, `keras.ops` in all. The rule stands here once for every operation of the table,
by the names of parameters; configs need the same names, since arrays are arguments of a call and the rest are settings.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import dtypes
from jkeras.errors import ArgumentError, DataError
from jkeras.jax_compat import has_64_bits
from jkeras.typing import Array, PyTree

# Parameters that are arrays, given to the call; all others belong to the config.
# fmt: off
ARRAYS = frozenset({
    "M", "a", "abs_", "angle", "args", "arr", "array", "arrays", "ary", "b", "beta", "bins", "choicelist", "condition",
    "condlist", "constant_values", "coordinates", "data", "default", "depthwise_kernel", "element", "elements",
    "end_points",
    "fill_value", "gamma", "image1", "image2", "images", "indices", "inputs", "kernel", "key", "m", "mean", "object",
    "offset", "operands", "output", "output_length", "pointwise_kernel", "predictions", "prototype", "q", "scale",
    "segment_ids", "sequence_lengths", "start", "start_indices", "start_points", "step", "stop", "target",
    "target_length", "targets", "tensor", "test_elements", "transform", "translation", "tup", "updates", "v", "val",
    "values", "variance", "weights", "x", "x1", "x2", "xi", "xs", "y", "z",
})
# fmt: on
WARPS = ("affine_transform", "elastic_transform", "map_coordinates", "perspective_transform")
# Where the same name is the other kind.
EXCEPTIONS = {
    ("trapezoid", "x"): False,
    ("squareplus", "b"): False,
    ("isclose", "rtol"): True,
    ("isclose", "atol"): True,
    ("bincount", "weights"): False,
    ("histogram", "bins"): False,
    **{(name, "fill_value"): False for name in ("resize", "unique", *WARPS)},
    ("scale_and_translate", "output_shape"): True,
    ("rearrange", "pattern"): True,
    ("rearrange", "axes_lengths"): True,
    **{("dot_product_attention", name): True for name in ("query", "value", "bias", "mask")},
    ("diagonal", "offset"): False,
    ("trace", "offset"): False,
}
# Several arrays in one parameter: each entry is an array.
SEVERAL = frozenset({"args", "arrays", "choicelist", "condlist", "operands", "tup", "xi", "xs"})
PAIRS = frozenset({"fft", "fft2", "ifft2", "irfft", "istft"})  # of real and imaginary parts
# Arrays whose lists mean something else: indices per axis, a shape, values per end, the brackets after a tensor,
# a structure.
AS_GIVEN = frozenset({
    ("get_item", "key"),
    ("pad", "constant_values"),
    ("scale_and_translate", "output_shape"),
    ("stop_gradient", "x"),
    ("vectorized_map", "elements"),
})  # fmt: skip
# Settings for configs, as Keras has them, and arrays all the same.
ALSO = frozenset({("trapezoid", "x"), ("bincount", "weights")})


def is_array(op: str, parameter: str) -> bool:
    """Whether a parameter of an operation is an array, by its name.

    >>> is_array("take", "indices"), is_array("take", "axis")
    (True, False)
    """
    return EXCEPTIONS.get((op, parameter), parameter in ARRAYS)


def takes_lists(function: Callable[..., PyTree], op: str) -> Callable[..., PyTree]:
    """A function whose array parameters may be given lists and tuples.

    >>> takes_lists(jnp.take, "take")(jnp.array([5, 6, 7]), [0, 2]).tolist()
    [5, 7]
    """
    signature = functools.cache(lambda: inspect.signature(function))  # looked at when it is needed: there are 500

    @functools.wraps(function)
    def taking(*args: Any, **kwargs: Any) -> PyTree:
        if any(isinstance(value, list | tuple) for value in (*args, *kwargs.values())):
            bound = signature().bind(*args, **kwargs)
            for name, value in bound.arguments.items():
                bound.arguments[name] = _converted(op, name, value)
            args, kwargs = bound.args, bound.kwargs
        return function(*args, **kwargs)

    return taking


def _converted(op: str, name: str, value: object) -> Any:
    wanted = is_array(op, name) or (op, name) in ALSO
    if not isinstance(value, list | tuple) or not wanted or (op, name) in AS_GIVEN:
        return value
    if name == "start_indices" or name in SEVERAL or op in PAIRS:
        return tuple(as_array(entry) if isinstance(entry, list | tuple) else entry for entry in value)
    return as_array(value)


def from_numpy(value: np.ndarray | np.generic, path: str) -> Array:
    """An array of NumPy as one of JAX, whose integers have 32 bits unless JAX works with 64.

    Args:
        value: the array.
        path: its address, for the message.

    Raises:
        DataError: an integer does not fit into 32 bits, and JAX would cut it to another one.

    >>> from_numpy(np.array([1, 2]), "ids")
    Array([1, 2], dtype=int32)
    """
    if value.dtype in ("int64", "uint64") and not has_64_bits():
        numbers, info = np.asarray(value), np.iinfo(value.dtype.name.replace("64", "32"))
        wrong = (numbers < info.min) | (numbers > info.max)
        if np.any(wrong):
            index = tuple(int(each) for each in np.argwhere(wrong)[0])
            raise DataError(
                "integers must fit into 32 bits, unless 64 bits are enabled.",
                path=path,
                expected=f"{info.min} <= integer <= {info.max}",
                received=f"{value.dtype} {numbers[index]} at {list(index)}; {np.sum(wrong)} are out of range",
                write='jax.config.update("jax_enable_x64", True)   # or a Hashing layer in front',
            )
    return jnp.asarray(value)


def as_array(value: object) -> Array:
    """Nested lists of numbers and arrays as one array: Python's floats are `floatx`, ints int32, as in Keras.

    >>> as_array([[1, 2], (3, 4)]).tolist(), as_array([1.0]).dtype.name
    ([[1, 2], [3, 4]], 'float32')
    """
    leaves = jax.tree.leaves(value)
    plain = bool(leaves) and all(isinstance(leaf, bool | int | float) for leaf in leaves)
    kinds = {type(leaf) for leaf in leaves}
    kind = next((kind for kind in (float, int, bool) if kind in kinds), None)
    try:
        return jnp.asarray(value, dtypes.standardize(kind) if plain else None)
    except ValueError as error:
        raise ArgumentError(
            "the rows of a nested list must have one length: operations take dense arrays.",
            path="as_array",
            expected="lists of one length in each axis",
            received=repr(value)[:80],
        ) from error
