"""One row per public initializer and way to make it. Between them the rows move each argument off its default."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras import initializers


@dataclasses.dataclass(frozen=True)
class Initializer:
    """A public name, arguments of the constructor, and a shape to call it with."""

    name: str
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shape: tuple[int, ...] = (6, 5)
    draws: bool = True

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.kwargs.items()), str(self.shape)])

    def of(self, library: Any, **more: Any) -> Any:
        """The initializer of `jkeras.initializers` or `keras.initializers`."""
        return getattr(library, self.name)(**self.kwargs, **more)

    def make(self, **more: Any) -> Any:
        """Ours."""
        return self.of(initializers, **more)


def fixed(name: str, kwargs: Mapping[str, Any] | None = None, shape: tuple[int, ...] = (6, 5)) -> Initializer:
    """A row of an initializer that draws nothing."""
    return Initializer(name, kwargs or {}, shape, draws=False)


PRESETS = ("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform")
AXES = {"input_axes": [0, 2], "output_axes": [1]}

DRAWN = (
    Initializer("RandomNormal"),
    Initializer("RandomNormal", {"mean": 0.7, "stddev": 1.3}),
    Initializer("TruncatedNormal"),
    Initializer("TruncatedNormal", {"mean": 0.7, "stddev": 1.3}),
    Initializer("RandomUniform"),
    Initializer("RandomUniform", {"minval": -0.3, "maxval": 1.7}),
    Initializer("VarianceScaling"),
    Initializer("VarianceScaling", {"scale": 0.3, "mode": "fan_out", "distribution": "uniform"}),
    Initializer("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}),
    Initializer("VarianceScaling", {"distribution": "normal"}, (3, 2, 4, 5)),
    Initializer("VarianceScaling", AXES, (4, 3, 2)),
    Initializer("VarianceScaling", {"mode": "fan_avg"}, (7,)),
    Initializer("VarianceScaling", {"mode": "fan_out"}, ()),
    *(Initializer(name) for name in PRESETS),
    Initializer("HeNormal", AXES, (4, 3, 2)),
    Initializer("Orthogonal"),
    Initializer("Orthogonal", {"gain": 2.5}, (3, 7)),
    Initializer("Orthogonal", {"gain": 0.5}, (2, 3, 2, 4)),
)
FIXED = (
    fixed("Constant"),
    fixed("Constant", {"value": 2.5}),
    fixed("Constant", {"value": 3}, ()),
    fixed("Constant", {"value": [0.5, 1.5, 2.5]}, (2, 3)),
    fixed("Constant", {"value": np.array([[1.0], [2.0]], "float32")}, (2, 3)),
    fixed("Zeros"),
    fixed("Ones"),
    fixed("Identity"),
    fixed("Identity", {"gain": 2.5}, (3, 5)),
    fixed("STFT", {}, (8, 1, 5)),
    fixed("STFT", {"side": "imag"}, (8, 1, 5)),
    fixed("STFT", {"window": "hamming", "scaling": "spectrum", "periodic": True}, (8, 1, 5)),
    fixed("STFT", {"window": None, "side": "imag"}, (6, 1, 7)),
    fixed("STFT", {"window": [0.5, 1.0, 2.0, 1.0], "scaling": None}, (4, 1, 4)),
)
CONFIGURED = tuple(Initializer(name, AXES, (4, 3, 2)) for name in PRESETS)  # not drawn from: as HeNormal above
ROWS = (*DRAWN, *FIXED, *CONFIGURED)
