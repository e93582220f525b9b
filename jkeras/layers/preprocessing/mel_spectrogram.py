"""MelSpectrogram: how loud a signal is, window by window, in bands that are as wide as the ear hears them."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.functional.signal import mel_filters, stft
from jkeras.typing import Array


@registry.export("keras.layers")
class MelSpectrogram(Layer):
    """`|X|^mag_exp`, summed over triangular bands of equal width in mel, in decibels.

        X[t, k]      = sum over n of padded[t * sequence_stride + n] * window[n] * exp(-2 pi i n k / fft_length)
        bands[m, t]  = sum over k of weights[k, m] * |X[t, k]|^mag_exp
        decibels     = 10 log10(max(bands, min_power)) - 10 log10(max(|ref_power|, min_power))
        outputs      = max(decibels, max over all entries of decibels - top_db)

    The signal is padded by `fft_length // 2` reflected samples on either side, so that window `t` has its middle at
    sample `t * sequence_stride`. Note that `top_db` is below the loudest entry of the whole batch.

    Args:
        fft_length: the length of the transform.
        sequence_stride: how many samples lie between windows.
        sequence_length: the length of a window, `fft_length` by default; it stands in the middle of the transform.
        window: `"hann"`, `"hamming"`, the values of a window, or `None`.
        sampling_rate: samples per second.
        num_mel_bins: how many bands there are.
        min_freq, max_freq: the edges of the bands in hertz; up to half the sampling rate by default.
        power_to_db: whether the outputs are decibels, or the bands themselves.
        top_db: how far below the loudest entry the outputs may go.
        mag_exp: 2 for power, 1 for magnitude.
        min_power: what counts as silence.
        ref_power: what 0 dB is.

    Shapes:
        `(t,)` -> `(num_mel_bins, windows)`; `(b, t)` -> `(b, num_mel_bins, windows)`, in the compute dtype, computed in
        float32 at least; `windows = 1 + t // sequence_stride` for an even `fft_length`.

    Raises:
        ArgumentError: a length is not a positive int, frequencies are out of order, a window is longer than the
            transform, or unknown.

    >>> import jax
    >>> layer = MelSpectrogram(64, 32, num_mel_bins=4, sampling_rate=1000)
    >>> tone = jnp.sin(2 * jnp.pi * 250 * jnp.arange(128) / 1000)  # 250 Hz
    >>> layer.stateless_call(*layer.init(jax.random.key(0), tone), tone)[0].argmax(0).tolist()
    [2, 2, 2, 2, 2]

    Source: S. S. Stevens, J. Volkmann and E. B. Newman, "A scale for the measurement of the psychological magnitude
    pitch", JASA 8, 1937; the formula is D. O'Shaughnessy's, "Speech Communication", 1987.
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: str | Array | None = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        write = "MelSpectrogram(fft_length=2048, sequence_stride=512)"
        self.fft_length = arguments.positive_int(fft_length, "fft_length", "MelSpectrogram", write)
        self.sequence_stride = arguments.positive_int(sequence_stride, "sequence_stride", "MelSpectrogram", write)
        self.sequence_length = arguments.positive_int(
            sequence_length or fft_length, "sequence_length", "MelSpectrogram", write
        )
        if self.sequence_length > self.fft_length:
            rule = "`sequence_length` must be at most `fft_length`"
            received = f"{self.sequence_length} and {self.fft_length}"
            wanted = f"sequence_length <= fft_length = {fft_length}"
            write = f"MelSpectrogram(fft_length={self.sequence_length}, sequence_length={self.sequence_length})"
            raise ArgumentError.must(rule, received, path="MelSpectrogram", expected=wanted, write=write)
        self.window = _checked_window(window, self.sequence_length)
        self.sampling_rate = sampling_rate
        self.num_mel_bins = arguments.positive_int(num_mel_bins, "num_mel_bins", "MelSpectrogram", write)
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        if not 0 <= self.min_freq < self.max_freq:
            raise ArgumentError(
                f"`min_freq` must be >= 0 and less than `max_freq`, got {self.min_freq} and {self.max_freq}.",
                path="MelSpectrogram",
                expected="0 <= min_freq < max_freq",
                received=f"min_freq={self.min_freq}, max_freq={self.max_freq}",
                write="MelSpectrogram(min_freq=20.0, max_freq=8000.0)",
            )
        self.power_to_db, self.top_db = bool(power_to_db), top_db
        self.mag_exp, self.min_power, self.ref_power = mag_exp, min_power, ref_power
        self.autocast = False  # half precision cannot hold powers

    def call(self, inputs: Array) -> Array:
        inputs = inputs.astype(jnp.promote_types(self.compute_dtype, "float32"))
        window = np.asarray(self.window) if isinstance(self.window, list) else self.window
        real, imag = stft(inputs, self.sequence_length, self.sequence_stride, self.fft_length, window)
        power = jnp.square(real) + jnp.square(imag)  # (..., windows, f)
        magnitude = power if self.mag_exp == 2 else power ** (self.mag_exp / 2)
        filters = mel_filters(
            self.num_mel_bins, power.shape[-1], self.sampling_rate, self.min_freq, self.max_freq, power.dtype
        )
        outputs = (magnitude @ filters).swapaxes(-1, -2)  # (..., bands, windows)
        return (self._decibels(outputs) if self.power_to_db else outputs).astype(self.compute_dtype)

    def _decibels(self, power: Array) -> Array:
        reference = 10 * np.log10(max(abs(self.ref_power), self.min_power))
        decibels = 10 * jnp.log10(jnp.maximum(power, self.min_power)) - reference
        return jnp.maximum(decibels, decibels.max() - self.top_db)


def _checked_window(window: str | Array | np.ndarray | Sequence[float] | None, length: int) -> Any:
    """A window as a name or a list of numbers."""
    if window is None or (isinstance(window, str) and window in ("hann", "hamming")):
        return window
    values = np.asarray(window)
    if values.dtype.kind not in "iuf" or values.shape != (length,):
        raise ArgumentError(
            f"`window` must be 'hann', 'hamming', None or {length} numbers, got {arguments.shown(window)}.",
            path="MelSpectrogram",
            expected=f"'hann', 'hamming', None, or {length} numbers",
            received=repr(window)[:60],
            write="MelSpectrogram(window='hann')",
        )
    return values.tolist()
