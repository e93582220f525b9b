"""Remat: what happens inside a layer is computed again for its gradient, instead of being kept."""

from typing import Any, Unpack

import jax

from jkeras import registry
from jkeras.core import Layer, remat
from jkeras.core.options import LayerOptions
from jkeras.errors import UnknownNameError, did_you_mean
from jkeras.layers.core.wrapper import Wrapper
from jkeras.typing import ArrayTree, PyTree


def checkpoint_policy(name: str | None, path: str) -> Any:
    """What `jax.checkpoint_policies` has under a name; raises `UnknownNameError` where it has nothing.

    >>> checkpoint_policy(None, "Remat") is None
    True
    """
    if name is None:
        return None
    found = getattr(jax.checkpoint_policies, name, None)
    if found is None:
        known = [each for each in dir(jax.checkpoint_policies) if not each.startswith("_")]
        raise UnknownNameError(
            f"the policy must be a name in jax.checkpoint_policies, got {name!r}.",
            path=path,
            expected=did_you_mean(name, known),
            received=repr(name),
            write="Remat(layer, policy='dots_saveable')",
        )
    return found


@registry.export("jkeras.layers")
class Remat(Wrapper):
    """`outputs = layer(inputs, ...)`, whose intermediate values are computed again when gradients are taken.

    Training then keeps the layer's inputs alone, not what happens inside: less memory for about a third more
    computation. Updates of variables, losses, masks and random numbers are those of the layer.

    Args:
        layer: any layer.
        policy: the name of one of `jax.checkpoint_policies`, which says what is kept nevertheless, such as
            `"dots_saveable"`.

    Shapes:
        Those of the layer.

    Raises:
        ArgumentError: `layer` is not a layer.
        UnknownNameError: there is no such policy.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> layer = Remat(layers.Dense(2, kernel_initializer="ones"))
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[3.0, 3.0]]

    Source: T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep nets with sublinear memory cost",
    arXiv:1604.06174; `jax.checkpoint`.
    """

    allows_python_arguments = True

    def __init__(self, layer: Layer, policy: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(layer, **kwargs)
        self.policy = policy
        self.autocast = False  # the layer casts its own inputs
        self.supports_masking = layer.supports_masking
        checkpoint_policy(policy, "Remat(policy=)")

    def call(self, inputs: ArrayTree, *others: PyTree, **kwargs: Any) -> PyTree:
        policy = checkpoint_policy(self.policy, self.name)
        return remat(lambda *args: self.layer(*args, **kwargs), policy=policy)(inputs, *others)

    def compute_mask(self, inputs: ArrayTree, previous_mask: PyTree = None) -> PyTree:
        return self.layer.compute_mask(inputs, previous_mask)
