"""Squashing functions: monotone, bounded, and their logarithms."""

import jax
import jax.numpy as jnp

from jkeras.activations.base import activation
from jkeras.typing import Array


@activation()
def sigmoid(x: Array) -> Array:
    """The logistic function: `1 / (1 + exp(-x))`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.sigmoid(jnp.array([0.0, 2.0]))).round(4))
    [0.5    0.8808]

    Source: Verhulst, "Recherches mathématiques sur la loi d'accroissement de la population", 1845.
    """
    return jax.nn.sigmoid(x)


@activation()
def log_sigmoid(x: Array) -> Array:
    """The logarithm of the logistic function, computed without underflow: `-softplus(-x)`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.log_sigmoid(jnp.array([-1000.0, 0.0]))).round(4))
    [-1.000e+03 -6.931e-01]

    Source: the definition above.
    """
    return jax.nn.log_sigmoid(x)


@activation()
def hard_sigmoid(x: Array) -> Array:
    """The logistic function in three straight pieces: `clip(x / 6 + 1 / 2, 0, 1)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.hard_sigmoid(jnp.array([-3.0, 1.5, 3.0])))
    [0.   0.75 1.  ]

    Source: Howard et al., https://arxiv.org/abs/1905.02244.
    """
    return jax.nn.hard_sigmoid(x)


@activation()
def sparse_sigmoid(x: Array) -> Array:
    """The derivative of `sparse_plus`: `clip((x + 1) / 2, 0, 1)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.sparse_sigmoid(jnp.array([-2.0, 0.5, 2.0])))
    [0.   0.75 1.  ]

    Source: Blondel, Martins and Niculae, https://arxiv.org/abs/1901.02324.
    """
    return jax.nn.sparse_sigmoid(x)


@activation()
def tanh(x: Array) -> Array:
    """The hyperbolic tangent: `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.tanh(jnp.array([0.0, 1.0]))).round(4))
    [0.     0.7616]

    Source: the definition above.
    """
    return jnp.tanh(x)


@activation()
def hard_tanh(x: Array) -> Array:
    """The hyperbolic tangent in three straight pieces: `clip(x, -1, 1)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.hard_tanh(jnp.array([-2.0, 0.5, 2.0])))
    [-1.   0.5  1. ]

    Source: Collobert, "Large scale machine learning", 2004.
    """
    return jax.nn.hard_tanh(x)


@activation()
def softsign(x: Array) -> Array:
    """A squashing function with polynomial tails: `x / (1 + |x|)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.softsign(jnp.array([-1.0, 3.0])))
    [-0.5   0.75]

    Source: Turian, Bergstra and Bengio, "Quadratic features and deep architectures for chunking", NAACL 2009.
    """
    return jax.nn.soft_sign(x)
