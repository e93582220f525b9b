"""Where values belong among sorted numbers, by the method that is fastest for as many."""

import jax.numpy as jnp

from jkeras.typing import Array

FEW = 16  # numbers up to which all are compared at once; beyond, XLA's CPU code for that is 25 times slower


def places(numbers: Array, values: Array, side: str = "left") -> Array:
    """How many of some sorted numbers are below each value; with `side="right"` also those that are equal.

    >>> places(jnp.array([1, 3]), jnp.array([0, 1, 4]), "right").tolist()
    [0, 1, 2]
    """
    method = "compare_all" if len(numbers) <= FEW else "scan_unrolled"
    return jnp.searchsorted(numbers, values, side=side, method=method)
