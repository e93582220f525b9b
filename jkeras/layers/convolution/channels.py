"""Channels: the one dimension that a convolution must know before it is built."""

from typing import Any

from jkeras.errors import BuildError


def known_channels(input_shape: Any, axis: int, path: str) -> int:
    """The number of channels of a shape. Raises `BuildError` where it is not known.

    >>> known_channels((None, 28, 28, 3), 3, "conv")
    3
    """
    channels = input_shape[axis]
    if channels is None:
        raise BuildError(
            "the number of channels is not known, so the kernel has no shape.",
            path=path,
            expected=f"an int as dimension {axis}",
            received=input_shape,
            write="jkeras.Input((28, 28, 3))   # or data_format=..., if the channels are on another axis",
        )
    return channels
