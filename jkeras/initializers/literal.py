"""The value of an array without the array: what an initializer that was given one holds."""

import dataclasses
import math
from typing import Any, Self

import jax
import numpy as np

from jkeras import arguments
from jkeras.errors import ArgumentError
from jkeras.jax_compat import is_traced


@dataclasses.dataclass(frozen=True)
class Literal:
    """An array's value as immutable bytes: hashable, compared by content, the same object for ever.

    Args:
        data: the elements in C order.
        shape: the shape of the array.
        dtype: the name of its dtype.

    >>> literal = Literal.of(np.array([1.0, 2.0], "float32"))
    >>> literal, literal.array()
    (Literal(shape=(2,), dtype='float32'), array([1., 2.], dtype=float32))
    """

    data: bytes = dataclasses.field(repr=False)
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, array: Any) -> Self:
        """The literal of a numpy or JAX array.

        Raises:
            ArgumentError: a tracer, whose value is not known, or something that does not hold numbers.
        """
        if is_traced(array):
            raise ArgumentError(
                "the value must be a concrete array, got one that is being traced.",
                path="initializers",
                expected="a concrete array",
                received=array,
                write="initializer = FromArray(array)   # outside the function that jax.jit or jax.grad transforms",
            )
        value = np.asarray(array)
        if value.dtype.kind in "OSUM":
            rule, received = "the value must hold numbers", arguments.shown(array)
            raise ArgumentError.must(rule, received, path="initializers", expected="numbers", write="Constant(0.5)")
        return cls(value.tobytes(), value.shape, value.dtype.name)

    def array(self) -> np.ndarray:
        """The value, as a read-only view of the bytes."""
        count = math.prod(self.shape)
        return np.frombuffer(self.data, jax.numpy.dtype(self.dtype), count).reshape(self.shape)
