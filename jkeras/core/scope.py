"""A Scope marries declarations and values for the length of one trace.

Outside a scope a variable is only a declaration: reading it is an error. `stateless_call` opens a scope that maps each
variable to its leaf, runs the layer, and reads the recorded updates back. Scopes live in a `ContextVar`, so threads do
not see each other's, and they nest: an inner `stateless_call` neither sees nor changes the outer one's values.

A scope also carries what Keras keeps in globals: the stack of layers being called (paths, `training`, the dtype to
compute in), the losses that layers add, and the masks of values.

JAX keeps what it traced of a function that it is given again, with the values that the function had read: right for a
pure function, wrong for a layer in `jax.checkpoint(self.block)`. So once a variable has been read inside a transform,
each scope that holds it has a key of its own in JAX's caches, and a new one after each update.

There are two kinds. A *running* scope holds a leaf for each variable. A *building* scope runs `call` abstractly, for
shapes alone: layers may still declare variables there, and a declaration reads as zeros of its shape.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jkeras import dtypes
from jkeras.core.probe import Captured, Pinning, Probe
from jkeras.errors import AssignmentError, LeafError, OutsideScopeError, ShapeError, TraceLevelError
from jkeras.jax_compat import other_cache_key, trace_level
from jkeras.typing import Array, ArrayLike, ArrayTree, DType, PyTree


class Declared(Protocol):
    """What a scope needs to know of a variable."""

    @property
    def name(self) -> str: ...

    shape: tuple[int, ...]
    declared_dtype: DType
    autocast: bool
    assignable: bool
    read_in_transform: bool


@dataclasses.dataclass(frozen=True)
class Frame:
    """One layer being called: where it is, what its callees inherit, and the dtype that reads are cast to."""

    layer: Any
    path: str
    context: dict[str, Any]
    compute_dtype: DType | None


class Scope:
    """The values, updates, losses and masks of one trace.

    Args:
        values: the current value of each variable.
        paths: the address of each variable and layer, for messages and keys.
        context: what the outermost layer inherits, such as `training`.
        building: whether layers may declare variables, read as zeros.
        newborn: the layers built so far by the inference that this scope is part of, each with the run that did it.
        watch: is called with each layer that runs, and its first argument.
        probe: what the call is asked of the layers inside it.
        pins: what the layers inside are told of where their outputs lie, on several devices.

    Attributes:
        captured: what layers returned, where the probe wants it.

    >>> from jkeras.core.variable import Variable
    >>> total = Variable("zeros", (), trainable=False)
    >>> with Scope({total: jnp.float32(3)}).open() as scope:
    ...     _ = total.assign_add(1)
    >>> float(scope.values[total])
    4.0
    """

    def __init__(
        self,
        values: dict[Any, Array] | None = None,
        paths: dict[Any, str] | None = None,
        *,
        context: dict[str, Any] | None = None,
        building: bool = False,
        newborn: dict[Any, object] | None = None,
        watch: Callable[[Any, Any], None] | None = None,
        probe: Probe | None = None,
        pins: Pinning | None = None,
    ) -> None:
        self.values: dict[Any, Array] = dict(values or {})
        _check(self.values)
        self.paths: dict[Any, str] = dict(paths or {})
        self.context: dict[str, Any] = dict(context or {})
        self.building, self.watch, self.probe, self.pins = building, watch, probe, pins
        self.captured: Captured = {}
        self.newborn: dict[Any, object] = {} if newborn is None else newborn
        self.run = object()  # the identity of one run of the outermost call
        self.updated: dict[Any, None] = {}  # the variables assigned so far, in order
        self.losses: dict[str, Array] = {}
        self.frames: list[Frame] = []
        self._cache_keys = contextlib.ExitStack()
        self.origins: dict[int, tuple[Any, Any]] | None = None  # as `_masks`, of values; `None` where nobody asks
        self._masks: dict[int, tuple[Any, Any]] = {}  # id -> (the value itself, so that the id stays its own; its mask)
        self._level = trace_level()

    @contextlib.contextmanager
    def open(self) -> Iterator["Scope"]:
        """Makes this the current scope for the block."""
        token = _current.set(self)
        with contextlib.ExitStack() as self._cache_keys:
            self._renew_cache_key()
            try:
                yield self
            finally:
                _current.reset(token)

    def _renew_cache_key(self) -> None:
        """Makes JAX trace functions anew that may have read other values."""
        if any(variable.read_in_transform for variable in self.values):
            self._cache_keys.enter_context(other_cache_key())

    def inside(self, values: dict[Any, Array]) -> "Scope":
        """A scope for the body of a JAX transform: what this one holds, with other values of some variables."""
        inner = Scope(
            {**self.values, **values},
            self.paths,
            context=self.context,
            building=self.building,
            newborn=self.newborn,
            probe=self.probe,
            pins=self.pins,
        )
        inner.frames, inner.run, inner._masks = list(self.frames), self.run, dict(self._masks)
        return inner

    # -- variables

    def path_of(self, thing: Any) -> str:
        """The address of a variable or layer, or its name where the scope does not know it."""
        return self.paths.get(thing) or getattr(thing, "path", None) or thing.name

    def read(self, variable: Declared) -> Array:
        """The value of a variable, cast to the compute dtype of the layer being called."""
        value = self.stored(variable)
        dtype = self.frames[-1].compute_dtype if self.frames else None
        if dtype is not None and variable.autocast and value.dtype != dtype and dtypes.is_float(value.dtype):
            return value.astype(dtype)
        return value

    def stored(self, variable: Declared) -> Array:
        """The value of a variable in the dtype in which it is kept."""
        if trace_level() != self._level:
            variable.read_in_transform = True
        if (value := self.values.get(variable)) is not None:
            return value
        if self.building:
            return jnp.zeros(variable.shape, variable.declared_dtype)
        raise LeafError(
            "the variable is not part of the layer that is being called, so no leaf was given for it.",
            path=self.path_of(variable),
            expected="a variable that is reachable through the attributes of the outermost layer",
            write="self.child = child   # in __init__ of the layer that uses it",
        )

    def write(self, variable: Declared, value: ArrayTree) -> Array:
        """Records an update and returns the new value in the dtype of the leaf that it replaces."""
        path = self.path_of(variable)
        if not variable.assignable:
            raise AssignmentError(
                "a trainable variable cannot be assigned: the optimizer writes it.",
                path=path,
                expected="a variable declared with trainable=False",
                write=f"self.add_weight(..., trainable=False, name={variable.name!r})",
            )
        if trace_level() != self._level:
            raise TraceLevelError(
                "assigned inside a JAX transform (scan, cond, vmap, grad, ...) that would drop the update.",
                path=path,
                expected="an assignment at the level of the layer's own call",
                write="jkeras.scan(...)   # or jkeras.cond, jkeras.vmap, jkeras.remat: they carry updates out",
            )
        old = self.values.get(variable)
        dtype = variable.declared_dtype if old is None else jnp.result_type(old)
        new = jnp.asarray(value)
        if new.shape != tuple(variable.shape):
            raise ShapeError(
                "the assigned value must have the shape of the variable.",
                path=path,
                expected=variable.shape,
                received=new.shape,
            )
        # convert_element_type also makes a weakly typed value strong, so that the tree stays a valid scan carry
        self.values[variable] = new = jax.lax.convert_element_type(new, dtype)
        self.updated[variable] = None
        self._renew_cache_key()
        return new

    @contextlib.contextmanager
    def replacing(self, values: dict[Any, Array]) -> Iterator[None]:
        """Runs the block with other values of some variables. Afterwards they have their own again; updates of others
        stay.

        >>> from jkeras.core.variable import Variable
        >>> factor = Variable("ones", ())
        >>> with Scope({factor: jnp.float32(3)}).open() as scope, scope.replacing({factor: jnp.float32(4)}):
        ...     float(factor.value)
        4.0
        >>> float(scope.values[factor])
        3.0
        """
        own = {variable: self.values.get(variable) for variable in values}
        self.values.update(values)
        self._renew_cache_key()
        try:
            yield
        finally:
            for variable, value in own.items():
                if value is None:
                    del self.values[variable]
                else:
                    self.values[variable] = value
            self._renew_cache_key()

    # -- losses, masks, and what layers return

    def probed(self, path: str, outputs: PyTree) -> PyTree:
        """The outputs of the layer at a path, captured and replaced as the probe says."""
        if self.probe is None:
            return outputs
        outputs = self.probe.replaced(path, outputs)
        if self.probe.wants(path):
            if trace_level() != self._level:
                raise TraceLevelError(
                    "cannot capture what a layer returns inside a JAX transform (scan, cond, vmap, ...).",
                    path=path,
                    expected="a `capture` pattern that leaves this layer out, or a transform of jkeras's",
                    write="jkeras.scan(...)   # or jkeras.cond, jkeras.vmap, jkeras.remat: they carry captures out",
                )
            self.capture({path: (outputs,)})
        return outputs

    def pinned(self, path: str, outputs: PyTree) -> PyTree:
        """The outputs of the layer at a path, told where to lie on several devices."""
        if self.pins is None:
            return outputs
        held = self.pins.pinned(path, outputs)
        for old, new in zip(jax.tree.leaves(outputs), jax.tree.leaves(held), strict=True):
            self.set_mask(new, self.mask_of(old))
            if self.origins is not None and (origin := self.origin_of(old)) is not None:
                self.origins[id(new)] = new, origin
        return held

    def capture(self, captured: Captured) -> None:
        """Records what layers returned."""
        for path, calls in captured.items():
            self.captured[path] = self.captured.get(path, ()) + calls

    def add_loss(self, path: str, value: Array) -> None:
        """Records a scalar under a path, numbered where the path is taken."""
        name, count = path, 0
        while name in self.losses:
            count += 1
            name = f"{path}_{count}"
        self.losses[name] = value

    def mask_of(self, value: object) -> Any:
        """The mask that was set for this very value, or `None`."""
        found = self._masks.get(id(value))
        return found[1] if found is not None else None

    def set_mask(self, value: object, mask: ArrayLike | None) -> None:
        """Sets the mask of a value; `None` changes nothing."""
        if mask is not None:
            self._masks[id(value)] = (value, mask)

    def origin_of(self, value: object) -> Any:
        """What this very value was computed of, as its layer says it; `None` where that is not known."""
        found = (self.origins or {}).get(id(value))
        return found[1] if found is not None else None

    # -- layers

    @contextlib.contextmanager
    def entering(self, frame: Frame) -> Iterator[None]:
        """Runs the block inside a layer's call."""
        self.frames.append(frame)
        try:
            yield
        finally:
            self.frames.pop()


