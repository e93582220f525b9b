"""From one value per sample to one number: masks, weights, reductions.

A mask says which values count; a weight says how much. Each reduction is a sum and a count (`sum_and_count`), which add
up over the parts of a batch, and one division at the end (`divide`): so the loss of a batch is that of its parts,
whatever counts in each.

Weights line up with the values from the first axis on: `(b,)` weights weigh samples, whatever axes the values have
after that.
"""

import jax.numpy as jnp
import numpy as np

from jkeras.errors import ShapeError
from jkeras.losses.arrays import append_axes, as_arrays, broadcasts, divide_no_nan, match_ranks
from jkeras.typing import Array, ArrayLike, DTypeLike

REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)
MEAN = "sum_over_batch_size"  # of losses that are not told another
MEANS = (MEAN, "mean")
UNREDUCED = ("none", None)


def align(values: Array, weight: Array) -> tuple[Array, Array]:
    """Values and weights of one rank. Raises `ShapeError` where the weights have axes that the values lack.

    >>> [x.shape for x in align(jnp.zeros((2, 3)), jnp.ones(2))]
    [(2, 3), (2, 1)]
    """
    given = values.shape, weight.shape
    values, weight = match_ranks(values, weight)
    weight = append_axes(weight, values.ndim)
    if values.ndim and weight.ndim and not broadcasts(values.shape, weight.shape):
        raise ShapeError(
            "the weights or the mask must have the shape of the values, or of their first axes.",
            path="sample_weight",
            expected=f"shape {given[0]}, or its first axes",
            received=f"shape {given[1]}",
            write="loss(y_true, y_pred, sample_weight=weights)   # weights (batch,): one for each example",
        )
    return values, weight


def weigh(values: Array, weight: Array) -> Array:
    """`values * weight`; a weight of 0 makes 0 of any value and of its gradient, NaN and infinity included.

    >>> weigh(jnp.array([1.0, jnp.nan]), jnp.array([2.0, 0.0])).tolist()
    [2.0, 0.0]
    """
    dead = weight == 0
    return jnp.where(dead, 0, jnp.where(dead, 0, values) * weight)


def merge_masks(a: Array | None, b: Array | None) -> Array | None:
    """What both masks let through; `None` lets everything through."""
    if a is None or b is None:
        return b if a is None else a
    a, b = match_ranks(as_arrays(a, bool), as_arrays(b, bool))
    rank = max(a.ndim, b.ndim)
    return append_axes(a, rank) & append_axes(b, rank)


def apply_mask(
    sample_weight: ArrayLike | None, mask: ArrayLike | None, reduction: str | None = "sum", dtype: DTypeLike = "float32"
) -> Array | None:
    """Folds a mask into the sample weights.

    With reduction `"mean"` or `"sum_over_batch_size"` a valid entry weighs `size / number of valid entries`, so that
    the mean over all entries is the mean over the valid ones; otherwise it weighs 1. An invalid entry weighs 0. For
    metrics use the default: they divide by the sum of the weights themselves.

    Args:
        sample_weight: weights, or `None` for none.
        mask: true where an entry counts, or `None` for everywhere. Its rank may differ from the weights'.
        reduction: that of the loss.
        dtype: of the result.

    Returns:
        Weights of the longer of the two shapes; `None` where both arguments are.

    >>> apply_mask(None, jnp.array([True, False, True, False]), "mean").tolist()
    [2.0, 0.0, 2.0, 0.0]
    >>> apply_mask(jnp.array([0.5, 2.0]), jnp.array([[True, True], [True, False]])).tolist()
    [[0.5, 0.5], [2.0, 0.0]]
    """
    if sample_weight is not None:
        sample_weight = as_arrays(sample_weight, dtype)
    if mask is None:
        return sample_weight
    valid = as_arrays(mask, bool)
    weight = valid.astype(dtype)
    if reduction in MEANS:
        weight = jnp.where(valid, divide_no_nan(jnp.asarray(valid.size, dtype), jnp.sum(weight)), 0)
    if sample_weight is None:
        return weight
    weight, sample_weight = match_ranks(weight, sample_weight)
    rank = max(weight.ndim, sample_weight.ndim)
    return append_axes(weight, rank) * append_axes(sample_weight, rank)


