"""Names, and configs made of names.

A config is JSON-able data from which an object can be made again. Its envelope is Keras's, so that either library
reads the configs of the other:

    {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3, ...}, "registered_name": None}

Names are resolved in tables that are filled when classes are defined. Nothing is ever imported because a config says
so: a name that no table holds is an error. Tables hold classes and functions, never instances.

- `export(module)` puts a built-in into the table under its public module.
- `register_keras_serializable(package)` does the same for a user's class or function.
- `custom_object_scope({...})` and `custom_objects=` name objects for one block or one call.
- `jkeras.families.Family` is the table of one kind of built-in (activations, losses, ...) and its `get`.
"""

import contextlib
import contextvars
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.errors import ArgumentError, ConfigError, JKerasError, SerializationError, UnknownNameError, did_you_mean
from jkeras.typing import Config

T = TypeVar("T")

_exports: dict[tuple[str, str], Any] = {}  # (module, class_name) -> built-in
_addresses: dict[Any, tuple[str, str]] = {}  # built-in -> where configs say it lives
_registered: dict[str, Any] = {}  # "package>Name" -> user's class or function
_registered_names: dict[Any, str] = {}
_custom_objects: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar(
    "custom_objects", default=types.MappingProxyType({})
)


def snake_case(name: str) -> str:
    """`"BatchNormalization"` -> `"batch_normalization"`, with Keras's treatment of digits and capitals.

    >>> [snake_case(name) for name in ("Conv2D", "GlorotUniform", "L1L2", "ReLU")]
    ['conv2d', 'glorot_uniform', 'l1l2', 're_lu']
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def export(module: str, *aliases: str, name: str | None = None) -> Callable[[T], T]:
    """Declares a class or function to be the built-in `module.name`; it is also read under the modules in `aliases`."""

    def declare(thing: T) -> T:
        public = name or thing.__name__  # type: ignore[attr-defined]
        _addresses[thing] = (module, public)
        for place in (module, *aliases):
            _exports[place, public] = thing
        return thing

    return declare


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Registers a custom class or function, so that configs that name it can be read.

    >>> @register_keras_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> get_registered_name(double)
    'mine>double'
    """

    def declare(thing: T) -> T:
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ArgumentError(
                "a registered class must have a method `get_config`.",
                path=thing.__name__,
                expected="get_config(self), which returns the arguments of the constructor",
                received="no get_config",
                write="def get_config(self): return {...}",
            )
        registered = f"{package}>{name or thing.__name__}"  # type: ignore[attr-defined]
        _registered[registered] = thing
        _registered_names[thing] = registered
        return thing

    return declare


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, else its own name.

    >>> get_registered_name(abs)
    'abs'
    """
    name: str = _registered_names.get(obj, obj.__name__)
    return name


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function of a registered name, or `None`.

    Args:
        name: the name.
        custom_objects: classes and functions by name, before all others.
        module_objects: the same, after all others.

    >>> get_registered_object("double", custom_objects={"double": abs})
    <built-in function abs>
    """
    for table in (custom_objects or {}, _custom_objects.get(), _registered, module_objects or {}):
        if name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The names and objects of the enclosing `custom_object_scope`s.

    >>> with custom_object_scope({"double": abs}):
    ...     get_custom_objects()
    {'double': <built-in function abs>}
    """
    return dict(_custom_objects.get())


@contextlib.contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Names classes and functions for the configs and strings that are read in the block. Scopes nest.

    Args:
        custom_objects: classes and functions by name; `None` for none.

    >>> with custom_object_scope({"double": abs}):
    ...     get_registered_object("double")
    <built-in function abs>
    """
    token = _custom_objects.set({**_custom_objects.get(), **(custom_objects or {})})
    try:
        yield
    finally:
        _custom_objects.reset(token)


def public_name(thing: object) -> str:
    """The name of a built-in in configs.

    >>> from jkeras import losses
    >>> public_name(losses.Huber)
    'Huber'
    """
    return _addresses[thing][1]


def is_builtin(thing: object) -> bool:
    """Whether a class or function is part of the library's public tables."""
    return thing in _addresses