def _check(values: dict[Any, Any]) -> None:
    """Raises `LeafError` for a key that is no variable and for a value of another shape."""
    for variable, value in values.items():
        if not hasattr(variable, "declared_dtype"):
            raise LeafError(
                "`values` must have variables as keys.",
                path="Scope",
                expected="{variable: value}",
                received=repr(variable),
            )
        if jnp.shape(value) != variable.shape:
            raise LeafError(
                "the value must have the shape of its variable.",
                path=variable.name,
                expected=variable.shape,
                received=jnp.shape(value),
            )


_current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("scope", default=None)


def current() -> Scope | None:
    """The innermost open scope of this thread, or `None`."""
    return _current.get()


def require(what: str, write: str) -> Scope:
    """The current scope; raises `OutsideScopeError` where there is none."""
    scope = _current.get()
    if scope is None:
        raise OutsideScopeError(
            "values exist only inside a scope, and none is open here.",
            path=what,
            expected="to run inside `stateless_call`, `init` or a Trainer's step",
            write=write,
        )
    return scope


def get_mask(value: object) -> Any:
    """The mask of a value in the current scope, or `None`: what Keras keeps as an attribute of the tensor.

    >>> x = jnp.zeros((1, 2))
    >>> with Scope().open():
    ...     set_mask(x, jnp.array([[True, False]]))
    ...     get_mask(x).tolist()
    [[True, False]]
    """
    scope = _current.get()
    return scope.mask_of(value) if scope is not None else None


