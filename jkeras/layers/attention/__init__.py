"""Layers in which positions look at each other, and what goes with them."""

from jkeras.layers.attention.additive_attention import AdditiveAttention
from jkeras.layers.attention.attention import Attention
from jkeras.layers.attention.grouped_query_attention import GroupQueryAttention
from jkeras.layers.attention.multi_head_attention import MultiHeadAttention
from jkeras.layers.attention.rotary_embedding import RotaryEmbedding
from jkeras.layers.attention.swiglu import SwiGLU

__all__ = [
    "AdditiveAttention",
    "Attention",
    "GroupQueryAttention",
    "MultiHeadAttention",
    "RotaryEmbedding",
    "SwiGLU",
]
