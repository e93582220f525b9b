"""The table: every operation by its Keras name, and how Keras's configs spell it.

A config names an operation by a class, `ExpandDims` for `expand_dims`, in a module of Keras's. Arguments other than
arrays are in the config; the arrays are the arguments of the call.
"""

import copyreg
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jkeras import activations
from jkeras.core.arrays import is_array
from jkeras.core.lift import Lifted
from jkeras.errors import ConfigError, UnknownNameError, did_you_mean
from jkeras.ops import core, einops, image, linalg, math, nn, numpy
from jkeras.typing import Config

MODULES = {"numpy": numpy, "nn": nn, "math": math, "linalg": linalg, "core": core, "image": image, "einops": einops}

# Classes that are not named like their operation in camel case.
CLASS_NAMES = {
    "allclose": "AllClose",
    "cdist": "CDist",
    "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss",
    "hsv_to_rgb": "HSVToRGB",
    "isin": "IsIn",
    "re_lu": "ReLU",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "searchsorted": "SearchSorted",
    **{
        name: name.upper() for name in ("fft", "fft2", "ifft2", "irfft", "istft", "psnr", "rfft", "ssim", "stft", "svd")
    },
}


class Row(NamedTuple):
    """One operation: the function of arrays, the lifted one, and the module that configs name."""

    function: Callable[..., Any]
    lifted: Callable[..., Any]
    module: str


class Spelling(NamedTuple):
    """The spelling of an operation in Keras's configs: module and class name, settings, and arguments of the call."""

    module: str
    class_name: str
    settings: Config
    args: list[Any]
    kwargs: dict[str, Any]


TABLE: dict[str, Row] = {
    name: Row(lifted.__wrapped__, lifted, f"keras.src.ops.{home}")
    for home, module in MODULES.items()
    for name, lifted in vars(module).items()
    if name in module.__all__ and hasattr(lifted, "__wrapped__")
}
# `activations.relu`, which has a slope and a maximum, and is a class of its own in Keras.
TABLE["re_lu"] = Row(inspect.unwrap(activations.relu), activations.relu, "keras.src.activations.activations")
_BY_CLASS = {name.replace("_", ""): name for name in reversed(TABLE)}


def _revived(op: str) -> Lifted:
    return Lifted(TABLE[op].function, op)


def _reduced(lifted: Lifted) -> Any:
    """How `pickle` and `copy` take a recorded operation apart: by name, for many functions of JAX cannot be pickled."""
    if lifted.op is None:
        return lifted.__reduce_ex__(2)
    return _revived, (lifted.op,), {name: value for name, value in vars(lifted).items() if name != "function"}


copyreg.pickle(Lifted, _reduced)


def named(class_name: str) -> str:
    """The operation of a class name of Keras's.

    Raises `UnknownNameError` for one that the table does not have.

    >>> named("ExpandDims"), named("Log1p")
    ('expand_dims', 'log1p')
    """
    found = "re_lu" if class_name == "ReLU" else _BY_CLASS.get(class_name.lower())
    if found is None:
        raise UnknownNameError(
            f"unknown operation {class_name!r}.", path="jkeras.ops", expected=did_you_mean(class_name, TABLE)
        )
    return found


def spell(op: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Spelling:
    """How Keras's configs spell one call of an operation.

    >>> import jax.numpy as jnp
    >>> spell("expand_dims", jnp.expand_dims, ("x",), {"axis": 1})[1:4]
    ('ExpandDims', {'axis': 1}, ['x'])
    """
    bound = inspect.signature(function).bind(*args, **kwargs)
    settings: Config = {}
    positional: list[Any] = []
    named_arrays: dict[str, Any] = {}
    complete = True  # whether every array before this one was given
    for name, parameter in bound.signature.parameters.items():
        array = is_array(op, name)
        if name not in bound.arguments:
            complete = complete and not array
        elif parameter.kind is parameter.VAR_POSITIONAL:
            positional += bound.arguments[name]
        elif parameter.kind is parameter.VAR_KEYWORD:
            (named_arrays if array else settings).update(bound.arguments[name])
        elif not array:
            settings[name] = bound.arguments[name]
        elif complete:
            positional.append(bound.arguments[name])
        else:
            named_arrays[name] = bound.arguments[name]
    return Spelling(TABLE[op].module, class_name(op), settings, positional, named_arrays)


def class_name(op: str) -> str:
    """The class of an operation in Keras.

    >>> class_name("expand_dims"), class_name("isin")
    ('ExpandDims', 'IsIn')
    """
    return CLASS_NAMES.get(op) or "".join(part.capitalize() for part in op.split("_"))


def arrange(
    op: str, settings: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of one call, out of a config's settings and arrays; the inverse of `spell`.

    Raises `ConfigError` for a setting that the operation does not have.

    >>> arrange("einsum", {"subscripts": "ij,jk->ik"}, ["x", "y"], {})
    (['ij,jk->ik', 'x', 'y'], {})
    """
    parameters = inspect.signature(TABLE[op].function).parameters
    catches_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given, arrays = {name: _tuples(value) for name, value in settings.items()}, list(args)
    for name, value in list(given.items()):
        if name not in parameters and not catches_all:
            if value:  # what is None or False asks for nothing
                raise ConfigError(
                    f"the operation has no argument `{name}`.",
                    path=op,
                    expected=f"some of {list(parameters)}",
                    received=f"{name}={value!r}",
                )
            del given[name]
    positional: list[Any] = []
    by_name: dict[str, Any] = {}
    complete = True  # whether every parameter before this one has a value
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional, arrays = positional + arrays, []
        elif name in given or (arrays and is_array(op, name)):
            value = given.pop(name) if name in given else arrays.pop(0)
            if complete and parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(value)
            else:
                by_name[name] = value
        else:
            complete = False
    return positional, {**by_name, **given, **kwargs}


def _tuples(value: object) -> Any:
    """Lists, as JSON has them, as the tuples that axes and shapes are."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
