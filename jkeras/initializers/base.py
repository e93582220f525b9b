"""Initializers: the first value of a weight as a pure function `(shape, dtype, key) -> array`.

Where Keras keeps a hidden stream of random numbers, here the caller gives the key, and the same key gives the same
values, in and out of `jax.jit`. A seed at construction fixes the key instead: the values repeat on every call, and are
those of Keras on JAX for the same seed.

Every formula that draws is one jitted function with static arguments, so that the eager call and the call inside a
larger program round alike.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from jkeras import dtypes, families, keys
from jkeras.configurable import Configurable
from jkeras.errors import ArgumentError, MissingCallError, ShapeError
from jkeras.typing import Array, Config, DTypeLike, InitializerLike, Key


class Initializer(Configurable):
    """The base of initializers: subclasses define `__call__(shape, dtype=None, *, key=None)`.

    Args of a call:
        shape: the shape of the weight, a tuple of ints.
        dtype: the dtype of the result; by default `config.floatx()`.
        key: a PRNG key. Initializers that draw nothing ignore it.

    Raises:
        MissingCallError: the subclass defines no `__call__`.

    >>> from jkeras import initializers
    >>> class Twos(initializers.Initializer):
    ...     def __call__(self, shape, dtype=None, *, key=None):
    ...         return 2 * initializers.Ones()(shape, dtype)
    >>> Twos()((2,)).tolist(), Twos() == Twos().clone()
    ([2.0, 2.0], True)

    Source: `keras.initializers.Initializer`, with an explicit key.
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """An array of the shape and dtype."""
        raise MissingCallError(
            "an initializer must define `__call__`, and this one does not.",
            path=type(self).__name__,
            write="def __call__(self, shape, dtype=None, *, key=None): ...",
        )

    def clone(self) -> "Initializer":
        """An equal initializer, made from the config."""
        return type(self).from_config(self.get_config())


family = families.Family("initializer", "keras.initializers", base=Initializer)
family.register(module="keras")(Initializer)


class RandomInitializer(Initializer):
    """The base of initializers that draw: subclasses define `draw(key, shape, dtype)`.

    Args:
        seed: an int to fix the key, or `None` to take it from the caller.

    Raises:
        ArgumentError: a seed that is not an int >= 0.

    >>> from jkeras import initializers
    >>> import jax
    >>> class Signs(initializers.RandomInitializer):
    ...     def draw(self, key, shape, dtype):
    ...         return jax.random.rademacher(key, shape).astype(dtype)
    >>> Signs()((4,), key=jax.random.key(0)).tolist()
    [-1.0, -1.0, 1.0, 1.0]

    Source: `keras.initializers.RandomNormal` and its siblings share this base.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = keys.check_seed(seed, type(self).__name__)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """Random values of the shape and dtype.

        Raises:
            ArgumentError: neither a seed nor a key, or a dtype that is not a float.
        """
        dtype = dtypes.standardize(dtype)
        if not dtypes.is_float(dtype):
            raise ArgumentError(
                f"`dtype` must be a floating-point type for random values, got {dtype!r}.",
                path=type(self).__name__,
                expected="a float dtype",
                received=dtype,
                write="initializer(shape, 'float32', key=jax.random.key(0)).astype(dtype)",
            )
        return self.draw(self._key(key), static_shape(shape, type(self).__name__), dtype)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        raise MissingCallError(
            "a random initializer must define `draw`, and this one does not.",
            path=type(self).__name__,
            write="def draw(self, key, shape, dtype): ...",
        )

    def _key(self, key: Key | None) -> Key:
        if self.seed is not None:
            return keys.from_seed(self.seed)
        if key is None:
            problem = "`key` is required: jkeras has no global random generator."
            wanted, received = "a key, or an initializer with a seed", "key=None, seed=None"
            write = "initializer(shape, key=jax.random.key(0))"
            raise ArgumentError(problem, path=type(self).__name__, expected=wanted, received=received, write=write)
        return key

    def get_config(self) -> Config:
        """`{"seed": seed}`."""
        return {"seed": self.seed}


def static_shape(shape: Sequence[int], owner: str) -> tuple[int, ...]:
    """The shape as a tuple of ints.

    >>> static_shape([2, 3], "Zeros")
    (2, 3)
    """
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = (-1,)
    if any(size < 0 for size in sizes):
        rule = "`shape` must be a tuple of integers >= 0"
        raise ShapeError.must(rule, repr(shape), path=owner, write=f"{owner}()((2, 3))")
    return sizes


def compute_fans(
    shape: Sequence[int], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """How many inputs reach one output of a weight, and how many outputs one input reaches: `(fan_in, fan_out)`.

    Args:
        shape: the shape of the weight. A kernel of a convolution is `(*window, inputs, outputs)`, and both fans
            count the window.
        input_axes, output_axes: the axes of inputs and of outputs, where the weight is laid out otherwise. Both or
            neither.

    >>> compute_fans((4, 6)), compute_fans((3, 3, 4, 6)), compute_fans((5,)), compute_fans(())
    ((4, 6), (36, 54), (5, 5), (1, 1))
    >>> compute_fans((8, 2, 4), input_axes=[0], output_axes=[1, 2])
    (8, 8)

    Source: Glorot and Bengio, http://proceedings.mlr.press/v9/glorot10a.html, section 4.2.1.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def serialize(initializer: InitializerLike) -> Any:
    """The config of an initializer.

    Args:
        initializer: an initializer.

    >>> from jkeras import initializers
    >>> initializers.serialize(initializers.Zeros())
    {'module': 'keras.initializers', 'class_name': 'Zeros', 'config': {}, 'registered_name': None}
    """
    return family.serialize(initializer)


def deserialize(config: str | Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The initializer of a config that `serialize` made, here or in Keras, or of a name.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import initializers
    >>> initializers.deserialize({"class_name": "RandomNormal", "config": {"seed": 1}})
    RandomNormal(seed=1, mean=0.0, stddev=0.05)
    """
    return family.deserialize(config, custom_objects)
