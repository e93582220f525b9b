"""BatchNormalization: every channel to mean zero and variance one over the batch."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, initializers, registry
from jkeras.core import InputSpec, Variable
from jkeras.core.options import LayerOptions
from jkeras.core.synchronization import check_synchronized, named_axes
from jkeras.errors import ShapeError
from jkeras.functional import batch_normalize, moments
from jkeras.functional.layout import hide
from jkeras.layers.normalization.base import AffineNormalization, sizes_along
from jkeras.layers.normalization.renormalization import SquareRoot, check_clipping, corrections
from jkeras.typing import Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class BatchNormalization(AffineNormalization):
    """`outputs = gamma * (x - mean) / sqrt(variance + epsilon) + beta` for every channel.

    In training, mean and variance are those of the batch, over all axes but `axis`; positions that a mask leaves out do
    not count. The moving averages then advance, `moving = momentum * moving + (1 - momentum) * batch`. Otherwise, and
    in a layer with `trainable = False`, mean and variance are the moving averages, which stay as they are.

    Args:
        axis: the axis of the channels.
        momentum: how much of the moving averages stays in each step, in [0, 1].
        epsilon: keeps the square root away from zero.
        center: whether `beta` is added.
        scale: whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: names, configs or
            objects.
        beta_regularizer, gamma_regularizer: penalties on the weights.
        beta_constraint, gamma_constraint: projections applied after each update.
        renorm: whether batch renormalization (arXiv:1702.03275) corrects the statistics in training.
        renorm_clipping: bounds of its corrections: a dict with some of `"rmin"`, `"rmax"`, `"dmax"`.
        renorm_momentum: how much of its running statistics stays in each step.
        synchronized: the name of the axis, or the names of the axes, of `jax.vmap(axis_name=...)` or `jax.shard_map`
            over which the statistics of training are those of all pieces of the batch; `True` stands for `"batch"`.
            Under `jit` alone there is nothing to say: the batch is one array however it is sharded.

    Shapes:
        Any shape with `c` channels along `axis` -> the same, in the compute dtype; trainable `gamma (c,)`, `beta (c,)`;
        non-trainable `moving_mean (c,)`, `moving_variance (c,)`, with `renorm` also `moving_stddev`, `renorm_mean` and
        `renorm_stddev (c,)`. A mask has all axes but the last one. Half precision is computed in float32, and the
        averages are kept in it.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        BuildError: the input has no such axis, or its size is not known.
        ShapeError: the mask has another rank than the inputs' without the last axis.

    >>> import jax, jax.numpy as jnp
    >>> layer = BatchNormalization(momentum=0.5, epsilon=0.0)
    >>> variables = layer.init(jax.random.key(0), (2, 1))
    >>> outputs, state = layer.stateless_call(*variables, jnp.array([[1.0], [3.0]]), training=True)
    >>> outputs.tolist(), state["moving_mean"].tolist()
    ([[-1.0], [1.0]], [1.0])

    Source: S. Ioffe and C. Szegedy, "Batch normalization", arXiv:1502.03167.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool | str | Sequence[str] = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = int(axis), float(epsilon)
        self.synchronized = check_synchronized(synchronized, "BatchNormalization")
        self.momentum = float(arguments.fraction(momentum, "momentum", "BatchNormalization"))
        self.set_affine(
            center,
            scale,
            beta=(beta_initializer, beta_regularizer, beta_constraint),
            gamma=(gamma_initializer, gamma_regularizer, gamma_constraint),
        )
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = bool(renorm)
        self.renorm_clipping = check_clipping(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.autocast = False  # the statistics are those of the inputs as they come

    def build(self, input_shape: Shape) -> None:
        sizes = sizes_along(input_shape, self.axis, self._label)
        (size,) = sizes.values()
        self.declare_affine((size,), center=self.center, scale=self.scale)
        stddev = SquareRoot(self.moving_variance_initializer)
        self.moving_mean = self._declare_statistic("moving_mean", size, self.moving_mean_initializer)
        self.moving_variance = self._declare_statistic("moving_variance", size, self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._declare_statistic("moving_stddev", size, stddev)
            self.renorm_mean = self._declare_statistic("renorm_mean", size, self.moving_mean_initializer)
            self.renorm_stddev = self._declare_statistic("renorm_stddev", size, stddev)
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)

    def _declare_statistic(self, name: str, size: int, initializer: InitializerLike) -> Any:
        # of float32 at least: in half precision a momentum of 0.99 lets an average stop a percent short of its goal
        dtype = jnp.promote_types(self.variable_dtype, "float32")
        return self.add_weight((size,), initializer, dtype, trainable=False, autocast=False, name=name)

    def call(self, inputs: Array, training: bool | None = None, mask: Array | None = None) -> Array:
        gamma, beta = self.affine()
        mask = self._of_positions(inputs, mask)
        inputs = hide(inputs, mask)
        if training and self.trainable:
            mean, variance = self._batch_moments(inputs, mask)  # (c,) each, in float32 at least
            if self.renorm:
                gamma, beta = self._renormalize(mean, variance, gamma, beta)
            else:
                _advance(self.moving_mean, mean, self.momentum)
                _advance(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        outputs = batch_normalize(inputs, mean, variance, gamma, beta, epsilon=self.epsilon, axis=self.axis)
        return outputs.astype(self.compute_dtype)

    def _batch_moments(self, inputs: Array, mask: Array | None) -> tuple[Array, Array]:
        axes = tuple(axis for axis in range(inputs.ndim) if axis != self.axis % inputs.ndim)
        pieces = named_axes(self.synchronized, self._label)
        return moments(inputs, axes, mask=mask, axis_name=pieces)

    def _of_positions(self, inputs: Array, mask: Array | None) -> Array | None:
        """The mask with an axis of size 1 for the last one of the inputs."""
        if mask is None:
            return None
        if mask.ndim != inputs.ndim - 1:
            rule = "the mask must have all axes of the inputs but the last one"
            wanted, received = f"a mask of shape {inputs.shape[:-1]}", f"a mask of shape {mask.shape}"
            write = f"{self.name}(x, mask=mask)   # mask.shape == x.shape[:-1]"
            raise ShapeError.must(rule, received, path=self._label, expected=wanted, write=write)
        return jnp.expand_dims(mask, -1)

    def _renormalize(
        self, mean: Array, variance: Array, gamma: Array | None, beta: Array | None
    ) -> tuple[Array, Array]:
        """Advances the statistics, and folds the corrections `r`, `d` into `gamma` and `beta`."""
        stddev = jnp.sqrt(variance + self.epsilon)
        floor = jnp.sqrt(jnp.asarray(self.epsilon, stddev.dtype))
        running = self.renorm_mean.value.astype(mean.dtype), self.renorm_stddev.value.astype(mean.dtype)
        r, d = corrections(mean, stddev, running[0], jnp.maximum(running[1], floor), self.renorm_clipping or {})
        _advance(self.renorm_mean, mean, self.renorm_momentum)
        _advance(self.renorm_stddev, stddev, self.renorm_momentum)
        _advance(self.moving_mean, mean, self.momentum)
        moving = _advance(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(jnp.maximum(moving * moving - self.epsilon, 0))
        scale = r if gamma is None else r * gamma
        shift = d if gamma is None else d * gamma
        return scale, shift if beta is None else shift + beta


def _advance(average: Variable, value: Array, momentum: float) -> Array:
    """`average = momentum * average + (1 - momentum) * value`; the new average before it is rounded to its dtype."""
    new: Array = average.value.astype(value.dtype) * momentum + value * (1 - momentum)
    average.assign(new)
    return new