def sum_and_count(
    values: Array, sample_weight: ArrayLike | None, mask: ArrayLike | None, reduction: str | None, examples: int = 1
) -> tuple[Array, Array | np.floating]:
    """The sum of weighted values and what it is divided by: both add up over the parts of a batch.

    | reduction | sum | count |
    |---|---|---|
    | `"sum"` | `sum(w v)` | number of valid values |
    | `"sum_over_batch_size"`, `"mean"` | `sum(w v)` | number of valid values |
    | `"mean_with_sample_weight"` | `sum(w v)` | `sum(w)`, of the weights as they are given, 0 where masked |

    Args:
        values: `v`; a value without axes is one for all examples, and counts as each of them would.
        sample_weight: `w`, of the shape of the values or of their first axes; `None` for ones.
        mask: true where a value counts, of the same shapes; `None` where all do.
        reduction: one of the above.
        examples: how many examples there are, where a value without axes stands for all of them.

    Returns:
        Scalars of the values' dtype, float32 at least; the count is NumPy's where no array says what it is.

    >>> total, count = sum_and_count(jnp.array([1.0, 3.0, 9.0]), None, jnp.array([True, True, False]), "mean")
    >>> float(total), float(count)
    (4.0, 2.0)
    """
    values = values.astype(jnp.promote_types(values.dtype, "float32"))
    weight = apply_mask(sample_weight, mask, "sum", values.dtype)
    if values.ndim == 0 and weight is not None and weight.ndim:
        values = jnp.broadcast_to(values, weight.shape)
    elif values.ndim == 0:
        value = values if weight is None else weigh(values, weight)
        divisor = weight if reduction == "mean_with_sample_weight" and weight is not None else 1
        scale = 1 if reduction == "sum" else examples
        return _times(value, scale), _times(jnp.asarray(divisor, values.dtype), examples)
    if weight is None:
        return jnp.sum(values), values.dtype.type(values.size)
    values, weight = align(values, weight)
    total = jnp.sum(weigh(values, weight))
    if reduction == "mean_with_sample_weight":
        return total, jnp.sum(weight)  # not broadcast, as in Keras
    if mask is None:
        return total, values.dtype.type(values.size)
    _, valid = align(values, as_arrays(mask, bool))
    return total, jnp.sum(jnp.broadcast_to(valid, values.shape), dtype="int32").astype(values.dtype)


def _times(x: Array, count: int) -> Array:
    return x if count == 1 else x * count


def divide(total: Array, count: Array | np.floating, reduction: str | None) -> Array:
    """The reduced value of a sum and a count: their ratio, 0 where nothing counts; of `"sum"` the sum.

    >>> float(divide(jnp.float32(6), jnp.float32(4), "mean")), float(divide(jnp.float32(6), jnp.float32(4), "sum"))
    (1.5, 6.0)
    """
    if reduction == "sum":
        return total
    if isinstance(count, np.floating):  # known when the function is traced
        return total / count.item() if count else total
    return divide_no_nan(total, count)


def reduce_weighted(
    values: Array,
    sample_weight: ArrayLike | None,
    mask: ArrayLike | None,
    reduction: str | None = MEAN,
) -> Array:
    """Weighs values and reduces them.

    | reduction | result |
    |---|---|
    | `"sum"` | `sum(w v)` |
    | `"sum_over_batch_size"`, `"mean"` | `sum(w v)` over the number of valid values |
    | `"mean_with_sample_weight"` | `sum(w v) / sum(w)` |
    | `"none"`, `None` | `w v` |

    Sums are taken in float32 at least, and the result has the dtype of the values.

    Args:
        values: `v`, one for each prediction.
        sample_weight: `w`, of the shape of the values or of their first axes; `None` for ones.
        mask: true where a value counts, of the same shapes; `None` where all do.
        reduction: one of the above.

    >>> float(reduce_weighted(jnp.array([1.0, 3.0]), jnp.array([1.0, 3.0]), None, "mean_with_sample_weight"))
    2.5
    """
    if reduction not in UNREDUCED:
        return divide(*sum_and_count(values, sample_weight, mask, reduction), reduction).astype(values.dtype)
    weight = apply_mask(sample_weight, mask, reduction, values.dtype)
    return values if weight is None else weigh(*align(values, weight))
