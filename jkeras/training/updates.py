"""Updates: what a step does around an optimizer: it offers extra arguments, and scales the loss of float16.

Extra arguments: optax's line searches, Polyak's step size, MoMo, SAM, Sophia and `reduce_on_plateau` take further
arguments of `update` by name. A transformation may refuse names that it does not know, and one inside a chain refuses
them only when it runs. So the usual ones are offered, a name that is refused is left out, and one that is missed is
added.

Dynamic loss scaling keeps float16 gradients from vanishing. The loss is multiplied by a scale before gradients are
taken, and the gradients are divided by it. A scale that makes a gradient overflow is halved and the step is left out;
after `GROWTH_STEPS` steps without overflow it is doubled. It stays between `LEAST_SCALE` and `LARGEST_SCALE`: a scale
of 0 or infinity would leave out every later step.

Sources: Micikevicius et al., "Mixed Precision Training" (2018), section 3.2. The first scale and the number of steps
are Keras's, which has no bounds; the least scale is that of TensorFlow and DeepMind's jmp.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
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


INITIAL_SCALE = 2.0**15
GROWTH_STEPS = 2000
LEAST_SCALE, LARGEST_SCALE = 1.0, 2.0**126  # of which the inverse is a normal float32 too

State = dict[str, Array]


def init_scale() -> State:
    """The state before the first step: `scale` and the number of `good_steps` since it changed.

    >>> {name: float(value) for name, value in init_scale().items()}
    {'scale': 32768.0, 'good_steps': 0.0}
    """
    return {"scale": jnp.full((), INITIAL_SCALE, "float32"), "good_steps": jnp.zeros((), "int32")}


def next_scale(state: State, finite: Array) -> State:
    """The state after a step whose gradients were finite or not.

    >>> state = next_scale(init_scale(), jnp.array(False))
    >>> float(state["scale"]), int(state["good_steps"])
    (16384.0, 0)
    """
    good = jnp.where(finite, state["good_steps"] + 1, 0)
    grow = good >= GROWTH_STEPS
    factor = jnp.where(finite, jnp.where(grow, 2.0, 1.0), 0.5)
    scale = jnp.clip(state["scale"] * factor, LEAST_SCALE, LARGEST_SCALE)
    return {"scale": scale, "good_steps": jnp.where(grow, 0, good)}


def all_finite(tree: ArrayTree) -> Array:
    """Whether no entry of any leaf is infinite or NaN.

    >>> bool(all_finite({"a": jnp.ones(2), "b": jnp.array(jnp.inf)}))
    False
    """
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)] or [True]))


def select(condition: Array, new: Any, old: Any) -> Any:
    """Leaf by leaf `new` where the condition holds, else `old`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
