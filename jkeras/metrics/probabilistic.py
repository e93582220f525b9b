"""Crossentropies and divergences, averaged over all samples seen."""

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.losses.crossentropy import binary_crossentropy, categorical_crossentropy
from jkeras.losses.probabilistic import kl_divergence, poisson
from jkeras.losses.sparse import sparse_categorical_crossentropy
from jkeras.metrics.base import FAMILY
from jkeras.metrics.reduction import FunctionMean


@FAMILY.register()
class KLDivergence(FunctionMean):
    """The mean of `sum(y_true log(y_true / y_pred))`.

    Args:
        name, dtype: as in `Metric`.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    direction = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: PolicyLike = None) -> None:
        super().__init__(kl_divergence, name, dtype)


@FAMILY.register()
class Poisson(FunctionMean):
    """The mean of `y_pred - y_true log y_pred`.

    Args:
        name, dtype: as in `Metric`.

    >>> float(Poisson()([[1.0, 0.0]], [[1.0, 2.0]]))
    1.5
    """

    direction = "down"

    def __init__(self, name: str | None = "poisson", dtype: PolicyLike = None) -> None:
        super().__init__(poisson, name, dtype)


@FAMILY.register("bce", "BCE")
class BinaryCrossentropy(FunctionMean):
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

    direction = "down"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        owner = "BinaryCrossentropy"
        self.from_logits = arguments.boolean(from_logits, "from_logits", owner)
        self.label_smoothing = arguments.fraction(label_smoothing, "label_smoothing", owner)
        kept = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        super().__init__(binary_crossentropy, name, dtype, **kept)


@FAMILY.register()
class CategoricalCrossentropy(FunctionMean):
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

    direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        owner = "CategoricalCrossentropy"
        self.from_logits = arguments.boolean(from_logits, "from_logits", owner)
        self.label_smoothing = arguments.fraction(label_smoothing, "label_smoothing", owner)
        self.axis = arguments.axis(axis, "axis", owner)
        kept = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        super().__init__(categorical_crossentropy, name, dtype, **kept)


@FAMILY.register()
class SparseCategoricalCrossentropy(FunctionMean):
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

    direction = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        owner = "SparseCategoricalCrossentropy"
        self.from_logits = arguments.boolean(from_logits, "from_logits", owner)
        self.ignore_class = arguments.optional_int(ignore_class, "ignore_class", owner)
        self.axis = arguments.axis(axis, "axis", owner)
        kept = {"from_logits": self.from_logits, "ignore_class": self.ignore_class, "axis": self.axis}
        super().__init__(sparse_categorical_crossentropy, name, dtype, **kept)
