"""Constructors of pooling layers: windows that move, a number of windows, and one window over everything."""

from typing import Any, ClassVar, Unpack

from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.typing import Sizes


class BasePooling(Layer):
    """One number out of every window. Subclasses set `rank`, the number of spatial axes, and describe `call`."""

    rank: ClassVar[int]

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        owner = type(self).__name__
        self.pool_size = standardize_tuple(pool_size, self.rank, "pool_size", owner)
        self.strides = self.pool_size if strides is None else standardize_tuple(strides, self.rank, "strides", owner)
        self.padding = standardize_padding(padding, owner)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)


class BaseAdaptivePooling(Layer):
    """A given number of windows. Subclasses set `rank`, the number of spatial axes, and describe `call`."""

    rank: ClassVar[int]

    def __init__(self, output_size: Sizes, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.output_size = standardize_tuple(output_size, self.rank, "output_size", type(self).__name__)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)


class BaseGlobalPooling(Layer):
    """One number out of every channel. Subclasses set `rank`, the number of spatial axes, and describe `call`."""

    rank: ClassVar[int]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=self.rank + 2)
