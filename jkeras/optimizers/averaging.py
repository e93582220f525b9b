"""The exponential moving average of the parameters, kept in the optimizer's state.

    average = momentum * average + (1 - momentum) * params        momentum = 0 at the first step

Evaluate with `ema_params(opt_state, params)`; train on with `params`. With an overwrite frequency the parameters
themselves become the average every so many steps.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jkeras.errors import ArgumentError
from jkeras.optimizers.transformations import widen
from jkeras.typing import Array, ArrayTree, PyTree


class ParameterAverageState(NamedTuple):
    """The state of an optimizer that follows the average of the parameters.

    Args:
        count: how many calls there have been.
        average: of the parameters, a tree like theirs; in float32 where they are of half precision.
        inner_state: of the optimizer itself.

    >>> import jax.numpy as jnp
    >>> from jkeras import optimizers
    >>> state = optimizers.SGD(0.1, use_ema=True).init({"kernel": jnp.ones(2)})
    >>> isinstance(state, optimizers.ParameterAverageState), int(state.count)
    (True, 0)
    """

    count: Array  # type: ignore[assignment]  # hides tuple.count
    average: PyTree
    inner_state: PyTree


def track_average(
    inner: optax.GradientTransformation, momentum: float, overwrite_frequency: int | None, calls_per_step: int
) -> optax.GradientTransformationExtraArgs:
    """Wraps an optimizer so that its state follows the average of the parameters that it produces.

    Args:
        inner: the optimizer.
        momentum: weight of the old average.
        overwrite_frequency: every so many steps the update leads to the average instead; `None` for never.
        calls_per_step: how many calls make a step, where gradients are accumulated. The average moves at every call.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params: ArrayTree) -> ParameterAverageState:
        # A buffer of its own: parameters and state may both be donated. Half precision would round small steps away.
        copied = widen(jax.tree.map(jnp.array, params))
        return ParameterAverageState(jnp.zeros((), "int32"), copied, inner.init(params))

    def update(updates: ArrayTree, state: Any, params: ArrayTree | None = None, **extra: Any) -> tuple[PyTree, Any]:
        if params is None:
            raise ArgumentError(
                "`params` is required, because the average is of the parameters.",
                path="update",
                expected="the tree of parameters",
                received="params=None",
                write="updates, opt_state = optimizer.update(grads, opt_state, params)",
            )
        updates, inner_state = inner.update(updates, state.inner_state, params, **extra)
        step = state.count // calls_per_step
        new_share = jnp.where(step == 0, 1.0, 1.0 - momentum)
        mixed = optax.incremental_update(optax.apply_updates(params, updates), state.average, new_share)
        average = jax.tree.map(lambda new, old: new.astype(old.dtype), mixed, state.average)
        if overwrite_frequency is not None:
            overwrite = (step + 1) % overwrite_frequency == 0
            updates = jax.tree.map(
                lambda u, a, p: jnp.where(overwrite, a - p, u).astype(u.dtype), updates, average, params
            )
        return updates, ParameterAverageState(state.count + 1, average, inner_state)

    return optax.GradientTransformationExtraArgs(init, update)


def ema_params(opt_state: PyTree, params: ArrayTree) -> PyTree:
    """The moving average of the parameters, from the state of an optimizer made with `use_ema=True`.

    Args:
        opt_state: the optimizer's state, also inside other optax states.
        params: the current parameters; the average has their structure, shapes and dtypes.

    Raises:
        ArgumentError: the state holds no average, or several.

    >>> import jax.numpy as jnp, optax
    >>> from jkeras import optimizers
    >>> optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    >>> params = {"kernel": jnp.array([4.0])}
    >>> opt_state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, opt_state = optimizer.update({"kernel": jnp.array([1.0])}, opt_state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> print(params["kernel"], ema_params(opt_state, params)["kernel"])
    [2.] [2.5]
    """
    found = [leaf for leaf in jax.tree.leaves(opt_state, is_leaf=_is_average) if _is_average(leaf)]
    if len(found) != 1:
        raise ArgumentError(
            f"`opt_state` must hold one average of the parameters, got {len(found)}.",
            path="ema_params",
            expected="the state of one optimizer with use_ema=True",
            received=f"{len(found)} averages",
            write="optimizer = optimizers.Adam(1e-3, use_ema=True)",
        )
    return jax.tree.map(lambda p, average: average.astype(jnp.result_type(p)), params, found[0].average)


def _is_average(node: object) -> bool:
    return isinstance(node, ParameterAverageState)
