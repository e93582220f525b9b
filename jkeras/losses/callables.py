"""Checks of functions that users write as losses and metrics: their arguments and their results."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.errors import ArgumentError
from jkeras.typing import ArrayTree


def check_takes_labels(function: Callable[..., Any], owner: str, arguments: Mapping[str, Any]) -> None:
    """Raises `ArgumentError` for a function that cannot be called with labels and predictions.

    Args:
        function: the loss or metric function.
        owner: its address, for the message.
        arguments: given by name.

    >>> check_takes_labels(lambda y_true, y_pred, delta: y_pred, "own", {"delta": 1.0})
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not have one
        return
    try:
        signature.bind(None, None, **arguments)
    except TypeError as error:
        given, first = getattr(function, "__name__", ""), "self, " if inspect.ismethod(function) else ""
        name = given if given.isidentifier() else "own"
        raise ArgumentError(
            f"the function must take labels and predictions: {error}.",
            path=owner,
            expected=f"a function of ({', '.join(['y_true', 'y_pred', *arguments])})",
            received=f"one of {signature}",
            write=f"def {name}({first}y_true, y_pred): ...   # a value for each example",
        ) from None


def check_values(values: ArrayTree, owner: str) -> None:
    """Raises `ArgumentError` for values that a loss or a metric cannot average: None, text, complex numbers.

    Args:
        values: what a function returned.
        owner: its address, for the message.

    >>> check_values(jnp.ones(3), "own")
    """
    kind = _kind(values)
    if kind is not None:
        raise ArgumentError(
            f"the function must return real numbers, got {kind}.",
            path=owner,
            expected="an array of real numbers, one for each example",
            received=repr(values)[:80],
            write="return jnp.mean(jnp.square(y_pred - y_true), axis=-1)   # for example",
        )


def _kind(values: ArrayTree) -> str | None:
    """Names what a function returned if it is not real numbers; `None` if it is."""
    leaves = jax.tree.leaves(values)
    if not leaves:
        return "None" if values is None else "nothing"
    try:
        return "complex numbers" if any(map(jnp.iscomplexobj, map(jnp.asarray, leaves))) else None
    except (TypeError, ValueError):
        return "values of another type"
