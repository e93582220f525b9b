"""Pipeline: layers one after the other, as one layer."""

from collections.abc import Sequence
from typing import Any

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.errors import ArgumentError
from jkeras.typing import ArrayTree, Config, PyTree


@registry.export("keras.layers")
class Pipeline(Layer):
    """`outputs = layers[-1](... layers[0](inputs))`.

    What `training` says, and the mask, go from layer to layer. The values of the layers have the addresses `layers/0`,
    `layers/1`, ..., or their names where they have one. A layer for texts may be the first one; then a call is not
    compiled, and takes NumPy arrays.

    Args:
        layers: the layers.

    Shapes:
        Those of the first layer's inputs -> those of the last one's outputs.

    Raises:
        ArgumentError: `layers` is not a sequence of layers, or an empty one.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras.layers import Rescaling
    >>> layer = Pipeline([Rescaling(0.5), Rescaling(1.0, offset=1.0)])
    >>> layer.stateless_call(*layer.init(jax.random.key(0), (2,)), jnp.array([2.0, 4.0]))[0].tolist()
    [2.0, 3.0]

    Source: the definition above.
    """

    converts_inputs = False  # each layer does for itself

    def __init__(self, layers: Sequence[Layer], name: str | None = None) -> None:
        super().__init__(name=name)
        if isinstance(layers, str) or not isinstance(layers, Sequence) or not layers:
            wanted, write = "a list of at least one layer", "Pipeline([Rescaling(1 / 255), Normalization()])"
            raise arguments.refusal(layers, "layers", "Pipeline", wanted, write=write)
        strangers = [each for each in layers if not isinstance(each, Layer)]
        if strangers:
            raise ArgumentError(
                f"every entry of `layers` must be a layer, got {', '.join(map(repr, strangers))[:80]}.",
                path="Pipeline",
                expected="instances of jkeras.Layer",
                received=", ".join(map(repr, strangers))[:80],
                write="Pipeline([Rescaling(1 / 255), Normalization()])",
            )
        self.layers = list(layers)
        self.supports_masking = True  # each layer says what becomes of a mask

    def call(self, inputs: ArrayTree) -> PyTree:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def compute_mask(self, inputs: ArrayTree, previous_mask: PyTree = None) -> None:
        """Nothing: the outputs have the mask that the last layer gave them, or none."""

    @classmethod
    def from_config(cls, config: Config) -> Any:
        return super().from_config({**config, "layers": registry.deserialize(config["layers"])})
