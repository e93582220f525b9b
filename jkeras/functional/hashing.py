"""Hashes of strings and integers, the same in every process and on every machine: FarmHash64 and SipHash-2-4.

Both are defined on bytes, in arithmetic modulo 2^64. Strings are hashed by NumPy, many at once: those of one length are
the rows of one matrix of bytes, and a step of the algorithm is one operation on its columns. Integers hash as their
decimal digits, and are hashed on the device too, with `Word` in the place of uint64; the steps for both kinds of
words are written once.

Source: G. Pike, FarmHash, 2014 (its `Fingerprint64`); J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input
PRF", INDOCRYPT 2012.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.functional import words
from jkeras.functional.words import Word
from jkeras.typing import Array

K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F  # primes between 2^63 and 2^64
CROSS = 0xC6A4A7935BD1E995
ALL = 2**64 - 1
SIP = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)  # "somepseudorandomly..."
DIGITS = 11  # of an int32, the sign included

Salt = Sequence[int] | None
Pair = tuple[Any, Any]
State = list[Any]  # four words
Bytes = tuple[Array, Array, Array]  # twelve bytes, four in a uint32, the first one lowest


def hash_texts(texts: Sequence[bytes], salt: Salt = None) -> np.ndarray:
    """The hashes of strings as uint64: SipHash with the two numbers of a salt as its key, FarmHash without.

    >>> hash_texts([b"test", b""]).tolist()
    [8581389452482819506, 11160318154034397263]
    """
    hashes = np.zeros(len(texts), "uint64")
    lengths = np.fromiter(map(len, texts), "int64", len(texts))
    function: Callable[..., Any] = farmhash if salt is None else lambda rows: siphash(rows, salt)
    order = np.argsort(lengths, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if group.size:
            joined = b"".join([texts[index] for index in group])
            hashes[group] = function(np.frombuffer(joined, "uint8").reshape(group.size, -1))
    return hashes


def hash_integers(values: Array, salt: Salt = None) -> Word:
    """The hashes of the decimal digits of int32 or uint32, on the device.

    >>> hash_integers(jnp.array([2, 37])).modulo(3).tolist(), (hash_texts([b"2", b"37"]) % 3).tolist()
    ([1, 2], [1, 2])
    """
    return Word(*_hash_digits(values, None if salt is None else tuple(salt)))


@functools.partial(jax.jit, static_argnums=1)
def _hash_digits(values: Array, salt: tuple[int, ...] | None) -> tuple[Array, Array]:
    right, length = _decimal(values)
    left, size = _shifted(right, DIGITS - length), Word.of_uint32(length)
    word = _farm_digits(left, right, size) if salt is None else _sip_digits(left, size, salt)
    return word.high, word.low


def cross(one: Any, other: Any) -> Any:
    """One word from two, both kinds of words; their order matters."""
    mixed = (one ^ CROSS) ^ (_shift_mix(other * CROSS) * CROSS)
    return _shift_mix(_shift_mix(mixed * CROSS) * CROSS)


# -- integers


def _decimal(values: Array) -> tuple[Bytes, Array]:
    """The decimal digits and sign as ASCII codes, the last one in byte 10, zeros in front; and how many they are."""
    negative = values < 0
    unsigned = values.astype("uint32")
    rest = jnp.where(negative, 0 - unsigned, unsigned)
    count = 1 + sum((rest >= np.uint32(10**power)).astype("uint32") for power in range(1, DIGITS - 1))
    right = [jnp.zeros_like(rest)] * 3
    for place in range(DIGITS):  # from the right
        sign = jnp.where(negative & (count == place), np.uint32(ord("-")), np.uint32(0))
        code = jnp.where(count > place, rest % 10 + ord("0"), sign)
        word, byte = divmod(DIGITS - 1 - place, 4)
        right[word] = right[word] | (code << (8 * byte))
        rest = rest // 10
    return (right[0], right[1], right[2]), count + negative


def _shifted(codes: Bytes, by: Array) -> Bytes:
    """Bytes moved to the front by some places, zeros behind them."""
    zero, skipped, bits = jnp.zeros_like(codes[0]), by // 4, by % 4 * 8
    moved = [*codes, zero, zero, zero]
    one, two, three, four = (
        jnp.where(skipped == 0, moved[k], jnp.where(skipped == 1, moved[k + 1], moved[k + 2])) for k in range(4)
    )

    def joined(low: Array, high: Array) -> Array:
        return (low >> bits) | jnp.where(bits == 0, 0, high << ((32 - bits) % 32))

    return joined(one, two), joined(two, three), joined(three, four)


# -- FarmHash


def farmhash(rows: np.ndarray) -> Any:
    """The hashes of the rows of a matrix of bytes.

    >>> farmhash(np.frombuffer(b"test" * 8, "uint8").reshape(1, 32)).tolist()
    [14250503356343785354]
    """
    length = rows.shape[1]
    if length == 0:
        return K2
    if length <= 3:
        first, middle, last = (rows[:, index].astype("uint64") for index in (0, length // 2, length - 1))
        return _up_to_3(first, middle, last, length)
    if length <= 7:
        return _up_to_7(_fetch(rows, 0, 4), _fetch(rows, length - 4, 4), length)
    if length <= 16:
        return _up_to_16(_fetch(rows, 0), _fetch(rows, length - 8), length)
    if length <= 32:
        a, b, c, d = (_fetch(rows, start) for start in (0, 8, length - 8, length - 16))
        mul = K2 + 2 * length
        a, c, d = a * K1, c * mul, d * K2
        return _mix(_rotate(a + b, 43) + _rotate(c, 30) + d, a + _rotate(b + K2, 18) + c, mul)
    return _up_to_64(rows) if length <= 64 else _long(rows)


def _up_to_3(first: Any, middle: Any, last: Any, length: Any) -> Any:
    return _shift_mix((first + (middle << 8)) * K2 ^ ((last << 2) + length) * K0) * K2


def _up_to_7(head: Any, tail: Any, length: Any) -> Any:
    return _mix((head << 3) + length, tail, length * 2 + K2)


def _up_to_16(head: Any, tail: Any, length: Any) -> Any:
    mul, a = length * 2 + K2, head + K2
    return _mix(_rotate(tail, 37) * mul + a, (_rotate(a, 25) + tail) * mul, mul)


def _up_to_64(rows: np.ndarray) -> np.ndarray:
    length = rows.shape[1]
    mul = K2 + 2 * length
    a, b, e, f = (_fetch(rows, start) for start in (0, 8, 16, 24))
    c, d, g, h = (_fetch(rows, length - back) for back in (8, 16, 32, 24))
    a, c, d, e = a * K2, c * mul, d * K2, e * mul
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _mix(y, a + _rotate(b + K2, 18) + c, mul)
    g, h = (y + g) * mul, (z + h) * mul
    array: np.ndarray = _mix(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, mul)
    return array


def _long(rows: np.ndarray) -> np.ndarray:
    """More than 64 bytes: 56 bytes of state, stirred with 64 bytes at a time, the last ones overlapping."""
    zero, seed = np.zeros(len(rows), "uint64"), 81
    x, y, z = zero + seed * K2 % 2**64, zero + (seed * K1 + 113) % 2**64, zero
    x, z = x + _fetch(rows, 0), _shift_mix(y * K2 + 113) * K2
    v, w = (zero, zero), (zero, zero)
    last = (rows.shape[1] - 1) // 64 * 64
    for start in range(0, last, 64):
        x, y, z, v, w = _stir(rows, start, x, y, z, v, w, K1)
    mul = ((z & 0xFF) << 1) + K1
    w = (w[0] + ((rows.shape[1] - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x, y, z, v, w = _stir(rows, rows.shape[1] - 64, x, y, z, v, w, mul, nine=9)
    array: np.ndarray = _mix(_mix(v[0], w[0], mul) + _shift_mix(y) * K0 + z, _mix(v[1], w[1], mul) + x, mul)
    return array


def _stir(
    rows: np.ndarray, start: int, x: Any, y: Any, z: Any, v: Pair, w: Pair, mul: Any, nine: int = 1
) -> tuple[Any, Any, Any, Pair, Pair]:
    """One block of 64 bytes. The result's `x` and `z` are exchanged."""
    m = [_fetch(rows, start + offset) for offset in range(0, 64, 8)]
    x = _rotate(x + y + v[0] + m[1], 37) * mul ^ w[1] * nine
    y = _rotate(y + v[1] + m[6], 42) * mul + v[0] * nine + m[5]
    z = _rotate(z + w[0], 33) * mul
    v = _weak(m[:4], v[1] * mul, x + w[0])
    w = _weak(m[4:], z + w[1], y + m[2])
    return z, y, x, v, w


