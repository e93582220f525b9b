"""Rooms that are imported when one of their names is first used, so that `import jkeras` does not wait for them.

A room on a lower floor reaches one here, where a user asks for it by a method of that room's objects:
`model.export(...)`.
"""

import importlib
from types import ModuleType
from typing import Any


class LateRoom(ModuleType):
    """A room that has not been imported yet. Its import puts the module itself in this one's place.

    >>> import jkeras
    >>> LateRoom("jkeras.losses").MeanSquaredError is jkeras.losses.MeanSquaredError
    True
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(self.__name__))


distribution = LateRoom("jkeras.distribution")
export = LateRoom("jkeras.export")
plan = LateRoom("jkeras.plan")
