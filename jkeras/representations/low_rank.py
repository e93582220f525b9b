"""LowRank: a frozen weight and a trained product of two thin matrices (LoRA)."""

import string

import jax
import jax.numpy as jnp

from jkeras.core.variable import Representation, Variable
from jkeras.typing import Array, DType


class LowRank(Representation):
    """`W + scale * A @ B`, where `W` is frozen.

    Products are taken with `A` and `B` one after the other, `(x @ A) @ B`, so that no gradient of the size of `W` is
    ever formed. `jkeras.lora.enable` declares the pair of every layer of a model and sets this representation.

    Args:
        a: the declaration of `A`, `(..., rank)`: the axes of `W` but the last.
        b: the declaration of `B`, `(rank, o)`: the last axis of `W`.
        scale: a number.

    Shapes:
        `W (..., o)`; `W`, `A` and `B` may have dtypes of their own, and the weight has that of `W`.

    >>> import jax
    >>> from jkeras import layers
    >>> layer = layers.Dense(3, lora_rank=1, lora_alpha=2.0)
    >>> layer.build((None, 4))
    >>> layer.kernel.representation
    LowRank(a=lora_kernel_a, b=lora_kernel_b, scale=2.0)

    Source: E. J. Hu et al., "LoRA: Low-rank adaptation of large language models", arXiv:2106.09685, section 4.1.
    """

    freezes = True

    def __init__(self, a: Variable, b: Variable, scale: float) -> None:
        self.a, self.b, self.scale = a, b, scale

    def value(self, weight: Variable) -> Array:
        return self.merged(weight.leaf, self.a.value, self.b.value)

    def merged(self, weight: Array, a: Array, b: Array) -> Array:
        """`W + scale * A @ B` of three arrays, in the dtype of the first; further axes in front are those of stacks."""
        if b.ndim > 2:
            return jax.vmap(self.merged)(weight, a, b)
        return (weight + self.scale * (a @ b)).astype(weight.dtype)

    def matmul(self, weight: Variable, x: Array, transposed: bool, dtype: DType | None) -> Array:
        matrix, a, b = weight.leaf, self.a.value, self.b.value
        if dtype is not None:
            matrix, a, b = matrix.astype(dtype), a.astype(dtype), b.astype(dtype)
        if transposed:
            return x @ matrix.T + self.scale * ((x @ b.T) @ a.T)
        return x @ matrix + self.scale * ((x @ a) @ b)

    def einsum(self, weight: Variable, equation: str, x: Array) -> Array:
        product = jnp.einsum(with_rank(equation), x, self.a.value, self.b.value)
        total: Array = jnp.einsum(equation, x, weight.leaf) + self.scale * product
        return total

    def take(self, weight: Variable, indices: Array) -> Array:
        rows = jnp.take(self.a.value, indices, axis=0)
        return jnp.take(weight.leaf, indices, axis=0) + self.scale * (rows @ self.b.value)

    def __repr__(self) -> str:
        return f"LowRank(a={self.a.name}, b={self.b.name}, scale={self.scale})"


def with_rank(equation: str) -> str:
    """An equation of inputs and a kernel, with `A` and `B` in place of the kernel, whose last axis `B` has.

    >>> with_rank("...bc,cd->...bd")
    '...bc,ca,ad->...bd'
    """
    inputs, kernel, outputs = equation.replace(" ", "").replace("->", ",").split(",")
    rank = next(letter for letter in string.ascii_letters if letter not in equation)
    return f"{inputs},{kernel[:-1]}{rank},{rank}{kernel[-1]}->{outputs}"
