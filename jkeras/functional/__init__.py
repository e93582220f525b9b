"""Pure functions of arrays: the computations of layers, without layers."""

from jkeras.functional.adaptive_pooling import adaptive_average_pool, adaptive_max_pool
from jkeras.functional.attention import (
    attention_kernel,
    attention_weights,
    dot_product_attention,
    masked_softmax,
    weigh,
)
from jkeras.functional.attention_mask import attention_mask
from jkeras.functional.convolution import conv, depthwise_conv
from jkeras.functional.decoding import ctc_decode
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
from jkeras.functional.rotary import rotary_embedding
from jkeras.functional.transposed import conv_transpose

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "attention_kernel",
    "attention_mask",
    "attention_weights",
    "average_pool",
    "batch_normalize",
    "conv",
    "conv_transpose",
    "crop",
    "ctc_decode",
    "depthwise_conv",
    "dot_product_attention",
    "dropout",
    "global_average_pool",
    "global_max_pool",
    "group_normalize",
    "layer_normalize",
    "masked_softmax",
    "max_pool",
    "moments",
    "rms_normalize",
    "rotary_embedding",
    "unit_normalize",
    "weigh",
    "zero_pad",
]
