"""Layers that change images at random in training, and three that need no chance."""

from jkeras.layers.augmentation.affine import RandomRotation, RandomShear, RandomTranslation, RandomZoom
from jkeras.layers.augmentation.color import (
    RandomColorDegeneration,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from jkeras.layers.augmentation.detail import RandomGaussianBlur, RandomSharpness
from jkeras.layers.augmentation.erasing import RandomErasing
from jkeras.layers.augmentation.exposure import RandomBrightness, RandomContrast
from jkeras.layers.augmentation.histograms import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from jkeras.layers.augmentation.jitter import RandomColorJitter
from jkeras.layers.augmentation.mixing import CutMix, MixUp
from jkeras.layers.augmentation.placement import RandomCrop, RandomFlip
from jkeras.layers.augmentation.policies import AugMix, RandAugment
from jkeras.layers.augmentation.tones import RandomInvert, RandomPosterization, Solarization
from jkeras.layers.augmentation.warps import RandomElasticTransform, RandomPerspective

__all__ = [
    "AugMix",
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
]
