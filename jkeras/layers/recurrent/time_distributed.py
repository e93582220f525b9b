"""TimeDistributed: one layer for every step of a sequence."""

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import core, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import standardize_shape
from jkeras.errors import ShapeError
from jkeras.functional.layout import hide
from jkeras.layers.core.wrapper import Wrapper
from jkeras.layers.recurrent.base import check_step_mask
from jkeras.typing import Array, PyTree, Shape


@registry.export("keras.layers")
class TimeDistributed(Wrapper):
    """`outputs[:, t] = layer(inputs[:, t])`: each step on its own, with the same weights.

    All steps are computed at once, by `jkeras.vmap`, so that the layer sees a batch of one step and random layers draw
    for each step again. Where a step changes variables that the next one reads, as BatchNormalization does in training,
    the steps follow each other in a `jkeras.scan`.

    Args:
        layer: the layer.

    Call arguments:
        inputs: `(b, t, ...)`.
        mask: `(b, t, ...)`; the layer gets the part of a step, if it takes a mask.

    Shapes:
        `(b, t, ...)` -> `(b, t, ...)`.

    Raises:
        ArgumentError: no layer.
        ShapeError: inputs of rank below 3, or a mask that does not fit.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> layer = TimeDistributed(layers.Dense(1, kernel_initializer="ones"))
    >>> variables = layer.init(jax.random.key(0), (1, 2, 3))
    >>> layer.stateless_call(*variables, jnp.arange(6.0).reshape(1, 2, 3))[0].tolist()
    [[[3.0], [12.0]]]

    Source: `keras.layers.TimeDistributed`.
    """

    def __init__(self, layer: Layer, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        if self.layer.overrides_build:
            self.check_shape(input_shape)
            super().build((input_shape[0], *input_shape[2:]))

    def check_shape(self, shape: Shape) -> None:
        """Raises `ShapeError` unless inputs of a shape have steps."""
        if len(shape) < 3:
            raise ShapeError(
                f"the inputs must have an axis of steps, got rank {len(shape)}.",
                path=self._label,
                expected="a batch of sequences, of rank 3 or more",
                received=shape,
                write="jkeras.Input((None, 8))   # any number of steps of 8 features",
            )

    def call(self, inputs: Array, training: bool | None = None, mask: Array | None = None) -> PyTree:
        """The layer on each step."""
        self.check_shape(standardize_shape(inputs.shape))
        if mask is not None:
            check_step_mask(mask, inputs, self)
        inputs = hide(inputs, mask)
        takes_mask = mask is not None and self.layer.call_signature.accepts("mask")

        def step(x: Array, mask: Array | None) -> PyTree:
            return self.layer(x, mask=mask) if takes_mask else self.layer(x)

        sequences = (inputs, mask if takes_mask else None)
        if training and self.changes_variables():
            steps = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), sequences)  # (t, b, ...)
            return jnp.swapaxes(core.scan(lambda _, at: (None, step(*at)), None, steps)[1], 0, 1)
        return core.vmap(step, in_axes=(1, 1 if takes_mask else None), out_axes=1)(*sequences)

    def changes_variables(self) -> bool:
        """Whether the layer has variables that it may assign, streams of random numbers apart."""
        declarations = self.layer.structure().declarations.values()
        return any(d.variable.assignable and not d.stream for d in declarations)
