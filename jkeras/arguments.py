"""Checks of arguments: one order of parameters, and one sentence for one kind of mistake.

A check takes a value, the name of the argument and its owner (the class or function that has the argument). It returns
the value in the form in which it is kept, or raises `ArgumentError`:

    Dense: `units` must be a positive integer, got -3.
      expected: an int >= 1
      received: -3
      write:    Dense(units=1)

`write` is the line that the message proposes; by default it calls the owner with a value that fits. NumPy's integers
and floats are numbers and are kept as Python's. `True` and `False` are not numbers.
"""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar, cast

from jkeras.errors import ArgumentError, did_you_mean

T = TypeVar("T")

LARGEST = 2**63  # sizes of arrays are 64-bit integers
SHOWN = 80  # characters of a value in a message
LISTED = 8  # choices in the first line of a message


def refusal(
    value: Any,
    argument: str,
    owner: str | None,
    wanted: str,
    *,
    expected: str | None = None,
    write: str | None = None,
    error: type[ArgumentError] = ArgumentError,
) -> ArgumentError:
    """The error of an argument that must be something else.

    Args:
        value: what came.
        argument: its name.
        owner: the class, function or path that has the argument.
        wanted: what the argument must be, in words.
        expected: the same for the field `expected`; by default `wanted`.
        write: the line that mends it.
        error: the class of the error.

    >>> raise refusal(-3, "units", "Dense", "a positive integer", write="Dense(units=1)")
    Traceback (most recent call last):
    jkeras.errors.ArgumentError: Dense: `units` must be a positive integer, got -3.
      expected: a positive integer
      received: -3
      write:    Dense(units=1)
    """
    return error(
        f"`{argument}` must be {wanted}, got {shown(value)}.",
        path=owner,
        expected=expected or wanted,
        received=shown(value),
        write=write,
    )


def shown(value: Any) -> str:
    """The value as one short line.

    >>> shown("x" * 100)[-3:], len(shown("x" * 100))
    ('...', 80)
    """
    line = " ".join(repr(value).split("\n"))
    return line if len(line) <= SHOWN else line[: SHOWN - 3] + "..."


def integer(value: Any, argument: str, owner: str | None, write: str | None = None, *, least: int | None = None) -> int:
    """The value as an int, if it is an integer, and at least `least`.

    >>> import numpy as np
    >>> integer(np.int64(-1), "class_id", "Precision")
    -1
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or (least is not None and value < least):
        wanted = "an integer" if least is None else f"an integer of at least {least}"
        expected = "an int" if least is None else f"an int >= {least}"
        example = f"{owner}({argument}={max(least or 0, 1)})"
        raise refusal(value, argument, owner, wanted, expected=expected, write=write or example)
    return int(value)


def positive_int(value: Any, argument: str, owner: str | None, write: str | None = None) -> int:
    """The value as an int, if it is an integer of at least 1. It counts what is in an array, so it is below 2**63.

    >>> positive_int(3, "units", "Dense")
    3
    """
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else 0
    if not 0 < number < LARGEST:
        too_large = number >= LARGEST
        wanted = "a positive integer below 2**63" if too_large else "a positive integer"
        expected = "an int >= 1, below 2**63" if too_large else "an int >= 1"
        raise refusal(value, argument, owner, wanted, expected=expected, write=write or f"{owner}({argument}=1)")
    return number


def non_negative_int(value: Any, argument: str, owner: str | None, write: str | None = None) -> int:
    """The value as an int, if it is an integer of at least 0.

    >>> non_negative_int(0, "patience", "EarlyStopping")
    0
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        write = write or f"{owner}({argument}=0)"
        raise refusal(value, argument, owner, "a non-negative integer", expected="an int >= 0", write=write)
    return int(value)


def optional_int(value: Any, argument: str, owner: str | None, write: str | None = None) -> int | None:
    """The value as an int, or `None`.

    >>> optional_int(255, "ignore_class", "SparseCategoricalCrossentropy"), optional_int(None, "ignore_class", "IoU")
    (255, None)
    """
    if value is not None and (not isinstance(value, Integral) or isinstance(value, bool)):
        write = write or f"{owner}({argument}=None)"
        raise refusal(value, argument, owner, "an integer or None", expected="an int or None", write=write)
    return None if value is None else int(value)


