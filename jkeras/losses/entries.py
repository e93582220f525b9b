"""Loss functions: which of their entries count, and what they must take and return.

Entries that do not count are replaced before a loss function sees them. A mask or a weight of 0 that is applied to the
values alone leaves the gradient to chance: 0 times the derivative at NaN is NaN. So the labels and predictions of such
entries are set to 0 first (or to what a function declares in place of 0), and its value, its gradients and its higher
derivatives are those of the run without them.

What a loss function says of its entries stands in `Entries`; functions that say nothing have one value for each of the
first axes of the predictions.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from jkeras.errors import ArgumentError
from jkeras.losses.arrays import as_arrays
from jkeras.losses.weighting import merge_masks
from jkeras.typing import Array, ArrayLike, ArrayTree, PyTree, Shape

T = TypeVar("T")
Arguments = Mapping[str, Any]


class Entries(NamedTuple):
    """What a loss function says of its entries.

    Attributes:
        class_indices: whether labels are class indices, which are never cast to a float.
        valid: `valid(y_true, y_pred, **arguments)` is the mask of the values that count, or `None` where all do.
        regions: `regions(rank, **arguments)`, the axes of the predictions that one value is made of, where a mask may
            have these axes too. A value counts where any of its entries does.
        replace: `replace(y_true, y_pred, counts, **arguments)`, labels and predictions without the entries that do not
            count; `None` where zeros in their places do that.
    """

    class_indices: bool = False
    valid: Callable[..., Array | None] | None = None
    regions: Callable[..., tuple[int, ...]] | None = None
    replace: Callable[..., tuple[Array, Array]] | None = None


_declared: dict[Any, Entries] = {}


def declare(**entries: Any) -> Callable[[T], T]:
    """Declares what is known of the entries of a loss or metric function; see `Entries`."""

    def declared(function: T) -> T:
        _declared[function] = Entries(**entries)
        return function

    return declared


def of(function: object) -> Entries | None:
    """What a function has declared; `None` of a function that is not known."""
    return _declared.get(function) if getattr(function, "__hash__", None) is not None else None


def has_class_indices(function: Callable[..., Any]) -> bool:
    """Whether a loss function's labels are class indices."""
    return (of(function) or Entries()).class_indices


def valid_entries(function: Callable[..., Any], y_true: ArrayTree, y_pred: ArrayTree, **arguments: Any) -> Array | None:
    """The mask of those values of `function(y_true, y_pred, **arguments)` that count; `None` where all do."""
    valid = (of(function) or Entries()).valid
    return None if valid is None else valid(y_true, y_pred, **arguments)


def counting(sample_weight: ArrayLike | None, mask: ArrayLike | None) -> Array | None:
    """Where the mask is true and the weight is not 0; `None` where there is neither.

    >>> counting(jnp.array([0.0, 2.0]), jnp.array([[True, True], [True, False]])).tolist()
    [[False, False], [True, False]]
    """
    weighing = None if sample_weight is None else as_arrays(sample_weight) != 0
    return merge_masks(None if mask is None else as_arrays(mask, bool), weighing)


def along(counts: Array | None, shape: Shape, reduced: tuple[int, ...] = ()) -> Array | None:
    """The mask with axes of length 1 where an array of a shape has others; `None` where it does not fit the array.

    The axes of the mask are the first of those that are not reduced. A mask with more axes than that has the first of
    all axes.

    >>> along(jnp.ones((4, 5), bool), (4, 3, 5), reduced=(1,)).shape, along(jnp.ones((4, 3), bool), (4, 3, 5)).shape
    ((4, 1, 5), (4, 3, 1))
    """
    if counts is None:
        return None
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    while counts.ndim > len(kept) and counts.shape[-1] == 1:
        counts = jnp.squeeze(counts, -1)
    for places in (kept, list(range(len(shape)))):
        if counts.ndim <= len(places) and all(
            n in (1, shape[axis]) for n, axis in zip(counts.shape, places, strict=False)
        ):
            lengths = dict(zip(places, counts.shape, strict=False))
            return jnp.reshape(counts, tuple(lengths.get(axis, 1) for axis in range(len(shape))))
    return None


def zeroed(x: Array, counts: Array | None) -> Array:
    """0 in place of the entries that do not count.

    >>> zeroed(jnp.array([1.0, jnp.nan]), jnp.array([True, False])).tolist()
    [1.0, 0.0]
    """
    return x if counts is None else jnp.where(counts, x, jnp.zeros((), x.dtype))


def reduced_axes(function: Callable[..., Any], rank: int, arguments: Arguments) -> tuple[int, ...]:
    """The axes of predictions of a rank that one value is made of, as far as an argument `axis` says."""
    declared = of(function)
    if declared is not None and declared.regions is not None:
        return declared.regions(rank, **arguments)
    if "axis" not in arguments and "axis" not in inspect.signature(function).parameters:
        return ()
    axis = arguments["axis"] if "axis" in arguments else inspect.signature(function).parameters["axis"].default
    return tuple(each % max(rank, 1) for each in ([axis] if isinstance(axis, int) else axis))


