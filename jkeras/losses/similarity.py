"""The circle loss: embeddings of one class close together, those of others apart."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.errors import ShapeError
from jkeras.losses.arrays import as_arrays, as_float, in_float32
from jkeras.losses.base import FunctionLoss, public
from jkeras.losses.entries import along, declare, zeroed
from jkeras.losses.weighting import MEAN
from jkeras.typing import Array, ArrayLike

ABSENT = jnp.iinfo("int32").min  # the label of an embedding that does not count: neither partner nor opponent


def _without(y_true: Array, y_pred: Array, counts: Array, **_: Any) -> tuple[Array, Array]:
    """Embeddings that do not count are compared with none."""
    counts = jnp.broadcast_to(jnp.reshape(counts, -1), y_pred.shape[:1])
    labels = jnp.where(counts, _labels(y_true, y_pred), ABSENT)
    return labels, zeroed(y_pred, along(counts, y_pred.shape))


def _has_loss(y_true: ArrayLike, y_pred: ArrayLike, **kwargs: Any) -> Array:
    """Anchors without a partner or without an opponent have loss 0, and do not count in a mean."""
    return circle(y_true, y_pred, **kwargs) > 0


def _labels(labels: ArrayLike, embeddings: Array) -> Array:
    labels = as_arrays(labels, "int32")
    if labels.size != embeddings.shape[0] or embeddings.ndim != 2:
        raise ShapeError(
            "`y_true` must have one label for each embedding.",
            path="circle",
            expected=f"labels of shape {embeddings.shape[:1]} and embeddings of shape (b, n)",
            received=f"shapes {labels.shape} and {embeddings.shape}",
            write="circle(labels, embeddings)   # labels (b,), embeddings (b, n)",
        )
    return labels.reshape(-1)


def _masked_logsumexp(x: Array, mask: Array) -> tuple[Array, Array]:
    """The logsumexp of the masked entries of each row, and whether there are any; of none it means nothing."""
    some = jnp.any(mask, axis=1, keepdims=True)
    return jax.nn.logsumexp(jnp.where(mask, x, jnp.where(some, -jnp.inf, 0)), axis=1), jnp.squeeze(some, 1)


@public()
@declare(class_indices=True, valid=_has_loss, replace=_without)
@in_float32
def circle(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    ref_labels: ArrayLike | None = None,
    ref_embeddings: ArrayLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Array:
    """`softplus(logsumexp_p(gamma w_p (d_p - m)) + logsumexp_n(gamma w_n (1 - m - d_n)))` for each embedding.

    `d` are cosine distances to the references, `p` those of the same label and `n` the others; the weights are
    `w_p = m + d_p` and `w_n = 1 + m - d_n`.

    Args:
        y_true: `(b,)` or `(b, 1)`, class indices.
        y_pred: `(b, n)`, embeddings of length 1.
        ref_labels, ref_embeddings: `(r,)` and `(r, n)`; by default the batch itself.
        remove_diagonal: leave out the pairs at equal places, of an embedding with itself.
        gamma: the scale of the exponents.
        margin: `m`.

    Returns:
        `(b,)`, in the dtype of the embeddings.

    Raises:
        ShapeError: the shapes do not fit.

    >>> embeddings = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> [round(float(loss), 2) for loss in circle([0, 0, 1], embeddings, gamma=1.0)]
    [0.56, 0.73, 0.0]

    Source: Y. Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020.
    """
    y_pred = as_float(y_pred)
    references = y_pred if ref_embeddings is None else as_arrays(ref_embeddings, y_pred.dtype)
    labels = _labels(y_true, y_pred)
    others = labels if ref_labels is None else _labels(ref_labels, references)
    distance = jnp.maximum(1 - y_pred @ references.T, 0)  # (b, r)
    same = jnp.expand_dims(labels, 1) == jnp.expand_dims(others, 0)
    present = jnp.expand_dims(labels != ABSENT, 1) & jnp.expand_dims(others != ABSENT, 0)
    same, differ = same & present, ~same & present
    if remove_diagonal:
        same &= ~jnp.eye(same.shape[0], same.shape[1], dtype=bool)
    pull = gamma * (margin + distance) * (distance - margin)
    push = gamma * jnp.maximum(1 + margin - distance, 0) * (1 - margin - distance)
    (pulled, partner), (pushed, opponent) = _masked_logsumexp(pull, same), _masked_logsumexp(push, differ)
    return jnp.where(partner & opponent, jax.nn.softplus(pulled + pushed), 0)


@public()
class Circle(FunctionLoss):
    """Draws embeddings of one class together and those of different classes apart.

    An embedding that has no partner in the batch, or no opponent, has loss 0 and does not count in the mean.

    Args:
        gamma: the scale of the exponents; not negative.
        margin: 0 to 1: how close is close enough.
        remove_diagonal: leave out the pairs of an embedding with itself.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range.

    >>> loss = Circle(gamma=1.0)
    >>> round(float(loss([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])), 2)
    0.65

    Source: Y. Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = MEAN,
        name: str | None = "circle",
        dtype: PolicyLike = None,
    ) -> None:
        kept = {
            "gamma": arguments.non_negative_number(gamma, "gamma", "Circle"),
            "margin": arguments.fraction(margin, "margin", "Circle"),
            "remove_diagonal": arguments.boolean(remove_diagonal, "remove_diagonal", "Circle"),
        }
        super().__init__(circle, reduction, name, dtype, **kept)
