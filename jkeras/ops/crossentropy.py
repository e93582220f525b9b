"""The crossentropies of the table, one number per prediction: those of `jkeras.losses`, without means or smoothing; and
connectionist temporal classification, with lengths in place of padding."""

import jax.numpy as jnp

from jkeras import functional, losses
from jkeras.core.lift import lift, listed
from jkeras.errors import ShapeError
from jkeras.losses.arrays import as_float, paired, widened
from jkeras.losses.crossentropy import binary_elements
from jkeras.losses.sequence import spelling_loss
from jkeras.typing import Array, ArrayLike


@listed
def binary_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> Array:
    """The crossentropy of each yes-or-no prediction: `-y log p - (1 - y) log(1 - p)`.

    No mean is taken; `jkeras.losses.binary_crossentropy` takes one.

    Args:
        target: the labels `y`, probabilities of the positive class: mostly 0 or 1.
        output: of the same shape, probabilities `p` or logits.
        from_logits: whether `output` are logits, `p = sigmoid(output)`, which is exact at any size. Probabilities are
            clipped to `[epsilon, 1 - epsilon]` first, with `jkeras.config.epsilon()`.

    Returns:
        The shape and dtype of `output`.

    Raises:
        ShapeError: the shapes differ, by more than a last axis of length 1.

    Source: the definition above, the negative log-likelihood of a Bernoulli distribution.

    >>> print(binary_crossentropy(jnp.array([1.0, 0.0]), jnp.array([0.5, 0.25])).round(4))
    [0.6931 0.2877]
    """
    predictions = as_float(output)
    pair = paired(target, widened(predictions), "binary_crossentropy", exactly=True)
    return binary_elements(*pair, from_logits).astype(predictions.dtype)


@listed
def categorical_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1) -> Array:
    """The crossentropy of distributions over classes: `-sum(y log p)` over the classes.

    Args:
        target: `(..., classes)`, the distributions `y`, such as one-hot labels.
        output: `(..., classes)`, probabilities `p` (scaled to sum to 1) or logits.
        from_logits: whether `output` are logits, `p = softmax(output)`, which is exact at any size. Probabilities are
            clipped to `[epsilon, 1 - epsilon]` first, with `jkeras.config.epsilon()`.
        axis: where the classes are.

    Returns:
        `(...)`, without the axis of the classes, in the dtype of `output`.

    Raises:
        ShapeError: the shapes differ.

    Source: the definition above, the negative log-likelihood of a categorical distribution.

    >>> target = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    >>> print(categorical_crossentropy(target, jnp.array([[0.5, 0.5], [0.75, 0.25]])).round(4))
    [0.6931 0.2877]
    """
    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


@listed
def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """The crossentropy of class indices: `-log p[label]`.

    Args:
        target: `(...)`, or with an axis of length 1 for the classes; integers, class indices from 0.
        output: `(..., classes)`, probabilities `p` (scaled to sum to 1) or logits.
        from_logits: whether `output` are logits, `p = softmax(output)`, which is exact at any size. Probabilities are
            clipped to `[epsilon, 1 - epsilon]` first, with `jkeras.config.epsilon()`.
        axis: where the classes are.

    Returns:
        `(...)`, without the axis of the classes, in the dtype of `output`; inside a compiled function NaN where a label
        is no class.

    Raises:
        ShapeError: there is not one label per prediction.
        DataError: a label is not a class index, outside of compiled functions.

    Source: the definition above, the negative log-likelihood of a categorical distribution.

    >>> print(sparse_categorical_crossentropy(jnp.array([1, 0]), jnp.array([[0.5, 0.5], [0.75, 0.25]])).round(4))
    [0.6931 0.2877]
    """
    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


@listed
def ctc_loss(
    target: ArrayLike, output: ArrayLike, target_length: ArrayLike, output_length: ArrayLike, mask_index: int = 0
) -> Array:
    """Connectionist temporal classification: `-log` of the probability of all paths that spell the labels.

    A path names a class, or the blank, at every time; its probability is the product of theirs. It spells the labels
    that are left when repetitions are merged and blanks are taken out.

    Args:
        target: `(b, n)`, integers, the labels of each sequence; any values after its end.
        output: `(b, t, classes)`, logits; the blank is one of the classes.
        target_length: `(b,)`, the number of labels that count.
        output_length: `(b,)`, the number of times that count.
        mask_index: the class that is the blank.

    Returns:
        `(b,)`, in the dtype of `output`, float32 for half precision. Labels that no path can spell, because there are
        too few times, cost about `1e5` rather than infinity; inside a compiled function, invalid labels give NaN.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class index, outside of compiled functions.

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006.

    >>> output = jnp.log(jnp.array([[[0.6, 0.4], [0.6, 0.4]]]))  # the paths 01, 10 and 11 spell a single 1: 0.64
    >>> loss = ctc_loss(jnp.array([[1]]), output, jnp.array([1]), jnp.array([2]))
    >>> print(jnp.exp(-loss).round(4))
    [0.64]
    """
    labels, logits = jnp.asarray(target, "int32"), jnp.asarray(output)
    lengths = jnp.asarray(target_length), jnp.asarray(output_length)
    if labels.ndim != 2 or logits.ndim != 3 or any(n.shape != labels.shape[:1] for n in (logits[:, 0, 0], *lengths)):
        raise ShapeError(
            "the shapes of `target`, `output`, `target_length` and `output_length` must fit together.",
            path="ctc_loss",
            expected="target (b, n), output (b, t, classes), target_length (b,), output_length (b,)",
            received=f"shapes {labels.shape}, {logits.shape}, {lengths[0].shape}, {lengths[1].shape}",
            write="ops.ctc_loss(labels, logits, ops.full((b,), n), ops.full((b,), t))   # sequences of full length",
        )
    return spelling_loss(labels, logits, *lengths, mask_index)


ctc_decode = lift(functional.ctc_decode, "ctc_decode")

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "ctc_decode",
    "ctc_loss",
    "sparse_categorical_crossentropy",
]
