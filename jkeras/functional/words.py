"""Arithmetic modulo 2^64 where there are only 32 bits: words as pairs of uint32.

JAX has 64-bit integers only where they were enabled. Hashes need them everywhere, but only the operators here, which
are those of a NumPy array of uint64. Each is a few elementwise operations, which XLA fuses.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jkeras.typing import Array


@dataclasses.dataclass(frozen=True)
class Word:
    """Words `2^32 high + low`. The other operand may be an int; shifts are by ints from 1 to 63.

    >>> word = Word.of_int32(jnp.array([-1])) * 3 + 5
    >>> word.high.tolist(), word.low.tolist(), word.modulo(10).tolist()
    ([0], [2], [2])
    """

    high: Array
    low: Array

    @staticmethod
    def of_uint32(values: Array) -> "Word":
        """Values without sign."""
        return Word(jnp.zeros_like(values), values)

    @staticmethod
    def of_int32(values: Array) -> "Word":
        """Values modulo 2^64."""
        return Word((values >> 31).astype("uint32"), values.astype("uint32"))

    def __add__(self, other: "Word | int") -> "Word":
        high, low = _parts(other)
        total = self.low + low
        return Word(self.high + high + (total < low).astype("uint32"), total)

    def __mul__(self, other: "Word | int") -> "Word":
        high, low = _parts(other)
        carried = _upper_product(self.low, low)
        return Word(carried + self.low * high + self.high * low, self.low * low)

    def __xor__(self, other: "Word | int") -> "Word":
        high, low = _parts(other)
        return Word(self.high ^ high, self.low ^ low)

    def __or__(self, other: "Word") -> "Word":
        return Word(self.high | other.high, self.low | other.low)

    def __lshift__(self, by: int) -> "Word":
        if by >= 32:
            return Word(self.low << (by - 32), jnp.zeros_like(self.low))
        return Word((self.high << by) | (self.low >> (32 - by)), self.low << by)

    def __rshift__(self, by: int) -> "Word":
        if by >= 32:
            return Word(jnp.zeros_like(self.high), self.high >> (by - 32))
        return Word(self.high >> by, (self.low >> by) | (self.high << (32 - by)))

    def modulo(self, divisor: int) -> Array:
        """The remainder of the division by an int of at most 2^31, as int32."""
        remainder = jnp.zeros_like(self.low)
        if divisor == 1:
            return remainder.astype("int32")
        room = 32 - (divisor - 1).bit_length()  # so many bits fit behind a remainder
        for part in (self.high, self.low):
            for end in range(32, 0, -room):
                taken = min(room, end)
                piece = (part >> (end - taken)) & (2**taken - 1)
                remainder = ((remainder << taken) | piece) % np.uint32(divisor)
        return remainder.astype("int32")


def where(condition: Array, one: Word, two: Word) -> Word:
    """The words of `one` where a condition holds, those of `two` elsewhere."""
    return Word(jnp.where(condition, one.high, two.high), jnp.where(condition, one.low, two.low))


def _parts(value: Word | int) -> tuple[Array | np.uint32, Array | np.uint32]:
    if isinstance(value, Word):
        return value.high, value.low
    return np.uint32(value >> 32), np.uint32(value & 0xFFFFFFFF)


def _upper_product(one: Array, two: Array | np.uint32) -> Array:
    """The upper half of a product of two uint32, from products of their halves, which fit."""
    a, b = one >> 16, one & 0xFFFF
    c, d = two >> 16, two & 0xFFFF
    middle = a * d + (b * d >> 16)
    return a * c + (middle >> 16) + ((b * c + (middle & 0xFFFF)) >> 16)
