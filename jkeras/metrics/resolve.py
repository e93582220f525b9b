"""From what a trainer is given to a metric: names, functions, and those names that depend on shapes."""

from jkeras.errors import ArgumentError
from jkeras.losses.resolve import CROSSENTROPY, kind_of_labels, name_of
from jkeras.metrics.base import FAMILY, Metric, get
from jkeras.metrics.reduction import MeanMetricWrapper
from jkeras.typing import Identifier, Shape

ACCURACY = ("accuracy", "acc")


def _named(name: str, y_true_shape: Shape, y_pred_shape: Shape) -> Metric:
    """The metric of a name, bearing that name."""
    key = name
    for names, suffix in ((ACCURACY, "accuracy"), (CROSSENTROPY, "crossentropy")):
        if name.lower() in names:
            key = f"{kind_of_labels(y_true_shape, y_pred_shape)}_{suffix}"
    found = FAMILY.lookup(key)
    if not isinstance(found, type):
        return MeanMetricWrapper(found, name=name)
    FAMILY.check_complete(found)
    result: Metric = found(name=name)
    return result


def resolve(identifier: Identifier, y_true_shape: Shape, y_pred_shape: Shape) -> Metric:
    """The `Metric` that an entry of a trainer's `metrics=` means for labels and predictions of these shapes.

    `"accuracy"` and `"acc"` are `BinaryAccuracy`, `SparseCategoricalAccuracy` or `CategoricalAccuracy`;
    `"crossentropy"` and `"ce"` the crossentropies (of probabilities); see `jkeras.losses.resolve.kind_of_labels`.

    Args:
        identifier: what `get` takes, or one of these names.
        y_true_shape, y_pred_shape: of one batch.

    Returns:
        A metric. One that was asked for by a name bears that name, as in Keras's logs; a function its own.

    Raises:
        UnknownNameError: no metric has the name.
        ArgumentError: the identifier names neither a metric nor a function.

    >>> resolve("accuracy", (8,), (8, 3))
    <SparseCategoricalAccuracy name=accuracy>
    >>> resolve("mse", (8, 1), (8, 1))
    <MeanSquaredError name=mse>
    """
    if isinstance(identifier, str):
        return _named(identifier, y_true_shape, y_pred_shape)
    found = get(identifier)
    if isinstance(found, Metric):
        return found
    if found is None:
        raise ArgumentError(
            "`metrics` must hold metrics, got None.",
            path="metrics",
            expected="a metric",
            received="None",
            write="metrics=['accuracy']   # or an instance, such as metrics.MeanSquaredError()",
        )
    return MeanMetricWrapper(found, name=name_of(found))
