"""Extra arguments: what an optimizer may ask of a step besides gradients and parameters.

optax's line searches, Polyak's step size, MoMo, SAM, Sophia and `reduce_on_plateau` take further arguments of
`update` by name. A transformation may refuse names that it does not know, and one inside a chain refuses them only
when it runs. So the usual ones are offered, a name that is refused is left out, and one that is missed is added.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from jkeras.optimizers import Optimizer
from jkeras.typing import Array, ArrayTree, PyTree, Tree

REFUSAL = re.compile(r"unexpected keyword argument '(\w+)'")
ON_DEMAND = ("obj_fn", "grad_fn")  # line searches refuse what they do not use


def offered(
    value: Array, grad: PyTree, value_fn: Callable[[PyTree], Array], grad_fn: Callable[[PyTree], PyTree]
) -> dict[str, Any]:
    """The extra arguments by the names that optax has for them.

    Args:
        value: the loss of the batch.
        grad: its gradient, before any transformation.
        value_fn, grad_fn: the loss and its gradient on the same batch, for other parameters.
    """
    return {
        "value": value,
        "grad": grad,
        "value_fn": value_fn,  # line searches
        "obj_fn": value_fn,  # estimates of the Hessian's diagonal, such as Sophia's
        "grad_fn": lambda params, *_: grad_fn(params),  # SAM, whose second argument numbers the steps
    }


def updates_of(
    optimizer: Any, gradients: Tree, opt_state: PyTree, params: Tree, extra: Mapping[str, Any]
) -> tuple[PyTree, PyTree]:
    """`optimizer.update(gradients, opt_state, params)`, with those extra arguments that the optimizer takes.

    >>> import jax.numpy as jnp
    >>> params = jnp.array(2.0)
    >>> updates, _ = updates_of(optax.polyak_sgd(), params, optax.polyak_sgd().init(params), params, {"value": 2.0})
    >>> float(updates)
    -1.0
    """
    if not isinstance(optimizer, optax.GradientTransformationExtraArgs | Optimizer):
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return updates, strong(opt_state)
    names, refused = [name for name in extra if name not in ON_DEMAND], set[str]()
    while True:
        try:
            updates, opt_state = optimizer.update(gradients, opt_state, params, **{name: extra[name] for name in names})
        except (TypeError, ValueError) as error:
            unknown = REFUSAL.search(str(error))
            if unknown is not None and unknown[1] in names:
                refused.add(unknown[1])
                names.remove(unknown[1])
                continue
            asked = [name for name in ON_DEMAND if name in str(error) and name not in (*names, *refused)]
            if not asked:
                raise
            names += asked
        else:
            return updates, strong(opt_state)


def strong(tree: ArrayTree) -> PyTree:
    """The same values, none weakly typed: a state has the same types before and after a step.

    >>> import jax.numpy as jnp
    >>> jax.typeof(jnp.asarray(1.0)).weak_type, jax.typeof(strong(jnp.asarray(1.0))).weak_type
    (True, False)
    """
    return jax.tree.map(
        lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype) if jax.typeof(leaf).weak_type else leaf, tree
    )
