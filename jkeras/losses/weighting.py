"""From one value per sample to one number: masks, weights, reductions.

A mask says which values count; a weight says how much. A mask becomes a weight (`apply_mask`), so everything after it
knows weights alone. For the reductions that are means over all entries the weight of a valid entry is `all / valid`,
which turns that mean into the mean over the valid ones.

Weights line up with the values from the first axis on: `(b,)` weights weigh samples, whatever axes the values have
after that.
"""

from typing import Any

import jax.numpy as jnp

from jkeras.errors import ShapeError
from jkeras.losses.arrays import append_axes, as_arrays, broadcasts, divide_no_nan, match_ranks
from jkeras.typing import Array, DTypeLike

REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)
MEANS = ("sum_over_batch_size", "mean")


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
            "the weights or the mask do not fit the values that they weigh.",
            path="sample_weight",
            expected=f"shape {given[0]}, or its first axes",
            received=f"shape {given[1]}",
        )
    return values, weight


def weigh(values: Array, weight: Array) -> Array:
    """`values * weight`, where a weight of zero makes zero of any value, NaN and infinity included.

    >>> weigh(jnp.array([1.0, jnp.nan]), jnp.array([2.0, 0.0])).tolist()
    [2.0, 0.0]
    """
    return jnp.where(weight == 0, 0, values * weight)


def merge_masks(a: Array | None, b: Array | None) -> Array | None:
    """What both masks let through; `None` lets everything through."""
    if a is None or b is None:
        return b if a is None else a
    a, b = match_ranks(as_arrays(a, bool), as_arrays(b, bool))
    rank = max(a.ndim, b.ndim)
    return append_axes(a, rank) & append_axes(b, rank)


def apply_mask(
    sample_weight: Any | None, mask: Any | None, reduction: str | None = "sum", dtype: DTypeLike = "float32"
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


def reduce_weighted(
    values: Array, sample_weight: Any | None, mask: Any | None, reduction: str | None = "sum_over_batch_size"
) -> Array:
    """Weighs values and reduces them.

    | reduction | result |
    |---|---|
    | `"sum"` | `sum(w v)` |
    | `"sum_over_batch_size"`, `"mean"` | `sum(w v) / size(v)` |
    | `"mean_with_sample_weight"` | `sum(w v) / sum(w)` |
    | `"none"`, `None` | `w v` |

    Args:
        values: `v`, one for each prediction.
        sample_weight: `w`, of the shape of the values or of their first axes; `None` for ones.
        mask: true where a value counts, of the same shapes; `None` where all do.
        reduction: one of the above.

    >>> float(reduce_weighted(jnp.array([1.0, 3.0]), jnp.array([1.0, 3.0]), None, "mean_with_sample_weight"))
    2.5
    """
    weight = apply_mask(sample_weight, mask, reduction, values.dtype)
    if weight is not None:
        values, weight = align(values, weight)
        values = weigh(values, weight)
    if reduction in (None, "none") or values.ndim == 0:
        return values
    if reduction == "sum" or values.size == 0:
        return jnp.sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return divide_no_nan(jnp.sum(values), jnp.sum(weight))
    return jnp.mean(values)