def without(
    function: Callable[..., Any], y_true: ArrayTree, y_pred: ArrayTree, counts: Array | None, arguments: Arguments
) -> tuple[PyTree, PyTree]:
    """Labels and predictions of a function without the entries that do not count.

    >>> from jkeras import losses
    >>> without(losses.mean_squared_error, jnp.array([[jnp.nan]]), jnp.ones((1, 1)), jnp.array([False]), {})
    (Array([[0.]], dtype=float32), Array([[0.]], dtype=float32))
    """
    if counts is None:
        return y_true, y_pred
    declared = of(function)
    if declared is None or not isinstance(y_pred, jax.Array) or not isinstance(y_true, jax.Array):
        return without_unknown(lambda *y: function(*y, **arguments), y_true, y_pred, counts)
    if declared.replace is not None:
        return declared.replace(y_true, y_pred, counts, **arguments)
    reduced = reduced_axes(function, y_pred.ndim, arguments)
    of_labels = reduced if y_true.ndim == y_pred.ndim else ()
    return zeroed(y_true, along(counts, y_true.shape, of_labels)), zeroed(y_pred, along(counts, y_pred.shape, reduced))


def without_unknown(
    call: Callable[..., Any], y_true: ArrayTree, y_pred: ArrayTree, counts: Array
) -> tuple[PyTree, PyTree]:
    """Those of a function of which nothing is known: where it has a value for each of the first axes, zeros.

    A function that returns one number gets all entries as they are: what it makes of zeros nobody knows.
    """
    values = jnp.shape(jax.eval_shape(call, y_true, y_pred))

    def replaced(leaf: Array) -> Array:
        fits = 0 < len(values) <= leaf.ndim and leaf.shape[: len(values)] == values
        return zeroed(leaf, along(counts, leaf.shape)) if fits else leaf

    return jax.tree.map(replaced, y_true), jax.tree.map(replaced, y_pred)


def mask_of_values(function: Callable[..., Any], mask: Any | None, y_pred: PyTree, arguments: Arguments) -> Any | None:
    """The mask or weights of a function's values; where they have axes of regions, the largest in each region.

    >>> from jkeras import losses
    >>> mask = jnp.array([[True, False], [False, False]])
    >>> mask_of_values(losses.ctc, mask, jnp.ones((2, 2, 3)), {}).tolist()
    [True, False]
    """
    declared = of(function)
    if mask is None or declared is None or declared.regions is None:
        return mask
    mask, rank = as_arrays(mask), y_pred.ndim
    region = declared.regions(rank, **arguments)
    axes, kept = tuple(axis for axis in region if axis < mask.ndim), rank - len(region)
    return mask if mask.ndim <= max(kept, 1) or mask.shape != y_pred.shape[: mask.ndim] else jnp.max(mask, axis=axes)


def check_takes_labels(function: Callable[..., Any], owner: str, arguments: Mapping[str, Any]) -> None:
    """Raises `ArgumentError` for a function that cannot be called with labels and predictions.

    Args:
        function: the loss or metric function.
        owner: its address, for the message.
        arguments: given by name.

    >>> check_takes_labels(lambda y_true, y_pred, delta: y_pred, "own", {"delta": 1.0})
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not have one
        return
    try:
        signature.bind(None, None, **arguments)
    except TypeError as error:
        given, first = getattr(function, "__name__", ""), "self, " if inspect.ismethod(function) else ""
        name = given if given.isidentifier() else "own"
        raise ArgumentError(
            f"the function must take labels and predictions: {error}.",
            path=owner,
            expected=f"a function of ({', '.join(['y_true', 'y_pred', *arguments])})",
            received=f"one of {signature}",
            write=f"def {name}({first}y_true, y_pred): ...   # a value for each example",
        ) from None


def check_values(values: ArrayTree, owner: str) -> None:
    """Raises `ArgumentError` for values that a loss or a metric cannot average: None, text, complex numbers.

    Args:
        values: what a function returned.
        owner: its address, for the message.

    >>> check_values(jnp.ones(3), "own")
    """
    kind = _kind(values)
    if kind is not None:
        raise ArgumentError(
            f"the function must return real numbers, got {kind}.",
            path=owner,
            expected="an array of real numbers, one for each example",
            received=repr(values)[:80],
            write="return jnp.mean(jnp.square(y_pred - y_true), axis=-1)   # for example",
        )


def _kind(values: ArrayTree) -> str | None:
    """Names what a function returned if it is not real numbers; `None` if it is."""
    leaves = jax.tree.leaves(values)
    if not leaves:
        return "None" if values is None else "nothing"
    try:
        return "complex numbers" if any(map(jnp.iscomplexobj, map(jnp.asarray, leaves))) else None
    except (TypeError, ValueError):
        return "values of another type"
