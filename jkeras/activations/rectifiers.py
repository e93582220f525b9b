"""Rectifiers: the identity above a threshold, something small below it."""

import jax
import jax.numpy as jnp

from jkeras.activations.base import activation
from jkeras.dtypes import as_floats
from jkeras.typing import Array


@activation(op="re_lu")
def relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """The rectified linear unit: `max(x, 0)` by default.

        relu(x) = max_value                        where x >= max_value
                  x                                where threshold < x < max_value
                  negative_slope * (x - threshold) elsewhere

    Args:
        x: array of any shape.
        negative_slope: slope below the threshold.
        max_value: the largest value; `None` for none.
        threshold: below it values are damped.

    Returns:
        An array of the shape and dtype of `x`. At the threshold the gradient of the default form is 0.

    >>> from jkeras import activations
    >>> x = jnp.array([-10.0, -5.0, 0.0, 5.0, 10.0])
    >>> print(activations.relu(x, negative_slope=0.5, max_value=6.0))
    [-5.  -2.5  0.   5.   6. ]

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    if threshold == 0.0 and max_value is None:
        return jax.nn.leaky_relu(x, negative_slope) if negative_slope else jax.nn.relu(x)
    if threshold == 0.0 and max_value == 6.0 and not negative_slope:
        return jax.nn.relu6(x)
    threshold = float(threshold)  # an int would let the difference of small integers wrap around
    # Without a slope the lower branch is a constant: 0 * (x - threshold) would be NaN at -inf.
    below = negative_slope * (x - threshold) if negative_slope else jnp.zeros_like(x)
    y = jnp.where(x <= threshold, below, x)
    return y if max_value is None else jnp.minimum(y, jnp.asarray(max_value, y.dtype))


@activation()
def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """A rectifier that leaks: `x` where `x >= 0`, `negative_slope * x` elsewhere.

    Args:
        x: array of any shape.
        negative_slope: slope of the negative part.

    >>> from jkeras import activations
    >>> print(activations.leaky_relu(jnp.array([-1.0, 2.0])))
    [-0.2  2. ]

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """
    return jax.nn.leaky_relu(x, negative_slope)


@activation()
def relu6(x: Array) -> Array:
    """A rectifier that saturates at 6: `min(max(x, 0), 6)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.relu6(jnp.array([-1.0, 2.0, 8.0])))
    [0. 2. 6.]

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """
    return jax.nn.relu6(x)


@activation()
def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """`x` where `x > threshold`, `default_value` elsewhere.

    Args:
        x: array of any shape; integers become floats.
        threshold: values above it pass.
        default_value: replaces the others.

    >>> from jkeras import activations
    >>> print(activations.threshold(jnp.array([-1.0, 0.5, 2.0]), 0.5, 9.0))
    [9. 9. 2.]

    Source: the definition above.
    """
    x = as_floats(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@activation()
def elu(x: Array, alpha: float = 1.0) -> Array:
    """The exponential linear unit: `x` where `x > 0`, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        x: array of any shape.
        alpha: minus the value that it saturates to.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.elu(jnp.array([-1.0, 2.0]))).round(4))
    [-0.6321  2.    ]

    Source: Clevert, Unterthiner and Hochreiter, https://arxiv.org/abs/1511.07289.
    """
    return jax.nn.elu(x, alpha)


@activation()
def celu(x: Array, alpha: float = 1.0) -> Array:
    """The exponential linear unit with a continuous derivative: `max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`.

    Args:
        x: array of any shape.
        alpha: minus the value that it saturates to.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.celu(jnp.array([-1.0, 2.0]), alpha=0.5)).round(4))
    [-0.4323  2.    ]

    Source: Barron, https://arxiv.org/abs/1704.07483.
    """
    return jax.nn.celu(x, alpha)


@activation()
def selu(x: Array) -> Array:
    """The scaled exponential linear unit: `scale * elu(x, alpha)`.

    `scale = 1.0507...` and `alpha = 1.6732...` make zero mean and unit variance a fixed point of a layer whose weights
    come from `LecunNormal`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.selu(jnp.array([-1.0, 2.0]))).round(4))
    [-1.1113  2.1014]

    Source: Klambauer et al., https://arxiv.org/abs/1706.02515.
    """
    return jax.nn.selu(x)
