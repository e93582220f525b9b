"""Input: where a graph begins."""

import warnings
from collections.abc import Sequence
from typing import Any

from jkeras import dtypes, registry
from jkeras.core.layer import Layer
from jkeras.core.node import Node
from jkeras.core.tensor import KerasTensor, check_dense, standardize_shape
from jkeras.errors import ArgumentError
from jkeras.typing import Config, DTypeLike


@registry.export("keras.layers")
class InputLayer(Layer):
    """The operation whose only output is the symbolic tensor that a graph starts from.

    Args:
        shape: the shape of one example, without the batch axis.
        batch_size: the batch axis, where it is fixed.
        dtype: a dtype name.
        batch_shape: the shape with the batch axis, instead of the two.
        sparse, ragged: not true.
        optional: whether `None` may be given for it.
        name: the key of this input.
        input_tensor: an existing symbolic tensor to wrap.

    >>> InputLayer((8,)).output
    <KerasTensor shape=(None, 8), dtype=float32, name=input_layer>
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_dense("Input", sparse, ragged)
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
            warnings.warn("InputLayer: `input_shape` is called `shape` now.", stacklevel=2)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ArgumentError(
                "give either `shape` or `batch_shape`.",
                path="Input",
                expected="one of them",
                received="both" if shape is not None else "neither",
                write="jkeras.Input((28, 28, 1))",
            )
        self._dtype_name = dtypes.standardize(dtype)
        super().__init__(name=name, dtype=None, **kwargs)
        self.batch_shape = standardize_shape(
            batch_shape if batch_shape is not None else (batch_size, *standardize_shape(shape))
        )
        self.optional = bool(optional)
        self._built = True
        tensor = (
            input_tensor
            if input_tensor is not None
            else KerasTensor(self.batch_shape, self._dtype_name, name=self.name)
        )
        if tensor.history.operation is None:
            Node(self, (), {}, tensor)

    @property
    def dtype(self) -> str:
        """The dtype of the input."""
        return self._dtype_name

    @property
    def input_dtype(self) -> str:
        """The dtype of the input."""
        return self._dtype_name

    def call(self) -> KerasTensor:
        """The symbolic tensor."""
        tensor: KerasTensor = self.output
        return tensor

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._dtype_name,
            "sparse": False,
            "ragged": False,
            "name": self.explicit_name,
            "optional": self.optional,
        }


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor from which a graph begins.

    Args:
        shape: the shape of one example; `None` for dimensions that vary.
        batch_size, batch_shape, dtype, sparse, ragged, optional, name: as for `InputLayer`.
        tensor: an existing symbolic tensor to wrap.

    >>> Input((28, 28, 1), name="image")
    <KerasTensor shape=(None, 28, 28, 1), dtype=float32, name=image>
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.output if tensor is None else tensor
