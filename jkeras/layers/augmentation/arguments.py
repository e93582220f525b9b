"""Checks of arguments that layers of this room share: ranges of factors and of values."""

from collections.abc import Sequence
from typing import Any

from jkeras import arguments
from jkeras.errors import ArgumentError
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
            f"`{argument}` must be a number or a pair of numbers in [{low}, {high}], got {arguments.shown(factor)}.",
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
        write = f"{owner}(..., value_range=(0, 255))"
        raise arguments.refusal(value_range, "value_range", owner, "two different numbers", write=write)
    return min(entries), max(entries)
