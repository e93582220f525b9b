"""Objects defined by their constructor arguments, by which they are compared, hashed, printed and remade.

Such an object holds Python scalars, strings, tuples and objects of its own kind, never an array, so it can be a static
argument of `jax.jit`: two with equal arguments share one compiled function.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from jkeras.typing import Config


def plain(value: Any) -> Any:
    """A value with Python's numbers for NumPy's scalars, in lists and tuples too; without any, the value itself.

    >>> plain(np.int64(3)), plain((np.float64(0.5), [np.bool_(True)])), plain("same")
    (3, (0.5, [True]), 'same')
    """
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        made = type(value)(map(plain, value))
        return value if all(map(operator.is_, made, value)) else made
    return value


def with_plain_arguments(construct: Callable[..., None]) -> Callable[..., None]:
    """A constructor that sees Python's numbers where it is given NumPy's scalars, so that configs have them too."""

    @functools.wraps(construct)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    return __init__


class PlainArguments:
    """A base whose subclasses have constructors that see Python's numbers where they are given NumPy's scalars.

    >>> class Repeat(PlainArguments):
    ...     def __init__(self, n):
    ...         self.n = n
    >>> Repeat(np.int64(3)).n
    3
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = with_plain_arguments(cls.__init__)  # type: ignore[method-assign]


class Configurable(PlainArguments):
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
