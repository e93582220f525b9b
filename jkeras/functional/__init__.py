"""Pure functions of arrays: what layers compute, without layers."""

from jkeras.functional.convolution import conv, depthwise_conv
from jkeras.functional.dropout import dropout
from jkeras.functional.normalization import (
    batch_normalize,
    group_normalize,
    layer_normalize,
    moments,
    rms_normalize,
    unit_normalize,
)
from jkeras.functional.padding import crop, zero_pad
from jkeras.functional.pooling import (
    average_pool,
    global_average_pool,
    global_max_pool,
    max_pool,
)
from jkeras.functional.transposed import conv_transpose

__all__ = [
    "average_pool",
    "batch_normalize",
    "conv",
    "conv_transpose",
    "crop",
    "depthwise_conv",
    "dropout",
    "global_average_pool",
    "global_max_pool",
    "group_normalize",
    "layer_normalize",
    "max_pool",
    "moments",
    "rms_normalize",
    "unit_normalize",
    "zero_pad",
]
