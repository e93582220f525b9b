"""Losses, as Keras names them: pure functions of labels and predictions, with weights, masks and a reduction."""

from jkeras.losses.base import Loss, LossFunctionWrapper, deserialize, get, serialize
from jkeras.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
)
from jkeras.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from jkeras.losses.linear import FusedLinearCrossentropy, LinearLogits, fused_linear_crossentropy
from jkeras.losses.margin import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from jkeras.losses.overlap import Dice, Tversky, dice, tversky
from jkeras.losses.probabilistic import KLDivergence, Poisson, kl_divergence, poisson
from jkeras.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from jkeras.losses.resolve import resolve
from jkeras.losses.sequence import CTC, ctc
from jkeras.losses.similarity import Circle, circle
from jkeras.losses.sparse import (
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from jkeras.losses.weighting import apply_mask, reduce_weighted

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "FusedLinearCrossentropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LinearLogits",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "apply_mask",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "fused_linear_crossentropy",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "reduce_weighted",
    "resolve",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
