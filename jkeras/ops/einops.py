"""`rearrange`: axes split, moved and merged, as a pattern of names describes."""

import math
import re
from typing import Any

import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.errors import ArgumentError, ShapeError
from jkeras.typing import Array

Groups = list[list[str]]


@listed
def rearrange(tensor: Array, pattern: str, **axes_lengths: int) -> Array:
    """The axes of a tensor split, moved and merged.

    Args:
        tensor: an array with one axis per name or bracket on the left.
        pattern: `"names -> names"`; names in brackets are one axis, the last of them running fastest.
        axes_lengths: the lengths of names in brackets on the left, all but one per bracket.

    Raises:
        ArgumentError: a pattern that names other axes on the right than on the left, or one twice.
        ShapeError: the tensor does not fit the pattern.

    Source: A. Rogozhnikov, "Einops: clear and reliable tensor manipulations with Einstein-like notation", ICLR 2022.

    >>> rearrange(jnp.arange(6), "(h w) -> w h", h=2).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    left, right = _parsed(pattern)
    names, sizes = _flat(left), _sizes(tensor.shape, left, axes_lengths, pattern)
    split = jnp.reshape(tensor, [sizes[name] for name in names])
    moved = jnp.transpose(split, [names.index(name) for name in _flat(right)])
    return jnp.reshape(moved, [math.prod(sizes[name] for name in group) for group in right])


def _parsed(pattern: str) -> tuple[Groups, Groups]:
    """The names on both sides, bracket by bracket.

    >>> _parsed("b (h s) -> (b h) s")
    ([['b'], ['h', 's']], [['b', 'h'], ['s']])
    """
    sides = pattern.split("->")
    whole = r"\s*(\w+|\([\w\s]*\))"
    if len(sides) == 2 and all(re.fullmatch(rf"({whole})*\s*", side) for side in sides):
        left, right = ([group.strip("()").split() for group in re.findall(whole, side)] for side in sides)
        if sorted(_flat(left)) == sorted(set(_flat(right))) == sorted(_flat(right)):
            return left, right
    raise ArgumentError(
        f"`pattern` must be 'names -> names' with the same names on both sides, got {pattern!r}.",
        path="rearrange",
        expected="'names -> names', with the same names on both sides, each once",
        received=repr(pattern),
        write="rearrange(images, 'b h w c -> b (h w) c')",
    )


def _flat(groups: Groups) -> list[str]:
    return [name for group in groups for name in group]


def _sizes(shape: Any, groups: Groups, given: dict[str, int], pattern: str) -> dict[str, Any]:
    """The length of every name: given, that of its axis, or what the others of its bracket leave.

    >>> _sizes((2, 12), [["b"], ["h", "s"]], {"s": 3}, "")
    {'s': 3, 'b': 2, 'h': 4}
    """
    sizes: dict[str, Any] = dict(given)
    fits = len(shape) == len(groups) and set(given) <= set(_flat(groups))
    for axis, group in zip(shape, groups, strict=False):
        unknown = [name for name in group if name not in given]
        known = math.prod(given[name] for name in group if name in given)
        if unknown:
            sizes[unknown[0]] = axis // known
        fits = fits and len(unknown) <= 1 and math.prod(sizes[name] for name in group if name in sizes) == axis
    if not fits:
        raise ShapeError(
            f"`tensor` must fit the pattern {pattern!r}, got shape {tuple(shape)}.",
            path="rearrange",
            expected=f"{len(groups)} axes for {pattern!r}, brackets whose lengths divide theirs",
            received=f"shape {tuple(shape)}" + "".join(f", {name}={size}" for name, size in given.items()),
            write="ops.rearrange(x, '(h w) c -> h w c', h=2)   # all lengths but one per bracket",
        )
    return sizes


__all__ = ["rearrange"]
