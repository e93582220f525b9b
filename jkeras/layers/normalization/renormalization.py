"""Batch renormalization: in training, the statistics of the batch are corrected towards running ones.

    (x - mean) / stddev * r + d        r = stddev / running stddev,  d = (mean - running mean) / running stddev

equals normalization with the running statistics, but the gradient flows through those of the batch: `r` and `d` are
constants. Clipped to [rmin, rmax] and [-dmax, dmax] they let a training begin as plain batch normalization.

S. Ioffe, "Batch renormalization", arXiv:1702.03275.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax

from jkeras.core.variable import takes_key
from jkeras.errors import ArgumentError
from jkeras.typing import Array, DTypeLike, Key

KEYS = ("rmax", "rmin", "dmax")


def check_clipping(clipping: Mapping[str, float] | None) -> dict[str, float]:
    """The bounds as a dict; raises `ArgumentError` for others than `rmax`, `rmin`, `dmax`, and for contradictory ones.

    >>> check_clipping({"rmax": 3.0})
    {'rmax': 3.0}
    """
    bounds = dict(clipping or {})
    rmin, rmax, dmax = (bounds.get(name) for name in ("rmin", "rmax", "dmax"))
    crossed = rmin is not None and rmax is not None and rmax < rmin
    if set(bounds) - set(KEYS) or crossed or (dmax is not None and dmax < 0):
        raise ArgumentError(
            f"`renorm_clipping` must be a dict of bounds that do not cross, got {bounds}.",
            path="BatchNormalization.renorm_clipping",
            expected=f"a dict with some of {KEYS}, rmin <= rmax, dmax >= 0",
            received=bounds,
            write='renorm_clipping={"rmin": 1 / 3, "rmax": 3.0, "dmax": 5.0}',
        )
    return bounds


def corrections(
    mean: Array,
    stddev: Array,
    running_mean: Array,
    running_stddev: Array,
    clipping: Mapping[str, float],
) -> tuple[Array, Array]:
    """`(r, d)`, clipped, as constants of the gradient.

    >>> r, d = corrections(jnp.ones(1), jnp.full(1, 2.0), jnp.zeros(1), jnp.ones(1), {"rmax": 1.5})
    >>> r.tolist(), d.tolist()
    ([1.5], [1.0])
    """
    dmax = clipping.get("dmax")
    r = jnp.clip(stddev / running_stddev, clipping.get("rmin"), clipping.get("rmax"))
    d = jnp.clip((mean - running_mean) / running_stddev, None if dmax is None else -dmax, dmax)
    return lax.stop_gradient(r), lax.stop_gradient(d)


@dataclasses.dataclass(frozen=True)
class SquareRoot:
    """An initializer: the square root of what another one gives."""

    of: Any

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike | None = None, *, key: Key) -> Array:
        return jnp.sqrt(self.of(shape, dtype, key=key) if takes_key(self.of) else self.of(shape, dtype))
