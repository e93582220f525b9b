"""Adapting: data of any supported kind becomes `Arrays` or a `Source`.

Libraries are recognised by the methods of their objects; none is imported.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jkeras.data.arrays import Arrays, check_arrays, class_weights
from jkeras.data.checks import check_class_weight, check_values
from jkeras.data.host import is_array
from jkeras.data.iteration import IterableSource, IteratorSource
from jkeras.data.py_dataset import PyDataset
from jkeras.data.py_dataset_source import PyDatasetSource
from jkeras.data.source import Plan, Source, SourceLike
from jkeras.errors import DataError, within
from jkeras.typing import ArrayTree

ACCEPTED = (
    "arrays (NumPy, JAX, pandas, torch, ...) or structures of them, a PyDataset, a generator or iterator of batches,"
    " or an iterable of batches (torch DataLoader, tf.data.Dataset, grain)"
)
ENDLESS = -1  # tf.data's own number for it


def adapt(
    x: SourceLike | None,
    y: ArrayTree | None = None,
    sample_weight: ArrayTree | None = None,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    class_weight: Mapping[int, float] | None = None,
    steps: int | None = None,
    epochs: int | None = 1,
    same_shapes: bool = True,
    name: str = "",
) -> Arrays | Source:
    """Converts data for the training loops: arrays become `Arrays`, everything else a `Source`.

    Args:
        x: arrays, or something that yields batches `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        y, sample_weight: labels and weights, beside arrays only.
        batch_size: for arrays, whose caller makes the batches; anything else makes its own.
        shuffle, seed: for a `PyDataset`, whose indices have another order in each epoch.
        class_weight: `{class: weight}`, in place of sample weights.
        steps: batches per epoch; data without end needs it.
        epochs: the final epoch index (exclusive); `None` for an evaluation.
        same_shapes: whether the batches of a source must agree in all axes but the first.
        name: the name of the data in messages, such as `"validation_data"`; `""` for the training data.

    Raises:
        DataError: `x` is not data, or an argument cannot be combined with it.

    >>> adapt([1.0, 2.0, 3.0], [0, 1, 0]).size
    3
    >>> import numpy as np
    >>> [x.tolist() for x, y, _ in adapt(np.full(2, i) for i in range(2)).epoch(0)]
    [[0, 0], [1, 1]]
    """
    plan = Plan(steps, epochs, class_weight, same_shapes, name)
    with within(name) if name else contextlib.nullcontext():
        return _adapted(x, y, sample_weight, plan, batch_size=batch_size, shuffle=shuffle, seed=seed)


def _adapted(
    x: Any,
    y: ArrayTree | None,
    sample_weight: ArrayTree | None,
    plan: Plan,
    *,
    batch_size: int | None,
    shuffle: bool,
    seed: int,
) -> Arrays | Source:
    class_weight = plan.class_weight
    if not _yields_batches(x):
        arrays = check_arrays(x, y, sample_weight)
        check_values({"x": arrays.x, "y": arrays.y, "sample_weight": arrays.sample_weight}, plan.name)
        if class_weight is None:
            return arrays
        check_class_weight(arrays.y, class_weight)
        return check_arrays(arrays.x, arrays.y, class_weights(arrays.y, class_weight))
    _refuse("y", y, x, "yield x, y   # batches with their labels")
    _refuse("sample_weight", sample_weight, x, "yield x, y, sample_weight   # batches with their weights")
    _refuse("batch_size", batch_size, x, "batch_size=None   # the data makes its own batches")
    source = _source(x, plan, shuffle, seed)
    source.use(plan)
    return source


def _yields_batches(x: SourceLike) -> bool:
    if isinstance(x, Source):
        return True
    return x is not None and not is_array(x) and not isinstance(x, dict | list | tuple)


def _source(x: SourceLike, plan: Plan, shuffle: bool, seed: int) -> Source:
    if isinstance(x, Source):
        return x
    if isinstance(x, PyDataset):
        _check_end(x, x.num_batches is None, plan)
        return PyDatasetSource(x, shuffle=shuffle, seed=seed)
    if isinstance(x, Iterator):
        return IteratorSource(x)
    if callable(x) and not hasattr(x, "__iter__"):
        raise DataError(
            "`x` must be data, got a function: call it and pass the generator that it returns.",
            expected=ACCEPTED,
            received=_name(x),
            write=f"fit(state, {getattr(x, '__name__', 'batches')}(), ...)",
        )
    if not isinstance(x, Iterable) or isinstance(x, str | bytes | set | frozenset):
        raise DataError(
            f"`x` must be arrays or an iterable of batches, got {_name(x)}.",
            path="x",
            expected=ACCEPTED,
            received=_name(x),
            write="x = np.array(sorted(x))   # parts in a set must have names"
            if isinstance(x, set | frozenset)
            else None,
        )
    length = _length(x)
    _check_end(x, length == ENDLESS, plan)
    size = getattr(x, "batch_size", None)
    return IterableSource(
        x, steps=None if length == ENDLESS else length, batch_size=size if isinstance(size, int) else None
    )


def _length(x: Any) -> int | None:
    """The number of batches of an iterable: `None` if it is unknown, `ENDLESS` if it is infinite."""
    if callable(getattr(x, "cardinality", None)):  # tf.data
        count = int(x.cardinality())
        return None if count < ENDLESS else count
    try:
        count = len(x)
    except (TypeError, NotImplementedError):
        return None
    return ENDLESS if count >= sys.maxsize else count  # grain's way to say it


def _check_end(x: SourceLike, endless: bool, plan: Plan) -> None:
    if endless and plan.steps is None:
        steps = "steps_per_epoch" if not plan.is_evaluation else "validation_steps" if plan.name else "steps"
        write = f"{'evaluate' if steps == 'steps' else 'fit'}(state, dataset, {steps}=100)"
        problem = f"`{steps}` must be given, because the data is infinite."
        raise DataError(problem, path="x", expected=f"`{steps}`", received=_name(x), write=write)


def _refuse(name: str, value: object, x: SourceLike, write: str) -> None:
    if value is not None:
        problem = f"`{name}` must be None, because `x` yields batches."
        received = f"{_name(value)}, beside x of type {_name(x)}"
        raise DataError(problem, path=name, expected="None", received=received, write=write)


def _name(value: object) -> str:
    return type(value).__name__
