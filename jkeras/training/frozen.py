"""Frozen objects: what `__init__` has set stays, because compiled programs are made from it."""

import abc
from typing import Any, NoReturn

from jkeras.errors import FrozenError


class FrozenMeta(abc.ABCMeta):
    """Freezes an object when the `__init__` of its class is over, with whatever subclasses set in theirs.

    A metaclass, because only the call of a class knows when the outermost `__init__` ends.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        vars(made)["_frozen"] = True
        return made


class Frozen(metaclass=FrozenMeta):
    """The base of objects whose attributes cannot be set after `__init__`. `functools.cached_property` works.

    >>> class Recipe(Frozen):
    ...     def __init__(self, rate):
    ...         self.rate = rate
    >>> Recipe(0.1).rate = 0.2
    Traceback (most recent call last):
    ...
    jkeras.errors.FrozenError: Recipe.rate: a Recipe cannot be changed after `__init__`, ...
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if "_frozen" in vars(self):
            self._refuse(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if "_frozen" in vars(self):
            self._refuse(name)
        super().__delattr__(name)

    def _refuse(self, name: str) -> NoReturn:
        kind = type(self).__name__
        raise FrozenError(
            f"a {kind} cannot be changed after `__init__`, because its compiled functions were made for it as it was.",
            path=f"{kind}.{name}",
            expected="another object; a state goes with each, and values that change belong into the state",
            write=f"{kind}(..., {name}=...)",
        )
