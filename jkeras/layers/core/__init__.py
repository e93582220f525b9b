"""Core layers."""

from jkeras.layers.core.dense import Dense
from jkeras.layers.core.einsum_dense import EinsumDense
from jkeras.layers.core.embedding import Embedding
from jkeras.layers.core.identity import Identity
from jkeras.layers.core.jax_layer import JaxLayer
from jkeras.layers.core.lambda_layer import Lambda
from jkeras.layers.core.masking import Masking
from jkeras.layers.core.reversible_embedding import ReversibleEmbedding
from jkeras.layers.core.wrapper import Wrapper

__all__ = [
    "Dense",
    "EinsumDense",
    "Embedding",
    "Identity",
    "JaxLayer",
    "Lambda",
    "Masking",
    "ReversibleEmbedding",
    "Wrapper",
]
