"""Sums that neither overflow nor stand still: the sums of a state are kept in two words each.

A float32 that has reached 2^24 stays where it is when 1 is added, and an int32 overflows at 2^31: with 250,000 values
a batch, a mean of float32 sums ends after 67 batches. So next to each sum a state holds its rest, under the name of the
sum and `_rest`:

    floats    sum + rest, where the rest is what rounding took from the sum    (Dekker's two-sum; 48 bits)
    integers  sum + 2^32 rest, where the sum counts without a sign             (64 bits)

Rests are arrays like all others of the state, so it may be vmapped, scanned and saved. XLA adds floats in the order in
which it is told to, which keeps the rests.

Source: T. J. Dekker, "A Floating-Point Technique for Extending the Available Precision", Numerische Mathematik 18
(1971).
"""

from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.typing import Array, PyTree

State = dict[str, Array]
REST = "_rest"


def zeros(names: Iterable[str], shape: tuple[int, ...], dtype: str) -> State:
    """Sums of nothing, each word an array of its own, since a buffer can be donated only once.

    >>> {name: leaf.shape for name, leaf in zeros(("total",), (2,), "float32").items()}
    {'total': (2,), 'total_rest': (2,)}
    """
    return {word: jnp.zeros(shape, dtype) for name in names for word in (name, name + REST)}


def single(sums: Mapping[str, Array]) -> State:
    """A state of sums that one word each can hold, such as those of one batch.

    >>> sorted(single({"total": jnp.ones(())}))
    ['total', 'total_rest']
    """
    found = dict(sums)
    for name, each in sums.items():
        integer = jnp.issubdtype(each.dtype, jnp.integer)
        found[name + REST] = jnp.where(each < 0, -1, 0).astype(each.dtype) if integer else jnp.zeros_like(each)
    return found


def nothing(state: object) -> PyTree:
    """An initial state whose sums are NumPy zeros, so that `add` returns the other state and compiles nothing.

    >>> type(nothing(zeros(("total",), (), "float32"))["total"]).__name__
    'ndarray'
    """
    if not isinstance(state, dict):
        return state
    words = {word for name in state if name + REST in state for word in (name, name + REST)}
    return {name: np.zeros(leaf.shape, leaf.dtype) if name in words else leaf for name, leaf in state.items()}


def names(state: Mapping[str, Array]) -> list[str]:
    """The names of the sums.

    >>> names(zeros(("total", "count"), (), "float32"))
    ['total', 'count']
    """
    return [name for name in state if not name.endswith(REST)]


def pick(state: Mapping[str, Array], name: str) -> State:
    """Both words of one sum.

    >>> sorted(pick(zeros(("total", "count"), (), "float32"), "count"))
    ['count', 'count_rest']
    """
    return {word: state[word] for word in (name, name + REST)}


def add(a: Mapping[str, Array], b: Mapping[str, Array]) -> State:
    """The sums of both states.

    >>> ones = single({"total": jnp.array(1.0)})
    >>> state = add(add(single({"total": jnp.array(2.0**24)}), ones), ones)
    >>> float(value(state, "total")) - 2**24
    2.0
    """
    found: State = {}
    for name in names(a):
        words = a[name], a[name + REST], b[name], b[name + REST]
        if isinstance(a[name], np.ndarray) and not a[name].any() and a[name].shape == b[name].shape:
            found[name], found[name + REST] = words[2:]
            continue
        add_words = _add_integers if jnp.issubdtype(a[name].dtype, jnp.integer) else _add_floats
        found[name], found[name + REST] = add_words(*words)
    return found


def _add_floats(a: Array, a_rest: Array, b: Array, b_rest: Array) -> tuple[Array, Array]:
    total = a + b
    of_b = total - a
    rest = (a - (total - of_b)) + (b - of_b) + (a_rest + b_rest)
    rounded = total + rest
    finite = jnp.isfinite(rounded)  # infinity minus itself is NaN
    return jnp.where(finite, rounded, total), jnp.where(finite, rest - (rounded - total), 0.0)


def _add_integers(a: Array, a_rest: Array, b: Array, b_rest: Array) -> tuple[Array, Array]:
    total = a + b  # wraps around at 2^32
    return total, a_rest + b_rest + (_unsigned(total) < _unsigned(a)).astype(a_rest.dtype)


def _unsigned(x: Array) -> Array:
    return jax.lax.bitcast_convert_type(x, "uint32")


def value(state: Mapping[str, Array], name: str) -> Array:
    """A sum in one word, rounded to a float.

    >>> float(value({"n": jnp.array(-1), "n_rest": jnp.array(1)}, "n")) == 2.0**33
    True
    """
    total, rest = state[name], state[name + REST]
    if jnp.issubdtype(total.dtype, jnp.integer):
        return rest.astype("float32") * 2.0**32 + _unsigned(total).astype("float32")
    return total + rest


def values(state: Mapping[str, Array]) -> State:
    """All sums in one word each.

    >>> {name: float(each) for name, each in values(single({"total": jnp.array(3.0)})).items()}
    {'total': 3.0}
    """
    return {name: value(state, name) for name in names(state)}
