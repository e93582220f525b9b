"""Crossentropies and divergences, averaged over all samples seen."""

from jkeras.dtypes import PolicyLike
from jkeras.losses.crossentropy import binary_crossentropy, categorical_crossentropy, checked
from jkeras.losses.probabilistic import kl_divergence, poisson
from jkeras.losses.sparse import sparse_categorical_crossentropy
from jkeras.metrics.base import FAMILY
from jkeras.metrics.reduction import LossMean


@FAMILY.register()
class KLDivergence(LossMean):
    """The mean of `sum(y_true log(y_true / y_pred))`.

    Args:
        name, dtype: as in `Metric`.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: PolicyLike = None) -> None:
        super().__init__(kl_divergence, name, dtype)


@FAMILY.register()
class Poisson(LossMean):
    """The mean of `y_pred - y_true log y_pred`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(Poisson()([[1.0, 0.0]], [[1.0, 2.0]]))
    1.5
    """

    def __init__(self, name: str | None = "poisson", dtype: PolicyLike = None) -> None:
        super().__init__(poisson, name, dtype)


@FAMILY.register("bce", "BCE")
class BinaryCrossentropy(LossMean):
    """The mean of `-y log p - (1 - y) log(1 - p)`.

    Args:
        name, dtype: as in `Metric`.
        from_logits: whether predictions are logits; otherwise they are probabilities.
        label_smoothing: 0 to 1: how far labels are drawn towards 1/2.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0], [0.0]], [[0.0], [-100.0]])), 4)
    0.3466
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        kept = checked("BinaryCrossentropy", {"from_logits": from_logits, "label_smoothing": label_smoothing})
        self.from_logits, self.label_smoothing = kept.values()
        super().__init__(binary_crossentropy, name, dtype, **kept)


@FAMILY.register()
class CategoricalCrossentropy(LossMean):
    """The mean of `-sum(y log p)`, for labels that are distributions over classes.

    Args:
        name, dtype: as in `Metric`.
        from_logits: whether predictions are logits; otherwise they are probabilities.
        label_smoothing: 0 to 1: how far labels are drawn towards the uniform distribution.
        axis: where the classes are.

    Raises:
        ArgumentError: an argument out of range.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]])), 4)
    0.3466
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        given = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        kept = checked("CategoricalCrossentropy", given)
        self.from_logits, self.label_smoothing, self.axis = kept.values()
        super().__init__(categorical_crossentropy, name, dtype, **kept)


@FAMILY.register()
class SparseCategoricalCrossentropy(LossMean):
    """The mean of `-log p[label]`, for labels that are class indices.

    Args:
        name, dtype: as in `Metric`.
        from_logits: whether predictions are logits; otherwise they are probabilities.
        ignore_class: a label that does not count. Keras counts its entries, as zeros, unless there are sample weights;
            here they are left out in either case.
        axis: where the classes are.

    Raises:
        ArgumentError: an argument out of range.

    >>> metric = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    >>> round(float(metric([1, 0, -1], [[0.0, 0.0], [100.0, 0.0], [5.0, 6.0]])), 4)
    0.3466
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        given = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        kept = checked("SparseCategoricalCrossentropy", given)
        self.from_logits, self.ignore_class, self.axis = kept.values()
        super().__init__(sparse_categorical_crossentropy, name, dtype, **kept)
