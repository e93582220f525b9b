"""Initializers of matrices as a whole: the identity, and orthogonal ones."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, dtypes
from jkeras.errors import ShapeError
from jkeras.initializers import draws
from jkeras.initializers.base import Initializer, RandomInitializer, family, static_shape
from jkeras.typing import Array, Config, DTypeLike, Key


@family.register("IdentityInitializer")
class Identity(Initializer):
    """`gain` on the diagonal, zeros elsewhere. For matrices only, square or not.

    Args:
        gain: the value on the diagonal.

    Raises:
        ShapeError: a call asks for a shape that is not a matrix's.

    >>> from jkeras import initializers
    >>> initializers.Identity(2.0)((2, 3)).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]

    Source: `keras.initializers.Identity`.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = arguments.number(gain, "gain", type(self).__name__)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None, *, key: Key | None = None) -> Array:
        """The scaled identity matrix."""
        sizes = static_shape(shape, type(self).__name__)
        if len(sizes) != 2:
            rule, owner = "`shape` must have rank 2, because only matrices have an identity", type(self).__name__
            raise ShapeError.must(rule, f"shape {sizes}", path=owner, expected="rank 2", write=f"{owner}()((3, 3))")
        gain = np.asarray(self.gain).astype(dtypes.standardize(dtype))
        return jnp.asarray(gain) * jnp.eye(*sizes, dtype=gain.dtype)

    def get_config(self) -> Config:
        """`{"gain": gain}`."""
        return {"gain": self.gain}


@family.register("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """`gain` times a random matrix with orthonormal columns, or orthonormal rows where it has fewer rows than columns.

    A weight of higher rank is the matrix `(product of all axes but the last, last axis)`, reshaped. Low precision
    dtypes are decomposed in float32 and rounded at the end.

    Args:
        gain: the length of the vectors.
        seed: an int to fix the key; the values are then the same on every call.

    Raises:
        ShapeError: a call asks for a shape of rank below 2.
        ArgumentError: a gain that is not a number; a call without key where there is no seed.

    >>> from jkeras import initializers
    >>> import numpy as np
    >>> matrix = np.asarray(initializers.Orthogonal(seed=0)((3, 2)), "float64")
    >>> np.allclose(matrix.T @ matrix, np.eye(2), atol=1e-6)
    True

    Source: Saxe, McClelland and Ganguli, https://arxiv.org/abs/1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = arguments.number(gain, "gain", type(self).__name__)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: str) -> Array:
        """The values for a key."""
        if len(shape) < 2:
            rule = "`shape` must have at least rank 2, because the values are the orthogonal rows of a matrix"
            owner = type(self).__name__
            write = f"{owner}()((3, 3), key=jax.random.key(0))"
            raise ShapeError.must(rule, f"shape {shape}", path=owner, expected="rank >= 2", write=write)
        array: Array = draws.orthogonal(key, shape, dtype, self.gain)
        return array

    def get_config(self) -> Config:
        """`{"seed", "gain"}`."""
        return {**super().get_config(), "gain": self.gain}
