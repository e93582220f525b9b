"""What the arguments of losses and metrics may be; each check returns the argument as it is kept."""

from typing import TypeGuard

from jkeras.errors import ArgumentError


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def fraction(value: object, argument: str, owner: str) -> float:
    """A number from 0 to 1.

    >>> fraction(0.1, "label_smoothing", "BinaryCrossentropy")
    0.1
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise ArgumentError(
            f"{argument} is out of range.", path=owner, expected=f"0 <= {argument} <= 1", received=repr(value)
        )
    return value


def inside_unit_interval(value: object, argument: str, owner: str) -> float:
    """A number between 0 and 1, both excluded.

    >>> inside_unit_interval(0.5, "q", "CategoricalGeneralizedCrossEntropy")
    0.5
    """
    if not _is_number(value) or not 0 < value < 1:
        raise ArgumentError(
            f"{argument} is out of range.", path=owner, expected=f"0 < {argument} < 1", received=repr(value)
        )
    return value


def non_negative(value: object, argument: str, owner: str) -> float:
    """A number that is not negative.

    >>> non_negative(2.0, "gamma", "BinaryFocalCrossentropy")
    2.0
    """
    if not _is_number(value) or not value >= 0:
        raise ArgumentError(f"{argument} is negative.", path=owner, expected=f"{argument} >= 0", received=repr(value))
    return value


def count(value: object, argument: str, owner: str) -> int:
    """An integer from 1 on.

    >>> count(5, "k", "TopKCategoricalAccuracy")
    5
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(
            f"{argument} counts something.", path=owner, expected=f"an int {argument} >= 1", received=repr(value)
        )
    return value


def number(value: object, argument: str, owner: str) -> float:
    """Any number.

    >>> number(0.5, "threshold", "BinaryAccuracy")
    0.5
    """
    if not _is_number(value):
        raise ArgumentError(f"{argument} is no number.", path=owner, expected="a number", received=repr(value))
    return value


def flag(value: object, argument: str, owner: str) -> bool:
    """True or false, and nothing that merely converts to it.

    >>> flag(True, "from_logits", "BinaryCrossentropy")
    True
    """
    if not isinstance(value, bool):
        raise ArgumentError(f"{argument} is no bool.", path=owner, expected="True or False", received=repr(value))
    return value


def class_axis(value: object, owner: str) -> int:
    """One axis.

    >>> class_axis(-1, "CategoricalCrossentropy")
    -1
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentError("axis is no axis.", path=owner, expected="an int", received=repr(value))
    return value


def axes(value: object, owner: str) -> int | list[int]:
    """One axis, or several.

    >>> axes((1, 2), "BinaryCrossentropy")
    [1, 2]
    """
    if isinstance(value, list | tuple):
        return [class_axis(axis, owner) for axis in value]
    return class_axis(value, owner)


def optional_class(value: object, argument: str, owner: str) -> int | None:
    """A class index, or `None`. It may be negative: -1 often marks what is to be ignored.

    >>> optional_class(255, "ignore_class", "SparseCategoricalCrossentropy")
    255
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ArgumentError(f"{argument} is no class.", path=owner, expected="an int or None", received=repr(value))
    return value
