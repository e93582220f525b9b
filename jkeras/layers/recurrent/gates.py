"""Gates: what the cells compute from blocks of sums, with derivatives that keep few factors for each unit.

A loop writes what a derivative needs in every step, and reads it on the way back. What JAX would keep of a gated step
by itself is about twice as much.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import activations
from jkeras.typing import Activation, Array

ENTRYWISE = frozenset(
    getattr(activations, name)
    for name in ("elu", "gelu", "hard_sigmoid", "linear", "relu", "selu", "sigmoid", "silu", "softsign", "tanh")
)


def is_entrywise(activation: Activation) -> bool:
    """Whether it is an activation of this package, of single entries: its derivative is that of each entry.

    >>> is_entrywise(activations.tanh), is_entrywise(activations.softmax)
    (True, False)
    """
    return activation in ENTRYWISE


def remember(
    gates: list[Array], memory: Array, activation: Activation, recurrent_activation: Activation
) -> list[Array]:
    """The states `[h', c']` of LSTM from its blocks `[i, f, g, q]` and the memory `c`.

    >>> gates, memory = [jnp.zeros(1)] * 4, jnp.ones(1)
    >>> [state.tolist() for state in remember(gates, memory, jnp.positive, activations.sigmoid)]
    [[0.25], [0.5]]
    """
    known = is_entrywise(activation) and is_entrywise(recurrent_activation)
    return (_remember if known else _remembered)(gates, memory, activation, recurrent_activation)


def _remembered(
    gates: list[Array], memory: Array, activation: Activation, recurrent_activation: Activation
) -> list[Array]:
    i, f, g, q = gates
    memory = recurrent_activation(f) * memory + recurrent_activation(i) * activation(g)
    return [recurrent_activation(q) * activation(memory), memory]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _remember(
    gates: list[Array], memory: Array, activation: Activation, recurrent_activation: Activation
) -> list[Array]:
    return _remembered(gates, memory, activation, recurrent_activation)


@_remember.defjvp
def _(
    activation: Activation, recurrent_activation: Activation, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> Any:
    ((i, f, g, q), memory), (dgates, dmemory) = primals, tangents
    (i, di), (f, df), (q, dq) = (_with_slope(recurrent_activation, gate) for gate in (i, f, q))
    g, dg = _with_slope(activation, g)
    new = f * memory + i * g
    seen, dseen = _with_slope(activation, new)
    slopes = [di * g, df * memory, i * dg, dq * seen]
    by_i, by_f, by_g, by_q = (slope * dgate for slope, dgate in zip(slopes, dgates, strict=True))
    dnew = f * dmemory + by_i + by_f + by_g
    return [q * seen, new], [by_q + (q * dseen) * dnew, dnew]


def blend(gates: list[Array], state: Array, activation: Activation, recurrent_activation: Activation) -> Array:
    """The state of GRU from its blocks `[z, r, n, m]` and the state `h`: `z * h + (1 - z) * a(n + s(r) * m)`.

    >>> blend([jnp.zeros(1)] * 4, jnp.ones(1), activations.tanh, activations.sigmoid).tolist()
    [0.5]
    """
    known = is_entrywise(activation) and is_entrywise(recurrent_activation)
    return (_blend if known else _blended)(gates, state, activation, recurrent_activation)


def _blended(gates: list[Array], state: Array, activation: Activation, recurrent_activation: Activation) -> Array:
    z, r, n, m = gates
    z = recurrent_activation(z)
    return z * state + (1 - z) * activation(n + recurrent_activation(r) * m)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _blend(gates: list[Array], state: Array, activation: Activation, recurrent_activation: Activation) -> Array:
    return _blended(gates, state, activation, recurrent_activation)


@_blend.defjvp
def _(
    activation: Activation, recurrent_activation: Activation, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> Any:
    ((z, r, n, m), state), (dgates, dstate) = primals, tangents
    (z, dz), (r, dr) = (_with_slope(recurrent_activation, gate) for gate in (z, r))
    n, dn = _with_slope(activation, n + r * m)
    dn = (1 - z) * dn
    slopes = [dz * (state - n), dn * m * dr, dn, dn * r]
    by_z, by_r, by_n, by_m = (slope * dgate for slope, dgate in zip(slopes, dgates, strict=True))
    return z * state + (1 - z) * n, z * dstate + by_z + by_r + by_n + by_m


def _with_slope(activation: Activation, x: Array) -> tuple[Array, Array]:
    """A function of single entries, and its derivative."""
    return jax.jvp(activation, (x,), (jnp.ones_like(x),))