def _weak(m: Sequence[Any], a: Any, b: Any) -> Pair:
    a = a + m[0]
    b = _rotate(b + a + m[3], 21)
    total = a + m[1] + m[2]
    return total + m[3], b + _rotate(total, 44) + a


def _mix(one: Any, other: Any, mul: Any) -> Any:
    a = (one ^ other) * mul
    b = ((a ^ (a >> 47)) ^ other) * mul
    return _shift_mix(b) * mul


def _shift_mix(word: Any) -> Any:
    return word ^ (word >> 47)


def _rotate(word: Any, right: int) -> Any:
    return (word >> right) | (word << (64 - right))


def _fetch(rows: np.ndarray, start: int, size: int = 8) -> np.ndarray:
    """Columns as one little-endian word per row."""
    return np.ascontiguousarray(rows[:, start : start + size]).view(f"<u{size}")[:, 0].astype("uint64")


def _farm_digits(left: Bytes, right: Bytes, size: Word) -> Word:
    """The hashes of up to 11 bytes, which begin in the first byte of `left` and end in byte 10 of `right`."""
    first, last = (Word.of_uint32(code & 0xFF) for code in (left[0], right[2] >> 16))
    middle = words.where(size.low > 1, Word.of_uint32((left[0] >> 8) & 0xFF), first)
    tail = Word((right[1] >> 24) | (right[2] << 8), (right[0] >> 24) | (right[1] << 8))
    few = _up_to_3(first, middle, last, size)
    some = _up_to_7(Word.of_uint32(left[0]), Word.of_uint32(tail.high), size)
    many = _up_to_16(Word(left[1], left[0]), tail, size)
    return words.where(size.low > 7, many, words.where(size.low > 3, some, few))


