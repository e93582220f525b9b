"""From what a trainer is given to a loss: names, functions, and `"crossentropy"`, which depends on shapes."""

import inspect
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras import arguments
from jkeras.errors import ArgumentError, ShapeError
from jkeras.losses.arrays import examples_of
from jkeras.losses.base import Loss, LossFunctionWrapper, class_loss_of, get
from jkeras.losses.weighting import apply_mask
from jkeras.typing import Array, ArrayLike, ArrayTree, Identifier, Shape

CROSSENTROPY = ("crossentropy", "ce")


def kind_of_labels(y_true_shape: Shape, y_pred_shape: Shape) -> str:
    """`"binary"`, `"sparse_categorical"` or `"categorical"`, by Keras's rule.

    One prediction along the last axis is binary; labels with fewer axes, or with a last axis of length 1 where the
    predictions have a longer one, are class indices; all else is categorical.

    >>> kind_of_labels((8, 1), (8, 1)), kind_of_labels((8,), (8, 3)), kind_of_labels((8, 3), (8, 3))
    ('binary', 'sparse_categorical', 'categorical')
    """
    classes, last = (shape[-1] if shape else None for shape in (y_pred_shape, y_true_shape))
    if classes == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or last == 1:
        return "sparse_categorical"
    return "categorical"


def name_of(thing: object) -> str | None:
    """The name of an object, function or class.

    >>> name_of(len), name_of(LossFunctionWrapper(pow, name="power"))
    ('len', 'power')
    """
    return getattr(thing, "name", None) or getattr(thing, "__name__", None)


class CalledLoss(Loss):
    """A loss that overrides `__call__(y_true, y_pred, sample_weight=None)`, as Keras declares it, for a trainer.

    Its value is one for the whole batch, and counts once for each example: `sum_and_count` is
    `(value * examples, examples)`. A mask goes into the sample weights, unless its `__call__` takes `mask=`.

    Args:
        loss: the loss.

    >>> import jax.numpy as jnp
    >>> class Total(Loss):
    ...     def __call__(self, y_true, y_pred, sample_weight=None):
    ...         return jnp.sum(jnp.abs(y_true - y_pred))
    >>> total, count = resolve(Total(), (2, 1), (2, 1)).sum_and_count(jnp.zeros((2, 1)), jnp.ones((2, 1)))
    >>> float(total), float(count)
    (4.0, 2.0)
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.name, "sum_over_batch_size", loss.dtype)
        self.loss = loss
        self.takes_mask = "mask" in inspect.signature(type(loss).__call__).parameters

    def __call__(
        self,
        y_true: ArrayTree,
        y_pred: ArrayTree,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> Array:
        """The loss's own value."""
        given: dict[str, Any] = {}
        if self.takes_mask:
            given["mask"] = mask
        else:
            sample_weight = apply_mask(sample_weight, mask, self.loss.reduction)
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        value = jnp.asarray(self.loss(y_true, y_pred, **given))
        if value.ndim:
            raise ShapeError(
                "`__call__` of a loss must return one number.",
                path=self.name,
                expected="shape ()",
                received=f"shape {value.shape}",
                write="return jnp.mean(values)",
            )
        return value

    def sum_and_count(
        self,
        y_true: ArrayTree,
        y_pred: ArrayTree,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> tuple[Array, Array | np.floating]:
        """The value times the number of examples, and that number."""
        value = self(y_true, y_pred, sample_weight, mask=mask)
        dtype, examples = jnp.promote_types(value.dtype, "float32"), examples_of(y_pred)
        return value.astype(dtype) * examples, np.dtype(dtype).type(examples)

    def validate(self, y_true: np.ndarray, y_pred_shape: Shape, path: str = "y") -> None:
        """What the loss says of its labels."""
        self.loss.validate(y_true, y_pred_shape, path)


def resolve(identifier: Identifier, y_true_shape: Shape, y_pred_shape: Shape) -> Loss:
    """The `Loss` that a trainer's `loss=` means for labels and predictions of these shapes.

    Args:
        identifier: what `get` takes, or `"crossentropy"` / `"ce"`: binary, categorical or sparse categorical
            crossentropy of probabilities, by the shapes.
        y_true_shape, y_pred_shape: of one batch.

    Returns:
        A loss; a function is wrapped and bears its own name, or the name under which it was asked for. A loss that
        overrides `__call__` is wrapped too, see `CalledLoss`.

    Raises:
        UnknownNameError: no loss has the name.
        ArgumentError: the identifier names neither a loss nor a function.

    >>> resolve("crossentropy", (8,), (8, 3)).fn.__name__
    'sparse_categorical_crossentropy'
    >>> resolve("mse", (8, 1), (8, 1)).name
    'mse'
    """
    if isinstance(identifier, str) and identifier.lower() in CROSSENTROPY:
        found = get(f"{kind_of_labels(y_true_shape, y_pred_shape)}_crossentropy")
    else:
        found = get(identifier)
    if isinstance(found, Loss):
        overridden = type(found).__call__ is not Loss.__call__ and type(found).sum_and_count is Loss.sum_and_count
        return CalledLoss(found) if overridden else found
    if found is None or inspect.isclass(found):
        raise ArgumentError(
            f"`loss` must be a loss, got {arguments.shown(identifier)}.",
            path="loss",
            expected="a loss",
            received=repr(identifier)[:80],
            write="loss='mse'   # or an instance, such as losses.MeanSquaredError()",
        )
    loss = LossFunctionWrapper(found, name=identifier if isinstance(identifier, str) else name_of(found))
    loss.class_loss = class_loss_of(found, {})
    return loss
