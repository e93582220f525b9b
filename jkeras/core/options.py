"""The arguments that every layer takes, for the types of the layers that hand them on."""

from collections.abc import Sequence
from typing import TypedDict

from jkeras.dtypes import PolicyLike
from jkeras.typing import RegularizerLike


class PlainOptions(TypedDict, total=False):
    """What every layer takes besides a regularizer of its outputs."""

    name: str | None
    trainable: bool
    dtype: PolicyLike
    autocast: bool
    input_shape: Sequence[int | None]
    input_dim: int


class LayerOptions(PlainOptions, total=False):
    """What every layer takes."""

    activity_regularizer: RegularizerLike