def set_mask(value: object, mask: ArrayLike | None) -> None:
    """Sets the mask of a value in the current scope.

    >>> x = jnp.zeros((1, 2))
    >>> with Scope().open() as scope:
    ...     set_mask(x, jnp.array([[True, False]]))
    ...     scope.mask_of(x).shape
    (1, 2)
    """
    require("set_mask", "outputs, _ = layer.stateless_call(trainable, non_trainable, x)").set_mask(value, mask)


def origin_of(value: object) -> Any:
    """What a value was computed of, as the layer that made it says in a scope that asks for it; `None` otherwise.

    >>> x = jnp.zeros((1, 2))
    >>> with Scope().open() as scope:
    ...     scope.origins = {}
    ...     record_origin(x, lambda: "a product")
    ...     origin_of(x), origin_of(x + 0)
    ('a product', None)
    """
    scope = _current.get()
    return None if scope is None else scope.origin_of(value)


def record_origin(value: object, origin: Callable[[], Any]) -> None:
    """Records what `origin` returns as what a value was computed of, where the current scope asks for that.

    Args:
        value: what a layer is about to return.
        origin: called only then.

    >>> record_origin(jnp.zeros(()), lambda: 1 / 0)   # nobody asks
    """
    scope = _current.get()
    if scope is not None and scope.origins is not None:
        scope.origins[id(value)] = (value, origin())


def in_building_scope() -> bool:
    """Whether the code runs for shapes alone.

    >>> with Scope(building=True).open():
    ...     in_building_scope()
    True
    """
    scope = _current.get()
    return scope is not None and scope.building
