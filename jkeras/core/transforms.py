"""JAX transforms that carry updates out: `scan`, `cond`, `switch`, `vmap`, `remat`.

Inside `call`, plain JAX transforms read variables freely. They cannot let assignments out, because a scope records
values of its own trace level only. The functions here can. All are a few lines over `functionalize`, which turns a
function that reads and writes the current scope into a pure one (where no scope is open, they are JAX's own):

    pure(state, *args) -> ((outputs, losses), state)

(Inside this module a third thing goes beside outputs and losses: what layers returned, where the call captures it.)
`state` holds the values of every variable that may be assigned; reads of the others are closed over. So are masks: the
arguments of all but `remat` have none inside unless they are passed along as arguments of their own.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import keys
from jkeras.core import scope as scopes
from jkeras.core.probe import Captured, padded
from jkeras.core.scope import Scope
from jkeras.core.seed import SeedState
from jkeras.errors import TraceLevelError
from jkeras.jax_compat import differs_between_members
from jkeras.typing import Array, ArrayLike, PyTree

State = list[Array]


def functionalize(function: Callable[..., PyTree]) -> tuple[Callable[..., Any], State, Callable[[State], None]]:
    """A pure form of a function that uses the current scope.

    Returns:
        `pure(state, *args, **kwargs) -> ((outputs, losses), state)`; the state now; and `commit(state)`, which
        records a state in the current scope.

    >>> with Scope().open():
    ...     pure, state, commit = functionalize(jnp.sin)
    ...     (outputs, losses), _ = pure(state, 0.0)
    >>> float(outputs), losses
    (0.0, {})
    """
    pure, state, commit = _functionalize(function)

    def without_captures(values: State, *args: Any, **kwargs: Any) -> Any:
        (outputs, losses, captured), new = pure(values, *args, **kwargs)
        if captured:
            raise TraceLevelError(
                "cannot capture what a layer returns inside `functionalize`.",
                path=", ".join(captured),
                expected="a `capture` pattern that leaves this layer out, or jkeras.scan, cond, vmap, remat",
            )
        return (outputs, losses), new

    return without_captures, state, commit


def _functionalize(function: Callable[..., PyTree]) -> tuple[Callable[..., Any], State, Callable[[State], None]]:
    """`functionalize`, where `pure` returns `((outputs, losses, captured), state)`."""
    outer = scopes.require("functionalize", "jkeras.scan(...)   # inside `call`")
    variables = _assignable(outer)
    state = [outer.stored(variable) for variable in variables]
    carried = set(variables)

    def pure(values: State, *args: Any, **kwargs: Any) -> Any:
        inner = outer.inside(dict(zip(variables, values, strict=True)))
        with inner.open():
            outputs = function(*args, **kwargs)
        lost = [inner.path_of(variable) for variable in inner.updated if variable not in carried]
        if lost and not inner.building:  # what a building scope declares inside is not known before
            raise TraceLevelError(
                "assigned inside a transform that was called by a layer which does not own the variable.",
                path=", ".join(lost),
                expected="a call of jkeras.scan, cond, vmap or remat in the `call` of an owner of the variable",
            )
        new = [inner.values.get(variable, value) for variable, value in zip(variables, values, strict=True)]
        return (outputs, inner.losses, inner.captured), new

    def commit(values: State) -> None:
        for variable, old, new in zip(variables, state, values, strict=True):
            if new is not old:
                outer.write(variable, new)

    return pure, state, commit


def _assignable(scope: Scope) -> list[Any]:
    """The variables that calls inside the scope may assign: those below the layer that is being called."""
    if not scope.frames:
        return [variable for variable in scope.values if variable.assignable]
    found = [v for v in scope.frames[-1].layer.structure().declarations if v.assignable]
    return [v for v in found if v in scope.values or scope.building]


def _record(losses: dict[str, Array], captured: Captured) -> None:
    scope = scopes.current()
    assert scope is not None
    for path, value in losses.items():
        scope.add_loss(path, value)
    scope.capture(captured)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: PyTree, xs: PyTree = None, length: int | None = None, **options: Any
) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` whose body may call layers that assign variables and add losses (which are summed).

    Args:
        f, init, xs, length: as for `jax.lax.scan`.
        options: `reverse`, `unroll`, ...

    >>> import jax.numpy as jnp
    >>> with Scope().open():
    ...     carry, ys = scan(lambda c, x: (c + x, c), jnp.zeros(()), jnp.arange(3.0))
    >>> float(carry), ys.tolist()
    (3.0, [0.0, 0.0, 1.0])
    """
    if scopes.current() is None:
        return jax.lax.scan(f, init, xs, length, **options)
    pure, state, commit = _functionalize(f)

    def body(carry: Any, x: Any) -> Any:
        ((new, y), losses, captured), values = pure(carry[0], carry[1], x)
        return (values, new), (y, losses, captured)

    (values, carry), (ys, losses, captured) = jax.lax.scan(body, (state, init), xs, length, **options)
    commit(values)
    _record({path: jnp.sum(loss, axis=0) for path, loss in losses.items()}, captured)
    return carry, ys


def cond(pred: ArrayLike, true_fun: Callable[..., PyTree], false_fun: Callable[..., PyTree], *operands: Any) -> PyTree:
    """`jax.lax.cond` whose branches may call layers that assign variables and add losses.

    >>> with Scope().open():
    ...     int(cond(True, lambda x: x + 1, lambda x: x - 1, 1))
    2
    """
    return _branched((true_fun, false_fun), operands, lambda branches, *args: jax.lax.cond(pred, *branches, *args))


