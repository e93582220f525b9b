"""Checks of what is written into a configuration; numbers lie in intervals, written `"[0, 1)"` or `"(0, inf)"`."""

import dataclasses
import numbers
import re
import typing
from typing import Any

import jax

from jkeras.errors import ArgumentError


def check_number(path: str, value: Any, interval: str, default: object = None) -> float:
    """The value as a float, if it is a real number in the interval; the default is what the message proposes.

    Raises:
        ArgumentError: it is no number, lies outside, or is traced: a configuration outlives the trace.

    >>> check_number("SGD(momentum=)", 1, "[0, 1]")
    1.0
    """
    if isinstance(value, jax.core.Tracer):
        raise ArgumentError(
            "a config holds no traced value; put it into the state.",
            path=path,
            write="opt_state = optimizers.set_learning_rate(opt_state, value)",
        )
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_real and not (isinstance(value, jax.Array) and value.ndim == 0):
        raise ArgumentError("not a number.", path=path, expected=f"a number in {interval}", received=repr(value)[:80])
    low, high = (float(end) for end in interval[1:-1].split(","))
    number = float(value)
    above = number >= low if interval[0] == "[" else number > low
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below):
        write = None if default is None else path.replace("=)", f"={default!r})")
        expected = f"a number in {interval}"
        raise ArgumentError("out of range.", path=path, expected=expected, received=repr(value), write=write)
    return number


def check_integer(path: str, value: object, minimum: int) -> int:
    """The value as an int, if it is one and at least `minimum`.

    >>> check_integer("SGD(gradient_accumulation_steps=)", 4, minimum=2)
    4
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise ArgumentError("not a count.", path=path, expected=f"an int >= {minimum}", received=repr(value))
    return int(value)


def check_patterns(path: str, patterns: Any) -> tuple[str, ...]:
    """The regular expressions as a tuple. A lone string would be taken apart into its letters, so it is refused.

    >>> check_patterns("Adam(weight_decay_exclusions=)", ["bias", "norm.*/scale"])
    ('bias', 'norm.*/scale')
    """
    if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
        raise ArgumentError(
            "not a list of patterns.", path=path, expected="such as ['bias']", received=repr(patterns)[:80]
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ArgumentError(
                f"not a regular expression: {error}.", path=path, received=repr(pattern), write=repr(re.escape(pattern))
            ) from None
    return tuple(patterns)


def optional_fields(config: Any) -> set[str]:
    """The names of the fields of a dataclass whose type admits `None`.

    >>> @dataclasses.dataclass
    ... class Clipping:
    ...     norm: float | None
    ...     value: float
    >>> optional_fields(Clipping)
    {'norm'}
    """
    return {field.name for field in dataclasses.fields(config) if type(None) in typing.get_args(field.type)}
