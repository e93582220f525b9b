"""What hashing layers share: their arguments, and the forms in which inputs are hashed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras import arguments
from jkeras.errors import ArgumentError
from jkeras.layers.preprocessing.texts import KINDS, as_texts
from jkeras.typing import Array, ArrayTree

ON_DEVICE = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
MOST_BINS = 2**31 - 1


def check_bins(bins: Any, owner: str) -> int:
    """A number of bins whose indices fit int32.

    >>> check_bins(3, "Hashing")
    3
    """
    arguments.positive_int(bins, "num_bins", owner, f"{owner}(num_bins=1000)")
    if bins > MOST_BINS:
        raise ArgumentError(
            f"`num_bins` must be at most {MOST_BINS}, got {bins}.",
            path=owner,
            expected=f"num_bins <= {MOST_BINS}",
            received=bins,
            write=f"{owner}(num_bins={MOST_BINS})",
        )
    return int(bins)


def check_salt(salt: int | Sequence[int] | None, owner: str) -> list[int] | None:
    """The two halves of SipHash's key; `None` for FarmHash.

    >>> check_salt(133, "Hashing")
    [133, 133]
    """
    if salt is None:
        return None
    pair = [salt, salt] if isinstance(salt, int) else list(salt) if isinstance(salt, Sequence) else []
    if len(pair) != 2 or not all(isinstance(half, int) for half in pair):
        wanted, write = "an integer, a pair of integers or None", f"{owner}(..., salt=1337)"
        raise arguments.refusal(salt, "salt", owner, wanted, write=write)
    return pair


def integers_on_device(inputs: Array, path: str) -> Array:
    """Integers as int32 or uint32, which the device hashes."""
    if inputs.dtype not in ON_DEVICE:
        raise ArgumentError(
            f"integers must have at most 32 bits to be hashed on the device, got {inputs.dtype}.",
            path=path,
            expected=" or ".join(ON_DEVICE[:3]) + ", or unsigned ones",
            received=str(inputs.dtype),
            write="layer.on_host(x)   # in NumPy, before the model",
        )
    return inputs if inputs.dtype == "uint32" else inputs.astype("int32")


def digits_or_texts(inputs: ArrayTree, owner: str) -> tuple[list[bytes], tuple[int, ...], bool]:
    """The texts, or the decimal digits of the numbers, in an array or nested list, as one list of bytes; its shape; and
    whether they are texts. Floats are cut to int64.

    >>> digits_or_texts([[1], [-2]], "Hashing"), digits_or_texts(["a"], "Hashing")
    (([b'1', b'-2'], (2, 1), False), ([b'a'], (1,), True))
    """
    array = np.asarray(inputs)
    if array.dtype.kind in KINDS:
        texts, shape = as_texts(array, owner)
        return [text.encode() for text in texts], shape, True
    if array.dtype.kind not in "iuf":
        raise ArgumentError(
            f"the inputs must be strings or numbers, got dtype {array.dtype}.",
            path=owner,
            expected="str, bytes or numbers",
            received=array.dtype,
            write=f"{owner}(...)(np.array(['a', 'b']))",
        )
    integers = array.astype("int64") if array.dtype.kind == "f" else array
    return integers.ravel().astype("S20").tolist(), array.shape, False
