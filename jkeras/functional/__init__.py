"""Pure functions of arrays: what layers compute, without layers."""

from jkeras.functional.convolution import conv, conv_output_shape, depthwise_conv
from jkeras.functional.normalization import (
    batch_normalize,
    group_normalize,
    layer_normalize,
    moments,
    rms_normalize,
)
from jkeras.functional.padding import crop, crop_output_shape, zero_pad, zero_pad_output_shape
from jkeras.functional.pooling import (
    average_pool,
    global_average_pool,
    global_max_pool,
    global_pool_output_shape,
    max_pool,
    pool_output_shape,
)

__all__ = [
    "average_pool",
    "batch_normalize",
    "conv",
    "conv_output_shape",
    "crop",
    "crop_output_shape",
    "depthwise_conv",
    "global_average_pool",
    "global_max_pool",
    "global_pool_output_shape",
    "group_normalize",
    "layer_normalize",
    "max_pool",
    "moments",
    "pool_output_shape",
    "rms_normalize",
    "zero_pad",
    "zero_pad_output_shape",
]
