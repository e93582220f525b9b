"""Initializers that draw nothing: a constant, zeros, ones, a given array; and `get`, which makes the last one."""

from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import arguments, dtypes, registry
from jkeras.errors import ShapeError
from jkeras.initializers.base import Initializer, family, static_shape
from jkeras.initializers.literal import Literal
from jkeras.typing import Array, ArrayLike, Config, DTypeLike, InitializerLike, Key


@family.register()
class Constant(Initializer):
    """One value everywhere, cast to the dtype of the weight.

    Args:
        value: a number; or an array or nested list of numbers, which is broadcast to the shape. What is held of an
            array is its bytes.

    Raises:
        ArgumentError: the value holds no numbers.
        ShapeError: the value does not broadcast to the shape of a call.

    >>> from jkeras import initializers
    >>> initializers.Constant(0.5)((3,)).tolist(), initializers.Constant([1, 2])((2, 2), "int32").tolist()
    ([0.5, 0.5, 0.5], [[1, 2], [1, 2]])

    Source: `keras.initializers.Constant`.
    """

    def __init__(self, value: ArrayLike | Sequence[Any] = 0.0) -> None:
        self.value = _held(value)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """The value, broadcast to the shape."""
        shape, value = static_shape(shape, type(self).__name__), _array(self.value)
        try:
            np.broadcast_shapes(value.shape, shape)
        except ValueError:
            fits = False
        else:
            fits = np.broadcast_shapes(value.shape, shape) == shape
        if not fits:
            raise ShapeError(
                "`value` must broadcast to the shape of the weight.",
                path="Constant",
                expected=f"shape {shape}, or one that broadcasts to it",
                received=f"a value of shape {value.shape}",
                write="initializers.Constant(0.5)   # one number fits every shape",
            )
        return jnp.broadcast_to(jnp.asarray(value.astype(dtypes.standardize(dtype))), shape)

    def get_config(self) -> Config:
        """`{"value": value}`."""
        return {"value": _written(self.value)}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The initializer of a config."""
        return cls(registry.deserialize(config["value"]))


@family.register("zero")
class Zeros(Initializer):
    """Zeros.

    >>> from jkeras import initializers
    >>> initializers.Zeros()((2,), "int32").tolist()
    [0, 0]

    Source: `keras.initializers.Zeros`.
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """Zeros of the shape and dtype."""
        return jnp.zeros(static_shape(shape, "Zeros"), dtypes.standardize(dtype))


@family.register("one")
class Ones(Initializer):
    """Ones.

    >>> from jkeras import initializers
    >>> initializers.Ones()((2,), "bool").tolist()
    [True, True]

    Source: `keras.initializers.Ones`.
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """Ones of the shape and dtype."""
        return jnp.ones(static_shape(shape, "Ones"), dtypes.standardize(dtype))


@registry.export("jkeras.initializers")
class FromArray(Initializer):
    """A given array, for weights of exactly its shape. `get(array)` makes one.

    Args:
        value: a numpy or JAX array; its bytes are held.

    Raises:
        ShapeError: a call asks for another shape.

    >>> from jkeras import initializers
    >>> initializers.get(np.array([1.0, 2.0]))((2,)).tolist()
    [1.0, 2.0]

    Source: what `keras.initializers.get` makes of an array.
    """

    def __init__(self, value: ArrayLike | np.generic | Sequence[Any]) -> None:
        self.value = value if isinstance(value, Literal) else Literal.of(value)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """The array, cast to the dtype."""
        if static_shape(shape, "FromArray") != self.value.shape:
            raise ShapeError(
                "the array must have the shape of the weight.",
                path="FromArray",
                expected=f"an array of shape {tuple(shape)}",
                received=f"an array of shape {self.value.shape}",
                write=f"initializers.FromArray(array)   # array.shape == {tuple(shape)}",
            )
        return jnp.asarray(self.value.array().astype(dtypes.standardize(dtype)))

    def get_config(self) -> Config:
        """`{"value": value}`."""
        return {"value": registry.serialize(self.value.array())}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The initializer of a config."""
        return cls(registry.deserialize(config["value"]))


def get(identifier: InitializerLike) -> Any:
    """The initializer of a name, a config, a class, a callable or an array; `None` for `None`.

    Args:
        identifier: a name such as `"glorot_uniform"` or `"GlorotUniform"`, a config that `serialize` made, a class,
            a callable `(shape, dtype)` or `(shape, dtype, *, key)`, which comes back as it is, or an array, which
            becomes a `FromArray`.

    Raises:
        UnknownNameError: no initializer has the name.
        ArgumentError: the identifier is not one of these.

    >>> from jkeras import initializers
    >>> initializers.get("he_normal"), initializers.get("one")
    (HeNormal(seed=None, input_axes=None, output_axes=None), Ones())
    """
    if isinstance(identifier, jax.Array | np.ndarray | np.generic):
        return FromArray(identifier)
    return family.get(identifier)


def _held(value: object) -> Any:
    """What is kept of a value: numbers as they are, lists as tuples, arrays as literals."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, jax.Array | np.ndarray):
        return Literal.of(value) if value.ndim else _held(np.asarray(value)[()])
    if isinstance(value, list | tuple):
        return tuple(_held(item) for item in value)
    if isinstance(value, bool | int | float | Literal):
        return value
    wanted = "a number, or a list or array of numbers"
    raise arguments.refusal(value, "value", "Constant", wanted, write="Constant(0.5)")


def _array(value: object) -> np.ndarray:
    return value.array() if isinstance(value, Literal) else np.asarray(value)


def _written(value: object) -> Any:
    return registry.serialize(value.array() if isinstance(value, Literal) else value)
