"""Layers that prepare data."""

from jkeras.layers.preprocessing.category_encoding import CategoryEncoding
from jkeras.layers.preprocessing.center_crop import CenterCrop
from jkeras.layers.preprocessing.discretization import Discretization
from jkeras.layers.preprocessing.hashed_crossing import HashedCrossing
from jkeras.layers.preprocessing.hashing import Hashing
from jkeras.layers.preprocessing.integer_lookup import IntegerLookup
from jkeras.layers.preprocessing.mel_spectrogram import MelSpectrogram
from jkeras.layers.preprocessing.normalization import Normalization
from jkeras.layers.preprocessing.pipeline import Pipeline
from jkeras.layers.preprocessing.rescaling import Rescaling
from jkeras.layers.preprocessing.resizing import Resizing
from jkeras.layers.preprocessing.stft_spectrogram import STFTSpectrogram
from jkeras.layers.preprocessing.string_lookup import StringLookup
from jkeras.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "Normalization",
    "Pipeline",
    "Rescaling",
    "Resizing",
    "STFTSpectrogram",
    "StringLookup",
    "TextVectorization",
]
