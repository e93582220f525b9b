"""Retraces: a program that is compiled again in the middle of training says why.

A compiled program serves arguments of the shapes, dtypes, weak types and shardings for which it was traced. A hook
that returns a state with a Python float in it, or a loader whose third batch is float64, makes JAX trace and compile it
again, silently. Here the leaf that changed is named.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax

from jkeras import tree
from jkeras.data.batch import Batch
from jkeras.jax_compat import kept_forms
from jkeras.typing import PyTree, SpecTree


def describe(arguments: object) -> PyTree:
    """What a program is traced for, leaf by leaf. Works on arrays that were donated, too.

    >>> import jax.numpy as jnp
    >>> {name: as_text(leaf) for name, leaf in describe({"a": jnp.zeros(2), "b": 1.0}).items()}
    {'a': 'float32[2]', 'b': 'float32[], weakly typed'}
    """
    return jax.tree.map(_spec, arguments)


def _spec(leaf: object) -> jax.ShapeDtypeStruct:
    aval = jax.typeof(leaf)
    sharding = getattr(leaf, "sharding", None)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, sharding=sharding, weak_type=bool(aval.weak_type))


def as_text(spec: jax.ShapeDtypeStruct) -> str:
    """A spec as messages write it."""
    weak = ", weakly typed" if spec.weak_type else ""
    return f"{spec.dtype}{list(spec.shape)}{weak}"


class Traced:
    """A function that counts how often it runs; within `jax.jit`, how often it is traced.

    >>> import jax.numpy as jnp
    >>> double = Traced(lambda x: 2 * x)
    >>> program = jax.jit(double)
    >>> [int(program(x)) for x in (1, 2, jnp.int8(3))], double.times
    ([2, 4, 6], 2)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.times = function, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.times += 1
        return self.function(*args, **kwargs)


class Watch:
    """Warns when a program was compiled again for arguments that differ in more than the number of examples.

    Args:
        program: what `jax.jit` returned for a `Traced` function, or a function that is not compiled.
    """

    def __init__(self, program: object) -> None:
        self.program: Any = program
        self.traced: Any = getattr(program, "__wrapped__", None)
        self.forms: tuple[int, int] | None = None
        self.before: PyTree = None

    def count(self) -> tuple[int, int]:
        """How often the program was traced, and how many forms of it JAX keeps; zeros if it is not compiled.

        Another sharding is another form of the same trace. JAX drops forms where a process has many thousands, even
        the newest, so their number alone does not tell.
        """
        compiled = isinstance(self.program, jax.stages.Wrapped)
        return (self.traced.times, kept_forms(self.program)) if compiled else (0, 0)

    def check(self, state: PyTree, batch: Batch | None = None) -> None:
        """Takes note of a call on a state and a batch.

        Warns:
            UserWarning: the call compiled the program again.
        """
        forms = self.count()
        if forms == self.forms:
            return
        now = describe({"state": state, "batch": batch})
        if self.forms is not None:
            before = _by_path(self.before)
            lines = (_change(path, before.get(path), leaf) for path, leaf in _by_path(now).items())
            if changed := [line for line in lines if line]:
                warnings.warn(
                    "the training step was compiled again, because its arguments changed: "
                    + "; ".join(changed[:5])
                    + ".",
                    stacklevel=2,
                )
        self.forms, self.before = forms, now


def _by_path(specs: SpecTree) -> dict[str, jax.ShapeDtypeStruct]:
    return {tree.key_path(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(specs)}


def _change(path: str, before: jax.ShapeDtypeStruct | None, now: jax.ShapeDtypeStruct) -> str | None:
    """What is new about a leaf; a batch may have another number of examples."""
    if before is None:
        return f"{path} is new"
    fixed = slice(1, None) if path.startswith("batch") else slice(None)
    if (before.shape[fixed], before.dtype, before.weak_type) != (now.shape[fixed], now.dtype, now.weak_type):
        return f"{path} is {as_text(now)}, before {as_text(before)}"
    if None in (before.sharding, now.sharding) or before.sharding == now.sharding:  # a Python number has none
        return None
    return f"{path} is sharded as {now.sharding}, before as {before.sharding}"
