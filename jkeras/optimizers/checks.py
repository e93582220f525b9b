"""Checks of what is written into a configuration; numbers lie in intervals, written `"[0, 1)"` or `"(0, inf)"`."""

import dataclasses
import re
import typing
from typing import Any

import jax

from jkeras import arguments
from jkeras.errors import ArgumentError
from jkeras.jax_compat import is_traced


def check_number(value: Any, argument: str, owner: str, interval: str, default: Any = None) -> float:
    """The value as a float, if it is a real number in the interval; the default is what the message proposes.

    Raises:
        ArgumentError: the value is not a number, lies outside, or is traced: a configuration outlives the trace.

    >>> check_number(1, "momentum", "SGD", "[0, 1]")
    1.0
    """
    path = f"{owner}({argument}=)"
    if is_traced(value):
        raise ArgumentError(
            f"`{argument}` must be a concrete number, got one that is being traced; put it into the state.",
            path=path,
            expected=arguments.in_words(interval),
            received=str(value)[:80],
            write="opt_state = optimizers.set_learning_rate(opt_state, value)",
        )
    if isinstance(value, jax.Array) and value.ndim == 0:
        value = value.item()
    write = None if default is None else f"{owner}({argument}={default!r})"
    return float(arguments.number(value, argument, path, interval=interval, write=write))


def check_integer(value: Any, argument: str, owner: str, least: int) -> int:
    """The value as an int, if it is one and at least `least`.

    >>> check_integer(4, "gradient_accumulation_steps", "SGD", least=2)
    4
    """
    write = f"{owner}({argument}={least})"
    return arguments.integer(value, argument, f"{owner}({argument}=)", least=least, write=write)


def check_patterns(patterns: Any, argument: str, owner: str) -> tuple[str, ...]:
    """The regular expressions as a tuple. A lone string would be taken apart into its letters, so it is refused.

    >>> check_patterns(["bias", "norm.*/scale"], "weight_decay_exclusions", "Adam")
    ('bias', 'norm.*/scale')
    """
    path = f"{owner}({argument}=)"
    if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
        write = f"{owner}({argument}={[patterns] if isinstance(patterns, str) else ['bias']})"
        raise arguments.refusal(
            patterns, argument, path, "a list of regular expressions", expected="such as ['bias']", write=write
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ArgumentError(
                f"`{argument}` must be regular expressions, got {pattern!r}: {error}.",
                path=path,
                expected="a pattern that `re.compile` takes",
                received=repr(pattern),
                write=repr(re.escape(pattern)),
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
