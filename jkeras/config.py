"""Process-wide defaults, read when an object is constructed and never afterwards.

They save repeated arguments; no computation depends on them once an object exists.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from typing import Any

import jax

from jkeras import jax_compat
from jkeras.errors import ArgumentError

FLOATS = ("bfloat16", "float16", "float32", "float64")
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
DATA_FORMATS = ("channels_last", "channels_first")


@dataclasses.dataclass
class _Defaults:
    floatx: str = "float32"
    epsilon: float = 1e-7
    image_data_format: str = "channels_last"
    dtype_policy: Any = None
    policy_of: Callable[[Any], Any] = str  # makes a policy of a name; `jkeras.dtypes`, a floor above, sets it


_defaults = _Defaults()


def floatx() -> str:
    """The dtype of floats whose dtype is not given.

    >>> floatx()
    'float32'
    """
    return _defaults.floatx


def set_floatx(value: str) -> None:
    """Sets `floatx` to one of `"bfloat16"`, `"float16"`, `"float32"`, `"float64"`.

    >>> set_floatx("float32")
    """
    if value not in FLOATS:
        raise ArgumentError(
            f"`value` must be a floating-point dtype, got {value!r}.",
            path="set_floatx",
            expected=" or ".join(FLOATS),
            received=repr(value),
            write="set_floatx('float32')",
        )
    _defaults.floatx = value


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite.

    >>> epsilon()
    1e-07
    """
    return _defaults.epsilon


def set_epsilon(value: float) -> None:
    """Sets `epsilon`.

    >>> set_epsilon(1e-7)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ArgumentError(
            f"`value` must be a positive number, got {value!r}.",
            path="set_epsilon",
            expected="a float > 0",
            received=repr(value),
            write="set_epsilon(1e-7)",
        )
    _defaults.epsilon = float(value)


def image_data_format() -> str:
    """Where layers look for the channel axis of images: `"channels_last"` or `"channels_first"`.

    >>> image_data_format()
    'channels_last'
    """
    return _defaults.image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets `image_data_format`.

    >>> set_image_data_format("channels_last")
    """
    _defaults.image_data_format = standardize_data_format(data_format)


def standardize_data_format(value: str | None) -> str:
    """A valid data format; the default one for `None`.

    >>> standardize_data_format(None)
    'channels_last'
    """
    if value is None:
        return image_data_format()
    if value not in DATA_FORMATS:
        raise ArgumentError(
            f"`data_format` must be 'channels_last' or 'channels_first', got {value!r}.",
            path="data_format",
            expected=DATA_FORMATS,
            received=repr(value),
            write="data_format='channels_last'",
        )
    return value


def dtype_policy() -> Any:
    """The `DTypePolicy` of layers that are constructed without `dtype`: that of `set_dtype_policy`, else of `floatx`.

    >>> import jkeras
    >>> dtype_policy().compute_dtype
    'float32'
    """
    return _defaults.policy_of(_defaults.floatx if _defaults.dtype_policy is None else _defaults.dtype_policy)


def make_policies_by(function: Callable[[Any], Any]) -> None:
    """Sets the function that makes a policy from a name: `jkeras.dtypes` is in a layer above this module.

    >>> from jkeras import dtypes
    >>> make_policies_by(dtypes.get)
    """
    _defaults.policy_of = function


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers that are constructed without `dtype`; `None` goes back to `floatx`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> set_dtype_policy(None)
    """
    _defaults.dtype_policy = policy


def enable_compile_cache(path: str | os.PathLike[str]) -> None:
    """Keeps compiled functions in a folder, so that the next process starts without compiling them again.

    JAX's own cache leaves out functions that compile in less than a second or are small; here every one is kept.

    Args:
        path: the folder; made where it does not exist. Call it before anything is compiled.

    >>> import tempfile
    >>> before = jax.config.jax_compilation_cache_dir
    >>> enable_compile_cache(tempfile.mkdtemp())
    >>> jax.config.update("jax_compilation_cache_dir", before)
    """
    jax.config.update("jax_compilation_cache_dir", os.fspath(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def lowering_for(*platforms: str) -> contextlib.AbstractContextManager[Any]:
    """In the block, programs are traced for other platforms than that of this machine.

    What depends on the platform, such as the kernels of attention, is that of the platforms: on a laptop one can look
    at the program of an accelerator, compile it where the plug-in is installed, or export it. A program for one
    platform has that platform's kernels; one for several has those of none, because JAX cannot lower them for others.

    Args:
        platforms: some of `"cpu"`, `"cuda"`, `"rocm"`, `"tpu"`, as for `jax.export` and `lowering_platforms`.

    Raises:
        ArgumentError: no platform, or an unknown one.

    >>> from jkeras import functional
    >>> q = jax.ShapeDtypeStruct((1, 128, 2, 64), "bfloat16")
    >>> with lowering_for("tpu"):
    ...     traced = jax.jit(functional.dot_product_attention).trace(q, q, q)
    ...     lowered = traced.lower(lowering_platforms=("tpu",))
    >>> "tpu_custom_call" in lowered.as_text()
    True
    """
    if not platforms or not {*platforms} <= {*PLATFORMS}:
        raise ArgumentError(
            f"`platforms` must be some of {PLATFORMS}, got {platforms}.",
            path="lowering_for",
            expected=", ".join(map(repr, PLATFORMS)),
            received=repr(platforms),
            write="with jkeras.config.lowering_for('tpu'): ...",
        )
    return jax_compat.lowering_for(*platforms)