def switch(index: ArrayLike, branches: Sequence[Callable[..., PyTree]], *operands: Any) -> PyTree:
    """`jax.lax.switch` whose branches may call layers that assign variables and add losses.

    >>> with Scope().open():
    ...     int(switch(2, [lambda x: x, lambda x: -x, lambda x: x + 1], 1))
    2
    """
    return _branched(branches, operands, lambda branches, *args: jax.lax.switch(index, branches, *args))


def _branched(functions: Sequence[Callable[..., PyTree]], operands: Any, choose: Callable[..., Any]) -> PyTree:
    if scopes.current() is None:
        return choose(functions, *operands)
    branches = [_functionalize(function) for function in functions]
    state = branches[0][1]
    known: dict[str, Any] = {}
    seen: Captured = {}
    for pure, _, _ in branches:  # the losses of one branch are zero in the others, and so is what it captures
        _, losses, captured = jax.eval_shape(pure, state, *operands)[0]
        known.update(losses)
        seen.update(captured)

    def whole(pure: Callable[..., Any]) -> Callable[..., Any]:
        def branch(values: State, *args: Any) -> Any:
            (outputs, losses, captured), new = pure(values, *args)
            losses = {path: losses.get(path, jnp.zeros(spec.shape, spec.dtype)) for path, spec in known.items()}
            return (outputs, losses, padded(captured, seen)), new

        return branch

    (outputs, losses, captured), values = choose([whole(pure) for pure, _, _ in branches], state, *operands)
    branches[0][2](values)
    _record(losses, captured)
    return outputs


def remat(function: Callable[..., PyTree], **options: Any) -> Callable[..., PyTree]:
    """`jax.checkpoint` of a function that may call layers: its intermediate values are computed again for gradients.

    Masks of the arguments and of the outputs pass through.

    Args:
        function: a layer or a function that calls layers.
        options: `policy`, `prevent_cse`, as for `jax.checkpoint`.

    >>> with Scope().open():
    ...     float(remat(jnp.sin)(0.0))
    0.0
    """

    def rematerialized(*args: Any, **kwargs: Any) -> PyTree:
        if scopes.current() is None:
            return jax.checkpoint(lambda *args: function(*args, **kwargs), **options)(*args)

        def masked(args: tuple[Any, ...], masks: list[Any]) -> tuple[PyTree, list[Any]]:
            _set_masks(args, masks)
            outputs = function(*args, **kwargs)
            return outputs, _masks(outputs)

        pure, state, commit = _functionalize(masked)
        ((outputs, masks), losses, captured), values = jax.checkpoint(pure, **options)(state, args, _masks(args))
        commit(values)
        _record(losses, captured)
        _set_masks(outputs, masks)
        return outputs

    return rematerialized


def _masks(values: PyTree) -> list[Any]:
    return [scopes.get_mask(leaf) for leaf in jax.tree.leaves(values)]


def _set_masks(values: PyTree, masks: list[Any]) -> None:
    for leaf, mask in zip(jax.tree.leaves(values), masks, strict=True):
        scopes.set_mask(leaf, mask)


def vmap(
    function: Callable[..., PyTree],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable | None = None,
    axis_size: int | None = None,
) -> Any:
    """`jax.vmap` of a function that may call layers.

    Every member gets a stream of random numbers of its own. Losses are averaged. An assigned value must not differ
    between members: reduce it first, with `jax.lax.pmean(value, axis_name)`.

    >>> with Scope().open():
    ...     vmap(lambda x: x * 2)(jnp.arange(3)).tolist()
    [0, 2, 4]
    """

    axis = axis_name if axis_name is not None else object()

    def mapped(*args: Any) -> PyTree:
        if scopes.current() is None:
            return jax.vmap(function, in_axes, out_axes, axis_name, axis_size)(*args)
        pure, state, commit = _functionalize(function)
        streams = [isinstance(variable.initializer, SeedState) for variable in _assignable(scopes.require("vmap", ""))]

        def member(values: State, args: tuple[Any, ...]) -> Any:
            index = jax.lax.axis_index(axis)
            own = [_stream(value, index) if stream else value for value, stream in zip(values, streams, strict=True)]
            results, new = pure(own, *args)
            next_values = [
                _used(old) if stream else value for old, value, stream in zip(values, new, streams, strict=True)
            ]
            return results, next_values

        axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
        run = jax.vmap(member, (None, axes), ((out_axes, 0, 0), None), axis_name=axis, axis_size=axis_size)
        try:
            (outputs, losses, captured), values = run(state, args)
        except ValueError as error:
            if not differs_between_members(error):
                raise
            raise TraceLevelError(
                "members of a vmap assigned different values to one variable.",
                path="jkeras.vmap",
                expected="one value for all members",
                write="variable.assign(jax.lax.pmean(value, axis_name))   # with jkeras.vmap(..., axis_name=...)",
            ) from error
        commit(values)
        _record({path: jnp.mean(loss, axis=0) for path, loss in losses.items()}, captured)
        return outputs

    return mapped


def _stream(state: Array, index: Array) -> Array:
    """The seed state of one member."""
    return jax.random.bits(jax.random.fold_in(keys.from_state(state), index), (2,), "uint32")


def _used(state: Array) -> Array:
    """The seed state after its streams were handed out."""
    return state + jnp.array([0, 1], "uint32")
