"""Texts, which only the host has: XLA's arrays hold numbers, so no compiled program can read a string.

A layer that takes texts therefore runs where it is called, on NumPy arrays (or lists) of `str` or `bytes`, and returns
NumPy arrays. It holds no values, so it needs neither variables nor a scope: it is a function, to be mapped over data
before they reach a model. Such layers can be pickled, so the workers of a loader can run them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jkeras.core import KerasTensor, Layer
from jkeras.errors import ArgumentError, GraphError
from jkeras.jax_compat import is_traced
from jkeras.typing import ArrayTree, DTypeLike, PyTree

KINDS = "USOT"  # of NumPy's dtypes: unicode, bytes, objects, StringDType


class HostLayer(Layer):
    """The base of layers that run on the host for texts. Subclasses write `on_host`, and `call` if there is one for
    numbers on the device.

    Attributes:
        only_on_host: whether numbers are for the host too.
    """

    only_on_host: bool = True

    def __call__(self, *args: Any, **kwargs: Any) -> PyTree:
        """Runs on the host where the inputs are texts, or integers that the device would cut; else on the device."""
        leaves = jax.tree.leaves((args, kwargs))
        if any(isinstance(leaf, KerasTensor) or is_traced(leaf) for leaf in leaves):
            return super().__call__(*args, **kwargs)
        if self.only_on_host or any(is_text(leaf) or is_cut(leaf) for leaf in leaves):
            return self.on_host(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def on_host(self, inputs: PyTree) -> np.ndarray:
        """What the layer makes of inputs on the host."""
        raise NotImplementedError

    def get_build_config(self) -> None:
        """Nothing: a layer without variables is built for inputs of any shape and dtype."""

    def call(self, inputs: PyTree) -> PyTree:
        raise GraphError(
            "strings cannot be part of a compiled function: XLA has no strings.",
            path=self._label,
            expected="a call on NumPy arrays of strings, before the data reach the model",
            write=f"x = {self.name}(texts)   # then model.stateless_call(*variables, x)",
        )


def is_text(leaf: object) -> bool:
    """Whether something is a text or an array of them.

    >>> is_text("a"), is_text(np.array([b"a"])), is_text(np.ones(1))
    (True, True, False)
    """
    return isinstance(leaf, str | bytes) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind in KINDS)


def is_cut(leaf: object) -> bool:
    """Whether something is an array of NumPy with integers that 32 bits cannot hold.

    >>> is_cut(np.array([2**40])), is_cut(np.array([5])), is_cut(np.array([2**31]))
    (True, False, True)
    """
    if not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype.kind not in "iu" or leaf.dtype.itemsize < 8:
        return False
    bounds = np.iinfo("int32")
    return bool(leaf.size) and bool(leaf.min() < bounds.min or leaf.max() > bounds.max)


def as_texts(data: ArrayTree, owner: str, encoding: str = "utf-8") -> tuple[list[str], tuple[int, ...]]:
    """All texts in an array or nested list, as one list; and the array's shape. Bytes are decoded.

    >>> as_texts([["a", "b"], ["c", "d"]], "StringLookup")
    (['a', 'b', 'c', 'd'], (2, 2))
    """
    try:
        array = np.asarray(data)
    except ValueError:
        raise ArgumentError(
            "the inputs must be an array, got lists of different lengths.",
            path=owner,
            expected="an array or list of str",
            write="TextVectorization(...)(sentences)",
        ) from None
    if array.dtype.kind not in KINDS and array.size:
        rule, write = "the inputs must be strings", f"{owner}(...)(np.array(['a', 'b']))"
        wanted = "an array or list of str"
        raise ArgumentError.must(rule, f"dtype {array.dtype}", path=owner, expected=wanted, write=write)
    texts = array.ravel().tolist()
    if array.dtype.kind in "SO":
        texts = [text.decode(encoding) if isinstance(text, bytes) else text for text in texts]
        strangers = [text for text in texts if not isinstance(text, str)]
        if strangers:
            raise ArgumentError(
                f"every entry must be a string, got {repr(strangers[0])[:80]}.",
                path=owner,
                expected="str or bytes",
                received=repr(strangers[0])[:80],
                write="np.array(list(map(str, values)))",
            )
    return texts, array.shape


def documents(data: ArrayTree) -> Iterator[Sequence[Any]]:
    """The documents in an array of one batch: its rows, or where it has one axis its entries.

    >>> [list(document) for document in documents(np.array([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    array = np.atleast_1d(np.asarray(data))
    rows = array.reshape(len(array), math.prod(array.shape[1:]))
    for start in range(0, len(rows), 4096):  # Python's integers take four times the room
        yield from rows[start : start + 4096].tolist()


def padded(values: np.ndarray, lengths: Sequence[int], width: int | None = None, filler: int = 0) -> np.ndarray:
    """Rows of different lengths, which stand one after the other, as one matrix: cut or filled up to a width, by
    default that of the longest.

    >>> values = np.array([1, 2, 3, 4])
    >>> padded(values, [3, 1]).tolist(), padded(values, [3, 1], 2).tolist()
    ([[1, 2, 3], [4, 0, 0]], [[1, 2], [4, 0]])
    """
    if width is None:
        width = max(lengths, default=0)
    ends = np.cumsum(lengths, dtype="int64")
    row = np.repeat(np.arange(len(lengths)), lengths)
    column = np.arange(len(values)) - np.repeat(ends - lengths, lengths)
    kept = column < width
    matrix = np.full((len(lengths), width), filler, values.dtype)
    matrix[row[kept], column[kept]] = values[kept]
    return matrix


def encode_on_host(indices: np.ndarray, mode: str, depth: int, dtype: DTypeLike) -> np.ndarray:
    """`encode` in NumPy; see there.

    >>> encode_on_host(np.array([[0, 2, 2, -1]]), "count", 4, "float32").tolist()
    [[1.0, 0.0, 2.0, 0.0]]
    """
    if mode == "one_hot" and indices.ndim > 1 and indices.shape[-1] == 1:
        indices = indices[..., 0]
    indices = np.atleast_1d(indices) if mode != "one_hot" else indices[..., None]
    shape = indices.shape[:-1]
    flat = indices.reshape(-1, indices.shape[-1])
    row = np.broadcast_to(np.arange(len(flat))[:, None], flat.shape)
    known = (flat >= 0) & (flat < depth)
    places = row[known] * depth + flat[known]
    outputs = np.zeros(len(flat) * depth, "float32" if np.dtype(dtype).itemsize < 4 else dtype)  # halves cannot count
    if mode == "count":
        np.add.at(outputs, places, 1)
    else:
        outputs[places] = 1
    return outputs.reshape(*shape, depth).astype(dtype, copy=False)
