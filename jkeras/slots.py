"""Slots: the kind of object that an argument takes, such as a loss or an optimizer."""

import inspect

from jkeras.errors import ArgumentError

KINDS: dict[type, str] = {}  # base class -> what its instances are called
_ALSO = {"metric": ("loss",), "activation": ("layer",)}  # called with the same arguments, as Keras takes them


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def check(thing: object, kind: str, path: str) -> None:
    """Raises `ArgumentError` where a class or an object is of another kind than its slot.

    Args:
        thing: a class, an object or a function; functions and foreign classes are of no kind, and pass.
        kind: the kind of the slot.
        path: the slot, for the message.

    >>> check(abs, "loss", "losses.get")
    """
    bases = (thing if inspect.isclass(thing) else type(thing)).__mro__
    kinds = {KINDS[base] for base in bases if base in KINDS}
    if kinds and not kinds & {kind, *_ALSO.get(kind, ())}:
        raise ArgumentError(
            f"the argument must be {_article(kind)}, got {_article(min(kinds))}.",
            path=path,
            expected=f"{_article(kind)}: a name, a config, a class, an instance or a callable",
            received=repr(thing)[:80],
        )
