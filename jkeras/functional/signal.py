"""Signals over time: frames, short-time Fourier transforms and back, mel filters.

Time is the last axis. Complex numbers are pairs of real arrays, as Keras has them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.windows import frames
from jkeras.typing import Array, DTypeLike

COSINES = {"hann": 0.5, "hamming": 0.54}
MEL_BREAK, MEL_Q = 700.0, 1127.0  # mel(f) = 1127 ln(1 + f / 700)


def extract_sequences(x: Array, sequence_length: int, sequence_stride: int) -> Array:
    """Windows of the last axis: `outputs[..., i, j] = x[..., i sequence_stride + j]`.

    Args:
        x: `(..., t)`.
        sequence_length: the length of a window.
        sequence_stride: steps between the starts of windows.

    Returns:
        `(..., 1 + (t - sequence_length) // sequence_stride, sequence_length)`.

    Raises:
        ArgumentError: a length or stride is not an int >= 1.

    >>> extract_sequences(jnp.arange(1, 7), 3, 2).tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    (length,) = standardize_tuple(sequence_length, 1, "sequence_length", "extract_sequences")
    (stride,) = standardize_tuple(sequence_stride, 1, "sequence_stride", "extract_sequences")
    return frames(x, -1, length, stride)


def overlap_add(x: Array, stride: int) -> Array:
    """The sum of frames laid `stride` apart; the transpose of `extract_sequences`.

    Args:
        x: `(..., n, size)`.
        stride: steps between the starts of frames.

    Returns:
        `(..., (n - 1) stride + size)`.

    >>> overlap_add(jnp.ones((3, 4)), 2).tolist()
    [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]
    """
    *_, n, size = x.shape
    parts = -(-size // stride)  # a frame reaches over this many strides
    before = [(0, 0, 0)] * (x.ndim - 2)
    zero = jnp.zeros((), x.dtype)
    whole = lax.pad(x, zero, [*before, (0, 0, 0), (0, parts * stride - size, 0)])
    laid = [
        lax.pad(
            whole[..., part * stride : (part + 1) * stride], zero, [*before, (part, parts - 1 - part, 0), (0, 0, 0)]
        )
        for part in range(parts)
    ]
    total = jnp.reshape(sum(laid[1:], laid[0]), (*x.shape[:-2], (n + parts - 1) * stride))
    return total[..., : (n - 1) * stride + size]


def stft(
    x: Array,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | Array | np.ndarray | None = "hann",
    center: bool = True,
) -> tuple[Array, Array]:
    """Short-time Fourier transform: that of every windowed frame.

        outputs[..., i, k] = sum_j window[j] x[..., i sequence_stride + j] exp(-2 pi i j k / fft_length)

    Args:
        x: `(..., t)`, float32 or float64.
        sequence_length: the length of the window; zeros around it fill up to `fft_length`.
        sequence_stride: steps between the starts of frames.
        fft_length: the length of a frame.
        window: `"hann"`, `"hamming"`, an array `(sequence_length,)`, or `None` for ones.
        center: reflect the signal at both ends, so that frame `i` is centred at `i sequence_stride`.

    Returns:
        Real and imaginary part, `(..., frames, fft_length // 2 + 1)` each.

    Raises:
        ArgumentError: lengths do not fit, or the window is unknown.
        ShapeError: the signal is of another dtype.

    Source: J. Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform", IEEE
    Transactions on Acoustics, Speech and Signal Processing 25(3), 1977.

    >>> real, imag = stft(jnp.array([1.0, 0.0, 1.0, 0.0]), 4, 4, 4, window=None, center=False)
    >>> real.tolist(), imag.tolist()
    ([[2.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]])
    """
    (stride,) = standardize_tuple(sequence_stride, 1, "sequence_stride", "stft")
    weights = _window(window, sequence_length, fft_length, x.dtype, "stft")
    if center:
        half = fft_length // 2
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    framed = frames(x, -1, fft_length, stride)  # (..., n, fft_length)
    spectra = jnp.fft.rfft(framed if weights is None else framed * jnp.reshape(weights, (1,) * (x.ndim) + (-1,)))
    return jnp.real(spectra), jnp.imag(spectra)


def istft(
    x: tuple[Array, Array],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | Array | np.ndarray | None = "hann",
    center: bool = True,
) -> Array:
    """The signal of a short-time Fourier transform: windowed frames added, over the sum of squared windows.

        outputs[t] = sum_i window[j] frame_i[j] / sum_i window[j]^2,    j = t - i sequence_stride

    which is the signal whose transform is nearest to the given one. Without a window the quotient is multiplied by
    `fft_length / sequence_stride`, the number of frames over one element, so that it is the sum of the frames.

    Args:
        x: real and imaginary part, `(..., frames, fft_length // 2 + 1)` each.
        sequence_length, sequence_stride, fft_length, window, center: as given to `stft`.
        length: the length of the signal; by default all elements under frames, without the padding of `center`.

    Returns:
        `(..., t)`, in the dtype of the real part.

    Raises:
        ArgumentError: lengths do not fit, or the window is unknown.
        ShapeError: the two parts have different shapes, or a dtype that is neither float32 nor float64.

    Source: D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Transactions
    on Acoustics, Speech and Signal Processing 32(2), 1984.

    >>> signal = jnp.arange(8.0)
    >>> istft(stft(signal, 4, 2, 4), 4, 2, 4).round().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    standardize_tuple(sequence_stride, 1, "sequence_stride", "istft")
    spectra = join_complex(x, "istft")
    if spectra.ndim < 2:
        raise ShapeError(
            f"`x` must have an axis of frames and an axis of frequencies, got rank {spectra.ndim}.",
            path="istft",
            expected="rank 2 or more",
            received=f"rank {spectra.ndim}",
            write="istft(stft(signal, 256, 128, 256), 256, 128, 256)",
        )
    weights = _window(window, sequence_length, fft_length, x[0].dtype, "istft")
    framed = jnp.fft.irfft(spectra, fft_length)  # (..., n, fft_length)
    if weights is None:
        scale, weights = fft_length / sequence_stride, jnp.ones(fft_length, framed.dtype)
    else:
        scale = 1.0
    row = jnp.expand_dims(weights, 0)
    total = overlap_add(framed * jnp.reshape(weights, (1,) * (framed.ndim - 1) + (-1,)), sequence_stride)
    squares = overlap_add(jnp.broadcast_to(row * row, framed.shape[-2:]), sequence_stride)
    # where no window reaches, the sum is rounding noise and the signal unknown; it is left as it came
    squares = jnp.where(squares > 1e-10, squares, 1.0) / scale
    signal = total / jnp.reshape(squares, (1,) * (total.ndim - 1) + (-1,))
    start = fft_length // 2 if center else 0
    return signal[..., start : (signal.shape[-1] - start if length is None else start + length)]


def join_complex(x: Any, path: str) -> Array:
    """One complex array out of its real and imaginary part.

    >>> join_complex((jnp.zeros(1), jnp.ones(1)), "fft").tolist()
    [1j]
    """
    if not isinstance(x, tuple | list) or len(x) != 2:
        rule, write = "`x` must be a pair of arrays (real, imaginary)", f"{path}((jnp.real(x), jnp.imag(x)))"
        raise ShapeError.must(rule, type(x).__name__, path=path, write=write)
    real, imaginary = x
    if real.shape != imaginary.shape or not jnp.issubdtype(jnp.result_type(real, imaginary), jnp.floating):
        raise ShapeError(
            "the real and the imaginary part must be floating-point arrays of the same shape.",
            path=path,
            expected="two floating arrays of one shape",
            received=f"{real.dtype} {real.shape} and {imaginary.dtype} {imaginary.shape}",
            write=f"{path}((x.astype('float32'), jnp.zeros_like(x, 'float32')))   # of a real array",
        )
    return lax.complex(real, imaginary)


def mel_filters(
    num_mel_bins: int,
    num_spectrogram_bins: int,
    sampling_rate: float,
    lower_edge_hertz: float,
    upper_edge_hertz: float,
    dtype: DTypeLike = "float32",
) -> Array:
    """Triangles over frequencies, whose corners are evenly spaced on the mel scale `1127 ln(1 + hertz / 700)`.

    A triangle rises from 0 to 1 between its lower corner and its centre and falls to 0 at its upper corner, in mel;
    its neighbours' centres are its corners. Frequency 0 belongs to none.

    Args:
        num_mel_bins: the number of triangles.
        num_spectrogram_bins: the number of frequencies, from 0 to half of the sampling rate, evenly spaced in hertz.
        sampling_rate: elements of the signal per second.
        lower_edge_hertz, upper_edge_hertz: the outermost corners.
        dtype: that of the result.

    Returns:
        `(num_spectrogram_bins, num_mel_bins)`: a spectrum times this matrix is its mel spectrum.

    Raises:
        ArgumentError: `lower_edge_hertz` is negative, or not less than `upper_edge_hertz`.

    Source: S. Young et al., "The HTK Book", section 5.6.

    >>> [round(x, 3) for x in mel_filters(1, 5, 8000, 0.0, 4000.0)[:, 0].tolist()]
    [0.0, 0.932, 0.582, 0.251, 0.0]
    """
    if not 0 <= lower_edge_hertz < upper_edge_hertz:
        raise ArgumentError(
            "`lower_edge_hertz` must be at least 0 and less than `upper_edge_hertz`.",
            path="mel_filters",
            expected="0 <= lower_edge_hertz < upper_edge_hertz",
            received=f"{lower_edge_hertz} and {upper_edge_hertz}",
            write=f"lower_edge_hertz=0.0, upper_edge_hertz={sampling_rate / 2}",
        )
    # in NumPy's float64: a constant of the program, rounded once
    hertz = np.linspace(0.0, sampling_rate / 2, num_spectrogram_bins)[:, None]
    edges = np.array([[lower_edge_hertz, upper_edge_hertz]], "float64")
    mel, (first, last) = (MEL_Q * np.log1p(each / MEL_BREAK) for each in (hertz, edges[0]))
    corners = np.linspace(first, last, num_mel_bins + 2)[None]
    lower, centre, upper = corners[:, :-2], corners[:, 1:-1], corners[:, 2:]
    weights = np.maximum(0.0, np.minimum((mel - lower) / (centre - lower), (upper - mel) / (upper - centre)))
    weights[0] = 0.0
    return jnp.asarray(weights, dtype)


def _window(
    window: str | Array | np.ndarray | None, length: int, fft_length: int, dtype: DTypeLike, path: str
) -> Array | None:
    """The window in the middle of `fft_length` elements; `None` where there is none."""
    if dtype not in ("float32", "float64"):
        rule, write = "the signal must be float32 or float64", f"{path}(x.astype('float32'), ...)"
        raise ShapeError.must(rule, dtype, path=path, write=write)
    if fft_length < length:
        rule, write = f"`fft_length` must be at least `sequence_length`, {length}", f"{path}(..., fft_length={length})"
        raise ArgumentError.must(rule, fft_length, path=path, write=write)
    if window is None:
        return None
    if isinstance(window, str):
        if window not in COSINES:
            rule, write = "`window` must be 'hann', 'hamming', an array or None", f"{path}(..., window='hann')"
            raise ArgumentError.must(rule, repr(window), path=path, write=write)
        mean = COSINES[window]
        window = mean - (1 - mean) * np.cos(2 * np.pi * np.arange(length) / length)  # of one period, in float64
    weights = jnp.asarray(window, dtype)
    if weights.shape != (length,):
        raise ArgumentError(
            f"`window` must have shape ({length},), one weight per element of a frame, got {weights.shape}.",
            path=path,
            expected=f"shape ({length},)",
            received=f"shape {weights.shape}",
            write=f"{path}(..., window=jnp.hanning({length}))",
        )
    before = (fft_length - length) // 2
    return jnp.pad(weights, (before, fft_length - length - before))
