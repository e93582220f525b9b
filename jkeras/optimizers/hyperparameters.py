"""Hyper-parameters are arrays in the optimizer's state: reading and changing them are pure functions of that state.

The compiled step takes the state as an argument, so a new learning rate compiles nothing. Every jkeras optimizer keeps
its hyper-parameters in the state that `optax.inject_hyperparams` makes; these functions find that state wherever it
stands (inside `optax.chain`, `optax.MultiSteps`, ...), so that your own `optax.inject_hyperparams(optax.adam)(1e-3)`
is served as well.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.typing import Array, ArrayLike, PyTree

INJECTED = (optax.InjectStatefulHyperparamsState, optax.InjectHyperparamsState)


def get_hyperparameters(opt_state: PyTree) -> dict[str, Array]:
    """Every hyper-parameter in a state by its name, as arrays.

    One that follows a schedule has the value that the last update used. `step` is the number of that update.

    Args:
        opt_state: what `init` or `update` of an optimizer returned, or a tree with one such state in it.

    Raises:
        ArgumentError: the state holds no hyper-parameters, or those of several optimizers.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> state = optimizers.SGD(0.1, momentum=0.9).init({"kernel": jnp.zeros(2)})
    >>> {name: round(float(value), 3) for name, value in get_hyperparameters(state).items()}
    {'learning_rate': 0.1, 'momentum': 0.9}
    """
    return {name: jnp.asarray(value) for name, value in _find(opt_state).hyperparams.items()}


def set_hyperparameters(opt_state: PyTree, **values: ArrayLike) -> PyTree:
    """The same state with other hyper-parameters.

    Each value is cast to the dtype and broadcast to the shape of the one that it replaces, so the new state fits
    where the old one fitted. In a state that `jax.vmap(optimizer.init)` made, one value per member is allowed.

    Args:
        opt_state: what `init` or `update` of an optimizer returned, or a tree with one such state in it.
        values: the new values by name, numbers or arrays.

    Raises:
        UnknownNameError: the state has no hyper-parameter of that name.
        ArgumentError: the hyper-parameter follows a schedule, or the value has another shape.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> state = optimizers.Adam().init({"kernel": jnp.zeros(2)})
    >>> state = set_hyperparameters(state, learning_rate=0.5, beta_1=0.75)
    >>> float(get_hyperparameters(state)["beta_1"])
    0.75
    """
    found = _find(opt_state)
    changed = {**found.hyperparams, **{name: _replacement(found, name, value) for name, value in values.items()}}

    def replace(node: Any) -> Any:
        return node._replace(hyperparams=changed) if _is_injected(node) else node

    return jax.tree.map(replace, opt_state, is_leaf=_is_injected)


def get_learning_rate(opt_state: PyTree) -> Array:
    """The learning rate in a state.

    Args:
        opt_state: what `init` or `update` of an optimizer returned, or a tree with one such state in it.

    Raises:
        UnknownNameError: the state has no learning rate.

    >>> import jax.numpy as jnp, optax
    >>> state = optax.inject_hyperparams(optax.adam)(0.25).init(jnp.zeros(2))
    >>> float(get_learning_rate(state))
    0.25
    """
    hyperparameters = get_hyperparameters(opt_state)
    if "learning_rate" not in hyperparameters:
        raise _unknown("learning_rate", hyperparameters)
    return hyperparameters["learning_rate"]


def set_learning_rate(opt_state: PyTree, value: ArrayLike) -> PyTree:
    """The same state with another learning rate.

    Args:
        opt_state: what `init` or `update` of an optimizer returned, or a tree with one such state in it.
        value: a number or an array.

    Raises:
        UnknownNameError: the state has no learning rate.
        ArgumentError: it follows a schedule, or the value has another shape.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> state = set_learning_rate(optimizers.SGD(0.1).init(jnp.zeros(2)), 0.5)
    >>> float(get_learning_rate(state))
    0.5
    """
    return set_hyperparameters(opt_state, learning_rate=value)


def _is_injected(node: object) -> bool:
    return isinstance(node, INJECTED)


def _find(opt_state: PyTree) -> Any:
    """The one injected state in a tree of states."""
    found = [node for node in jax.tree.leaves(opt_state, is_leaf=_is_injected) if _is_injected(node)]
    if not found:
        raise ArgumentError(
            "`opt_state` must hold hyper-parameters, and this one holds none.",
            path="opt_state",
            expected="the state of a jkeras optimizer or of optax.inject_hyperparams",
            write="optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)",
        )
    if len(found) > 1:
        raise ArgumentError(
            f"`opt_state` must hold the hyper-parameters of one optimizer, got those of {len(found)}.",
            path="opt_state",
            expected="the state of one optimizer",
            received=f"{len(found)} of them",
            write="set_learning_rate(part, 1e-3)   # for the state of one of them",
        )
    return found[0]


def _replacement(found: Any, name: str, value: ArrayLike) -> Array:
    if name not in found.hyperparams:
        raise _unknown(name, found.hyperparams)
    if name in getattr(found, "hyperparams_states", {}):
        raise ArgumentError(
            f"`{name}` cannot be set, because it follows a schedule.",
            path="set_hyperparameters",
            expected="an optimizer that was made with a number",
            received=f"a schedule for {name}",
            write="optimizers.Adam(learning_rate=1e-3)",
        )
    old = jnp.asarray(found.hyperparams[name])
    new = jnp.asarray(value, old.dtype)
    if new.shape not in ((), old.shape):
        rule, received = f"`{name}` must be one number, or have the shape of the present value", f"shape {new.shape}"
        wanted = f"shape () or {old.shape}"
        write = "opt_state = jax.vmap(optimizer.init)(stacked_params)   # one value per member"
        raise ArgumentError.must(rule, received, path=name, expected=wanted, write=write)
    return jnp.broadcast_to(new, old.shape)


def _unknown(name: str, known: Iterable[str]) -> UnknownNameError:
    return UnknownNameError(
        f"the optimizer state has no hyper-parameter {name!r}.",
        path="opt_state",
        expected=did_you_mean(name, known),
        received=repr(name),
        write="optimizers.get_hyperparameters(opt_state)   # shows their names and values",
    )
