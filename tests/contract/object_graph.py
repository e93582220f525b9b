"""Walking everything that an object keeps alive, in search of arrays."""

import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

OPAQUE = (type, types.ModuleType, str, bytes, int, float, complex, np.dtype, type(None))


def arrays_in(root: Any) -> list[str]:
    """The places of arrays and tracers that are reachable from an object: `[".kernel[0]: ArrayImpl", ...]`."""
    found: list[str] = []
    seen: set[int] = set()
    pending: list[tuple[str, Any]] = [("", root)]
    while pending:
        place, thing = pending.pop()
        if isinstance(thing, OPAQUE) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, jax.Array) or (isinstance(thing, np.ndarray) and thing.size > 0):
            found.append(f"{place}: {type(thing).__name__}")
        else:
            pending += held_by(place, thing)
    return found


def held_by(place: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds: attributes, items, closures, bound instances."""
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield f"{place}<key {key!r}>"[:200], key
            yield f"{place}[{key!r}]"[:200], value
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from ((f"{place}[{index}]", item) for index, item in enumerate(thing))
    elif isinstance(thing, types.MethodType):
        yield f"{place}.__self__", thing.__self__
        yield f"{place}.__func__", thing.__func__
    elif isinstance(thing, functools.partial):
        yield f"{place}.func", thing.func
        yield f"{place}.args", (thing.args, thing.keywords)
    elif isinstance(thing, types.FunctionType):
        for cell in thing.__closure__ or ():
            try:
                yield f"{place}.__closure__", cell.cell_contents
            except ValueError:  # a cell that is not filled yet
                continue
        yield f"{place}.__defaults__", (thing.__defaults__, thing.__kwdefaults__)
    if hasattr(thing, "__dict__") and not isinstance(thing, types.FunctionType | types.MethodType):
        yield from ((f"{place}.{name}", value) for name, value in vars(thing).items())
    for cls in type(thing).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                yield f"{place}.{name}", getattr(thing, name)
