"""Objects that are their arguments: equal, hashable, printable and remade by what they were constructed with.

Such an object holds Python scalars, strings, tuples and objects of its own kind, never an array, so it can be a static
argument of `jax.jit`: two that were made alike share one compiled program.
"""

from typing import Any, Self

from jkeras.typing import Config


class Configurable:
    """The base of initializers, regularizers and constraints.

    >>> Configurable() == Configurable(), Configurable()
    (True, Configurable())
    """

    def get_config(self) -> Config:
        """The arguments from which an equal object can be made, as JSON-able values with Keras's keys."""
        return {}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The object of a config that `get_config` returned."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _frozen(vars(other)) == _frozen(vars(self))

    def __hash__(self) -> int:
        return hash((type(self), _frozen(vars(self))))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({shown})"


def _frozen(value: Any) -> Any:
    """A hashable stand-in for a value whose lists and dicts, which subclasses may hold, are not."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _frozen(value[key])) for key in sorted(value))
    return value
