"""RotaryEmbedding: positions as angles by which features are turned."""

from typing import Unpack

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.functional import rotary_embedding
from jkeras.typing import Array


@registry.export("jkeras.layers")
class RotaryEmbedding(Layer):
    """`(u, v) -> (u cos a - v sin a, u sin a + v cos a)` for each pair of features, with an angle `a` per position.

    `a = position / scaling_factor * max_wavelength^(-2 i / c)` for pair `i` of `c / 2`. It belongs on the queries and
    keys of attention, whose products then depend on the distance alone: `MultiHeadAttention(...,
    position_embedding=RotaryEmbedding())`.

    Args:
        max_wavelength: of the slowest pair, in turns of `2 pi` positions.
        scaling_factor: divides the positions, so that longer sequences meet known angles.
        sequence_axis: the axis of the positions.
        interleaved: pairs are neighbours, as in the paper. By default feature `i` goes with `i + c / 2`, as in most
            published weights.

    Call:
        positions: `(t,)` or `(b, t)`; `0, 1, 2, ...` by default.

    Shapes:
        `(b, t, n, c)` -> the same, with an even `c`; any other axes between `t` and `c`, or none.

    Raises:
        ArgumentError: a wavelength or factor is not a positive number.
        ShapeError: an odd number of features, or positions that do not fit.

    >>> import jax, jax.numpy as jnp
    >>> layer = RotaryEmbedding()
    >>> variables = layer.init(jax.random.key(0), (1, 2, 2))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.array([[[1.0, 0.0], [1.0, 0.0]]]))
    >>> [f"{number:.2f}" for number in outputs.ravel()]
    ['1.00', '0.00', '0.54', '0.84']

    Source: J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", arXiv:2104.09864.
    """

    def __init__(
        self,
        max_wavelength: float = 10000.0,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        interleaved: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("max_wavelength", max_wavelength), ("scaling_factor", scaling_factor)):
            arguments.positive_number(value, name, "RotaryEmbedding", f"RotaryEmbedding({name}=10000.0)")
        self.max_wavelength, self.scaling_factor = max_wavelength, scaling_factor
        self.sequence_axis, self.interleaved = sequence_axis, bool(interleaved)
        self.supports_masking = True

    def call(self, inputs: Array, positions: Array | None = None) -> Array:
        return rotary_embedding(
            inputs,
            positions,
            max_wavelength=self.max_wavelength,
            scaling_factor=self.scaling_factor,
            sequence_axis=self.sequence_axis,
            interleaved=self.interleaved,
        )
