"""Checks of constructor arguments that several layers share."""

from typing import Any

from jkeras.errors import ArgumentError


def positive_int(value: Any, argument: str, owner: str, write: str) -> int:
    """The value, if it is a positive int.

    >>> positive_int(3, "units", "Dense", "Dense(3)")
    3
    """
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(
            f"`{argument}` must be a positive int.",
            path=owner,
            expected="an int >= 1",
            received=repr(value),
            write=write,
        )
    return value
