"""Uniformity: the first batch determines the structure, shapes and dtypes of all batches.

A batch of another structure or shape raises an error with its number, before it reaches a compiled function. Another
dtype only causes a warning. The number of examples in a batch is free.
"""

import dataclasses
import warnings
from typing import Any

import jax
import numpy as np

from jkeras import tree
from jkeras.data.arrays import unpack_x_y_sample_weight
from jkeras.data.host import cast_float64, host_arrays
from jkeras.errors import DataError
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import PyTree

Batch = tuple[PyTree, PyTree, PyTree]
PARTS = ("x", "y", "sample_weight")


@dataclasses.dataclass(frozen=True)
class BatchPosition:
    """Where a batch stands, both counted from 0; messages count from 1. An evaluation has no epochs.

    >>> str(BatchPosition(batch=1, epoch=0)), str(BatchPosition(batch=1))
    ('batch 2 of epoch 1', 'batch 2')
    """

    batch: int
    epoch: int | None = None

    def __str__(self) -> str:
        return f"batch {self.batch + 1}" + ("" if self.epoch is None else f" of epoch {self.epoch + 1}")


class Uniform:
    """Makes batches of the items of a stream, and checks that they look alike.

    Args:
        same_shapes: whether all axes but the first must stay as they are; otherwise only their number.

    >>> x, y, sample_weight = Uniform().batch([[1, 2], [3, 4]], BatchPosition(0, 0))
    >>> x.tolist(), y.tolist(), sample_weight
    ([1, 2], [3, 4], None)
    """

    def __init__(self, same_shapes: bool = True) -> None:
        self.same_shapes = same_shapes
        self._forms: dict[str, tuple[tuple[int, ...], str]] = {}  # path -> shape and dtype of the first batch
        self._structure: Any = None
        self._told: set[tuple[str, str]] = set()  # paths and dtypes that a warning was about
        self._kinds: list[Any] = []  # of the batch before, compared first: most batches are alike

    def batch(self, raw: Batch, place: BatchPosition) -> Batch:
        """`(x, y, sample_weight)` as host arrays. Raises `DataError` for a batch unlike the first."""
        try:
            parts = zip(PARTS, unpack_x_y_sample_weight(raw), strict=True)
            found = {name: host_arrays(part, name, cast=False) for name, part in parts}
        except DataError as error:
            error.add_note(f"in {place}")
            raise
        leaves, structure = jax.tree.flatten(found)
        sizes = {leaf.shape[0] for leaf in leaves}
        kinds = [(leaf.shape[1:], leaf.dtype) for leaf in leaves]
        first = self._structure is None
        if first or structure != self._structure or kinds != self._kinds or len(sizes) != 1 or 0 in sizes:
            self._look_closely(found, structure, place)
            self._kinds = kinds
        found = jax.tree.map(cast_float64, found)
        return found["x"], found["y"], found["sample_weight"]

    def _look_closely(self, found: dict[str, PyTree], structure: object, place: BatchPosition) -> None:
        """Checks a batch that does not look like the one before it."""
        forms = {
            tree.join(name, tree.key_path(path)): (leaf.shape, str(leaf.dtype))
            for name in PARTS
            for path, leaf in jax.tree_util.tree_leaves_with_path(found[name])
        }
        _check_sizes({path: shape[0] for path, (shape, _) in forms.items()}, place)
        if self._structure is None:
            self._structure, self._forms = structure, forms
        elif structure != self._structure:
            same = list(forms) == list(self._forms)  # then it is lists where tuples were, or the like
            raise DataError(
                f"{place} must have the structure of the first batch.",
                expected=self._structure if same else ", ".join(self._forms),
                received=structure if same else ", ".join(forms),
                write="yield x, y   # the same parts in every batch",
            )
        for path, (shape, dtype) in forms.items():
            self._check_shape(path, shape, place)
            self._check_dtype(path, dtype, place)

    def _check_shape(self, path: str, shape: tuple[int, ...], place: BatchPosition) -> None:
        first, _ = self._forms[path]
        if len(shape) == len(first) and (not self.same_shapes or shape[1:] == first[1:]):
            return
        wanted = ["batch", *(str(n) if self.same_shapes else "any" for n in first[1:])]
        mends = path == "x" and len(shape) == len(first)
        write = f"jkeras.Input({_free_axes(first, shape)})   # for axes of variable length" if mends else None
        shape_of_first = f"shape ({', '.join(wanted)}{',' if len(wanted) == 1 else ''})"
        problem, received = f"{place} must have the shape of the first batch.", f"shape {shape}"
        raise DataError(problem, path=path, expected=shape_of_first, received=received, write=write)

    def _check_dtype(self, path: str, dtype: str, place: BatchPosition) -> None:
        _, first = self._forms[path]
        if dtype == first or (path, dtype) in self._told:
            return
        self._told.add((path, dtype))
        same = _canonical(dtype) == _canonical(first)
        cost = f"it is converted to {_canonical(first)}" if same else "the step is compiled once more"
        wanted = "float32" if first == "float64" else first
        warnings.warn(
            f"{path}: the dtype of {place} should be {first}, that of the first batch, got {dtype}: {cost}."
            f" Write .astype({wanted!r}).",
            stacklevel=2,
        )


def _free_axes(first: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int | None, ...]:
    return tuple(a if a == b else None for a, b in zip(first[1:], shape[1:], strict=True))


def _canonical(dtype: str) -> str:
    return str(cast_float64(np.empty(0, canonical_dtype(dtype))).dtype)


def _check_sizes(sizes: dict[str, int], place: BatchPosition) -> None:
    problem = None
    if not any(path.split(tree.SEPARATOR)[0] == "x" for path in sizes):
        problem = f"{place} must have inputs."
    elif len(set(sizes.values())) > 1:
        problem = f"the arrays of {place} must have the same number of examples."
    elif 0 in sizes.values():
        problem = f"{place} must not be empty."
    if problem:
        received = ", ".join(f"{path}: {size}" for path, size in sizes.items()) or "nothing"
        raise DataError(problem, expected="inputs, labels and weights of the same examples", received=received)
