"""Losses that override `__call__`, as Keras allows, in the form in which trainers use losses."""

import inspect
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras.errors import ShapeError
from jkeras.losses.arrays import examples_of
from jkeras.losses.base import Loss
from jkeras.losses.weighting import apply_mask
from jkeras.typing import Array, ArrayLike, ArrayTree, Shape


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
    >>> total, count = CalledLoss(Total()).sum_and_count(jnp.zeros((2, 1)), jnp.ones((2, 1)))
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
            rule, write = "`__call__` of a loss must return one number", "return jnp.mean(values)"
            raise ShapeError.must(rule, f"shape {value.shape}", path=self.name, expected="shape ()", write=write)
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
