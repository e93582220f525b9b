"""Dynamic loss scaling: what keeps float16 gradients from vanishing.

The loss is multiplied by a scale before gradients are taken, and the gradients are divided by it. A scale that makes a
gradient overflow is halved and the step is left out; after `GROWTH_STEPS` steps without overflow it is doubled. It
stays between `LEAST_SCALE` and `LARGEST_SCALE`: a scale of 0 or infinity would leave out every later step.

Sources: Micikevicius et al., "Mixed Precision Training" (2018), section 3.2. The first scale and the number of steps
are Keras's, which has no bounds; the least scale is that of TensorFlow and DeepMind's jmp.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.typing import Array, ArrayTree

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