def serialize(obj: object) -> Any:
    """The config of an object: plain values, containers, arrays, functions, objects with `get_config`.

    >>> serialize((1, None, slice(2)))
    [1, None, {'class_name': '__slice__', 'config': {'start': None, 'stop': 2, 'step': None}}]
    """
    if obj is None or isinstance(obj, str | bool | int | float):
        return obj
    if isinstance(obj, list | tuple):
        return [serialize(item) for item in obj]
    if hasattr(obj, "get_config") and not inspect.isclass(obj):
        return _serialize_object(obj)
    if isinstance(obj, Mapping):
        return {key: serialize(value) for key, value in obj.items()}
    if (plain := _serialize_plain(obj)) is not None:
        return plain
    if callable(obj) and hasattr(obj, "__name__"):
        return _serialize_function(obj)
    raise SerializationError(
        "cannot serialize the object, because its class has no `get_config`.",
        path=type(obj).__name__,
        write="def get_config(self): return {...}",
    )


def _serialize_plain(thing: object) -> Config | None:
    if isinstance(thing, bytes):
        return {"class_name": "__bytes__", "config": {"value": thing.decode("latin-1")}}
    if isinstance(thing, slice):
        parts = {"start": thing.start, "stop": thing.stop, "step": thing.step}
        return {"class_name": "__slice__", "config": {key: serialize(value) for key, value in parts.items()}}
    if thing is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(thing, jax.Array):
        return {"class_name": "__tensor__", "config": {"value": np.asarray(thing).tolist(), "dtype": str(thing.dtype)}}
    if isinstance(thing, np.ndarray | np.generic):
        return {"class_name": "__numpy__", "config": {"value": thing.tolist(), "dtype": str(thing.dtype)}}
    if isinstance(thing, np.dtype):
        return thing.name  # type: ignore[return-value]
    return None


def _deserialize_plain(class_name: str, config: Config) -> Any:
    if class_name == "__bytes__":
        return config["value"].encode("latin-1")
    if class_name == "__slice__":
        return slice(*(deserialize(config[key]) for key in ("start", "stop", "step")))
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__tensor__":
        return jnp.asarray(config["value"], config["dtype"])
    return np.asarray(config["value"], config["dtype"])


_PLAIN = ("__bytes__", "__slice__", "__ellipsis__", "__tensor__", "__numpy__")


def _envelope(cls: type, config: object) -> Config:
    if cls in _addresses:
        module, public = _addresses[cls]
        return {"module": module, "class_name": public, "config": config, "registered_name": None}
    return {
        "module": cls.__module__,
        "class_name": cls.__name__,
        "config": config,
        "registered_name": get_registered_name(cls),
    }


def _serialize_object(thing: Any) -> Config:
    config = _envelope(type(thing), thing.get_config())
    build_config = thing.get_build_config() if hasattr(thing, "get_build_config") else None
    if build_config is not None:
        config["build_config"] = serialize(build_config)
    return config


def _serialize_function(thing: Any) -> Config:
    if thing.__name__ == "<lambda>":
        raise SerializationError(
            "cannot serialize a lambda, because it has no name.",
            path="serialize",
            expected="a named function",
            write="def my_function(x): ...   # then pass my_function",
        )
    name = _addresses[thing][1] if thing in _addresses else get_registered_name(thing)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def deserialize(
    config: object, custom_objects: Mapping[str, Any] | None = None, table: Mapping[str, Any] | None = None
) -> Any:
    """The object of a config; the inverse of `serialize`, for configs of ours and of Keras's.

    Args:
        config: the result of `serialize`. Plain values come back as they are.
        custom_objects: classes and functions by name, before all other tables.
        table: classes by name, in which a class name without a module is looked up.

    Raises:
        UnknownNameError: no table has the name.
        ConfigError: the named class cannot be made from the config.

    >>> deserialize([1, {"class_name": "__ellipsis__", "config": {}}])
    [1, Ellipsis]
    """
    if isinstance(config, list | tuple):
        return type(config)(deserialize(item, custom_objects, table) for item in config)
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize(value, custom_objects, table) for key, value in config.items()}
    class_name, inner = config["class_name"], config["config"]
    named = inner if class_name == "function" else class_name
    for name in (named, config.get("module") or "", config.get("registered_name") or ""):
        if not isinstance(name, str):
            raise ConfigError(
                f"the name of a class or function, and of its module, must be a string, got {type(name).__name__}.",
                path="deserialize",
                expected="a string",
                received=repr(name)[:80],
            )
    if class_name in _PLAIN:
        return _deserialize_plain(class_name, inner)
    if class_name == "function":
        return _resolve({**config, "class_name": inner}, custom_objects, table)
    cls = _resolve(config, custom_objects, table)
    if not hasattr(cls, "from_config"):
        raise ConfigError(
            "cannot make an object of this class from a config, because it has no `from_config`.",
            path=class_name,
            write="@classmethod\n  def from_config(cls, config): ...",
        )
    if not isinstance(inner, Mapping):
        raise ConfigError(
            f"the config must be a dict of arguments, got {type(inner).__name__}.",
            path=class_name,
            expected="a dict of arguments",
            received=repr(inner)[:80],
        )
    with custom_object_scope(custom_objects or {}):
        return _made(cls, class_name, inner, config.get("build_config"))


