"""A table of calls as one program, since many small ones take minutes to compile."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

OPTIONS = {"xla_allow_excess_precision": False}  # each rounding that is asked for is kept
Arrays = list[Any]


def has_floats(tree: Any, kinds: str = "f") -> bool:
    """Whether an array in the tree has a dtype of these kinds, in numpy's letters: `f` for floats, `c` for complex."""
    return any(_is_of(leaf, kinds) for leaf in jax.tree.leaves(tree))


def _is_of(leaf: Any, kinds: str) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind in kinds


def opened(tree: Any, kinds: str = "f") -> tuple[Arrays, Callable[[Arrays], Any]]:
    """The arrays of these kinds in a tree, and the function that puts others in their places."""
    leaves, treedef = jax.tree.flatten(tree)
    places = [place for place, leaf in enumerate(leaves) if _is_of(leaf, kinds)]

    def filled(arrays: Arrays) -> Any:
        given = dict(zip(places, arrays, strict=True))
        return jax.tree.unflatten(treedef, [given.get(place, leaf) for place, leaf in enumerate(leaves)])

    return [leaves[place] for place in places], filled


def program(
    functions: Sequence[Callable[..., Any]], arguments: Sequence[Any], kinds: str = "f"
) -> tuple[Callable[[list[Arrays]], list[Arrays]], list[Arrays]]:
    """From the float arrays in the `(args, kwargs)` of each function to the leaves of its result; and these arrays."""
    opens = [opened(each, kinds) for each in arguments]

    def run(arrays: list[Arrays]) -> list[Arrays]:
        calls = [filled(given) for (_, filled), given in zip(opens, arrays, strict=True)]
        return [jax.tree.leaves(f(*args, **kwargs)) for f, (args, kwargs) in zip(functions, calls, strict=True)]

    return run, [arrays for arrays, _ in opens]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under `jax.jit`."""
    return jax.jit(function, compiler_options=OPTIONS)
