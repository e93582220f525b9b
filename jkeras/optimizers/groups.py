"""Groups: different optimizers for different parameters, told apart by their paths."""

import re
from collections.abc import Mapping
from typing import Any

import optax

from jkeras import tree
from jkeras.errors import ArgumentError
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.lookup import get
from jkeras.typing import ArrayTree, PyTree


def by_path(optimizers: Mapping[str, Any]) -> optax.GradientTransformationExtraArgs:
    """An optimizer for each group of parameters.

    Args:
        optimizers: `{pattern: optimizer}`. A parameter belongs to the first pattern that `re.search` finds in its
            path, such as `"encoder/dense/kernel"`. The optimizers are what `get` takes; `None` leaves its parameters
            as they are.

    Returns:
        `optax.partition` over these groups; its state has the part of each pattern under `inner_states`.

    Raises:
        ArgumentError: when `init` meets a parameter that no pattern covers.

    >>> import jax.numpy as jnp
    >>> optimizer = by_path({"bias$": optax.sgd(1.0), ".*": None})
    >>> params = {"kernel": jnp.ones(()), "bias": jnp.ones(())}
    >>> updates, _ = optimizer.update(params, optimizer.init(params), params)
    >>> {name: float(update) for name, update in updates.items()}
    {'bias': -1.0, 'kernel': 0.0}
    """
    if not optimizers:
        rule = "`optimizers` must have at least one entry"
        wanted, received = "{pattern: optimizer}", repr(optimizers)[:80]
        write = 'by_path({".*": "adam"})'
        raise ArgumentError.must(rule, received, path="optimizers.by_path", expected=wanted, write=write)
    parts = {pattern: optax.set_to_zero() if each is None else get(each) for pattern, each in optimizers.items()}
    transformations = {pattern: _as_transformation(each) for pattern, each in parts.items()}

    def group(path: str, _: object) -> str:
        for pattern in transformations:
            if re.search(pattern, path):
                return pattern
        raise ArgumentError(
            "the path of every parameter must match a pattern of `optimizers`, and this one matches none.",
            path=path,
            expected=f"a match of one of {', '.join(map(repr, transformations))}",
            write='optimizer={..., ".*": "adam"}   # the rest',
        )

    def labels(params: ArrayTree) -> PyTree:
        return tree.map_with_path(group, params)

    return optax.partition(transformations, labels)


def _as_transformation(optimizer: Optimizer | optax.GradientTransformation) -> optax.GradientTransformation:
    """An optimizer as optax's wrappers take it, with the extra arguments that it takes."""
    if isinstance(optimizer, optax.GradientTransformation):
        return optimizer
    return optax.GradientTransformationExtraArgs(optimizer.init, optimizer.update)
