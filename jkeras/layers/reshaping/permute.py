"""Permute: the axes of every example in another order."""

from collections.abc import Sequence
from typing import Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.typing import Array


@registry.export("keras.layers")
class Permute(Layer):
    """Puts the axes of every example into another order.

    `outputs` axis `n` is `inputs` axis `dims[n - 1]`; the batch axis is number 0 and stays where it is.

    Args:
        dims: the numbers 1, 2, ..., each once.

    Shapes:
        `(b, ...)` of rank `len(dims) + 1` -> the same dimensions, permuted. The dtype stays.

    Raises:
        ArgumentError: `dims` is not a permutation of 1, 2, ...
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> Permute((2, 1)).stateless_call({}, {}, jnp.arange(6).reshape(1, 2, 3))[0].tolist()
    [[[0, 3], [1, 4], [2, 5]]]
    """

    def __init__(self, dims: Sequence[int], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        entries = tuple(dims) if isinstance(dims, Sequence) else ()
        if not entries or set(entries) != set(range(1, len(entries) + 1)):
            what = "a permutation of the axes from 1 on"
            wanted = f"the numbers 1 to {len(entries) or 2}, each once; the batch axis is not among them"
            raise arguments.refusal(dims, "dims", "Permute", what, expected=wanted, write="Permute((2, 1))")
        self.dims = tuple(int(dim) for dim in entries)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Array) -> Array:
        return jnp.transpose(inputs, (0, *self.dims))
