"""Pixels on another scale: from the range of their values to bytes or to [0, 1], and back."""

from typing import Any

from jkeras.typing import Array

Range = tuple[Any, Any]


def rescale(images: Array, source: Range, target: Range) -> Array:
    """The affine map that takes one range to the other; the images themselves where both are the same.

    >>> import jax.numpy as jnp
    >>> rescale(jnp.array([-1.0, 0.0, 1.0]), (-1, 1), (0, 255)).tolist()
    [0.0, 127.5, 255.0]
    """
    if tuple(source) == tuple(target):
        return images
    array: Array = (images - source[0]) / (source[1] - source[0]) * (target[1] - target[0]) + target[0]
    return array


def to_bytes(images: Array, value_range: Range) -> Array:
    """On the scale of bytes, still floats."""
    return rescale(images, value_range, (0, 255))


def from_bytes(images: Array, value_range: Range) -> Array:
    """Back from the scale of bytes."""
    return rescale(images, (0, 255), value_range)