def _made(cls: Any, name: str, config: Mapping[str, Any], build_config: Any) -> Any:
    """The object of a config, built. What a class says of arguments that it cannot take is a `ConfigError`."""
    try:
        thing = cls.from_config(dict(config))
        if isinstance(build_config, Mapping) and build_config and hasattr(thing, "build_from_config"):
            thing.build_from_config(build_config)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        if isinstance(error, JKerasError):
            raise
        raise ConfigError(
            f"the class cannot be made from the config: {type(error).__name__}: {error}"[:200],
            path=name,
            expected="the arguments of its constructor, as `get_config` returns them",
            received=f"keys {sorted(map(str, config))}"[:200],
        ) from error
    return thing


def deserialize_keras_object(
    config: object, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """The object of a config: `deserialize`, with Keras's arguments.

    Args:
        config: the result of `serialize_keras_object`, here or in Keras.
        custom_objects: classes and functions by name, before all other tables.
        safe_mode: not false: a config never holds code that could be run.
        kwargs: `module_objects`, classes and functions by name, after all other tables.

    Raises:
        ArgumentError: `safe_mode=False`.
        UnknownNameError: no table has the name.

    >>> deserialize_keras_object({"class_name": "__ellipsis__", "config": {}})
    Ellipsis
    """
    if not safe_mode:
        problem = f"`safe_mode` must be true, got {safe_mode!r}: jkeras never runs code from a config."
        path = "deserialize_keras_object"
        write = "deserialize_keras_object(config, custom_objects={'my_function': my_function})"
        raise ArgumentError(problem, path=path, expected="safe_mode=True", received=repr(safe_mode), write=write)
    return deserialize(config, custom_objects, kwargs.get("module_objects"))


def _resolve(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, table: Mapping[str, Any] | None
) -> Any:
    """The class or function that an envelope names."""
    class_name, registered = config["class_name"], config.get("registered_name")
    for name in (registered, class_name):
        if name and name != "function" and (found := get_registered_object(name, custom_objects)) is not None:
            return found
    if (found := _exports.get((config.get("module") or "", class_name))) is not None:
        return found
    if table is not None and class_name in table:
        return table[class_name]
    if not config.get("module"):  # configs of Keras 2 have no modules
        for module in ("keras.layers", "keras"):
            if (found := _exports.get((module, class_name))) is not None:
                return found
    if config.get("module") == "builtins":  # Keras writes the home of its own functions so
        found = next(
            (thing for (_, name), thing in _exports.items() if name == class_name and inspect.isfunction(thing)), None
        )
        if found is not None:
            return found
    known = {name for _, name in _exports} | set(_registered) | set(custom_objects or {}) | set(_custom_objects.get())
    raise UnknownNameError(
        f"unknown class or function {class_name!r} (module {config.get('module')!r}).",
        path="deserialize",
        expected=did_you_mean(class_name, known),
        write=f"deserialize(config, custom_objects={{{class_name!r}: {class_name}}})",
    )
