"""Arguments of windowed operations, brought to one form: one entry per spatial axis.

Users may write `3` for `(3, 3)`. Everything past a constructor or the first line of a function sees the tuple.
"""

import operator
from collections.abc import Sequence
from typing import Any

from jkeras.errors import ArgumentError
from jkeras.typing import Sizes

PADDINGS = ("valid", "same")


def standardize_tuple(value: Sizes, n: int, name: str, path: str | None = None, *, minimum: int = 1) -> tuple[int, ...]:
    """`n` integers out of one integer or `n` of them.

    Args:
        value: an int, or a sequence of `n` ints.
        n: the required number.
        name: the argument's name, for the message.
        path: the address of the owner of the argument, for the message.
        minimum: the least value that an entry may have.

    Raises:
        ArgumentError: the length, a type or a value does not fit.

    >>> standardize_tuple(3, 2, "kernel_size"), standardize_tuple([1, 2], 2, "strides")
    ((3, 3), (1, 2))
    """
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * n
    try:
        numbers = tuple(operator.index(entry) for entry in entries)
    except TypeError:
        numbers = ()
    fits = len(numbers) == n and all(number >= minimum for number in numbers)
    if not fits or any(isinstance(entry, bool) for entry in entries):
        several = f", or {n} such integers" if n > 1 else ""
        raise ArgumentError(
            f"`{name}` must be an integer of at least {minimum}{several}, got {value!r}.",
            path=path,
            expected=f"an int >= {minimum}" + (f", or {n} of them" if n > 1 else ""),
            received=f"{name}={value!r}",
            write=f"{name}={2 if n == 1 else (2,) * n}",
        )
    return numbers


def standardize_pairs(value: Any, n: int, name: str, path: str | None = None) -> tuple[tuple[int, int], ...]:
    """`n` pairs `(before, after)` of integers >= 0, out of one integer, `n` integers or `n` pairs.

    With one axis, two integers are its pair.

    >>> standardize_pairs(1, 2, "padding"), standardize_pairs(((1, 2), 3), 2, "padding")
    (((1, 1), (1, 1)), ((1, 2), (3, 3)))
    >>> standardize_pairs((1, 2), 1, "padding")
    ((1, 2),)
    """
    sequence = isinstance(value, Sequence) and not isinstance(value, str)
    if n == 1 and not (sequence and len(value) == 1):
        value = (value,)
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * n
    if len(entries) != n:
        raise ArgumentError(
            f"`{name}` must be an integer, {n} integers or {n} pairs (before, after), got {value!r}.",
            path=path,
            expected=f"an int >= 0, {n} of them, or {n} pairs (before, after)",
            received=f"{name}={value!r}",
            write=f"{name}={((1, 1),) * n}",
        )
    pairs = (standardize_tuple(entry, 2, name, path, minimum=0) for entry in entries)
    return tuple((before, after) for before, after in pairs)


def standardize_padding(value: object, path: str | None = None, *, causal: bool = False) -> str:
    """One of `"valid"`, `"same"` and, where time has a direction, `"causal"`; case does not matter.

    >>> standardize_padding("SAME")
    'same'
    """
    known = (*PADDINGS, "causal") if causal else PADDINGS
    if not isinstance(value, str) or value.lower() not in known:
        choices = " or ".join(map(repr, known))
        raise ArgumentError(
            f"`padding` must be {choices}, got {value!r}.",
            path=path,
            expected=choices,
            received=f"padding={value!r}",
            write="padding='same'",
        )
    return value.lower()
