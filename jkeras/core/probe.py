"""Probe: looking at what the layers inside a call return, and putting other values in its place.

    outputs, non_trainable, captured = model.stateless_call(*variables, x, capture="attention$")
    outputs, non_trainable = model.stateless_call(*variables, x, replace={"block_3": jnp.zeros_like})

A scope has a probe where a call asks for either. Every layer that runs in the scope passes its outputs through it. What
is captured inside the transforms of `jkeras.core.transforms` and in `Stack` leaves them with the axis of the loop.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jkeras.errors import ArgumentError, ShapeError, did_you_mean
from jkeras.typing import Array, PyTree

Captured = dict[str, tuple[PyTree, ...]]  # what a layer returned in each of its calls, by its path


class Pinning(Protocol):
    """What tells the outputs of layers where to lie."""

    def pinned(self, path: str, outputs: PyTree) -> PyTree:
        """What the layer at a path returned, told where to lie."""


class Probe:
    """What a call is asked of the layers inside it.

    Args:
        capture: a pattern, searched in paths with `re.search`, of the layers whose outputs are wanted; or `None`.
        replace: by path, an array (a tree of arrays) in place of a layer's outputs, or a function of these outputs.

    Raises:
        ArgumentError: `capture` is not a string with a valid pattern, or `replace` is not a mapping.

    >>> probe = Probe("dense", {"dense_1": lambda x: 2 * x})
    >>> probe.wants("encoder/dense"), probe.wants("encoder"), probe.replaced("dense_1", jnp.ones(1)).tolist()
    (True, False, [2.0])
    """

    def __init__(self, capture: str | None, replace: Mapping[str, Any] | None) -> None:
        self._pattern = None if capture is None else _pattern(capture)
        if replace is not None and not isinstance(replace, Mapping):
            raise ArgumentError(
                "`replace` must be a dict from paths to arrays or functions.",
                path="stateless_call(replace=)",
                expected="{path: array or function}",
                received=repr(replace)[:80],
                write='stateless_call(*variables, x, replace={"dense": jnp.zeros_like})',
            )
        self.replacements: dict[str, Any] = dict(replace or {})
        self.met: dict[str, None] = {}  # the paths of all layers that ran

    def stacked(self, block: str) -> dict[str, PyTree]:
        """The replacements that are arrays, at and below the block of a loop: one value for each turn."""
        inside = {path: given for path, given in self.replacements.items() if _is_below(path, block)}
        return {path: given for path, given in inside.items() if not callable(given)}

    def turn(self, block: str, index: Any, values: Mapping[str, PyTree]) -> "Probe":
        """The probe of one turn of a loop over copies of a block.

        Args:
            block: its path. `block[2]`, and what begins with it, are replacements in the turn of index 2 alone.
            index: that of the turn.
            values: of the turn, from those of `stacked`.
        """
        found = dict(values)
        for path, given in self.replacements.items():
            if (parts := _indexed(path, block)) is not None:
                which, rest = parts
                inner = found.get(block + rest, self.replacements.get(block + rest))
                found[block + rest] = _where(index == which, given, inner)
                self.met[path] = None
        other = Probe(None, {**self.replacements, **found})
        other._pattern, other.met = self._pattern, self.met
        return other

    def wants(self, path: str) -> bool:
        """Whether the outputs of the layer at a path are to be captured. Those of the outermost layer never are."""
        self.met[path] = None
        return bool(path) and self._pattern is not None and self._pattern.search(path) is not None

    def replaced(self, path: str, outputs: PyTree) -> PyTree:
        """The outputs of the layer at a path, or what is to stand in their place, in their dtypes.

        Raises:
            ShapeError: the replacement has another structure or other shapes.
        """
        if path not in self.replacements:
            return outputs
        new = _given(self.replacements[path], outputs)
        forms = [jax.tree.map(jnp.shape, each) for each in (outputs, new)]
        if forms[0] != forms[1]:
            raise ShapeError(
                "the replacement must have the structure and the shapes of the layer's outputs.",
                path=path,
                expected=str(forms[0]),
                received=str(forms[1]),
            )
        return jax.tree.map(lambda old, value: jnp.asarray(value, old.dtype), outputs, new)

    def check(self, captured: Iterable[str]) -> None:
        """Raises `ArgumentError` where a replacement or the pattern belongs to no layer that ran."""
        paths = [path for path in self.met if path]
        for path in self.replacements:
            if path not in self.met:
                raise ArgumentError(
                    f"`replace` names {path!r}, and no layer with that path ran.",
                    path="stateless_call(replace=)",
                    expected=did_you_mean(path, paths),
                )
        if self._pattern is not None and not list(captured):
            raise ArgumentError(
                "`capture` must match the path of a layer that runs.",
                path="stateless_call(capture=)",
                expected=f"a pattern of {', '.join(paths[:8])}{', ...' if len(paths) > 8 else ''}",
                received=repr(self._pattern.pattern),
            )


def _is_below(path: str, block: str) -> bool:
    return path == block or path.startswith(f"{block}/")


def _indexed(path: str, block: str) -> tuple[int, str] | None:
    """The index and the rest of a path such as `block[2]/dense`; `None` of other paths.

    >>> _indexed("stack/block[2]/dense", "stack/block"), _indexed("stack/block/dense", "stack/block")
    ((2, '/dense'), None)
    """
    found = re.fullmatch(r"\[(\d+)\](/.*)?", path.removeprefix(block)) if path.startswith(block) else None
    return None if found is None else (int(found[1]), found[2] or "")


def _where(condition: Any, given: Any, otherwise: Any) -> Callable[[PyTree], PyTree]:
    """A replacement that holds under a condition, and what else stands there where it does not."""

    def replaced(outputs: PyTree) -> PyTree:
        new, old = (_given(each, outputs) for each in (given, otherwise))
        return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)

    return replaced


def _given(replacement: Any, outputs: PyTree) -> PyTree:
    if replacement is None:
        return outputs
    return replacement(outputs) if callable(replacement) else replacement


def _pattern(capture: Any) -> re.Pattern[str]:
    try:
        return re.compile(capture)
    except (re.error, TypeError) as error:
        raise ArgumentError(
            f"`capture` must be a regular expression: {error}.",
            path="stateless_call(capture=)",
            expected="a pattern of paths",
            received=repr(capture)[:80],
            write='stateless_call(*variables, x, capture="dense")',
        ) from None


def by_path(captured: Captured) -> dict[str, PyTree]:
    """What layers returned, by path; of a layer that was called several times a tuple, in the order of its calls.

    >>> by_path({"dense": (1,), "norm": (2, 3)})
    {'dense': 1, 'norm': (2, 3)}
    """
    return {path: calls[0] if len(calls) == 1 else calls for path, calls in captured.items()}


def padded(captured: Captured, specs: Captured) -> Captured:
    """What one branch captured, with zeros in place of what others do.

    >>> {path: calls[0].tolist() for path, calls in padded({}, {"dense": (jnp.ones(2),)}).items()}
    {'dense': [0.0, 0.0]}
    """
    return {path: captured.get(path) or jax.tree.map(_zeros, spec) for path, spec in specs.items()}


def _zeros(spec: Any) -> Array:
    return jnp.zeros(spec.shape, spec.dtype)
