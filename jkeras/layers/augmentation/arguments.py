"""Checks of arguments that layers of this room share: ranges of factors and of values, names of modes."""

from collections.abc import Sequence
from typing import Any

from jkeras.errors import ArgumentError, UnknownNameError
from jkeras.typing import Range

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("reflect", "wrap", "constant", "nearest")


def factor_range(
    factor: Range, bounds: tuple[float, float], owner: str, argument: str = "factor", *, upwards: bool = False
) -> tuple[Any, Any]:
    """The range `(lower, upper)` from which a factor is drawn: a pair, sorted, or for a number `f` all that lies within
    the bounds between `-|f|` and `|f|`, with `upwards` between 0 and `f`.

    >>> factor_range(0.3, (-1, 1), "RandomBrightness"), factor_range(0.3, (0, 1), "RandomContrast")
    ((-0.3, 0.3), (0, 0.3))
    >>> factor_range(0.3, (-1, 1), "RandomShear", upwards=True)
    (0, 0.3)
    >>> factor_range([0.5, 0.2], (0, 1), "RandomHue")
    (0.2, 0.5)
    """
    low, high = bounds
    entries = tuple(factor) if isinstance(factor, Sequence) and not isinstance(factor, str) else (factor,)
    numbers = all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in entries)
    if not numbers or len(entries) not in (1, 2) or not all(low <= entry <= high for entry in entries):
        raise ArgumentError(
            f"`{argument}` is no range.",
            path=owner,
            expected=f"a number in [{low}, {high}], or two of them",
            received=f"{argument}={factor!r}",
            write=f"{owner}({argument}=({low}, {high}))",
        )
    if len(entries) == 1:
        (only,) = entries
        entries = (max(0, low), only) if upwards else (max(-abs(only), low), abs(only))
    return min(entries), max(entries)


def value_bounds(value_range: Sequence[float], owner: str) -> tuple[Any, Any]:
    """The least and the greatest value that pixels may have.

    >>> value_bounds([0, 255], "RandomBrightness")
    (0, 255)
    """
    entries = tuple(value_range) if isinstance(value_range, Sequence) and not isinstance(value_range, str) else ()
    numbers = all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in entries)
    if len(entries) != 2 or not numbers or entries[0] == entries[1]:
        raise ArgumentError(
            "`value_range` is no range.",
            path=owner,
            expected="two different numbers",
            received=f"value_range={value_range!r}",
            write=f"{owner}(..., value_range=(0, 255))",
        )
    return min(entries), max(entries)


def one_of(value: str, names: Sequence[str], argument: str, owner: str) -> str:
    """The value, if it is one of some names.

    >>> one_of("nearest", INTERPOLATIONS, "interpolation", "RandomZoom")
    'nearest'
    """
    if value not in names:
        raise UnknownNameError(
            f"unknown `{argument}`.",
            path=owner,
            expected=" or ".join(map(repr, names)),
            received=f"{argument}={value!r}",
        )
    return value


def number(value: object, argument: str, owner: str) -> Any:
    """The value, if it is a number.

    >>> number(0.5, "fill_value", "RandomZoom")
    0.5
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ArgumentError(
            f"`{argument}` is no number.", path=owner, expected="a number", received=f"{argument}={value!r}"
        )
    return value
