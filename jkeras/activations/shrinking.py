"""Shrinkage: small values are set to zero, or nearly."""

import jax.numpy as jnp

from jkeras.activations.base import activation
from jkeras.dtypes import as_floats
from jkeras.typing import Array


@activation()
def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Pulls values towards zero: `sign(x) * max(|x| - threshold, 0)`.

    Args:
        x: array of any shape.
        threshold: how far.

    >>> from jkeras import activations
    >>> print(activations.soft_shrink(jnp.array([-2.0, 0.5, 1.0])))
    [-1.5  0.   0.5]

    Source: Donoho, "De-noising by soft-thresholding", IEEE Transactions on Information Theory 41(3), 1995.
    """
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, jnp.zeros_like(x)))


@activation()
def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Drops small values: `x` where `|x| > threshold`, 0 elsewhere.

    Args:
        x: array of any shape; integers become floats.
        threshold: the largest magnitude that is dropped.

    >>> from jkeras import activations
    >>> print(activations.hard_shrink(jnp.array([-2.0, 0.5, 1.0])))
    [-2.  0.  1.]

    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3), 1994.
    """
    x = as_floats(x)
    return jnp.where(jnp.abs(x) > threshold, x, jnp.zeros_like(x))


@activation()
def tanh_shrink(x: Array) -> Array:
    """What the hyperbolic tangent takes away: `x - tanh(x)`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.tanh_shrink(jnp.array([0.0, 1.0]))).round(4))
    [0.     0.2384]

    Source: the definition above.
    """
    return x - jnp.tanh(x)
