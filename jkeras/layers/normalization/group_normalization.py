"""GroupNormalization: groups of channels of every example to mean zero and variance one."""

from typing import Unpack

from jkeras import arguments, registry
from jkeras.core import InputSpec
from jkeras.core.options import LayerOptions
from jkeras.errors import BuildError
from jkeras.functional import group_normalize
from jkeras.layers.normalization.base import AffineNormalization, sizes_along
from jkeras.typing import Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class GroupNormalization(AffineNormalization):
    """`outputs = gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with mean and variance over groups of channels.

    The statistics are those of each example, over the channels of the group and over all axes but the first.

    Args:
        groups: how many groups; a divisor of the number of channels. -1 makes each channel a group of its own, which is
            instance normalization; 1 is layer normalization over all axes.
        axis: the axis of the channels.
        epsilon: keeps the square root away from zero.
        center: whether `beta` is added.
        scale: whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer: names, configs or objects.
        beta_regularizer, gamma_regularizer: penalties on the weights.
        beta_constraint, gamma_constraint: projections applied after each update.

    Shapes:
        `(b, ...)` with `c` channels along `axis` -> the same, in the compute dtype; `gamma (c,)`, `beta (c,)`. Half
        precision is computed in float32. Masks pass through, and what they leave out still counts.

    Raises:
        ArgumentError: `groups` is neither a positive int nor -1, or `axis` is not an int.
        BuildError: the channels do not divide into the groups, their number is not known, or `axis` is that of the
            examples.

    >>> import jax, jax.numpy as jnp
    >>> layer = GroupNormalization(groups=2, epsilon=0.0)
    >>> variables = layer.init(jax.random.key(0), (1, 4))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 3.0, 10.0, 30.0]]))[0].tolist()
    [[-1.0, 1.0, -1.0, 1.0]]

    Source: Y. Wu and K. He, "Group normalization", arXiv:1803.08494; D. Ulyanov et al., "Instance normalization",
    arXiv:1607.08022.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.groups = _check_groups(groups)
        arguments.axis(axis, "axis", "GroupNormalization")
        self.axis, self.epsilon = axis, float(epsilon)
        self.set_affine(
            center,
            scale,
            beta=(beta_initializer, beta_regularizer, beta_constraint),
            gamma=(gamma_initializer, gamma_regularizer, gamma_constraint),
        )
        self.autocast = False  # the statistics are those of the inputs as they come

    def build(self, input_shape: Shape) -> None:
        path = self._label
        sizes = sizes_along(input_shape, self.axis, path)
        ((axis, channels),) = sizes.items()
        if axis == 0 or channels % self.groups:
            raise BuildError(
                f"the number of channels must be a multiple of `groups`, got {channels} and {self.groups}."
                if axis
                else "`axis` must not be 0, because the first axis is that of the examples.",
                path=path,
                expected=f"groups that divide {channels} channels" if axis else "another axis for the channels",
                received=f"groups={self.groups}, axis={self.axis}, inputs of shape {tuple(input_shape)}",
                write="GroupNormalization(groups=-1)   # a group for each channel",
            )
        self.declare_affine((channels,), center=self.center, scale=self.scale)
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)

    def call(self, inputs: Array) -> Array:
        groups = inputs.shape[self.axis] if self.groups == -1 else self.groups
        outputs = group_normalize(inputs, groups, *self.affine(), epsilon=self.epsilon, axis=self.axis)
        return outputs.astype(self.compute_dtype)


def _check_groups(groups: object) -> int:
    """The number of groups: a positive int, or -1."""
    if type(groups) is not int or (groups < 1 and groups != -1):
        wanted, expected = "a positive integer or -1", "an int >= 1, or -1 for a separate group for each channel"
        line = "GroupNormalization(groups=8)"
        raise arguments.refusal(groups, "groups", "GroupNormalization", wanted, expected=expected, write=line)
    return groups
