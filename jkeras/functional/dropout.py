"""Dropout: entries are set to zero at random, and the others scaled so that the mean stays."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.errors import ShapeError
from jkeras.typing import Array, Key


def dropout(inputs: Array, rate: float, key: Key, noise_shape: Sequence[int | None] | None = None) -> Array:
    """Sets entries to zero with probability `rate`, and divides the others by `1 - rate`.

    `outputs = keep * inputs / (1 - rate)`, `keep ~ Bernoulli(1 - rate)`

    Args:
        inputs: floats.
        rate: a fraction in [0, 1].
        key: a PRNG key; one tensor of bits is drawn from it.
        noise_shape: the shape of `keep`, which is broadcast to that of `inputs`; `None` entries, and `None`, are the
            dimensions of `inputs`.

    Returns:
        The shape and dtype of `inputs`.

    Raises:
        ShapeError: `noise_shape` does not have one entry per axis of the inputs.

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.

    >>> import jax, jax.numpy as jnp
    >>> dropout(jnp.ones(6), 0.5, jax.random.key(0)).tolist()
    [0.0, 0.0, 2.0, 2.0, 0.0, 2.0]
    """
    if rate == 0:
        return inputs
    if rate == 1:
        return jnp.zeros_like(inputs)
    keep = jax.random.bernoulli(key, 1 - rate, noise_dimensions(inputs.shape, noise_shape))
    return jnp.where(jnp.broadcast_to(keep, inputs.shape), inputs / (1 - rate), jnp.zeros((), inputs.dtype))


def noise_dimensions(shape: Sequence[Any], noise_shape: Sequence[int | None] | None) -> tuple[Any, ...]:
    """A noise shape whose `None` entries are filled in from the inputs' shape. Raises `ShapeError` for another rank.

    >>> noise_dimensions((8, 5, 3), (None, 1, None))
    (8, 1, 3)
    """
    if noise_shape is None:
        return tuple(shape)
    if len(noise_shape) != len(shape):
        rule = f"`noise_shape` must have one entry per axis of the inputs, {len(shape)}"
        wanted = f"{len(shape)} entries, for inputs of shape {tuple(shape)}"
        write = f"noise_shape={(None, *(1,) * (len(shape) - 1))}   # 1 where it is shared, else None"
        raise ShapeError.must(rule, tuple(noise_shape), path="noise_shape", expected=wanted, write=write)
    return tuple(size if noise is None else noise for size, noise in zip(shape, noise_shape, strict=True))
