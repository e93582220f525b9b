"""The config of a layer: its constructor's arguments, under Keras's keys.

A built-in keeps each argument as the attribute of the same name, so its config can be read off. A class of a user's
needs no `get_config` as long as its own arguments are plain values; what it inherits from a built-in is read off too.
"""

import inspect
import warnings
from typing import Any

from jkeras import registry, regularizers
from jkeras.core.protocol import LayerLike
from jkeras.errors import SerializationError
from jkeras.typing import Config


def base_config(layer: LayerLike) -> Config:
    """The arguments of `Layer`: name, trainable, dtype policy; and the others where they are not the defaults."""
    config: Config = {
        "name": layer.explicit_name,
        "trainable": layer.trainable,
        "dtype": registry.serialize(layer.declared_dtype_policy),
    }
    if layer.activity_regularizer is not None:
        config["activity_regularizer"] = regularizers.serialize(layer.activity_regularizer)
    if layer._constructor.plain.get("autocast") is False:  # where it was given: some layers never autocast
        config["autocast"] = False
    return config


def complete_config(layer: LayerLike, root: type) -> Config:
    """The arguments of `Layer` (`root`) that the class takes, and its own."""
    base = inspect.signature(root.__init__).parameters  # type: ignore[misc]
    names, takes_all = parameters(type(layer), root)
    config = {key: value for key, value in base_config(layer).items() if takes_all or key in names}
    builtin = builtin_class(type(layer), root)
    kept = parameters(builtin, root)[0] if builtin is not None else []
    return {**config, **{name: _argument(layer, name, name in kept) for name in names if name not in base}}


def builtin_class(cls: type, root: type) -> type | None:
    """The nearest class of the library in the ancestry of a class, `root` apart."""
    return next((base for base in cls.__mro__ if base is not root and registry.is_builtin(base)), None)


def parameters(cls: type, root: type) -> tuple[list[str], bool]:
    """The arguments of a layer's constructor and of the bases that it passes keywords on to, `root` apart; and whether
    those of `root` are taken too."""
    names: list[str] = []
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        if base is root:
            return names, True
        found = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names += [p.name for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in names]
        if not any(p.kind is p.VAR_KEYWORD for p in found):
            break
    return names, False


def _argument(layer: LayerLike, name: str, kept: bool) -> Any:
    """The config of one argument: off the attribute that keeps it, else as it was given to the constructor."""
    if kept and hasattr(layer, name):
        value = getattr(layer, name)
        if callable(value) and not hasattr(value, "get_config") and registry.is_builtin(value):
            return registry.serialize(value)["config"]  # built-in functions by their bare name
        return registry.serialize(value)
    given = layer._constructor
    if name not in given.plain:
        raise SerializationError(
            f"the config of the argument `{name}` is not known: {given.problem}",
            path=type(layer).__name__,
            write="def get_config(self): return {**super().get_config(), " + repr(name) + ": ...}",
        )
    return given.plain[name]


def legacy_input_shape(arguments: dict[str, Any], owner: str) -> Any:
    """Takes the shape given in the old way out of a layer's arguments, with a warning; `None` where none is."""
    shape = arguments.pop("input_shape", None)
    dim = arguments.pop("input_dim", None)
    if shape is None and dim is None:
        return None
    warnings.warn(
        f"`{owner}(input_shape=...)` is the old way to declare inputs: put `jkeras.Input(shape)` before the layer.",
        stacklevel=4,
    )
    return (None, *(shape if shape is not None else (dim,)))
