"""Normalization: to mean zero and variance one, then to a learned scale and offset.

    outputs = gamma * (inputs - mean) / sqrt(variance + epsilon) + beta

The kinds of normalization differ in where the statistics come from: over the batch for every channel (batch), over
the features of every example (layer), over groups of them (group), or without centering (RMS). Statistics of half
precision are computed, and returned, in float32: a sum of squares leaves the range of float16 and the precision of
bfloat16 at once. Where every vector has statistics of its own, the mean is subtracted before anything is scaled,
because `x * scale - mean * scale` loses the digits in which the two products agree.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.dtypes import is_float
from jkeras.errors import ShapeError
from jkeras.functional.layout import along
from jkeras.typing import Array, ArrayLike, Axes


def moments(
    x: Array, axes: Axes, *, keepdims: bool = False, mask: Array | None = None, axis_name: str | Sequence[str] = ()
) -> tuple[Array, Array]:
    """Mean and variance over some axes, of the elements that a mask keeps.

    `mean = sum of m x / sum of m`, `variance = sum of m (x - mean)^2 / sum of m`; both are zero where the mask keeps
    nothing.

    Args:
        x: numbers.
        axes: the axes that are reduced.
        keepdims: whether the reduced axes stay, with length 1.
        mask: of the rank of `x` and broadcastable to it, true where an element counts. Masked elements may be
            anything, NaN included.
        axis_name: mapped axes (of `jax.vmap` or `jax.shard_map`) that are reduced too.

    Returns:
        `(mean, variance)`, in float32 for half precision and integers, in the dtype of `x` otherwise.

    Raises:
        ShapeError: the mask has another rank than `x`.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([1.0, 3.0, jnp.nan])
    >>> [float(value) for value in moments(x, 0, mask=jnp.array([True, True, False]))]
    [2.0, 1.0]
    """
    x = _widen(x)
    if mask is None:
        mean = _over(lax.pmean, jnp.mean(x, axes, keepdims=True), axis_name)
        variance = _over(lax.pmean, jnp.mean(lax.square(x - mean), axes, keepdims=True), axis_name)
    else:
        if mask.ndim != x.ndim:
            raise ShapeError(
                f"`mask` must have rank {x.ndim}, the rank of `x`, got rank {mask.ndim}.",
                path="moments",
                expected=x.shape,
                received=mask.shape,
                write="moments(x, axes, mask=mask[..., None])" if mask.ndim == x.ndim - 1 else None,
            )
        keep = jnp.broadcast_to(mask.astype(bool), x.shape)
        count = jnp.maximum(_over(lax.psum, jnp.sum(keep, axes, keepdims=True, dtype=x.dtype), axis_name), 1)
        mean = _over(lax.psum, jnp.sum(jnp.where(keep, x, 0), axes, keepdims=True), axis_name) / count
        squares = lax.square(jnp.where(keep, x - mean, 0))
        variance = _over(lax.psum, jnp.sum(squares, axes, keepdims=True), axis_name) / count
    if keepdims:
        return mean, variance
    return jnp.squeeze(mean, axes), jnp.squeeze(variance, axes)


def batch_normalize(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    epsilon: float = 1e-3,
    axis: int = -1,
) -> Array:
    """Normalizes every channel with given statistics.

    `outputs[..., c] = gamma[c] (x[..., c] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]`

    Args:
        x: numbers, `c` of them along `axis`.
        mean, variance: `(c,)`, of the batch or running averages.
        gamma, beta: `(c,)`, or `None` for ones and zeros.
        epsilon: keeps the square root away from zero.
        axis: the axis of the channels.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", arXiv:1502.03167.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([[1.0, 10.0], [3.0, 30.0]])
    >>> batch_normalize(x, *moments(x, 0), epsilon=0.0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    wide = _widen(x)
    gamma, beta = (None if vector is None else vector.astype(wide.dtype) for vector in (gamma, beta))
    factors = _affine(mean.astype(wide.dtype), variance.astype(wide.dtype) + epsilon, gamma, beta)
    scale, shift = (along(vector, x.ndim, axis) for vector in factors)
    return _narrow(wide * scale + shift, x)


def layer_normalize(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    epsilon: float = 1e-3,
    axis: Axes = -1,
    rms_scaling: bool = False,
) -> Array:
    """Normalizes every example over its features.

    `outputs = gamma (x - mean) / sqrt(variance + epsilon) + beta`, with mean and variance over `axis`.

    Args:
        x: numbers.
        gamma, beta: of the dimensions of `x` along `axis`, or `None` for ones and zeros.
        epsilon: keeps the square root away from zero.
        axis: the axes of the features.
        rms_scaling: whether to leave out the mean and `beta`: `gamma x / sqrt(variance + epsilon)`. Keras keeps this
            for old models; the root mean square is what `rms_normalize` divides by.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450.

    >>> import jax.numpy as jnp
    >>> layer_normalize(jnp.array([[1.0, 3.0], [10.0, 30.0]]), epsilon=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    wide = _widen(x)
    mean, variance = moments(wide, axis, keepdims=True)
    scale = lax.rsqrt(variance + epsilon)
    if rms_scaling:
        return _apply(x, wide, scale, _fit(gamma, wide, axis), None)
    centered = wide + -mean  # `wide - mean` is in the variance: XLA's CPU compiler would keep it in memory for both
    return _apply(x, centered, scale, _fit(gamma, wide, axis), _fit(beta, wide, axis))


def rms_normalize(x: Array, gamma: Array | None = None, *, epsilon: float = 1e-6, axis: Axes = -1) -> Array:
    """Divides by the root mean square.

    `outputs = gamma x / sqrt(mean of x^2 + epsilon)`, with the mean over `axis`.

    Args:
        x: numbers.
        gamma: of the dimensions of `x` along `axis`, or `None` for ones.
        epsilon: keeps the square root away from zero.
        axis: the axes of the features.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", arXiv:1910.07467.

    >>> import jax.numpy as jnp
    >>> print(rms_normalize(jnp.array([1.0, -1.0, 7.0, 7.0]), epsilon=0.0))
    [ 0.2 -0.2 1.4 1.4]
    """
    wide = _widen(x)
    scale = lax.rsqrt(jnp.mean(lax.square(wide), axis, keepdims=True) + epsilon)
    return _apply(x, wide, scale, _fit(gamma, wide, axis), None)


def unit_normalize(x: Array, *, epsilon: float = 1e-12, axis: Axes | None = -1) -> Array:
    """Divides by the Euclidean norm.

    `outputs = x / max(sqrt(sum of x^2), epsilon)`, with the sum over `axis`.

    Args:
        x: numbers.
        epsilon: the least norm that is divided by. Zeros stay zeros, and have a gradient.
        axis: the axes of the sum; `None` for all axes.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Source: the definition of a unit vector.

    >>> import jax.numpy as jnp
    >>> print(unit_normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [[0.6 0.8]
     [0.  0. ]]
    """
    wide = _widen(x)
    total = jnp.sum(lax.square(wide), axis, keepdims=True)
    return _apply(x, wide, _inverse_root(total, epsilon**2), None, None)


@jax.custom_jvp
def _inverse_root(total: Array, least: ArrayLike) -> Array:
    """`1 / sqrt(max(total, least))`, constant below `least`.

    The second derivative of `lax.rsqrt` divides by the square of its argument: 0 in float32 for a `least` of 1e-24.
    """
    return lax.rsqrt(jnp.maximum(total, least))


@_inverse_root.defjvp
def _slope(primals: tuple[Array, Any], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    root = _inverse_root(*primals)
    return root, tangents[0] * jnp.where(primals[0] > primals[1], -0.5 * root**3, 0)


def group_normalize(
    x: Array,
    groups: int,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    epsilon: float = 1e-3,
    axis: int = -1,
) -> Array:
    """Normalizes every example over groups of channels and all other axes but the batch.

    `outputs[..., c] = gamma[c] (x[..., c] - mean[g]) / sqrt(variance[g] + epsilon) + beta[c]`, where channel `c` is in
    group `g = floor(c groups / channels)`.

    Args:
        x: numbers, `c` of them along `axis`, examples along the first axis.
        groups: a divisor of `c`; 1 is layer normalization over all axes, `c` is instance normalization.
        gamma, beta: `(c,)`, or `None` for ones and zeros.
        epsilon: keeps the square root away from zero.
        axis: the axis of the channels.

    Returns:
        The shape and dtype of `x`; half precision is computed in float32, integers become float32.

    Raises:
        ShapeError: `groups` does not divide the channels.

    Source: Y. Wu and K. He, "Group normalization", arXiv:1803.08494.

    >>> import jax.numpy as jnp
    >>> group_normalize(jnp.array([[1.0, 3.0, 10.0, 30.0]]), 2, epsilon=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    axis %= x.ndim
    channels = x.shape[axis]
    if groups < 1 or channels % groups:
        rule = f"`groups` must be a positive divisor of the {channels} channels"
        raise ShapeError.must(rule, groups, path="group_normalize", write="groups=1   # all channels together")
    split = (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])  # (b, ..., groups, c / groups, ...)
    wide = jnp.reshape(_widen(x), split)
    mean, variance = moments(wide, [a for a in range(1, wide.ndim) if a != axis], keepdims=True)

    def lay(vector: Array | None) -> Array | None:
        if vector is None:
            return None
        return lax.expand_dims(
            jnp.reshape(vector.astype(wide.dtype), split[axis : axis + 2]),
            [a for a in range(wide.ndim) if a not in (axis, axis + 1)],
        )

    scale, shift = _affine(mean, variance + epsilon, lay(gamma), lay(beta))
    return _narrow(jnp.reshape(wide * scale + shift, x.shape), x)


def _over(collective: Callable[[Array, Any], Array], x: Array, axis_name: str | Sequence[str]) -> Array:
    """A collective over some mapped axes, or none."""
    return collective(x, axis_name) if axis_name else x


def _widen(x: Array) -> Array:
    """Float32 for half precision and integers, `x` itself for wider floats."""
    return x.astype(jnp.promote_types(x.dtype, "float32"))


def _fit(weight: Array | None, x: Array, axes: Axes) -> Array | None:
    """A weight over `axes` of `x`, in the dtype of `x` and ready to broadcast."""
    if weight is None:
        return None
    kept = {axis % x.ndim for axis in ((axes,) if isinstance(axes, int) else axes)}
    return jnp.reshape(weight.astype(x.dtype), [size if a in kept else 1 for a, size in enumerate(x.shape)])


def _affine(mean: Array, variance: Array, gamma: Array | None, beta: Array | None) -> tuple[Array, Array]:
    """`(x - mean) / sqrt(variance) * gamma + beta` as one factor and one summand, which are much smaller than `x`.

    In any other form XLA's CPU compiler keeps the centered inputs in memory: half as slow again.
    """
    scale = lax.rsqrt(variance) if gamma is None else lax.rsqrt(variance) * gamma
    return scale, -mean * scale if beta is None else beta - mean * scale


def _apply(x: Array, centered: Array, scale: Array, gamma: Array | None, beta: Array | None) -> Array:
    """`centered * scale * gamma + beta`, in the dtype of `x` if that is a float."""
    outputs = centered * scale
    if gamma is not None:
        outputs = outputs * gamma
    return _narrow(outputs if beta is None else outputs + beta, x)


def _narrow(outputs: Array, x: Array) -> Array:
    """In the dtype of `x` if that is a float."""
    return outputs.astype(x.dtype) if is_float(x.dtype) else outputs
