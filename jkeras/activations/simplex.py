"""Maps onto the probability simplex: results are non-negative and add up to one along an axis."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.activations.base import activation
from jkeras.dtypes import as_floats
from jkeras.typing import Array, Axes


@activation()
def softmax(x: Array, axis: Axes | None = -1) -> Array:
    """Scores to probabilities: `exp(x) / sum(exp(x))`.

    Args:
        x: array of any shape but `()`.
        axis: the axis, or tuple of axes, along which the result adds up to one; `None` for all.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.softmax(jnp.array([0.0, 1.0, 2.0]))).round(4))
    [0.09   0.2447 0.6652]

    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """
    x = as_floats(x)
    return jax.nn.softmax(x, _axes(axis))


@activation()
def log_softmax(x: Array, axis: Axes | None = -1) -> Array:
    """Scores to log-probabilities: `x - log(sum(exp(x)))`.

    Args:
        x: array of any shape but `()`.
        axis: the axis, or tuple of axes, along which the probabilities add up to one; `None` for all.

    >>> import numpy as np
    >>> from jkeras import activations
    >>> print(np.asarray(activations.log_softmax(jnp.array([0.0, 0.0]))).round(4))
    [-0.6931 -0.6931]

    Source: the definition above.
    """
    x = as_floats(x)
    return jax.nn.log_softmax(x, _axes(axis))


@activation()
def sparsemax(x: Array, axis: int = -1) -> Array:
    """The point of the simplex that is nearest to the scores: `max(x - tau, 0)`, with `tau` such that it adds up to 1.

    With the scores in descending order, `z_1 >= z_2 >= ...`, the support is the largest `k` for which
    `1 + k * z_k > z_1 + ... + z_k`, and `tau = (z_1 + ... + z_k - 1) / k`. The sums run in float32 at least.

    Args:
        x: floating array of any shape but `()`.
        axis: the axis along which the result adds up to one.

    >>> from jkeras import activations
    >>> print(activations.sparsemax(jnp.array([1.0, 0.5, -1.0])))
    [0.75 0.25 0.  ]

    Source: Martins and Astudillo, https://arxiv.org/abs/1602.02068, algorithm 1.
    """
    scores = jnp.moveaxis(x.astype(jnp.promote_types(x.dtype, "float32")), axis, -1)
    descending = jnp.sort(scores, axis=-1, descending=True)
    count = jnp.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    count = jnp.broadcast_to(count, scores.shape)
    support = 1 + count * descending > jnp.cumsum(descending, axis=-1)
    k = jnp.sum(support, axis=-1, keepdims=True)
    tau = (jnp.sum(jnp.where(support, descending, 0), axis=-1, keepdims=True) - 1) / k.astype(scores.dtype)
    result = jnp.maximum(scores - tau, 0)
    return jnp.moveaxis(result, -1, axis).astype(jnp.result_type(x, 0.0))


def _axes(axis: Axes | None) -> Any:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)
