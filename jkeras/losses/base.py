"""Losses: pure functions of labels and predictions, with a reduction.

A *loss function* maps `y_true` and `y_pred` to one value per sample. A `Loss` is a loss function together with what
happens to these values: masks and weights are applied, then they are reduced to a scalar. It holds its configuration
and nothing else, so it may be shared, closed over by `jit`, and called as often as one likes.

Keras hands a mask over as a hidden attribute of an array. Here it is an argument (`mask=`), and a loss that itself
knows entries that do not count (`ignore_class`) says which (`Loss.valid`). Entries that do not count may hold anything,
NaN included, in labels and predictions: see `jkeras.losses.entries`.

The table of losses has Keras's names: those of classes give instances, those of functions give the functions.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import arguments, config, dtypes, families, registry
from jkeras.configurable import PlainArguments
from jkeras.dtypes import PolicyLike
from jkeras.errors import MissingCallError
from jkeras.losses import entries
from jkeras.losses.arrays import as_arrays, examples_of, match_ranks
from jkeras.losses.entries import check_takes_labels, check_values
from jkeras.losses.validation import check_same_shape
from jkeras.losses.weighting import (
    MEAN,
    REDUCTIONS,
    UNREDUCED,
    divide,
    merge_masks,
    reduce_weighted,
    sum_and_count,
)
from jkeras.typing import Array, ArrayLike, ArrayTree, Config, Identifier, LossLike, PyTree, Shape

LossFunction = Callable[..., Array]
T = TypeVar("T")


class Loss(PlainArguments):
    """The base of losses: override `call`.

    `loss(y_true, y_pred, sample_weight) = reduction(sample_weight * call(y_true, y_pred))`

    Args:
        name: by default the class's name in snake case.
        reduction: `"sum"`, `"sum_over_batch_size"` or `"mean"` (both the mean over all values),
            `"mean_with_sample_weight"` (divides by the sum of the weights), `"none"` or `None` (one value per sample).
        dtype: of the result; by default `floatx`. A policy's compute dtype. `call` gets predictions and labels in it,
            or in float32 where it is half precision, and everything is added up in that.

    Raises:
        ArgumentError: unknown reduction.

    >>> import jax.numpy as jnp
    >>> class Absolute(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)
    >>> float(Absolute()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]], sample_weight=[1.0, 3.0]))
    1.0
    """

    integer_labels: bool = False
    """Whether `call` gets the labels uncast, because they are class indices."""
    takes_linear_logits: ClassVar[bool] = False
    """Whether a trainer hands it the features and the kernel of the layer that makes the output: `LinearLogits`."""

    def __init__(self, name: str | None = None, reduction: str | None = MEAN, dtype: PolicyLike = None) -> None:
        owner = type(self).__name__
        line = f'{owner}(reduction="sum_over_batch_size")'
        arguments.one_of(reduction, "reduction", owner, REDUCTIONS, write=line)
        if name is not None:
            arguments.string(name, "name", owner, write=f'{owner}(name="my_loss")')
        self.name = name or registry.snake_case(owner)
        self.reduction = reduction
        self.dtype = dtypes.get(dtype or config.floatx()).compute_dtype

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """One value per sample."""
        raise MissingCallError(
            "a loss must define `call`, and this one does not.",
            path=type(self).__name__,
            write="def call(self, y_true, y_pred): ...   # one value per sample",
        )

    def valid(self, y_true: Any, y_pred: Any) -> Array | None:
        """Which values of `call` count, by the labels alone; `None` where all do."""
        return None

    def __call__(
        self,
        y_true: ArrayTree,
        y_pred: ArrayTree,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> Array:
        """The reduced loss.

        Args:
            y_true, y_pred: arrays, or trees of them.
            sample_weight: of the shape of the unreduced values, or of its first axes, or a scalar.
            mask: true where a value counts, of such a shape too. Means are then taken over the valid values.

        Returns:
            A scalar of the loss's dtype; with reduction `"none"` or `None` the weighted values.
        """
        values, mask = self._values(y_true, y_pred, sample_weight, mask)
        if self.reduction in UNREDUCED:
            return reduce_weighted(values, sample_weight, mask, self.reduction).astype(self.dtype)
        return self.divide(*sum_and_count(values, sample_weight, mask, self.reduction))

    def sum_and_count(
        self,
        y_true: ArrayTree,
        y_pred: ArrayTree,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> tuple[Array, Array | np.floating]:
        """The loss of a part of a batch, before the division: `divide(sum of totals, sum of counts)` is that of all.

        The total is the sum of the weighted values. The count is the number of values that count (mask and
        `ignore_class` considered); for `"mean_with_sample_weight"` it is the sum of their weights. So for every loss
        that has one value per sample, parts of any sizes give the loss of the whole batch.

        A loss with one value for the whole batch (`Dice` and `Tversky` over all axes, or a function that returns a
        scalar) counts once for each example; the value of the parts is then the mean of their values, weighted by
        their examples. `Circle` compares the examples of one part with each other.

        Args:
            y_true, y_pred, sample_weight, mask: as in `__call__`.

        Returns:
            Two scalars of the loss's dtype, float32 at least; the count is NumPy's where it follows from shapes alone.

        Raises:
            ArgumentError: the reduction is `"none"` or `None`, which leaves nothing to divide. A trainer refuses such a
                loss with this error.

        >>> from jkeras import losses
        >>> loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        >>> total, count = loss.sum_and_count([1, -1, 0], [[0.0, 0.0], [5.0, 6.0], [0.0, 0.0]])
        >>> round(float(total), 4), float(count)
        (1.3863, 2.0)
        """
        self.check_reduces()
        values, mask = self._values(y_true, y_pred, sample_weight, mask)
        return sum_and_count(values, sample_weight, mask, self.reduction, examples_of(y_pred))

    def check_reduces(self) -> None:
        """Raises `ArgumentError` where the reduction is `"none"` or `None`.

        >>> Loss().check_reduces()
        """
        if self.reduction in UNREDUCED:
            wanted = 'reduction="sum_over_batch_size", "sum" or "mean_with_sample_weight"'
            write = f'{type(self).__name__}(reduction="sum_over_batch_size")'
            what = "such that it reduces the values to one number"
            raise arguments.refusal(self.reduction, "reduction", self.name, what, expected=wanted, write=write)

    def divide(self, total: Array, count: Array | np.floating) -> Array:
        """The reduced loss of the sums of `sum_and_count`: `total / count`, 0 where the count is 0; `"sum"`: `total`.

        Args:
            total, count: the sums over all parts.

        Returns:
            A scalar of the loss's dtype.

        >>> from jkeras import losses
        >>> loss = losses.MeanSquaredError()
        >>> parts = [loss.sum_and_count([[0.0]], [[3.0]]), loss.sum_and_count([[0.0], [0.0]], [[0.0], [0.0]])]
        >>> float(loss.divide(sum(total for total, _ in parts), sum(count for _, count in parts)))
        3.0
        """
        return divide(total, count, self.reduction).astype(self.dtype)

    def _values(
        self, y_true: ArrayTree, y_pred: ArrayTree, sample_weight: ArrayLike | None, mask: ArrayLike | None
    ) -> tuple[Array, Array | None]:
        """The unreduced values, and which of them count; half precision is computed in float32."""
        dtype = jnp.promote_types(self.dtype, "float32")
        y_pred = as_arrays(y_pred, dtype)
        y_true = as_arrays(y_true, None if self.integer_labels else dtype)
        with jax.named_scope(self.name):
            counts = entries.counting(sample_weight, mask)
            try:
                y_true, y_pred = self._without(y_true, y_pred, counts)
                values = self.call(y_true, y_pred)
            except TypeError:
                check_takes_labels(self.call, f"{type(self).__name__}.call", {})
                raise
            check_values(values, self.name)
            values = as_arrays(values, dtype)
            return values, merge_masks(self._mask_of_values(mask, y_pred), self.valid(y_true, y_pred))

    def _without(self, y_true: ArrayTree, y_pred: ArrayTree, counts: Array | None) -> tuple[PyTree, PyTree]:
        """Labels and predictions without the entries that do not count."""
        return (y_true, y_pred) if counts is None else entries.without_unknown(self.call, y_true, y_pred, counts)

    def _mask_of_values(self, mask: ArrayLike | None, y_pred: ArrayTree) -> Any | None:
        """The mask of what `call` returns."""
        return mask

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Looks at labels on the host, before any training: raises `DataError` where they cannot be this loss's.

        Args:
            y_true: all labels.
            y_pred_shape: the shape of the model's output; the lengths of the first axes may differ.
            path: address of the labels, for the message.
        """

    def get_config(self) -> Config:
        """`name` and `reduction`; `dtype` where it is not `floatx`."""
        values = {"name": self.name, "reduction": self.reduction}
        return values if self.dtype == config.floatx() else {**values, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Config) -> "Loss":
        """The loss of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class FunctionLoss(Loss):
    """A loss whose values are those of a loss function with fixed arguments."""

    unwritten: ClassVar[Mapping[str, Any]] = {}
    """Arguments that Keras's configs leave out: they are written where they differ from these values."""

    def __init__(
        self, fn: LossFunction, reduction: str | None, name: str | None, dtype: PolicyLike, **arguments: Any
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn, self.arguments = fn, arguments
        self.integer_labels = entries.has_class_indices(fn)

    def call(self, y_true: ArrayTree, y_pred: ArrayTree) -> Array:
        """`fn(y_true, y_pred, **arguments)`, ranks matched leaf by leaf."""
        pairs = jax.tree.map(match_ranks, y_true, y_pred)
        y_true, y_pred = jax.tree.transpose(jax.tree.structure(y_true), None, pairs)
        return self.fn(y_true, y_pred, **self.arguments)

    def valid(self, y_true: ArrayTree, y_pred: ArrayTree) -> Array | None:
        """What the function says of its labels."""
        return entries.valid_entries(self.fn, y_true, y_pred, **self.arguments)

    def _without(self, y_true: ArrayTree, y_pred: ArrayTree, counts: Array | None) -> tuple[PyTree, PyTree]:
        return entries.without(self.fn, y_true, y_pred, counts, self.arguments)

    def _mask_of_values(self, mask: ArrayLike | None, y_pred: ArrayTree) -> Any | None:
        return entries.mask_of_values(self.fn, mask, y_pred, self.arguments)

    def get_config(self) -> Config:
        """That of `Loss`, and the arguments."""
        skipped = [key for key, value in self.unwritten.items() if self.arguments[key] == value]
        kept = {key: value for key, value in self.arguments.items() if key not in skipped}
        return {**super().get_config(), **registry.serialize(kept)}


class SameShapeLoss(FunctionLoss):
    """A loss whose labels have the shape of the predictions."""

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """Raises `DataError` where the shapes do not fit."""
        check_same_shape(self, y_true, y_pred_shape, path)


FAMILY = families.Family("loss", "keras.losses", Loss)


def public(*aliases: str, module: str = "keras.losses") -> Callable[[T], T]:
    """Puts a class or function into the table, under its name as it is and the aliases."""

    def declare(thing: T) -> T:
        registry.export(module, "keras.losses")(thing)
        if not isinstance(thing, type) and entries.of(thing) is None:
            entries.declare()(thing)
        for key in (thing.__name__, *aliases):  # type: ignore[attr-defined]
            FAMILY.table[key] = thing
        return thing

    return declare


@public(module="keras.src.losses.losses")
class LossFunctionWrapper(FunctionLoss):
    """A function as a loss.

    Args:
        fn: `fn(y_true, y_pred, **kwargs) -> values`. If `y_true` and `y_pred` are trees, it gets the trees.
        reduction, name, dtype: as in `Loss`.
        **kwargs: further arguments of `fn`.

    >>> from jkeras import losses
    >>> loss = LossFunctionWrapper(losses.huber, delta=0.5, reduction="sum")
    >>> float(loss([[0.0], [0.0]], [[1.0], [0.5]]))
    0.5
    """

    class_loss: Loss | None = None
    """The loss of the class that has this function, where it has been looked for."""

    def __init__(
        self,
        fn: LossFunction,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: PolicyLike = None,
        **kwargs: Any,
    ) -> None:
        write = "LossFunctionWrapper(lambda y_true, y_pred: ...)   # a value for each example"
        arguments.function(fn, "fn", "LossFunctionWrapper", write, expected="a function of (y_true, y_pred)")
        check_takes_labels(fn, str(name or getattr(fn, "__name__", "LossFunctionWrapper")), kwargs)
        super().__init__(fn, reduction, name, dtype, **kwargs)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """What the loss class of the same function says; nothing for a function that has none."""
        same = self.class_loss or class_loss_of(self.fn, self.arguments)
        if same is not None:
            same.validate(y_true, y_pred_shape, path)

    def get_config(self) -> Config:
        """That of `Loss`, the function and its arguments."""
        return {**super().get_config(), "fn": registry.serialize(self.fn)}

    @classmethod
    def from_config(cls, config: Config) -> "Loss":
        """The loss of a config."""
        return cls(**registry.deserialize(config))


def class_loss_of(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Loss | None:
    """The loss of the class that has a function of the table; `None` for any other function."""
    name = getattr(function, "__name__", None)
    for kind in FAMILY.table.values() if FAMILY.table.get(name or "") is function else ():
        if isinstance(kind, type) and registry.snake_case(kind.__name__) == name:
            found: Loss = kind(**arguments)
            return found
    return None


public()(Loss)


def get(identifier: Identifier) -> Any:
    """The loss of an identifier, as Keras understands it.

    Args:
        identifier: the name of a loss class (gives an instance) or of a loss function (gives the function), a config,
            a class, an instance, a callable; `None` gives `None`.

    Raises:
        UnknownNameError: no loss has the name.

    >>> from jkeras import losses
    >>> losses.get("MeanSquaredError"), losses.get("mse") is losses.mean_squared_error
    (<MeanSquaredError name=mean_squared_error>, True)
    """
    return FAMILY.get(identifier)


def serialize(loss: LossLike) -> Any:
    """The config of a loss or of a loss function.

    Args:
        loss: a loss, or a loss function.

    >>> from jkeras import losses
    >>> losses.serialize(losses.Poisson())["config"]
    {'name': 'poisson', 'reduction': 'sum_over_batch_size'}
    """
    return registry.serialize(loss)


def deserialize(name: Callable[..., Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss of a config or of a name.

    Args:
        name, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import losses
    >>> losses.deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).arguments
    {'delta': 2.0}
    """
    return FAMILY.deserialize(name, custom_objects)
