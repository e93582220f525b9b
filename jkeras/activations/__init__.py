"""Activations: pure functions of an array, by Keras's names."""

from jkeras.activations.base import deserialize, get, linear, serialize
from jkeras.activations.rectifiers import celu, elu, leaky_relu, relu, relu6, selu, threshold
from jkeras.activations.shrinking import hard_shrink, soft_shrink, tanh_shrink
from jkeras.activations.sigmoids import hard_sigmoid, hard_tanh, log_sigmoid, sigmoid, softsign, sparse_sigmoid, tanh
from jkeras.activations.simplex import log_softmax, softmax, sparsemax
from jkeras.activations.smooth import exponential, gelu, glu, hard_silu, mish, silu, softplus, sparse_plus, squareplus
from jkeras.activations.smooth import hard_silu as hard_swish
from jkeras.activations.smooth import silu as swish

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]
