"""Regularizers: penalties, pure functions from a weight (or an activity) to a scalar.

What a regularizer returns is added to the loss. It holds numbers only, so it can be compared, hashed and written down.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax

from jkeras import arguments, config, families
from jkeras.configurable import Configurable
from jkeras.errors import SerializationError, ShapeError
from jkeras.typing import Array, Config, Identifier


class Regularizer(Configurable):
    """The base of regularizers: subclasses define `__call__(x)`. The base itself penalises nothing.

    >>> from jkeras import regularizers
    >>> class Mean(regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return abs(x.mean())
    >>> Mean()(jnp.array([1.0, -3.0])).item()
    1.0

    Source: `keras.regularizers.Regularizer`.
    """

    def __call__(self, x: Array) -> Array:
        """The penalty of an array: a scalar of its dtype, of float32 at least."""
        return jnp.zeros((), _widen(x).dtype)

    def get_config(self) -> Config:
        """The arguments of the constructor; a subclass says what they are."""
        raise SerializationError(
            "a regularizer must define `get_config` to be written, and this one does not.",
            path=type(self).__name__,
            write="def get_config(self): return {...}",
        )


family = families.Family("regularizer", "keras.regularizers", base=Regularizer)
family.register(module="keras")(Regularizer)


@family.register("l1_l2")
class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x²)`.

    Args:
        l1, l2: the factors, >= 0; `None` is 0.

    Raises:
        ArgumentError: a factor that is not a finite number >= 0.

    >>> from jkeras import regularizers
    >>> regularizers.L1L2(l1=0.5, l2=0.25)(jnp.array([1.0, -3.0])).item()
    4.5

    Source: Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1", "L1L2")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2", "L1L2")

    def __call__(self, x: Array) -> Array:
        """The penalty of an array: a scalar of its dtype, of float32 at least."""
        penalty, x = super().__call__(x), _widen(x)
        if self.l1:
            penalty = penalty + self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty = penalty + self.l2 * jnp.sum(jnp.square(x))
        return penalty

    def get_config(self) -> Config:
        """`{"l1", "l2"}`."""
        return {"l1": self.l1, "l2": self.l2}


@family.register()
class L1(Regularizer):
    """`l1 * sum(|x|)`.

    Args:
        l1: the factor, >= 0; `None` is 0.01.

    Raises:
        ArgumentError: a factor that is not a finite number >= 0.

    >>> from jkeras import regularizers
    >>> regularizers.L1(0.5)(jnp.array([1.0, -3.0])).item()
    2.0

    Source: Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor(0.01 if l1 is None else l1, "l1", "L1")

    def __call__(self, x: Array) -> Array:
        """The penalty of an array: a scalar of its dtype, of float32 at least."""
        return self.l1 * jnp.sum(jnp.abs(_widen(x)))

    def get_config(self) -> Config:
        """`{"l1": l1}`."""
        return {"l1": self.l1}


@family.register()
class L2(Regularizer):
    """`l2 * sum(x²)`.

    Args:
        l2: the factor, >= 0; `None` is 0.01.

    Raises:
        ArgumentError: a factor that is not a finite number >= 0.

    >>> from jkeras import regularizers
    >>> regularizers.L2(0.5)(jnp.array([1.0, -3.0])).item()
    5.0

    Source: Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970.
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor(0.01 if l2 is None else l2, "l2", "L2")

    def __call__(self, x: Array) -> Array:
        """The penalty of an array: a scalar of its dtype, of float32 at least."""
        return self.l2 * jnp.sum(jnp.square(_widen(x)))

    def get_config(self) -> Config:
        """`{"l2": l2}`."""
        return {"l2": self.l2}


@family.register()
class OrthogonalRegularizer(Regularizer):
    """The mean over pairs of rows of the magnitude of their cosine, times `factor`: 0 where all are orthogonal.

        factor * sum_{i < j} |cos(x_i, x_j)| / (n * (n - 1) / 2)

    Rows shorter than `config.epsilon()` are divided by that instead of their length. One row alone costs nothing. The
    products are computed in float32 at least.

    Args:
        factor: the factor, >= 0.
        mode: `"rows"`, or `"columns"` to compare columns instead.

    Raises:
        ArgumentError: a factor that is not a finite number >= 0, or another mode.
        ShapeError: a call with an array that is not a matrix.

    >>> from jkeras import regularizers
    >>> penalty = regularizers.OrthogonalRegularizer(factor=1.0)(jnp.array([[2.0, 0.0], [3.0, 4.0]]))
    >>> round(penalty.item(), 6)
    0.6

    Source: `keras.regularizers.OrthogonalRegularizer`.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor", "OrthogonalRegularizer")
        arguments.one_of(mode, "mode", "OrthogonalRegularizer", ("rows", "columns"))
        self.mode = mode
        self._epsilon = config.epsilon()

    def __call__(self, x: Array) -> Array:
        """The penalty of a matrix: a scalar of its dtype, of float32 at least."""
        x = jnp.asarray(x)
        if x.ndim != 2:
            raise ShapeError(
                "the input must have rank 2, because only a matrix has rows.",
                path="OrthogonalRegularizer",
                expected="rank 2",
                received=f"shape {x.shape}",
                write="OrthogonalRegularizer()(x.reshape(-1, x.shape[-1]))",
            )
        rows = _widen(x if self.mode == "rows" else x.T)  # (n, d)
        square = jnp.sum(jnp.square(rows), axis=1, keepdims=True)
        rows = rows * lax.rsqrt(jnp.maximum(square, self._epsilon**2))
        count = rows.shape[0]
        cosines = rows @ rows.T * (1 - jnp.eye(count, dtype=rows.dtype))  # (n, n)
        return self.factor * jnp.sum(jnp.abs(cosines)) / max(count * (count - 1), 1)

    def get_config(self) -> Config:
        """`{"factor", "mode"}`."""
        return {"factor": self.factor, "mode": self.mode}


def get(identifier: Identifier) -> Any:
    """The regularizer of a name, a config, a class or a callable; `None` for `None`.

    Args:
        identifier: a name such as `"l2"` (with the default factor), a config that `serialize` made, a class, or a
            callable from array to scalar, which comes back as it is.

    Raises:
        UnknownNameError: no regularizer has the name.
        ArgumentError: the identifier is not one of these.

    >>> from jkeras import regularizers
    >>> regularizers.get("l2"), regularizers.get({"class_name": "L1", "config": {"l1": 0.5}})
    (L2(l2=0.01), L1(l1=0.5))
    """
    return family.get(identifier)


def serialize(regularizer: object) -> Any:
    """The config of a regularizer.

    Args:
        regularizer: a regularizer.

    >>> from jkeras import regularizers
    >>> regularizers.serialize(regularizers.L1(0.5))
    {'module': 'keras.regularizers', 'class_name': 'L1', 'config': {'l1': 0.5}, 'registered_name': None}
    """
    return family.serialize(regularizer)


def deserialize(config: str | Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer of a config that `serialize` made, here or in Keras, or of a name.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import regularizers
    >>> regularizers.deserialize("l2") == regularizers.L2()
    True
    """
    return family.deserialize(config, custom_objects)


def _widen(x: Array) -> Array:
    """Float32 at least: a sum over 65,504 entries of float16 is infinite, and one over 256 of bfloat16 stands still."""
    x = jnp.asarray(x)
    return x.astype(jnp.promote_types(jnp.result_type(x, 0.0), "float32"))


def _factor(value: float, name: str, owner: str) -> float:
    return float(arguments.number(value, name, owner, interval="[0, inf)"))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
