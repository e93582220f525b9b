"""Windows: what convolution and pooling share.

A window of `size` elements, `dilation` apart, covers `extent = (size - 1) * dilation + 1`. On an axis of `n` elements

    valid    floor((n - extent) / stride) + 1
    causal   floor((n - 1) / stride) + 1          valid, on `extent - 1` elements more
    same     ceil(n / stride)

windows fit; the last two are the same number.
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


def check_windows(spatial: Sequence[Any], extents: Sequence[int], padding: str, path: str) -> None:
    """Raises `ShapeError` where no window fits on some axis. Dimensions that are not known are not checked.

    >>> check_windows((28, 28), (3, 3), "valid", "conv")
    """
    least = tuple(extents) if padding == "valid" else (1,) * len(extents)
    if any(isinstance(n, int) and n < extent for n, extent in zip(spatial, least, strict=True)):
        raise ShapeError(
            "the input is smaller than one window; nothing would be left of it.",
            path=path,
            expected=f"spatial dimensions of at least {least}",
            received=f"{tuple(spatial)}",
            write='padding="same"' if padding == "valid" else None,
        )
