"""What constructors of callbacks check."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean


def check_count(owner: str, name: str, value: object, *, least: int = 0) -> int:
    """The value as an int, if it is an integer, NumPy's included, of at least `least`; else raises `ArgumentError`.

    >>> import numpy as np
    >>> check_count("EarlyStopping", "patience", np.int64(3))
    3
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ArgumentError(
            f"`{name}` must be an int >= {least}, got {value!r}.",
            path=owner,
            expected=f"an int >= {least}",
            received=repr(value),
            write=f"{owner}({name}={max(least, 1)})",
        )
    return int(value)


def check_number(owner: str, name: str, value: object) -> float:
    """The value, if it is a real number that is not NaN; raises `ArgumentError` otherwise.

    >>> check_number("ReduceLROnPlateau", "min_lr", 0)
    0
    """
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ArgumentError(
            f"`{name}` must be a number, got {value!r}.", path=owner, expected="a real number", received=repr(value)
        )
    return value  # type: ignore[return-value]


def check_choice(owner: str, name: str, value: object, known: Sequence[str]) -> Any:
    """The value, if it is a known one; raises `UnknownNameError` otherwise.

    >>> check_choice("EarlyStopping", "mode", "min", ("auto", "min", "max"))
    'min'
    """
    if value not in known:
        raise UnknownNameError(f"`{name}` cannot be {value!r}.", path=owner, expected=did_you_mean(str(value), known))
    return value


def check_frequency(owner: str, name: str, value: object) -> int | str:
    """The value, if it is `"epoch"` or a count of batches; raises `ArgumentError` otherwise.

    >>> check_frequency("ModelCheckpoint", "save_freq", "epoch")
    'epoch'
    """
    if isinstance(value, str) and value == "epoch":
        return value
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ArgumentError(
            f"`{name}` must be 'epoch' or a number of batches, got {value!r}.",
            path=owner,
            expected="'epoch', or an int >= 1",
            received=repr(value),
            write=f"{owner}(..., {name}='epoch')",
        )
    return int(value)
