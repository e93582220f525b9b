"""Hinge losses, averaged over all samples seen."""

from jkeras.dtypes import PolicyLike
from jkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from jkeras.metrics.base import FAMILY
from jkeras.metrics.reduction import LossMean


@FAMILY.register()
class Hinge(LossMean):
    """The mean of `max(1 - y_true y_pred, 0)`, for labels -1 and 1 (or 0 and 1).

    Args:
        name, dtype: as in `Metric`.

    >>> float(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.0
    """

    def __init__(self, name: str | None = "hinge", dtype: PolicyLike = None) -> None:
        super().__init__(hinge, name, dtype)


@FAMILY.register()
class SquaredHinge(LossMean):
    """The mean of `max(1 - y_true y_pred, 0)^2`, for labels -1 and 1 (or 0 and 1).

    Args:
        name, dtype: as in `Metric`.

    >>> float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.25
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: PolicyLike = None) -> None:
        super().__init__(squared_hinge, name, dtype)


@FAMILY.register()
class CategoricalHinge(LossMean):
    """The mean of `max(neg - pos + 1, 0)`: by how much the true class's score falls short of leading by 1.

    Args:
        name, dtype: as in `Metric`.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.25, 0.75]]))
    0.5
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: PolicyLike = None) -> None:
        super().__init__(categorical_hinge, name, dtype)
