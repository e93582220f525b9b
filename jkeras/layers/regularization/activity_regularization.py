"""ActivityRegularization: a penalty on what passes through."""

from typing import Unpack

from jkeras import registry, regularizers
from jkeras.core import Layer
from jkeras.core.options import PlainOptions
from jkeras.typing import ArrayTree, Config, PyTree


@registry.export("keras.layers")
class ActivityRegularization(Layer):
    """`outputs = inputs`, and the loss `(l1 * sum |x| + l2 * sum x^2) / b` over the batch of size `b`.

    Args:
        l1: factor of the absolute values.
        l2: factor of the squares.

    Shapes:
        Any shape -> the same.

    >>> import jax, jax.numpy as jnp
    >>> layer = ActivityRegularization(l1=0.5)
    >>> variables = layer.init(jax.random.key(0), (2, 2))
    >>> _, _, losses = layer.stateless_call(*variables, jnp.ones((2, 2)), return_losses=True)
    >>> {path: float(loss) for path, loss in losses.items()}
    {'activity_regularizer': 1.0}

    Source: the penalty of R. Tibshirani, "Regression shrinkage and selection via the lasso", 1996, on activities.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[PlainOptions]) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2
        self.supports_masking = True

    def call(self, inputs: ArrayTree) -> PyTree:
        return inputs

    def get_config(self) -> Config:
        return {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}
