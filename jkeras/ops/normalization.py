"""Normalization in the table."""

from collections.abc import Sequence

import jax.numpy as jnp

from jkeras import config, functional
from jkeras.core.lift import listed
from jkeras.core.synchronization import check_synchronized, named_axes
from jkeras.errors import ArgumentError
from jkeras.ops.precision import in_float32
from jkeras.typing import Array, Axes


@listed
def batch_normalization(
    x: Array,
    mean: Array,
    variance: Array,
    axis: int,
    offset: Array | None = None,
    scale: Array | None = None,
    epsilon: float = 1e-3,
) -> Array:
    """Normalizes every channel with statistics that are given.

    `outputs[..., c] = scale[c] (x[..., c] - mean[c]) / sqrt(variance[c] + epsilon) + offset[c]`

    Args:
        x: numbers, `c` of them along `axis`.
        mean: `(c,)`, of the batch, as `moments` computes it, or a running average.
        variance: `(c,)`, likewise.
        axis: the axis of the channels.
        offset: `(c,)`, added; `None` for zeros.
        scale: `(c,)`, the factors; `None` for ones.
        epsilon: keeps the square root away from zero.

    Returns:
        The shape of `x`, in the dtype to which all promote; half precision is computed in float32, integers become
        float32.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", arXiv:1502.03167.

    >>> x = jnp.array([[1.0, 10.0], [3.0, 30.0]])
    >>> mean, variance = moments(x, axes=0)
    >>> batch_normalization(x, mean, variance, axis=-1, epsilon=0.0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    x = jnp.asarray(x, jnp.result_type(x, mean, variance, *(each for each in (scale, offset) if each is not None)))
    return functional.batch_normalize(x, mean, variance, scale, offset, epsilon=epsilon, axis=axis)


@listed
def layer_normalization(
    x: Array, gamma: Array | None = None, beta: Array | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Array:
    """Normalizes every example over its features.

    `outputs = gamma (x - mean) / sqrt(variance + epsilon) + beta`, with mean and variance over `axis`.

    Args:
        x: numbers.
        gamma: the factors, of the dimensions of `x` along `axis`; `None` for ones.
        beta: the summands, of the same dimensions; `None` for zeros.
        axis: the axis of the features, or several.
        epsilon: keeps the square root away from zero; `jkeras.config.epsilon()` by default, 1e-7.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450.

    >>> x = jnp.array([[1.0, 3.0], [10.0, 30.0]])
    >>> layer_normalization(x, gamma=jnp.array([1.0, 2.0]), epsilon=0.0).tolist()
    [[-1.0, 2.0], [-1.0, 2.0]]
    """
    return functional.layer_normalize(x, gamma, beta, epsilon=_epsilon(epsilon), axis=axis)


@listed
def rms_normalization(x: Array, scale: Array | None = None, axis: Axes = -1, epsilon: float | None = None) -> Array:
    """Divides by the root mean square of the features.

    `outputs = scale x / sqrt(mean of x^2 + epsilon)`, with the mean over `axis`.

    Args:
        x: numbers.
        scale: the factors, of the dimensions of `x` along `axis`; `None` for ones.
        axis: the axis of the features, or several.
        epsilon: keeps the square root away from zero; `jkeras.config.epsilon()` by default, 1e-7.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", arXiv:1910.07467.

    >>> print(rms_normalization(jnp.array([1.0, -1.0, 7.0, 7.0])))
    [ 0.2 -0.2 1.4 1.4]
    """
    scale = None if scale is None else jnp.asarray(scale)
    return functional.rms_normalize(x, scale, epsilon=_epsilon(epsilon), axis=axis)


@listed
def moments(
    x: Array, axes: Axes, keepdims: bool = False, synchronized: bool | str | Sequence[str] = False
) -> tuple[Array, Array]:
    """Mean and variance over some axes.

    `variance = mean of (x - mean)^2`, the one of the population: divided by the number of elements.

    Args:
        x: numbers.
        axes: the axis to reduce, or several.
        keepdims: whether the reduced axes stay, with length 1.
        synchronized: mapped axes (of `jax.vmap` or `jax.shard_map`) to reduce, too: the name of one, or several names;
            `True` for `"batch"` where there is such an axis, as in `jkeras.layers.BatchNormalization`.

    Returns:
        `(mean, variance)`, in the dtype of `x`; half precision is computed in float32, integers give float32.

    Raises:
        ArgumentError: `synchronized` names an axis that is not mapped.

    >>> mean, variance = moments(jnp.array([[1.0, 10.0], [3.0, 30.0]]), axes=0)
    >>> mean.tolist(), variance.tolist()
    ([2.0, 20.0], [1.0, 100.0])
    """
    pieces = named_axes(check_synchronized(synchronized, "moments"), "moments")
    mean, variance = functional.moments(x, axes, keepdims=keepdims, axis_name=pieces)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else mean.dtype
    return mean.astype(dtype), variance.astype(dtype)


@listed
def normalize(x: Array, axis: Axes = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """Divides by a norm: `x / max(norm, epsilon)`, with `norm = (sum of |x|^order)^(1 / order)` over `axis`.

    Args:
        x: numbers; zeros stay zeros.
        axis: the axis of the vectors; with `order=2` also several, or `None` for all. For other orders two axes are
            those of matrices, and the norm is that of `jax.numpy.linalg.norm`.
        order: of the norm, an int >= 1: 1 sums absolute values, 2 is Euclidean.
        epsilon: the least norm that is divided by; `jkeras.config.epsilon()` by default, 1e-7.

    Returns:
        The shape and dtype of `x`; integers become float32, and a number a vector of one.

    Raises:
        ArgumentError: `order` is not a positive integer.

    Source: the definition of a vector's p-norm.

    >>> print(normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [[0.6 0.8]
     [0.  0. ]]
    >>> print(normalize(jnp.array([1.0, -3.0]), order=1))
    [ 0.25 -0.75]
    """
    if not isinstance(order, int) or order < 1:
        raise ArgumentError(
            f"`order` must be a positive integer, got {order!r}.",
            path="normalize",
            expected="an int >= 1",
            received=f"{order=}",
            write="ops.normalize(x, order=2)",
        )
    x = jnp.atleast_1d(x)
    if order == 2:
        return functional.unit_normalize(x, epsilon=_epsilon(epsilon), axis=axis)
    zeros = jnp.all(x == 0, axis=axis, keepdims=True)  # where the norm has no gradient, but the quotient has
    norm = in_float32(jnp.linalg.norm)(jnp.where(zeros, 1, x), ord=order, axis=axis, keepdims=True)
    return x / jnp.where(zeros, _epsilon(epsilon), jnp.maximum(norm, _epsilon(epsilon)))


def _epsilon(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


__all__ = [
    "batch_normalization",
    "layer_normalization",
    "moments",
    "normalize",
    "rms_normalization",
]
