"""How many windows fit: the arithmetic shared by convolution and pooling.

A window of `size` elements, `dilation` apart, covers `extent = (size - 1) * dilation + 1`. On an axis of `n` elements

    valid    floor((n - extent) / stride) + 1
    causal   floor((n - 1) / stride) + 1          valid, on `extent - 1` elements more
    same     ceil(n / stride)

windows fit; the last two are the same number. Dimensions may be integers, `None` (unknown stays unknown) or symbolic
dimensions of `jax.export`.
"""

from collections.abc import Sequence
from typing import Any

from jkeras.errors import ShapeError


def window_extent(size: int, dilation: int = 1) -> int:
    """How many elements a dilated window covers.

    >>> window_extent(3), window_extent(3, dilation=2)
    (3, 5)
    """
    return (size - 1) * dilation + 1


def window_count(n: Any, extent: int, stride: int, padding: str) -> Any:
    """How many windows fit on an axis of `n` elements.

    >>> window_count(7, 3, 2, "valid"), window_count(7, 3, 2, "same"), window_count(None, 3, 2, "same")
    (3, 4, None)
    """
    if n is None:
        return None
    if padding == "same":
        return -(-n // stride)
    return (n - (extent if padding == "valid" else 1)) // stride + 1


def window_counts(
    spatial: Sequence[Any], extents: Sequence[int], strides: Sequence[int], padding: str, path: str
) -> tuple[Any, ...]:
    """`window_count` on every spatial axis; raises `ShapeError` where nothing would be left.

    >>> window_counts((28, None), (3, 3), (1, 1), "valid", "conv")
    (26, None)
    """
    counts = tuple(
        window_count(n, extent, stride, padding) for n, extent, stride in zip(spatial, extents, strides, strict=True)
    )
    if any(isinstance(count, int) and count <= 0 for count in counts):
        raise ShapeError(
            "the input is smaller than one window; nothing would be left of it.",
            path=path,
            expected=f"spatial dimensions of at least {tuple(extents)}",
            received=f"{tuple(spatial)}",
            write='padding="same"' if padding == "valid" else None,
        )
    return counts
