"""Initializers: the first values of weights, from a shape, a dtype and a key."""

from jkeras.initializers.base import Initializer, RandomInitializer, compute_fans, deserialize, serialize
from jkeras.initializers.constants import Constant, FromArray, Ones, Zeros, get
from jkeras.initializers.constants import Constant as constant
from jkeras.initializers.constants import Ones as ones
from jkeras.initializers.constants import Zeros as zeros
from jkeras.initializers.matrices import Identity, Orthogonal
from jkeras.initializers.matrices import Identity as IdentityInitializer
from jkeras.initializers.matrices import Identity as identity
from jkeras.initializers.matrices import Orthogonal as OrthogonalInitializer
from jkeras.initializers.matrices import Orthogonal as orthogonal
from jkeras.initializers.random import RandomNormal, RandomUniform, TruncatedNormal
from jkeras.initializers.random import RandomNormal as random_normal
from jkeras.initializers.random import RandomUniform as random_uniform
from jkeras.initializers.random import TruncatedNormal as truncated_normal
from jkeras.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from jkeras.initializers.scaling import GlorotNormal as glorot_normal
from jkeras.initializers.scaling import GlorotUniform as glorot_uniform
from jkeras.initializers.scaling import HeNormal as he_normal
from jkeras.initializers.scaling import HeUniform as he_uniform
from jkeras.initializers.scaling import LecunNormal as lecun_normal
from jkeras.initializers.scaling import LecunUniform as lecun_uniform
from jkeras.initializers.scaling import VarianceScaling as variance_scaling
from jkeras.initializers.spectrum import STFT
from jkeras.initializers.spectrum import STFT as STFTInitializer
from jkeras.initializers.spectrum import STFT as stft

__all__ = [
    "STFT",
    "Constant",
    "FromArray",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
