"""What constructors of callbacks check."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean


def check_count(owner: str, name: str, value: Any, *, least: int = 0) -> int:
    """The value, if it is an int of at least `least`; raises `ArgumentError` otherwise.

    >>> check_count("EarlyStopping", "patience", 3)
    3
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(
            f"`{name}` is no valid count.", path=owner, expected=f"an int >= {least}", received=repr(value)
        )
    return value


def check_number(owner: str, name: str, value: Any) -> float:
    """The value, if it is a real number that is not NaN; raises `ArgumentError` otherwise.

    >>> check_number("ReduceLROnPlateau", "min_lr", 0)
    0
    """
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ArgumentError(f"`{name}` is no number.", path=owner, expected="a real number", received=repr(value))
    return value  # type: ignore[return-value]


def check_choice(owner: str, name: str, value: Any, known: Sequence[str]) -> Any:
    """The value, if it is a known one; raises `UnknownNameError` otherwise.

    >>> check_choice("EarlyStopping", "mode", "min", ("auto", "min", "max"))
    'min'
    """
    if value not in known:
        raise UnknownNameError(
            f"`{name}` has no value {value!r}.", path=owner, expected=did_you_mean(str(value), known)
        )
    return value


def check_frequency(owner: str, name: str, value: Any) -> Any:
    """The value, if it is `"epoch"` or a count of batches; raises `ArgumentError` otherwise.

    >>> check_frequency("ModelCheckpoint", "save_freq", "epoch")
    'epoch'
    """
    if value != "epoch" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ArgumentError(
            f"`{name}` is no frequency.", path=owner, expected="'epoch', or an int >= 1", received=repr(value)
        )
    return value
