"""Checks of values that JAX would train on without a warning.

Each is one pass over host memory. Of floats, at most `CHECKED_VALUES` values of an array are looked at, from its
beginning; of integers that JAX would cut to 32 bits, all. Arrays that lie on an accelerator are left alone.
"""

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np

from jkeras.data.arrays import class_indices
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import ArrayTree, PyTree

CHECKED_VALUES = 2**24  # of float32: 64 MiB, which takes about 10 ms


def check_values(parts: Mapping[str, PyTree], owner: str = "", kinds: Collection[str] = ("float", "int")) -> None:
    """Warns of values that are not finite, or too large for the integers of JAX.

    Args:
        parts: structures of arrays, by the names to call them by.
        owner: the data that the parts belong to, where their names alone are ambiguous.
        kinds: the checks, `"float"` and `"int"`.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     check_values({"x": np.array([[1.0, np.nan]])})
    >>> print(caught[0].message)
    1 of 2 values of x are NaN, the first at [0, 1]; they must be finite. Write x = np.nan_to_num(x).
    """
    for (name, *path), leaf in jax.tree_util.tree_leaves_with_path(dict(parts)):
        values = host_values(leaf) if "float" in kinds else None
        for message in (
            _not_finite(values) if values is not None and values.size else None,
            _too_large(leaf) if isinstance(leaf, np.ndarray) and leaf.size and "int" in kinds else None,
        ):
            if message:
                said = message.format(name.key + jax.tree_util.keystr(tuple(path)))
                warnings.warn(f"{owner}: {said}" if owner else said, stacklevel=3)


def check_class_weight(y: ArrayTree | None, class_weight: Mapping[int, float], told: set[int] | None = None) -> None:
    """Warns of classes among the labels that have no weight.

    Args:
        y: labels, as `class_weights` takes them.
        class_weight: `{class: weight}`.
        told: classes without a weight that a warning has named; new ones are added.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     check_class_weight(np.array([0, 1, 2]), {0: 3.0})
    >>> print(caught[0].message)
    `class_weight` lacks the classes [1, 2] of y; their weight is 1. Write class_weight[1] = class_weight[2] = 1.0.
    """
    told = set() if told is None else told
    missing = {int(label) for label in np.unique(class_indices(y))} - set(class_weight) - told
    if missing:
        told |= missing
        said = " = ".join(f"class_weight[{label}]" for label in sorted(missing)[:3])
        warnings.warn(
            f"`class_weight` lacks the classes {sorted(missing)} of y; their weight is 1. Write {said} = 1.0.",
            stacklevel=3,
        )


def host_values(leaf: Any) -> np.ndarray | None:
    """The first values of an array in host memory: whole examples, those that are checked."""
    if isinstance(leaf, jax.Array):
        if not leaf.is_fully_addressable or any(device.platform != "cpu" for device in leaf.devices()):
            return None
        leaf = np.asarray(leaf)
    rows = max(1, CHECKED_VALUES * len(leaf) // max(1, leaf.size))
    first: np.ndarray = leaf[:rows]
    return first


def _not_finite(values: np.ndarray) -> str | None:
    if not np.issubdtype(values.dtype, np.inexact) and values.dtype.kind != "V":  # "V": bfloat16 and its like
        return None
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return None
    nans = np.isnan(values[wrong])
    kind = "NaN" if nans.all() else "NaN or infinite" if nans.any() else "infinite"
    return (
        f"{wrong.sum()} of {values.size} values of {{0}} are {kind}, the first at {_first(wrong)}; they must be"
        " finite. Write {0} = np.nan_to_num({0})."
    )


def _too_large(values: np.ndarray) -> str | None:
    narrow = canonical_dtype(values.dtype)
    if values.dtype.kind not in "iu" or narrow == values.dtype:
        return None
    bounds = np.iinfo(narrow)
    if values.min() >= bounds.min and values.max() <= bounds.max:
        return None
    wrong = (values < bounds.min) | (values > bounds.max)
    return (
        f"{wrong.sum()} of {values.size} values of {{0}} do not fit {narrow}, to which JAX converts {values.dtype}, the"
        f" first at {_first(wrong)}: {values[wrong][0]}. Pass floats or set jax.config.update('jax_enable_x64', True)."
    )


def _first(wrong: np.ndarray) -> list[int]:
    return [int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape)]
