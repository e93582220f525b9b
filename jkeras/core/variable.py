"""A Variable declares; a value is a leaf.

    self.kernel = self.add_weight(shape=(8, 4), name="kernel")     # a declaration
    variables.trainable["dense"]["kernel"]                         # its value, held by the caller
    self.kernel.value                                              # the value, inside a scope

What the value is made of is its representation: by itself the leaf, for LoRA the leaf and a product of two others.
Layers multiply by `kernel.matmul(x)`, `kernel.einsum(equation, x)` and `table.take(indices)`, so that a
representation need not form the weight.

`assign` records an update in the scope. Whether it is allowed is part of the declaration (`trainable=False`), not of
the tree that the value came in, because freezing moves leaves between trees.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Never

import jax.numpy as jnp
import numpy as np

from jkeras import constraints, dtypes, initializers, regularizers
from jkeras.core import scope as scopes
from jkeras.errors import ArgumentError, ShapeError, elsewhere
from jkeras.jax_compat import is_traced
from jkeras.typing import Array, ArrayTree, ConstraintLike, DType, DTypeLike, InitializerLike, Key, RegularizerLike

AGGREGATIONS = ("none", "mean", "sum", "only_first_replica")
SYNCHRONIZATIONS = ("none", "auto", "on_read", "on_write")


class Representation:
    """What a weight is when a layer reads it: here, the leaf that the tree holds, in the dtype that the layer computes
    in.

    A subclass overrides `value`, and what it can do better than with the whole weight. It holds declarations and
    numbers, never arrays, and is set as an attribute: `layer.kernel.representation = Halved()`.

    Attributes:
        freezes: whether the leaf itself is not trained, whatever its layer says.

    Shapes:
        `matmul`: `x (..., i)`, weight `(i, o)` -> `(..., o)`; with `transposed`, `x (..., o)` -> `(..., i)`.
        `take`: `indices (...)`, weight `(n, ...)` -> `(..., ...)`.

    >>> import jax
    >>> from jkeras import layers
    >>> class Halved(Representation):
    ...     def value(self, weight):
    ...         return 0.5 * weight.leaf
    >>> layer = layers.Dense(1, kernel_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 4))
    >>> layer.kernel.representation = Halved()
    >>> layer.stateless_call(*variables, jnp.ones((1, 4)))[0].tolist()
    [[2.0]]
    """

    freezes: bool = False

    def value(self, weight: "Variable") -> Array:
        """The weight."""
        return weight.leaf

    def matmul(self, weight: "Variable", x: Array, transposed: bool, dtype: DType | None) -> Array:
        """`x @ W`, or `x @ W.T`, with `W` in `dtype` where one is given."""
        matrix = self.value(weight) if dtype is None else self.value(weight).astype(dtype)
        return x @ (matrix.T if transposed else matrix)

    def einsum(self, weight: "Variable", equation: str, x: Array) -> Array:
        """`einsum(equation, x, W)`."""
        product: Array = jnp.einsum(equation, x, self.value(weight))
        return product

    def take(self, weight: "Variable", indices: Array) -> Array:
        """`W[indices]`."""
        return jnp.take(self.value(weight), indices, axis=0)


LEAF = Representation()


@elsewhere(
    "numpy",
    expected="`variable.value` inside `call`, and a leaf of the trees outside",
    write="np.asarray(variables.trainable['dense']['kernel'])",
)
class Variable:
    """The declaration of one weight or one piece of state.

    Args:
        initializer: a name, a config, a callable `(shape, dtype)` or `(shape, dtype, key=)`, or the value itself.
        shape: a tuple of ints. Not needed for a value.
        dtype: a dtype name. By default that of the value, else `floatx`.
        trainable: whether gradients are taken for it. Only a variable declared with `False` can be assigned.
        autocast: whether a layer with a mixed dtype policy reads it in its compute dtype.
        aggregation, synchronization: kept for Keras's configs.
        name: its address within the layer; by default the attribute's name.
        regularizer, constraint: names, configs or objects of `jkeras.regularizers` and `jkeras.constraints`.
        overwrite_with_gradient: kept for Keras's configs.

    Raises:
        ArgumentError: a name with a slash, a shape with unknown dimensions, a callable without a shape, a value that
            is being traced.

    >>> total = Variable("zeros", shape=(2,), trainable=False, name="total")
    >>> total
    <Variable path=total, shape=(2,), dtype=float32, trainable=False>
    >>> import jax
    >>> total.initialize(jax.random.key(0)).tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        initializer: InitializerLike,
        shape: int | Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        *,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        overwrite_with_gradient: bool = False,
    ) -> None:
        self.explicit_name = check_name(name, "Variable") if name is not None else None
        if isinstance(initializer, str | dict) or callable(initializer):
            if shape is None:
                raise ArgumentError(
                    "`shape` must be given with an initializer.",
                    path=self.name,
                    expected="shape=(...)",
                    write=f"Variable({initializer!r}, shape=(8, 4))",
                )
            self.initializer = initializers.get(initializer)
        else:
            value = concrete(initializer, self.name)
            shape = value.shape if shape is None else shape
            if dtype is None:  # lists have the dtype of their entries: floats are `floatx`
                dtype = dtypes.of(initializer if hasattr(initializer, "dtype") else value.dtype.type().item())
            self.initializer = initializers.Constant(value.tolist())
        self.shape = standardize_shape(shape, self.name)
        self.declared_dtype: DType = dtypes.standardize(dtype)
        self.assignable = not trainable
        self._trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = check_choice("aggregation", aggregation, AGGREGATIONS)
        self.synchronization = check_choice("synchronization", synchronization, SYNCHRONIZATIONS)
        self.regularizer = regularizers.get(regularizer)
        self.constraint = constraints.get(constraint)
        self.overwrite_with_gradient = overwrite_with_gradient
        self.path: str | None = None
        self.representation = LEAF
        self.set_aside = False  # frozen while other weights are adapted; see `jkeras.lora`
        self.read_in_transform = False  # whether a JAX transform may have closed over a value; see `core.scope`

    @property
    def origin(self) -> "Variable":
        """The variable itself; of one that declares several copies of another, that other."""
        return self

    @property
    def name(self) -> str:
        """The explicit name, else the last part of its path, else `"variable"`."""
        if self.explicit_name is not None:
            return self.explicit_name
        path = getattr(self, "path", None)
        return path.rsplit("/", 1)[-1] if path else "variable"

    @property
    def trainable(self) -> bool:
        """Whether it belongs to the trainable tree, its layers permitting. What was declared untrainable stays so."""
        return self._trainable and not self.representation.freezes

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value) and not self.assignable

    @property
    def dtype(self) -> DType:
        """The declared dtype; inside a layer that autocasts, the dtype that reads have."""
        scope = scopes.current()
        cast = scope.frames[-1].compute_dtype if scope is not None and scope.frames else None
        if cast is not None and self.autocast and dtypes.is_float(self.declared_dtype):
            return cast
        return self.declared_dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def value(self) -> Array:
        """The current value in the scope: an array or a tracer. Raises `OutsideScopeError` outside any scope."""
        return self.representation.value(self)

    @property
    def leaf(self) -> Array:
        """The value that the tree holds, whatever represents it, in the dtype that reads have."""
        return self._scope("value").read(self)

    def matmul(self, x: Array, *, transposed: bool = False, dtype: DType | None = None) -> Array:
        """`x @ self.value`, or `x @ self.value.T`, as the representation does it best; the weight in `dtype`."""
        return self.representation.matmul(self, x, transposed, dtype)

    def einsum(self, equation: str, x: Array) -> Array:
        """`jnp.einsum(equation, x, self.value)`, as the representation does it best."""
        return self.representation.einsum(self, equation, x)

    def take(self, indices: Array) -> Array:
        """`self.value[indices]`, as the representation does it best."""
        return self.representation.take(self, indices)

    def assign(self, value: ArrayTree) -> Array:
        """Records `value` as the new value, cast to the variable's dtype, and returns it.

        Raises `AssignmentError` for a trainable variable, `TraceLevelError` inside a transform that would lose the
        update, `ShapeError` for another shape.
        """
        return self._scope("assign(value)").write(self, read(value))

    def assign_add(self, value: ArrayTree) -> Array:
        """`assign(self.value + value)`."""
        return self.assign(self._stored() + read(value))

    def assign_sub(self, value: ArrayTree) -> Array:
        """`assign(self.value - value)`."""
        return self.assign(self._stored() - read(value))

    def initialize(self, key: Key) -> Array:
        """The initial value that a key gives: an array of the declared shape and dtype."""
        if takes_key(self.initializer):
            value = self.initializer(self.shape, self.declared_dtype, key=key)
        else:
            value = self.initializer(self.shape, self.declared_dtype)
        value = jnp.asarray(value, self.declared_dtype)
        if value.shape != self.shape:
            raise ShapeError(
                "the initializer must return an array of the declared shape.",
                path=self.path or self.name,
                expected=self.shape,
                received=value.shape,
            )
        return value

    def _stored(self) -> Array:
        """The value in the dtype in which it is kept."""
        return self._scope("value").stored(self)

    def _scope(self, member: str) -> scopes.Scope:
        return scopes.require(
            f"Variable '{self.path or self.name}'.{member}",
            "outputs, non_trainable = layer.stateless_call(trainable, non_trainable, x)   # opens a scope",
        )

    def __repr__(self) -> str:
        path = self.path or self.name
        return f"<Variable path={path}, shape={self.shape}, dtype={self.declared_dtype}, trainable={self.trainable}>"

    # More operators come from `core.operators`. All of them read the value, so they need a scope.

    def __iter__(self) -> Iterator[Array]:
        return iter(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> Never:
        raise TypeError(f"A Variable has no truth value; read it: bool({self.name}.value)")

    def __array__(self, *args: Any, **kwargs: Any) -> Never:
        raise TypeError(f"A Variable is a declaration, not an array; read it: np.asarray({self.name}.value)")

    def __jax_array__(self) -> Array:
        return self.value

    __array_ufunc__ = None  # so that `numpy_array * variable` leaves the operation to the variable


def read(thing: object) -> Any:
    """The value of a Variable; anything else as it is."""
    return thing.value if isinstance(thing, Variable) else thing


def concrete(value: object, owner: str) -> np.ndarray:
    """A value as a NumPy array. Raises `ArgumentError` for a tracer, which no declaration can hold."""
    if is_traced(value):
        raise ArgumentError(
            "a variable cannot be made from a value that is being traced.",
            path=owner,
            expected="an initializer and a shape, or a value that is known",
            received=str(value)[:80],
            write="self.add_weight(shape=(...), initializer=...)   # in `build`",
        )
    return np.asarray(value)


def takes_key(initializer: Callable[..., Any]) -> bool:
    """Whether a callable has a `key` argument: ours have, Keras-style `(shape, dtype)` functions have not."""
    try:
        parameters = inspect.signature(initializer).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "key" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def check_name(name: object, owner: str) -> str:
    """A valid component of a path: a non-empty str without a slash."""
    if not isinstance(name, str) or not name or "/" in name:
        raise ArgumentError(
            "`name` must be a string without slashes.", path=owner, expected="a str without '/'", received=repr(name)
        )
    return name


def check_choice(argument: str, value: object, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices; `None` stands for the first."""
    if value is None:
        return choices[0]
    if value not in choices:
        raise ArgumentError(f"invalid {argument}.", path="Variable", expected=f"one of {choices}", received=repr(value))
    return value


def standardize_shape(shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """A shape as a tuple of ints, all of them known."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if any(not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim < 0 for dim in shape):
        raise ArgumentError(
            "`shape` must be a tuple of ints, all of them known.",
            path=owner,
            expected="a tuple of ints",
            received=shape,
        )
    return tuple(int(dim) for dim in shape)
