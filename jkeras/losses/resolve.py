"""From what a trainer is given to a loss: names, functions, and `"crossentropy"`, which depends on shapes."""

import inspect

from jkeras import arguments
from jkeras.losses.base import Loss, LossFunctionWrapper, class_loss_of, get
from jkeras.losses.called import CalledLoss
from jkeras.typing import Identifier, Shape

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
        write = "loss='mse'   # or an instance, such as losses.MeanSquaredError()"
        raise arguments.refusal(identifier, "loss", "loss", "a loss", write=write)
    loss = LossFunctionWrapper(found, name=identifier if isinstance(identifier, str) else name_of(found))
    loss.class_loss = class_loss_of(found, {})
    return loss