def is_number(value: Any) -> bool:
    """Whether a value is a real number, and not a bool.

    >>> is_number(1), is_number(0.5), is_number(True), is_number("1")
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def _python(value: Any) -> Any:
    """Python's number in place of NumPy's."""
    if type(value) in (int, float):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def lies_in(value: Any, interval: str) -> bool:
    """Whether a number lies in an interval, written `"[0, 1)"` or `"(0, inf]"`. NaN lies in none.

    >>> lies_in(0, "[0, 1)"), lies_in(1, "[0, 1)"), lies_in(float("inf"), "[0, inf)")
    (True, False, False)
    """
    low, high = _ends(interval)
    above = value >= low if interval[0] == "[" else value > low
    return bool(above and (value <= high if interval[-1] == "]" else value < high))


def _ends(interval: str) -> tuple[float, float]:
    low, high = (float(end) for end in interval[1:-1].split(","))
    return low, high


def in_words(interval: str) -> str:
    """The numbers of an interval.

    >>> in_words("[0, 1)"), in_words("(0, inf]"), in_words("[0, inf)"), in_words("[-inf, inf]")
    ('a number in [0, 1)', 'a number > 0', 'a finite number >= 0', 'a number')
    """
    low, high = (end.strip() for end in interval[1:-1].split(","))
    finite = "finite " if interval[-1] == ")" else ""
    if high != "inf":
        return f"a number in {interval}"
    if low == "-inf":
        return f"a {finite}number"
    return f"a {finite}number {'>=' if interval[0] == '[' else '>'} {low}"


def _example(interval: str) -> float:
    """A number of the interval, near its lower end."""
    low, high = _ends(interval)
    if high < float("inf"):
        return round(low + (high - low) / 10, 3)
    return low + 1 if low > -float("inf") else 0.5


def number(
    value: Any, argument: str, owner: str | None, write: str | None = None, *, interval: str | None = None
) -> Any:
    """The value, if it is a real number that lies in the interval. Without an interval it may be infinite or NaN.

    >>> number(0.5, "fill_value", "RandomZoom"), number(2, "gamma", "Circle", interval="[0, inf]")
    (0.5, 2)
    """
    if not is_number(value) or (interval is not None and not lies_in(value, interval)):
        wanted = "a number" if interval is None else in_words(interval)
        raise refusal(
            value, argument, owner, wanted, write=write or f"{owner}({argument}={_example(interval or '[0, inf]')})"
        )
    return _python(value)


def positive_number(value: Any, argument: str, owner: str | None, write: str | None = None) -> Any:
    """The value, if it is a number above 0, infinity included.

    >>> positive_number(0.2, "alpha", "MixUp")
    0.2
    """
    return number(value, argument, owner, interval="(0, inf]", write=write)


def non_negative_number(value: Any, argument: str, owner: str | None, write: str | None = None) -> Any:
    """The value, if it is a number of at least 0, infinity included.

    >>> non_negative_number(2.0, "gamma", "BinaryFocalCrossentropy")
    2.0
    """
    return number(value, argument, owner, interval="[0, inf]", write=write)


def fraction(
    value: Any, argument: str, owner: str | None, write: str | None = None, *, interval: str = "[0, 1]"
) -> Any:
    """The value, if it is a number from 0 to 1. The interval says whether the ends are among them.

    >>> fraction(0.5, "rate", "Dropout"), fraction(0, "dropout", "Attention", interval="[0, 1)")
    (0.5, 0)
    """
    return number(value, argument, owner, interval=interval, write=write)


def boolean(value: Any, argument: str, owner: str | None, write: str | None = None) -> bool:
    """The value, if it is `True` or `False`, and not something that merely converts to them.

    >>> boolean(True, "from_logits", "BinaryCrossentropy")
    True
    """
    if not isinstance(value, bool):
        raise refusal(value, argument, owner, "True or False", write=write or f"{owner}({argument}={bool(value)})")
    return value


def string(value: Any, argument: str, owner: str | None, write: str | None = None) -> str:
    """The value, if it is a string.

    >>> string("val_loss", "monitor", "EarlyStopping")
    'val_loss'
    """
    if not isinstance(value, str):
        raise refusal(value, argument, owner, "a string", expected="a str", write=write)
    return value


def function(
    value: Any, argument: str, owner: str | None, write: str | None = None, *, expected: str | None = None
) -> Callable[..., Any]:
    """The value, if it can be called.

    >>> function(abs, "schedule", "LearningRateScheduler")
    <built-in function abs>
    """
    if not callable(value):
        raise refusal(value, argument, owner, "a function", expected=expected, write=write)
    function: Callable[..., Any] = value
    return function


def one_of(
    value: object,
    argument: str,
    owner: str | None,
    choices: Sequence[T],
    write: str | None = None,
    *,
    error: type[ArgumentError] = ArgumentError,
) -> T:
    """The value, if it is one of the choices. The error proposes the nearest one.

    >>> one_of("min", "mode", "EarlyStopping", ("auto", "min", "max"))
    'min'
    >>> one_of("mni", "mode", "EarlyStopping", ("auto", "min", "max"))
    Traceback (most recent call last):
    jkeras.errors.ArgumentError: EarlyStopping: `mode` must be 'auto', 'min' or 'max', got 'mni'.
      expected: 'min' (did you mean it?)
      received: 'mni'
      write:    EarlyStopping(mode='auto')
    """
    if value not in choices:
        names = [repr(choice) for choice in choices]
        wanted = f"{', '.join(names[:-1])} or {names[-1]}" if 1 < len(names) <= LISTED else names[0]
        if len(names) > LISTED:
            wanted = f"one of {', '.join(names[:LISTED])}, ..."
        known = [choice for choice in choices if isinstance(choice, str)]
        nearest = did_you_mean(value, known) if isinstance(value, str) else ""
        expected = nearest if "did you mean" in nearest else wanted
        write = write or f"{owner}({argument}={names[0]})"
        raise refusal(value, argument, owner, wanted, expected=expected, write=write, error=error)
    return cast(T, value)


def axis(value: Any, argument: str, owner: str | None, write: str | None = None) -> int:
    """The value as an int, if it is the index of an axis, which may count from the end.

    >>> axis(-1, "axis", "CategoricalCrossentropy")
    -1
    """
    return integer(value, argument, owner, write=write or f"{owner}({argument}=-1)")


def axes(value: Any, argument: str, owner: str | None, write: str | None = None) -> int | list[int]:
    """One axis as an int, or several as a list.

    >>> axes((1, 2), "axis", "BinaryCrossentropy"), axes(-1, "axis", "BinaryCrossentropy")
    ([1, 2], -1)
    """
    entries = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(entry, Integral) and not isinstance(entry, bool) for entry in entries):
        wanted, expected = "an integer or a list of integers", "an int, or a list of ints"
        raise refusal(value, argument, owner, wanted, expected=expected, write=write or f"{owner}({argument}=-1)")
    return [int(entry) for entry in entries] if isinstance(value, list | tuple) else int(value)