# -- SipHash


def siphash(rows: np.ndarray, salt: Sequence[int]) -> np.ndarray:
    """The hashes of the rows of a matrix of bytes, under a key of two numbers.

    >>> hex(siphash(np.arange(15, dtype="uint8").reshape(1, 15), (0x0706050403020100, 0x0F0E0D0C0B0A0908))[0])
    '0xa129ca6149be45e5'
    """
    whole = rows.shape[1] // 8 * 8
    end = np.zeros((len(rows), 8), "uint8")
    end[:, : rows.shape[1] - whole] = rows[:, whole:]
    end[:, 7] = rows.shape[1] & 0xFF
    array: np.ndarray = _sip([*(_fetch(rows, start) for start in range(0, whole, 8)), _fetch(end, 0)], salt)
    return array


def _sip(message: Sequence[Any], salt: Sequence[int]) -> Any:
    state = _seeded(message[0] ^ message[0], salt)
    for word in message:
        state = _absorb(state, word, _repeat)
    return _finish(state, _repeat)


def _sip_digits(left: Bytes, size: Word, salt: Sequence[int]) -> Word:
    """The hashes of up to 11 bytes: the first eight are absorbed where there are as many."""
    head, long = Word(left[1], left[0]), size.low >= 8
    state = _seeded(head ^ head, salt)
    stirred = _absorb(state, head, _repeat_on_device)
    state = [words.where(long, after, before) for after, before in zip(stirred, state, strict=True)]
    end = words.where(long, Word.of_uint32(left[2]), head) | (size << 56)
    result: Word = _finish(_absorb(state, end, _repeat_on_device), _repeat_on_device)
    return result


def _seeded(nothing: Any, salt: Sequence[int]) -> State:
    return [nothing ^ (salt[index % 2] & ALL) ^ constant for index, constant in enumerate(SIP)]


def _absorb(state: State, word: Any, repeat: Callable[[State, int], State]) -> State:
    """A word of the message goes in: two rounds."""
    a, b, c, d = repeat([*state[:3], state[3] ^ word], 2)
    return [a ^ word, b, c, d]


def _finish(state: State, repeat: Callable[[State, int], State]) -> Any:
    """The hash comes out: four rounds."""
    a, b, c, d = repeat([state[0], state[1], state[2] ^ 0xFF, state[3]], 4)
    return a ^ b ^ c ^ d


def _repeat(state: State, rounds: int) -> State:
    for _ in range(rounds):
        state = _sip_round(state)
    return state


def _repeat_on_device(state: State, rounds: int) -> State:
    """Rounds in a loop: XLA's CPU compiler needs minutes for the expression that they are without one."""

    def body(_: Any, halves: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
        return [(word.high, word.low) for word in _sip_round([Word(*half) for half in halves])]

    return [Word(*half) for half in lax.fori_loop(0, rounds, body, [(word.high, word.low) for word in state])]


def _sip_round(state: State) -> State:
    a, b, c, d = state
    a, c = a + b, c + d
    b, d = _rotate(b, 64 - 13) ^ a, _rotate(d, 64 - 16) ^ c
    a, c = _rotate(a, 32) + d, c + b
    b, d = _rotate(b, 64 - 17) ^ c, _rotate(d, 64 - 21) ^ a
    return [a, b, _rotate(c, 32), d]
