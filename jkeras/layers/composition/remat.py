"""Remat: what happens inside a layer is computed again for its gradient, instead of being kept."""

from typing import Any, Unpack

from jkeras import registry
from jkeras.core import Layer, remat
from jkeras.core.options import LayerOptions
from jkeras.layers.composition.checkpoint_policy import Policy, checkpoint_policy
from jkeras.layers.core.wrapper import Wrapper
from jkeras.typing import ArrayTree, PyTree


@registry.export("jkeras.layers")
class Remat(Wrapper):
    """`outputs = layer(inputs, ...)`, whose intermediate values are computed again when gradients are taken.

    Training then keeps the layer's inputs alone, not what happens inside: less memory for about a third more
    computation. Updates of variables, losses, masks and random numbers are those of the layer.

    Args:
        layer: any layer.
        policy: what is kept nevertheless: the name of one of `jax.checkpoint_policies`, such as `"dots_saveable"`,
            `"offload_dot_with_no_batch_dims"`, which moves products with weights to the host, or with arguments
            `{"save_only_these_names": ["mixed"]}` and `{"save_and_offload_only_these_names": {"save": ["mixed"],
            "offload": ["wide"]}}`; `jax.ad_checkpoint.checkpoint_name` gives values names.

    Shapes:
        Those of the layer.

    Raises:
        ArgumentError: `layer` is not a layer, or the policy takes other arguments.
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

    def __init__(self, layer: Layer, policy: Policy | None = None, **kwargs: Unpack[LayerOptions]) -> None:
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
