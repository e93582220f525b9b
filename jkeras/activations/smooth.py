"""Smooth rectifiers and gates, and the exponential."""

import jax
import jax.numpy as jnp

from jkeras.activations.base import activation
from jkeras.typing import Array


@activation(op="exp")
def exponential(x: Array) -> Array:
    """`exp(x)`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.exponential(jnp.array([0.0, 1.0]))).round(4))
    [1.     2.7183]

    Source: the definition above.
    """
    return jnp.exp(x)


@activation()
def softplus(x: Array) -> Array:
    """The smooth rectifier whose derivative is the logistic function: `log(1 + exp(x))`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.softplus(jnp.array([0.0, 100.0]))).round(4))
    [  0.6931 100.    ]

    Source: Dugas et al., "Incorporating second-order functional knowledge for better option pricing", NIPS 2000.
    """
    return jax.nn.softplus(x)


@activation()
def sparse_plus(x: Array) -> Array:
    """A smooth rectifier that reaches zero: 0 below -1, `(x + 1)² / 4` up to 1, `x` above.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.sparse_plus(jnp.array([-2.0, 0.0, 3.0])))
    [0.   0.25 3.  ]

    Source: Blondel, Martins and Niculae, https://arxiv.org/abs/1901.02324.
    """
    return jax.nn.sparse_plus(x)


@activation()
def squareplus(x: Array, b: float = 4) -> Array:
    """A smooth rectifier without transcendental functions: `(x + sqrt(x² + b)) / 2`.

    Args:
        x: array of any shape.
        b: roundness of the corner.

    >>> from jkeras import activations
    >>> print(activations.squareplus(jnp.array([0.0, 1.5])))
    [1. 2.]

    Source: Barron, https://arxiv.org/abs/2112.11687.
    """
    return jax.nn.squareplus(x, b)


@activation("swish")
def silu(x: Array) -> Array:
    """The sigmoid linear unit, also called swish: `x * sigmoid(x)`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.silu(jnp.array([-1.0, 2.0]))).round(4))
    [-0.2689  1.7616]

    Source: Ramachandran, Zoph and Le, https://arxiv.org/abs/1710.05941.
    """
    return jax.nn.silu(x)


@activation("hard_swish")
def hard_silu(x: Array) -> Array:
    """`silu` with the sigmoid in three straight pieces: `x * hard_sigmoid(x)`.

    Args:
        x: array of any shape.

    >>> from jkeras import activations
    >>> print(activations.hard_silu(jnp.array([-3.0, 1.5, 4.0])))
    [-0.     1.125  4.   ]

    Source: Howard et al., https://arxiv.org/abs/1905.02244.
    """
    return jax.nn.hard_silu(x)


@activation()
def gelu(x: Array, approximate: bool = False) -> Array:
    """The Gaussian error linear unit: `x * P(X <= x)` for a standard normal `X`.

    Args:
        x: array of any shape.
        approximate: whether to use `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x³)))`.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.gelu(jnp.array([-1.0, 2.0]))).round(4))
    [-0.1587  1.9545]

    Source: Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415.
    """
    return jax.nn.gelu(x, approximate)


@activation(op="")
def mish(x: Array) -> Array:
    """A smooth, not monotone rectifier: `x * tanh(softplus(x))`.

    Args:
        x: array of any shape.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.mish(jnp.array([-1.0, 2.0]))).round(4))
    [-0.3034  1.944 ]

    Source: Misra, https://arxiv.org/abs/1908.08681.
    """
    return jax.nn.mish(x)


@activation()
def glu(x: Array, axis: int = -1) -> Array:
    """The gated linear unit: `a * sigmoid(b)` for the two halves `a`, `b` of an axis.

    Args:
        x: array whose `axis` has an even size.
        axis: the axis that is halved.

    Returns:
        An array with half the size of `x` along the axis.

    >>> from jkeras import activations
    >>> print(activations.glu(jnp.array([3.0, 4.0, 0.0, 0.0])))
    [1.5 2. ]

    Source: Dauphin, Fan, Auli and Grangier, https://arxiv.org/abs/1612.08083.
    """
    return jax.nn.glu(x, axis)
