"""Families: the tables of the built-ins of one kind, such as activations, with their names and their `get`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jkeras import registry, slots
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.typing import Identifier

T = TypeVar("T")


class Family:
    """The table of one kind of built-in: its names, and `get` / `serialize` / `deserialize` over it.

    Args:
        kind: the name of an entry in messages, such as `"activation"`.
        module: the public module that configs name, such as `"keras.activations"`.
        base: the class whose instances are entries; `None` where entries are functions.
        default: the result of `get(None)`.
    """

    def __init__(self, kind: str, module: str, base: type | None = None, default: object = None) -> None:
        self.kind, self.module, self.base, self.default = kind, module, base, default
        self.table: dict[str, Any] = {}
        if base is not None:
            slots.KINDS[base] = kind
        self.path = f"{module.removeprefix('keras.')}.get"

    def register(self, *aliases: str, module: str | None = None) -> Callable[[T], T]:
        """Puts a class or function into the table under its name, its snake-case name and the aliases."""

        def declare(thing: T) -> T:
            name = thing.__name__  # type: ignore[attr-defined]
            registry.export(module or self.module, self.module)(thing)
            for key in (name, registry.snake_case(name), *aliases):
                self.table[key] = thing
            return thing

        return declare

    def get(self, identifier: Identifier) -> Any:
        """The object of an identifier: `None`, a name, a config, a class, an instance, or a callable."""
        if identifier is None:
            return self.default
        if isinstance(identifier, str):
            return self._instance(self.lookup(identifier))
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        slots.check(identifier, self.kind, self.path)
        if inspect.isclass(identifier):
            return self._instance(identifier)
        if callable(identifier) or (self.base is not None and isinstance(identifier, self.base)):
            return identifier
        raise ArgumentError(
            f"the {self.kind} must be a name, config, class, instance or callable, got {type(identifier).__name__}.",
            path=self.path,
            expected="a name, a config, a class, an instance or a callable",
            received=repr(identifier)[:80],
            write=f"{self.path}({min(self.table)!r})" if self.table else None,
        )

    def lookup(self, name: str) -> Any:
        """The class or function of a name; raises `UnknownNameError` with the nearest known one."""
        custom = registry.get_registered_object(name)
        if custom is not None:
            return custom
        if name not in self.table:
            raise UnknownNameError(
                f"unknown {self.kind} {name!r}.", path=self.path, expected=did_you_mean(name, self.table)
            )
        return self.table[name]

    def serialize(self, thing: object) -> Any:
        """The config of an entry: the bare name of a built-in function, the envelope of anything else."""
        if thing is None:
            return None
        if not hasattr(thing, "get_config") and registry.is_builtin(thing):
            return registry.public_name(thing)
        return registry.serialize(thing)

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The entry of a config or of a name."""
        if isinstance(config, str):
            with registry.custom_object_scope(custom_objects):
                return self._instance(self.lookup(config))
        thing = registry.deserialize(config, custom_objects, self.table)
        if isinstance(thing, Mapping | list | tuple | bool | int | float):
            raise ArgumentError(
                f"the config must be that of {self.kind!r}, with the keys 'class_name' and 'config'.",
                path=self.path,
                expected="{'class_name': ..., 'config': {...}}",
                received=repr(config)[:80],
            )
        slots.check(thing, self.kind, self.path)
        return thing

    def check_complete(self, cls: type) -> None:
        """Raises `ArgumentError` where a class cannot be made without arguments."""
        parameters = inspect.signature(cls).parameters.values()
        needed = [
            each.name
            for each in parameters
            if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        if needed:
            raise ArgumentError(
                f"the {self.kind} has required arguments, so it cannot be made from its name or class.",
                path=cls.__name__,
                expected="an instance",
                received=cls.__name__,
                write=f"{cls.__name__}({', '.join(f'{name}=...' for name in needed)})",
            )

    def _instance(self, thing: object) -> Any:
        if not inspect.isclass(thing):
            return thing
        self.check_complete(thing)
        return thing()
