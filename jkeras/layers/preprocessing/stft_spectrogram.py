"""STFTSpectrogram: which frequencies a signal has, window by window, computed as a convolution with trained kernels."""

import math
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, config, registry
from jkeras.core import InputSpec, Layer, Variable
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.functional import conv
from jkeras.initializers import STFT
from jkeras.typing import Array, Shape

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@registry.export("keras.layers")
class STFTSpectrogram(Layer):
    """The short-time Fourier transform of each channel, as a convolution whose kernels begin as the transform's basis.

        X[t, k] = sum over n of inputs[t * frame_step + n] * window[n] / scale * exp(-2 pi i n k / fft_length)

    `mode` says what of `X` comes out: `"real"`, `"imag"`, both one after the other (`"stft"`), the phase (`"angle"`),
    `|X|` (`"magnitude"`), `log |X|` (`"log"`), or `|X|^2`, doubled for the frequencies that stand for their negatives
    too (`"psd"`). `|X|` is at least `sqrt(epsilon)`, so that its gradient is finite.

    Args:
        mode: as above.
        frame_length: how many samples a window has.
        frame_step: how many samples lie between windows; by default half a window.
        fft_length: the resolution in frequency; by default the least power of two that is no less than a window.
        window: the name of a window in `scipy.signal.windows`, its values, or `None`.
        periodic: whether a named window is periodic; symmetric otherwise.
        scaling: `scale` is the window's norm (`"density"`), the sum of its magnitudes (`"spectrum"`), or 1 (`None`).
        padding: `"valid"`, or `"same"`, which pads zeros.
        expand_dims: whether frequencies get an axis of their own, instead of standing channel by channel on one axis.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Shapes:
        `(b, t, c)` -> `(b, windows, c * f)`, or `(b, windows, f, c)` with `expand_dims`; channels first `(b, c, t)` ->
        `(b, c * f, windows)`, or `(b, c, windows, f)`. `f` is `fft_length // 2 + 1`, twice that for `"stft"`.
        `real_kernel`, `imag_kernel (frame_length, 1, fft_length // 2 + 1)`, those that the mode needs.

    Raises:
        ArgumentError: an unknown mode, scaling, padding or window; a step longer than a window, or an `fft_length`
            shorter than one.

    >>> import jax
    >>> layer = STFTSpectrogram("magnitude", frame_length=4, window=None)
    >>> signal = jnp.array([1.0, -1.0] * 4).reshape(1, 8, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), signal), signal)[0].round(1)[0].tolist()
    [[0.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 4.0]]

    Source: J. B. Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 25(3), 1977; the kernels may be trained as in K. W. Cheuk
    et al., "nnAudio", IEEE Access 8, 2020.
    """

    real_kernel: Variable | None = None
    imag_kernel: Variable | None = None

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: str | Array | None = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.mode = mode
        write = "STFTSpectrogram(frame_length=256, frame_step=128, fft_length=256)"
        self.frame_length = arguments.positive_int(frame_length, "frame_length", "STFTSpectrogram", write)
        self.frame_step, self.fft_length = frame_step, fft_length
        step = max(frame_length // 2, 1) if frame_step is None else frame_step
        length = 2 ** math.ceil(math.log2(frame_length)) if fft_length is None else fft_length
        self.step = arguments.positive_int(step, "frame_step", "STFTSpectrogram", write)
        self.frequencies = arguments.positive_int(length, "fft_length", "STFTSpectrogram", write) // 2 + 1
        self.periodic, self.scaling, self.padding = bool(periodic), scaling, padding
        self.expand_dims = bool(expand_dims)
        self.data_format = config.standardize_data_format(data_format)
        self.window = STFT("real", window, scaling, self.periodic).window
        self._check()
        self._epsilon = config.epsilon()
        self.input_spec = InputSpec(ndim=3)

    def _check(self) -> None:
        for name, value, options in (("mode", self.mode, MODES), ("padding", self.padding, ("valid", "same"))):
            arguments.one_of(value, name, "STFTSpectrogram", options)
        if self.step > self.frame_length:
            rule, received = "`frame_step` must be at most `frame_length`", f"{self.step} and {self.frame_length}"
            wanted = f"frame_step <= frame_length = {self.frame_length}"
            write = f"STFTSpectrogram(frame_length={self.frame_length}, frame_step={self.frame_length})"
            raise ArgumentError.must(rule, received, path="STFTSpectrogram", expected=wanted, write=write)
        if self.fft_length is None:
            return
        if self.fft_length < self.frame_length:
            raise ArgumentError.must(
                "`fft_length` must be at least `frame_length`",
                f"{self.fft_length} and {self.frame_length}",
                path="STFTSpectrogram",
                expected=f"fft_length >= frame_length = {self.frame_length}",
                write=f"STFTSpectrogram(frame_length={self.frame_length}, fft_length={self.frame_length})",
            )

    def build(self, input_shape: Shape) -> None:
        shape = (self.frame_length, 1, self.frequencies)
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                initializer = STFT(side, self.window, self.scaling, self.periodic)
                setattr(self, f"{side}_kernel", self.add_weight(shape, initializer=initializer, name=f"{side}_kernel"))

    def call(self, inputs: Array) -> Array:
        real, imag = (self._transform(inputs, kernel) for kernel in (self.real_kernel, self.imag_kernel))
        return self._laid(self._of_mode(real, imag))

    def _transform(self, inputs: Array, kernel: Variable | None) -> Any:
        """`(b, t, c)` -> `(b, c, windows, f)`, every channel by itself."""
        if kernel is None:
            return None
        if self.data_format == "channels_last":
            inputs = inputs.swapaxes(1, 2)  # (b, c, t)
        batch, channels, length = inputs.shape
        outputs = conv(
            inputs.reshape(batch * channels, length, 1),
            kernel.value.astype(inputs.dtype),
            strides=self.step,
            padding=self.padding,
            data_format="channels_last",
            path=self._label,
        )
        return outputs.reshape(batch, channels, *outputs.shape[1:])

    def _of_mode(self, real: Array, imag: Array) -> Array:
        if self.mode in ("real", "imag"):
            array: Array = real if self.mode == "real" else imag
            return array
        if self.mode == "angle":
            return jnp.arctan2(imag, real)
        if self.mode == "stft":
            return jnp.concatenate([real, imag], axis=-1)
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":
            return power + jnp.pad(power[..., 1:-1], ((0, 0), (0, 0), (0, 0), (1, 1)))
        magnitude = jnp.sqrt(jnp.maximum(power, self._epsilon))
        return magnitude if self.mode == "magnitude" else jnp.log(jnp.maximum(magnitude, self._epsilon))

    def _laid(self, outputs: Array) -> Array:
        """`(b, c, windows, f)` in the layout that was asked for."""
        batch, channels, windows, frequencies = outputs.shape
        if self.expand_dims:
            return outputs if self.data_format == "channels_first" else outputs.transpose(0, 2, 3, 1)
        if self.data_format == "channels_first":
            return outputs.swapaxes(2, 3).reshape(batch, channels * frequencies, windows)
        return outputs.swapaxes(1, 2).reshape(batch, windows, channels * frequencies)
