"""Boxes at random places, in which pixels are replaced: what `RandomErasing` and `CutMix` share."""

from collections.abc import Iterator

import jax.numpy as jnp

from jkeras.layers.augmentation.base import per_example, uniform
from jkeras.typing import Array, Key

Span = tuple[Array, Array]


def random_span(key: Key, length: int, fraction: Array) -> Span:
    """Where a stretch of an axis begins and ends, `(b,)` each: so much of it, anywhere within.

    >>> import jax
    >>> [edge.tolist() for edge in random_span(jax.random.key(0), 8, jnp.array([1.0]))]
    [[0.0], [8.0]]
    """
    extent = fraction * length
    start = uniform(key, fraction.shape) * (length - extent)
    return start, start + extent


def random_box(stream: Iterator[Key], width: int, height: int, across: Array, down: Array) -> tuple[Span, Span]:
    """A stretch of each row, and one of each column."""
    return random_span(next(stream), width, across), random_span(next(stream), height, down)


def inside(columns: Span, rows: Span, width: int, height: int, data_format: str) -> Array:
    """Whether each pixel is in the box of its example: `(b, h, w, 1)`, or `(b, 1, h, w)`.

    >>> box = (jnp.array([1.0]), jnp.array([2.0]))
    >>> inside(box, box, 2, 2, "channels_last")[0, ..., 0].tolist()
    [[False, False], [False, True]]
    """
    y_axis, x_axis = (1, 2) if data_format == "channels_last" else (2, 3)

    def within(span: Span, length: int, axis: int) -> Array:
        shape = [1, 1, 1, 1]
        shape[axis] = length
        place = jnp.arange(length, dtype="float32").reshape(shape)
        return (place >= per_example(span[0])) & (place < per_example(span[1]))

    return within(columns, width, x_axis) & within(rows, height, y_axis)
