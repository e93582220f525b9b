"""Rotary positions: the features of a query or key are turned by an angle that grows with its position.

The product of a query at `i` and a key at `j` then depends on `i - j` only. Features are turned in pairs, each with
its own frequency.
"""

import jax.numpy as jnp
from jax import lax

from jkeras.dtypes import is_float
from jkeras.errors import ShapeError
from jkeras.typing import Array, ArrayLike


def rotary_embedding(
    x: Array,
    positions: ArrayLike | None = None,
    *,
    max_wavelength: float = 10000.0,
    scaling_factor: float = 1.0,
    sequence_axis: int = 1,
    interleaved: bool = False,
) -> Array:
    """Turns each pair of features `(u, v)` by the angle `a = position / scaling_factor * max_wavelength^(-2 i / c)`.

    `(u, v) -> (u cos a - v sin a, u sin a + v cos a)`, for pair `i` of `c / 2`.

    Args:
        x: floats, with an even number `c` of features on the last axis.
        positions: `(t,)`, or `(b, t)` where the first axis of `x` is a batch; `0, 1, 2, ...` by default.
        max_wavelength: of the slowest pair, in turns of `2 pi` positions.
        scaling_factor: divides the positions, so that longer sequences meet known angles.
        sequence_axis: the axis of the positions.
        interleaved: pairs are neighbours, as in the paper. By default feature `i` goes with `i + c / 2`, as in most
            published weights.

    Returns:
        The shape of `x`, and its dtype if that is a float; angles and products are float32 at least.

    Raises:
        ShapeError: an odd number of features, or positions that do not fit.

    Source: J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", arXiv:2104.09864,
    equation 34; scaled positions: arXiv:2306.15595.

    >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    >>> rotary_embedding(x, jnp.array([0.0, jnp.pi / 2]), sequence_axis=0).round(6).tolist()
    [[1.0, 0.0], [-0.0, 1.0]]
    """
    axis, features = sequence_axis % x.ndim, x.shape[-1]
    positions = jnp.arange(x.shape[axis]) if positions is None else jnp.asarray(positions)
    if features % 2 or axis == x.ndim - 1 or not 1 <= positions.ndim <= 2 or (positions.ndim == 2 and axis == 0):
        raise ShapeError(
            "`x` must have an even number of features, and `positions` must have shape (t,) or (b, t).",
            path="rotary_embedding",
            expected="an even number of features on the last axis, and positions (t,) or (b, t)",
            received=f"inputs {x.shape}, positions {positions.shape}, sequence_axis={sequence_axis}",
            write=None if features % 2 else "rotary_embedding(x, jnp.arange(t), sequence_axis=1)",
        )
    wide = jnp.promote_types(x.dtype, "float32")
    dtype = x.dtype if is_float(x.dtype) else wide
    exponents = lax.iota(wide, features // 2) * (-2.0 / features)
    speeds = jnp.power(jnp.asarray(max_wavelength, wide), exponents) / scaling_factor  # (c / 2,)
    angles = jnp.expand_dims(positions.astype(wide), -1) * jnp.expand_dims(speeds, tuple(range(positions.ndim)))
    own = {axis, x.ndim - 1} | ({0} if positions.ndim == 2 else set())
    angles = jnp.expand_dims(angles, [other for other in range(x.ndim) if other not in own])
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    if interleaved:
        pairs = jnp.reshape(x.astype(wide), (*x.shape[:-1], features // 2, 2))
        u, v = pairs[..., 0], pairs[..., 1]
        return jnp.reshape(jnp.stack([u * cos - v * sin, u * sin + v * cos], -1), x.shape).astype(dtype)
    u, v = jnp.split(x.astype(wide), 2, axis=-1)
    return jnp.concatenate([u * cos - v * sin, u * sin + v * cos], -1).astype(dtype)
