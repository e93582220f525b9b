"""Layers that move elements and compute nothing."""

from jkeras.layers.reshaping.cropping import Cropping1D, Cropping2D, Cropping3D
from jkeras.layers.reshaping.flatten import Flatten
from jkeras.layers.reshaping.permute import Permute
from jkeras.layers.reshaping.repeat_vector import RepeatVector
from jkeras.layers.reshaping.reshape import Reshape
from jkeras.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from jkeras.layers.reshaping.zero_padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
