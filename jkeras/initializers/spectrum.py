"""The kernel with which a one-dimensional convolution computes a short-time Fourier transform."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # loads `scipy.signal` when it is first used

from jkeras import arguments, dtypes
from jkeras.errors import ArgumentError, ShapeError
from jkeras.initializers.base import Initializer, family, static_shape
from jkeras.typing import Array, Config, DTypeLike, Key


@family.register("STFTInitializer")
class STFT(Initializer):
    """The real or imaginary part of a windowed discrete Fourier transform, as a kernel of shape `(t, 1, f)`.

        kernel[t, 0, k] = window[t] / scale * cos(2 * pi * t * k / n),    n = 2 * (f - 1)
                        = window[t] / scale * -sin(2 * pi * t * k / n)    for the imaginary part

    `scale` is the Euclidean norm of the window (`"density"`), the sum of its magnitudes (`"spectrum"`), or 1. The phase
    is reduced exactly, in integers, so that long windows lose no digits.

    Args:
        side: `"real"` or `"imag"`.
        window: the name of a window in `scipy.signal.windows`, the `t` values themselves, or `None` for none.
        scaling: `"density"`, `"spectrum"` or `None`. Without window there is no scaling.
        periodic: whether a named window is periodic; symmetric otherwise.

    Raises:
        ArgumentError: an argument that is not one of these.
        ShapeError: a call asks for a shape that is not `(t, 1, f)` with `f >= 2`, or the window has not `t` values.

    >>> from jkeras import initializers
    >>> kernel = initializers.STFT(window=None)((4, 1, 3))[:, 0]
    >>> abs(kernel.round()).astype(int).tolist()
    [[1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 0, 1]]

    Source: Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 25(3), 1977.
    """

    def __init__(
        self,
        side: str = "real",
        window: str | Sequence[float] | np.ndarray | Array | None = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        arguments.one_of(side, "side", "STFT", ("real", "imag"))
        arguments.one_of(scaling, "scaling", "STFT", ("density", "spectrum", None))
        self.side, self.scaling, self.periodic = side, scaling, bool(periodic)
        self.window = _checked_window(window)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """The kernel."""
        sizes = static_shape(shape, "STFT")
        if len(sizes) != 3 or sizes[1] != 1 or sizes[2] < 2:
            raise ShapeError(
                "`shape` must be (t, 1, f) with f >= 2, the kernel of a Fourier transform.",
                path="STFT",
                expected="(t, 1, f), f >= 2",
                received=f"shape {sizes}",
                write="STFT()((256, 1, 129))",
            )
        dtype = dtypes.standardize(dtype)
        kernel = _fourier(sizes[0], sizes[2], self.side, jnp.promote_types(dtype, "float32").name)
        window = self._scaled_window(sizes[0])  # (t,)
        if window is not None:
            kernel = kernel * jnp.asarray(window[:, None, None], kernel.dtype)
        array: Array = kernel.astype(dtype)
        return array

    def _scaled_window(self, length: int) -> np.ndarray | None:
        if self.window is None:
            return None
        window: np.ndarray
        if isinstance(self.window, str):
            window = scipy.signal.get_window(self.window, length, fftbins=self.periodic)
        else:
            window = np.asarray(self.window)
        if window.shape != (length,):
            rule = f"`window` must have {length} numbers, one for each step of the kernel"
            write = "STFT(window='hann')   # of any length"
            wanted = f"shape ({length},)"
            raise ShapeError.must(rule, f"shape {window.shape}", path="STFT", expected=wanted, write=write)
        if self.scaling is None:
            return window
        scaled: np.ndarray = window / (
            np.sqrt(np.sum(window**2)) if self.scaling == "density" else np.sum(np.abs(window))
        )
        return scaled

    def get_config(self) -> Config:
        """`{"side", "window", "periodic", "scaling"}`."""
        window = list(self.window) if isinstance(self.window, tuple) else self.window
        return {"side": self.side, "window": window, "periodic": self.periodic, "scaling": self.scaling}


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fourier(length: int, frequencies: int, side: str, dtype: str) -> Array:
    period = 2 * (frequencies - 1)
    time = jnp.arange(length)[:, None, None] % period
    frequency = jnp.arange(frequencies)[None, None, :]
    shape = (length, 1, frequencies)
    turns = jnp.broadcast_to(time, shape) * jnp.broadcast_to(frequency, shape) % period  # (t, 1, f)
    angle = turns.astype(dtype) * (-2 * math.pi / period)
    return jnp.cos(angle) if side == "real" else jnp.sin(angle)


def _checked_window(window: Any) -> str | tuple[float, ...] | None:
    if window is None:
        return None
    if isinstance(window, str):
        try:
            scipy.signal.get_window(window, 1)
        except ValueError as error:
            raise ArgumentError(
                f"`window` must be a name in scipy.signal.windows, got {window!r}.",
                path="STFT",
                expected="a name in scipy.signal.windows",
                received=repr(window),
                write="STFT(window='hann')",
            ) from error
        return window
    values = np.asarray(window)
    if values.ndim != 1:
        rule, write = "`window` must have one axis", "STFT(window='hann')"
        raise ArgumentError.must(rule, f"shape {values.shape}", path="STFT", write=write)
    return tuple(values.tolist())
