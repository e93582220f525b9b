"""Fourier transforms in the table. Keras's complex numbers are pairs of real arrays."""

import jax.numpy as jnp

from jkeras.core.lift import lift, listed
from jkeras.functional import signal
from jkeras.typing import Array

extract_sequences = lift(signal.extract_sequences, "extract_sequences")
istft = lift(signal.istft, "istft")
stft = lift(signal.stft, "stft")


def _pair(z: Array) -> tuple[Array, Array]:
    return jnp.real(z), jnp.imag(z)


@listed
def fft(x: tuple[Array, Array]) -> tuple[Array, Array]:
    """The discrete Fourier transform along the last axis.

        outputs[..., k] = sum_j x[..., j] exp(-2 pi i j k / n)

    Args:
        x: real and imaginary part, `(..., n)` each, float32 or float64.

    Returns:
        Real and imaginary part, `(..., n)` each, in the dtype of `x`.

    Raises:
        ShapeError: `x` is not two floating arrays of one shape.

    Source: J. Cooley and J. Tukey, "An algorithm for the machine calculation of complex Fourier series", Mathematics
    of Computation 19(90), 1965.

    >>> real, imag = fft((jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.zeros(4)))
    >>> real.tolist(), imag.tolist()
    ([10.0, -2.0, -2.0, -2.0], [0.0, 2.0, 0.0, -2.0])
    """
    return _pair(jnp.fft.fft(signal.join_complex(x, "fft")))


@listed
def fft2(x: tuple[Array, Array]) -> tuple[Array, Array]:
    """The discrete Fourier transform along the last two axes.

        outputs[..., k, l] = sum_{p, q} x[..., p, q] exp(-2 pi i (p k / m + q l / n))

    Args:
        x: real and imaginary part, `(..., m, n)` each, float32 or float64.

    Returns:
        Real and imaginary part, `(..., m, n)` each, in the dtype of `x`.

    Raises:
        ShapeError: `x` is not two floating arrays of one shape.

    >>> real, imag = fft2((jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.zeros((2, 2))))
    >>> real.tolist(), imag.tolist()
    ([[10.0, -2.0], [-4.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]])
    """
    return _pair(jnp.fft.fft2(signal.join_complex(x, "fft2")))


@listed
def ifft2(x: tuple[Array, Array]) -> tuple[Array, Array]:
    """The inverse of `fft2`: the array whose discrete Fourier transform is given.

        outputs[..., p, q] = 1 / (m n) sum_{k, l} x[..., k, l] exp(2 pi i (p k / m + q l / n))

    Args:
        x: real and imaginary part, `(..., m, n)` each, float32 or float64.

    Returns:
        Real and imaginary part, `(..., m, n)` each, in the dtype of `x`.

    Raises:
        ShapeError: `x` is not two floating arrays of one shape.

    >>> real, imag = ifft2((jnp.array([[10.0, -2.0], [-4.0, 0.0]]), jnp.zeros((2, 2))))
    >>> real.tolist(), imag.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]])
    """
    return _pair(jnp.fft.ifft2(signal.join_complex(x, "ifft2")))


@listed
def rfft(x: Array, fft_length: int | None = None) -> tuple[Array, Array]:
    """The discrete Fourier transform of real numbers along the last axis, without its redundant half.

        outputs[..., k] = sum_j x[..., j] exp(-2 pi i j k / fft_length),    k <= fft_length / 2

    The others are the complex conjugates of these.

    Args:
        x: `(..., t)`, float32, float64 or integers.
        fft_length: the number of transformed elements: later ones are dropped, missing ones are zero. All `t` by
            default.

    Returns:
        Real and imaginary part, `(..., fft_length // 2 + 1)` each; float32, or float64 of float64.

    >>> real, imag = rfft(jnp.array([1.0, 2.0, 3.0, 4.0]))
    >>> real.tolist(), imag.tolist()
    ([10.0, -2.0, -2.0], [0.0, 2.0, 0.0])
    """
    return _pair(jnp.fft.rfft(x, fft_length))


@listed
def irfft(x: tuple[Array, Array], fft_length: int | None = None) -> Array:
    """The inverse of `rfft`: the real numbers whose discrete Fourier transform is given by its first half.

        outputs[..., j] = 1 / fft_length sum_k x[..., k] exp(2 pi i j k / fft_length),    k < fft_length

    where `x[..., fft_length - k]` is the complex conjugate of `x[..., k]`.

    Args:
        x: real and imaginary part, `(..., n)` each, float32 or float64. Of frequency 0 the imaginary part does not
            count, nor of frequency `fft_length / 2`.
        fft_length: the length of the result; `2 (n - 1)` by default, which is even: of odd lengths it must be
            told. Frequencies above `fft_length / 2` are dropped, missing ones are zero.

    Returns:
        `(..., fft_length)`, in the dtype of `x`.

    Raises:
        ShapeError: `x` is not two floating arrays of one shape.

    >>> irfft((jnp.array([10.0, -2.0, -2.0]), jnp.array([0.0, 2.0, 0.0]))).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return jnp.fft.irfft(signal.join_complex(x, "irfft"), fft_length)


__all__ = [
    "extract_sequences",
    "fft",
    "fft2",
    "ifft2",
    "irfft",
    "istft",
    "rfft",
    "stft",
]
