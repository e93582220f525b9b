"""Random numbers: Keras's functions, with JAX's generators.

`seed` determines the numbers, and must always be given:

- a key, as JAX has it: the same key, the same numbers;
- an int, for the key `[seed, 0]`: the same numbers at every call, and those of Keras on JAX;
- a `SeedGenerator`, in a layer's `call`: the next key of its stream, which the scope carries on.

There is no global random generator: a function that reads and writes one is not pure.

Arguments that are tensors may be symbolic; then the call becomes part of the graph. Its seed has to be an int, since a
graph holds neither arrays nor streams: a layer that draws from a stream has its own `SeedGenerator`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeAlias

import jax
import jax.numpy as jnp

from jkeras import dtypes, functional, keys
from jkeras.core.lift import lift
from jkeras.core.seed import SeedGenerator
from jkeras.core.tensor import any_symbolic
from jkeras.errors import ArgumentError, GraphError, ShapeError
from jkeras.typing import Array, ArrayLike, DType, DTypeLike, Key

Floating: TypeAlias = DTypeLike | None


P = ParamSpec("P")
Seed: TypeAlias = Key | int | SeedGenerator | None


def draw_key(seed: Seed, owner: str) -> Key:
    """The key of a seed; a `SeedGenerator` advances to its next key.

    Raises:
        ArgumentError: the seed is `None`, or neither a key, an int nor a `SeedGenerator`.
        OutsideScopeError: a `SeedGenerator` where no scope holds its state.

    >>> jax.random.key_data(draw_key(7, "normal")).tolist()
    [7, 0]
    """
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        raise ArgumentError(
            "`seed` must be given: jkeras has no global random generator.",
            path=f"random.{owner}",
            expected="a JAX key, an int, or in a layer's `call` its SeedGenerator",
            received="seed=None",
            write=f"random.{owner}(..., seed=jax.random.key(0))",
        )
    if not isinstance(seed, jax.Array):
        return keys.from_seed(keys.check_seed(seed, f"random.{owner}") or 0)
    typed = jnp.issubdtype(seed.dtype, jax.dtypes.prng_key)
    if (typed and seed.shape == ()) or (seed.dtype == "uint32" and seed.shape == (2,)):
        return seed
    raise ArgumentError(
        f"`seed` must be one JAX key, got an array {seed.dtype}{list(seed.shape)}.",
        path=f"random.{owner}",
        expected="one key, as of `jax.random.key`",
        received=f"{seed.dtype}{list(seed.shape)}",
        write=f"jax.vmap(lambda key: random.{owner}(..., seed=key))(keys)   # for several keys",
    )


def _recordable(draw: Callable[P, Array]) -> Callable[P, Array]:
    """A draw that also takes symbolic tensors, with an int for a seed."""
    lifted: Callable[..., Array] = lift(draw)

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Array:
        seed = kwargs.get("seed", args[-1] if args else None)
        if any_symbolic(args, kwargs) and isinstance(seed, jax.Array | SeedGenerator):
            raise GraphError(
                "`seed` must be an integer for symbolic tensors: a graph holds neither keys nor streams.",
                path=f"random.{draw.__name__}",
                expected="an int, or a layer",
                received=f"seed={type(seed).__name__}, and symbolic tensors",
                write=f"random.{draw.__name__}(..., seed=self.seed_generator)   # in the `call` of a custom layer",
            )
        return lifted(*args, **kwargs)

    return drawn


def _floating(dtype: Floating, owner: str) -> DType:
    name = dtypes.standardize(dtype)
    if not dtypes.is_float(name):
        raise ArgumentError(
            f"`dtype` must be a floating-point type, got {name!r}.",
            path=f"random.{owner}",
            expected="a floating dtype",
            received=name,
            write=f"random.{owner}(..., dtype='float32', seed=key)",
        )
    return name


def _spread(value: ArrayLike, shape: Sequence[int], dtype: DType) -> ArrayLike:
    """A parameter of each number: a Python number as it is, an array broadcast to the shape."""
    if isinstance(value, int | float):
        return value
    return jnp.broadcast_to(jnp.asarray(value, dtype), tuple(shape))


@_recordable
def normal(
    shape: Sequence[int], mean: ArrayLike = 0.0, stddev: ArrayLike = 1.0, dtype: Floating = None, seed: Seed = None
) -> Array:
    """Normal numbers: `mean + stddev z`, `z ~ N(0, 1)`.

    Args:
        shape: of the result.
        mean, stddev: numbers, or arrays that broadcast to the shape.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.normal`.

    >>> [round(float(x), 3) for x in normal((3,), mean=5.0, stddev=0.1, seed=7)]
    [4.956, 4.941, 5.025]
    """
    dtype = _floating(dtype, "normal")
    drawn = jax.random.normal(draw_key(seed, "normal"), tuple(shape), dtype)
    return drawn * _spread(stddev, shape, dtype) + _spread(mean, shape, dtype)


@_recordable
def truncated_normal(
    shape: Sequence[int], mean: ArrayLike = 0.0, stddev: ArrayLike = 1.0, dtype: Floating = None, seed: Seed = None
) -> Array:
    """Normal numbers that are at most two standard deviations off: `mean + stddev z`, `z ~ N(0, 1)` given `|z| < 2`.

    Args:
        shape: of the result.
        mean, stddev: of the normal numbers before truncation; numbers, or arrays that broadcast to the shape.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.truncated_normal`.

    >>> bool(jnp.abs(truncated_normal((1000,), seed=7)).max() < 2)
    True
    """
    dtype = _floating(dtype, "truncated_normal")
    drawn = jax.random.truncated_normal(draw_key(seed, "truncated_normal"), -2.0, 2.0, tuple(shape), dtype)
    return drawn * _spread(stddev, shape, dtype) + _spread(mean, shape, dtype)


@_recordable
def uniform(
    shape: Sequence[int], minval: ArrayLike = 0.0, maxval: ArrayLike = 1.0, dtype: Floating = None, seed: Seed = None
) -> Array:
    """Numbers that are uniform in `[minval, maxval)`.

    Args:
        shape: of the result.
        minval, maxval: numbers, or arrays that broadcast to the shape.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.uniform`.

    >>> [round(float(x), 3) for x in uniform((3,), maxval=10.0, seed=7)]
    [3.307, 2.778, 5.97]
    """
    dtype = _floating(dtype, "uniform")
    low, high = _spread(minval, shape, dtype), _spread(maxval, shape, dtype)
    return jax.random.uniform(draw_key(seed, "uniform"), tuple(shape), dtype, low, high)


@_recordable
def randint(
    shape: Sequence[int], minval: ArrayLike, maxval: ArrayLike, dtype: DTypeLike = "int32", seed: Seed = None
) -> Array:
    """Integers that are uniform in `minval, ..., maxval - 1`.

    Args:
        shape: of the result.
        minval, maxval: integers, or arrays of them that broadcast to the shape.
        dtype: an integer one.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not an integer one.

    Source: `jax.random.randint`.

    >>> randint((5,), 0, 10, seed=7).tolist()
    [0, 4, 9, 8, 5]
    """
    name = dtypes.standardize(dtype)
    if not jnp.issubdtype(jnp.dtype(name), jnp.integer):
        raise ArgumentError(
            f"`dtype` must be an integer type, got {name!r}.",
            path="random.randint",
            expected="an integer dtype",
            received=name,
            write="random.randint(shape, minval, maxval, dtype='int32', seed=key)",
        )
    low, high = (x if isinstance(x, int) else jnp.broadcast_to(jnp.asarray(x), tuple(shape)) for x in (minval, maxval))
    return jax.random.randint(draw_key(seed, "randint"), tuple(shape), low, high, name)


@_recordable
def categorical(logits: ArrayLike, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None) -> Array:
    """Classes, with the probabilities of their logits: `P(c) = softmax(logits)_c`.

    Args:
        logits: `(b, classes)`; not normalised.
        num_samples: the number of draws for each row.
        dtype: of the result, an integer one.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `(b, num_samples)`.

    Raises:
        ArgumentError: there is no seed.
        ShapeError: the logits are not `(b, classes)`.

    Source: `jax.random.categorical`.

    >>> drawn = categorical(jnp.log(jnp.array([[0.2, 0.8, 0.0]])), 1000, seed=7)
    >>> [round(float(jnp.mean(drawn == label)), 1) for label in range(3)]
    [0.2, 0.8, 0.0]
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        rule, received = "`logits` must have shape (b, classes)", f"shape {logits.shape}"
        write = "random.categorical(logits[None], num_samples, seed=key)" if logits.ndim == 1 else None
        raise ShapeError.must(rule, received, path="random.categorical", write=write)
    key, shape = draw_key(seed, "categorical"), (logits.shape[0], num_samples)
    return jax.random.categorical(key, jnp.expand_dims(logits, -1), axis=1, shape=shape).astype(dtype)


@_recordable
def gamma(shape: Sequence[int], alpha: ArrayLike, dtype: Floating = None, seed: Seed = None) -> Array:
    """Numbers with the density `x^(alpha - 1) e^(-x) / Gamma(alpha)`.

    Args:
        shape: of the result.
        alpha: positive; a number, or an array that broadcasts to the shape.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.gamma`.

    >>> round(float(gamma((1000,), 50.0, seed=7).mean()))   # alpha
    50
    """
    dtype = _floating(dtype, "gamma")
    alpha = jnp.asarray(alpha, dtype)
    return jax.random.gamma(draw_key(seed, "gamma"), alpha, tuple(shape), dtype)


@_recordable
def beta(shape: Sequence[int], alpha: ArrayLike, beta: ArrayLike, dtype: Floating = None, seed: Seed = None) -> Array:
    """Numbers in (0, 1) with a density proportional to `x^(alpha - 1) (1 - x)^(beta - 1)`.

    Args:
        shape: of the result.
        alpha, beta: positive; numbers, or arrays that broadcast to the shape.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.beta`.

    >>> round(float(beta((1000,), 30.0, 10.0, seed=7).mean()), 2)   # alpha / (alpha + beta)
    0.75
    """
    dtype = _floating(dtype, "beta")
    first, second = jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype)
    return jax.random.beta(draw_key(seed, "beta"), first, second, tuple(shape), dtype)


@_recordable
def binomial(
    shape: Sequence[int], counts: ArrayLike, probabilities: ArrayLike, dtype: Floating = None, seed: Seed = None
) -> Array:
    """The number of successes in `counts` independent trials of given probability.

    Args:
        shape: of the result.
        counts: the number of trials; a number, or an array that broadcasts to the shape.
        probabilities: in [0, 1], likewise.
        dtype: a floating one; `floatx` by default.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        `shape`.

    Raises:
        ArgumentError: there is no seed, or the dtype is not a floating one.

    Source: `jax.random.binomial`.

    >>> round(float(binomial((1000,), 10, 0.5, seed=7).mean()))   # counts times probability
    5
    """
    dtype = _floating(dtype, "binomial")
    trials, chance = jnp.asarray(counts, dtype), jnp.asarray(probabilities, dtype)
    return jax.random.binomial(draw_key(seed, "binomial"), trials, chance, tuple(shape), dtype)


@_recordable
def shuffle(x: ArrayLike, axis: int = 0, seed: Seed = None) -> Array:
    """The entries along an axis in random order, each line along it in its own order.

    Args:
        x: `(...)`.
        axis: along which entries change their places. Rows stay whole with `jax.random.permutation`.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        The shape and dtype of `x`.

    Raises:
        ArgumentError: there is no seed.

    Source: `jax.random.permutation(..., independent=True)`.

    >>> shuffle(jnp.arange(5), seed=7).tolist()
    [3, 0, 2, 1, 4]
    """
    return jax.random.permutation(draw_key(seed, "shuffle"), jnp.asarray(x), axis, independent=True)


@_recordable
def dropout(
    inputs: ArrayLike, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None
) -> Array:
    """Sets entries to zero with probability `rate`, and divides the others by `1 - rate`.

    Args:
        inputs: floats.
        rate: a fraction in [0, 1]. With 0 and 1 nothing is drawn, and a stream stays where it is.
        noise_shape: the shape of the draws, which are broadcast to that of the inputs; `None` entries are theirs.
        seed: a key, an int, or a `SeedGenerator` in a layer's `call`.

    Returns:
        The shape and dtype of the inputs.

    Raises:
        ArgumentError: there is no seed, or the rate is out of range.
        ShapeError: the noise has another rank than the inputs.

    Source: `jkeras.functional.dropout`.

    >>> dropout(jnp.ones(6), 0.5, seed=7).tolist()
    [2.0, 2.0, 0.0, 0.0, 2.0, 2.0]
    """
    if not 0 <= rate <= 1:
        raise ArgumentError(f"`rate` must be between 0 and 1, got {rate}.", path="random.dropout", received=rate,
                            expected="0 <= rate <= 1", write="random.dropout(inputs, 0.5, seed=key)")  # fmt: skip
    inputs = jnp.asarray(inputs)
    if rate in (0, 1):
        return jnp.zeros_like(inputs) if rate else inputs
    return functional.dropout(inputs, rate, draw_key(seed, "dropout"), noise_shape)
