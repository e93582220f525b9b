"""Retraces: a program that is compiled again in the middle of training says why.

A compiled program serves arguments of the shapes, dtypes, weak types and shardings for which it was traced. A hook
that returns a state with a Python float in it, or a loader whose third batch is float64, makes JAX trace and compile it
again, silently. Here the leaf that changed is named.
"""

import warnings
from typing import Any, NamedTuple

import jax

from jkeras import tree
from jkeras.typing import PyTree


class Leaf(NamedTuple):
    """What a program was traced for, of one argument."""

    shape: tuple[int, ...]
    dtype: str
    weak_type: bool
    sharding: Any

    def __str__(self) -> str:
        weak = ", weakly typed" if self.weak_type else ""
        return f"{self.dtype}{list(self.shape)}{weak}"


def describe(arguments: PyTree) -> dict[str, Leaf]:
    """The leaves of arguments by path. Works on arrays that were donated, too.

    >>> import jax.numpy as jnp
    >>> {path: str(leaf) for path, leaf in describe({"a": jnp.zeros(2), "b": 1.0}).items()}
    {'a': 'float32[2]', 'b': 'float32[], weakly typed'}
    """
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(arguments):
        aval = jax.typeof(leaf)
        sharding = getattr(leaf, "sharding", None)
        found[tree.key_path(path)] = Leaf(aval.shape, str(aval.dtype), bool(aval.weak_type), sharding)
    return found


class Watch:
    """Warns when a program was traced again for arguments that differ in more than the number of examples.

    Args:
        program: what `jax.jit` returned.
    """

    def __init__(self, program: Any) -> None:
        self.program = program
        self.traces: int | None = None
        self.before: dict[str, Leaf] = {}

    def check(self, state: PyTree, batch: PyTree = None) -> None:
        """Takes note of a call on a state and a batch.

        Warns:
            UserWarning: the call traced the program again.
        """
        traces = self.program._cache_size() if hasattr(self.program, "_cache_size") else 0
        if traces == self.traces:
            return
        now = describe({"state": state, "batch": batch})
        if self.traces is not None:
            changed = [line for path, leaf in now.items() if (line := _change(path, self.before.get(path), leaf))]
            if changed:
                warnings.warn(
                    "the training step was compiled again, because its arguments changed: " + "; ".join(changed[:5]),
                    stacklevel=2,
                )
        self.traces, self.before = traces, now


def _change(path: str, before: Leaf | None, now: Leaf) -> str | None:
    """What is new about a leaf; a batch may have another number of examples."""
    if before is None:
        return f"{path} is new"
    fixed = slice(1, None) if path.startswith("batch") else slice(None)
    if (before.shape[fixed], before[1:3]) != (now.shape[fixed], now[1:3]):
        return f"{path} is {now}, before {before}"
    if None in (before.sharding, now.sharding) or before.sharding == now.sharding:  # a Python number has none
        return None
    return f"{path} is sharded as {now.sharding}, before as {before.sharding}"
