"""Losses between distributions: the Kullback-Leibler divergence, and the Poisson likelihood of counts."""

import jax.numpy as jnp

from jkeras import config
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import in_float32, paired
from jkeras.losses.base import SameShapeLoss, public
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike


@public("kld", "KLD")
@in_float32
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`sum(y_true log(y_true / y_pred))` over the last axis, both clipped to `[epsilon, 1]`.

    Args:
        y_true, y_pred: `(..., classes)`, probabilities.

    Returns:
        `(...)`, in nats, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])[0]), 4)
    0.1438

    Source: S. Kullback, R. A. Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22 (1951).
    """
    y_true, y_pred = paired(y_true, y_pred, "kl_divergence")
    low = max(config.epsilon(), float(jnp.finfo(y_pred.dtype).tiny))
    p, q = jnp.clip(y_true, low, 1), jnp.clip(y_pred, low, 1)
    return jnp.sum(p * jnp.log(p / q), axis=-1)


@public()
class KLDivergence(SameShapeLoss):
    """The Kullback-Leibler divergence of the predictions from the labels: `sum(y_true log(y_true / y_pred))`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438

    Source: S. Kullback, R. A. Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22 (1951).
    """

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = "kl_divergence", dtype: PolicyLike = None
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@public()
@in_float32
def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`mean(y_pred - y_true log(y_pred + epsilon))` over the last axis: minus the log likelihood, up to a constant.

    Args:
        y_true: `(..., n)`, counts.
        y_pred: `(..., n)`, expected counts.

    Returns:
        `(...)`, in the dtype of the predictions.

    Raises:
        ShapeError: the shapes do not fit.

    >>> round(float(poisson([[1.0, 0.0]], [[1.0, 2.0]])[0]), 4)
    1.5
    """
    y_true, y_pred = paired(y_true, y_pred, "poisson")
    epsilon = max(config.epsilon(), float(jnp.finfo(y_pred.dtype).tiny))
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + epsilon), axis=-1)


@public()
class Poisson(SameShapeLoss):
    """Minus the log likelihood of Poisson counts, up to a constant: `mean(y_pred - y_true log y_pred)`.

    Args:
        reduction, name, dtype: as in `Loss`.

    >>> round(float(Poisson()([[1.0, 0.0]], [[1.0, 2.0]])), 4)
    1.5
    """

    def __init__(self, reduction: str | None = MEAN, name: str | None = "poisson", dtype: PolicyLike = None) -> None:
        super().__init__(poisson, reduction, name, dtype)
