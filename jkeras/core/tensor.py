"""KerasTensor: the shape and dtype of a value that does not exist yet.

Calling an operation on one records the call and returns another. `None` marks a dimension that is not known. The
history of a tensor (which operation, which of its calls, which output) is all that a graph is made of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

import jax

from jkeras import dtypes
from jkeras.errors import ArgumentError, GraphError
from jkeras.typing import ArrayLike, DType, DTypeLike, Shape


def check_dense(owner: str, sparse: bool | None = False, ragged: bool | None = False) -> None:
    """Raises `ArgumentError` where a sparse or a ragged tensor is asked for; `None` leaves it open."""
    if sparse or ragged:
        raise ArgumentError(
            "`sparse` and `ragged` must be False: JAX's functions take dense arrays.",
            path=owner,
            expected="sparse=False, ragged=False",
            received=f"sparse={sparse!r}, ragged={ragged!r}",
        )


class KerasHistory(NamedTuple):
    """Where a tensor came from: output `tensor_index` of call `node_index` of `operation`."""

    operation: Any
    node_index: int
    tensor_index: int


class KerasTensor:
    """A symbolic tensor.

    Args:
        shape: a tuple of ints, `None` where a dimension is not known.
        dtype: a dtype name.
        sparse, ragged: must be false; JAX has no such dense-compatible arrays.
        record_history: whether calls on it are recorded in a graph.
        name: shown in messages, and the key of an input in dicts.

    Raises:
        ArgumentError: the shape is no shape.

    >>> KerasTensor((None, 8))
    <KerasTensor shape=(None, 8), dtype=float32, name=keras_tensor>
    """

    def __init__(
        self,
        shape: Any,
        dtype: DTypeLike = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        check_dense("KerasTensor", sparse, ragged)
        self._shape = standardize_shape(shape)
        self._dtype = dtypes.standardize(dtype)
        self.record_history = bool(record_history)
        self.name = name or "keras_tensor"
        self.history = KerasHistory(None, 0, 0)

    @property
    def shape(self) -> Shape:
        """The dimensions, `None` where not known."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """The dtype's name."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def sparse(self) -> bool:
        """Always false."""
        return False

    @property
    def ragged(self) -> bool:
        """Always false."""
        return False

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def _refuse(self, what: str) -> NoReturn:
        raise GraphError(
            f"a symbolic tensor has no {what}: it stands for values that do not exist yet.",
            path=self.name,
            expected="operations of jkeras.ops or jkeras.layers",
            write="jkeras.ops.lift(my_function)(tensor)   # records any JAX function",
        )

    def __bool__(self) -> bool:
        self._refuse("truth value")

    def __int__(self) -> int:
        self._refuse("int value")

    def __float__(self) -> float:
        self._refuse("float value")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("entries to iterate over")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse("array value")

    def __jax_array__(self) -> Any:
        self._refuse("JAX value")

    __array_ufunc__ = None  # so that `numpy_array * tensor` leaves the operation to the tensor


TensorTree: TypeAlias = KerasTensor | ArrayLike | Sequence["TensorTree"] | Mapping[str, "TensorTree"]
"""Symbolic tensors and arrays, in lists, tuples and dicts."""


def standardize_shape(shape: Iterable[int | None]) -> Shape:
    """A shape as a tuple; `None` dimensions stay.

    >>> standardize_shape([None, 3])
    (None, 3)
    """
    if shape is None or isinstance(shape, str | int) or not hasattr(shape, "__iter__"):
        raise ArgumentError(
            "`shape` must be a sequence of ints and None.",
            path="shape",
            expected="a tuple such as (None, 8)",
            received=repr(shape),
        )
    dims = tuple(_dimension(dim) for dim in shape)
    if any(isinstance(dim, int) and dim < 0 for dim in dims):
        raise ArgumentError(
            "`shape` must not have negative dimensions.",
            path="shape",
            expected="ints >= 0 or None",
            received=tuple(shape),
        )
    return dims


def _dimension(dim: Any) -> int | None:
    if dim is None or (jax.export.is_symbolic_dim(dim) if not isinstance(dim, int) else False):
        return None
    try:
        return int(dim.__index__())
    except AttributeError:
        raise ArgumentError(
            "`shape` must have ints and None as dimensions.",
            path="shape",
            expected="an int or None",
            received=repr(dim),
        ) from None


def is_shape(thing: object) -> bool:
    """Whether something is a tuple or list of dimensions, and so a shape rather than a container of things.

    >>> is_shape((None, 3)), is_shape([(2,), (3,)])
    (True, False)
    """
    return isinstance(thing, tuple | list) and all(
        dim is None or (isinstance(dim, int) and not isinstance(dim, bool)) for dim in thing
    )


def is_keras_tensor(thing: object) -> bool:
    """Whether something is a symbolic tensor.

    >>> is_keras_tensor(KerasTensor((2,))), is_keras_tensor(2)
    (True, False)
    """
    return isinstance(thing, KerasTensor)


def keras_tensors(*structures: Any) -> list[KerasTensor]:
    """The symbolic tensors in nested structures, in order."""
    return [leaf for leaf in jax.tree.leaves(structures) if isinstance(leaf, KerasTensor)]


def any_symbolic(args: object, kwargs: object) -> bool:
    """Whether a call has a symbolic tensor anywhere in its arguments."""
    return any(isinstance(leaf, KerasTensor) for leaf in jax.tree.leaves((args, kwargs)))
