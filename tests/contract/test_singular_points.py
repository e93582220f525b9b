"""Where a formula divides by zero or takes a root of it: values, gradients and second derivatives are numbers.

At zeros and at constant rows, norms and deviations vanish. Keras's values there are finite, so ours are, and so are
our derivatives: one NaN in a gradient ends a training.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import activations, constraints, functional, layers, regularizers
from jkeras.layers.normalization.spectral_normalization import spectral_normalize

SHAPE = (2, 4, 4)


def layer(made, pair=False, **keywords):
    """A layer as a function of its input, which it gets twice if it takes a pair."""

    def run(x):
        inputs = [x, x] if pair else x
        outputs = made.stateless_call(*made.init(jax.random.key(0), inputs, **keywords), inputs, **keywords)[0]
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(outputs)])

    return run


def wave(made):
    return lambda x: layer(made)(jnp.tile(x[:, :1, :1], (1, 64, 1)))


PENALTIES = (regularizers.L1(), regularizers.L2(), regularizers.L1L2(0.1, 0.1), regularizers.OrthogonalRegularizer())
CONSTRAINTS = (
    constraints.MaxNorm(2),
    constraints.MaxNorm(0),
    constraints.UnitNorm(),
    constraints.MinMaxNorm(0.5, 1.0),
    constraints.MinMaxNorm(0.0, 1.0, 0.5),
    constraints.NonNeg(),
)
NORMS = (
    layers.UnitNormalization(),
    layers.UnitNormalization(axis=(1, 2)),
    layers.LayerNormalization(),
    layers.LayerNormalization(epsilon=1e-12),
    layers.RMSNormalization(),
    layers.GroupNormalization(2),
    layers.Normalization(mean=0.0, variance=0.0),
)
REQUIRED = {"threshold": (0.5, 0.0)}
NOT_FUNCTIONS = {"Activation", "get", "serialize", "deserialize"}
CASES = {
    **{repr(each): lambda x, each=each: each(jnp.reshape(x, (8, 4))) for each in (*CONSTRAINTS, *PENALTIES)},
    **{f"{type(each).__name__} {i}": layer(each) for i, each in enumerate(NORMS)},
    "BatchNormalization": layer(layers.BatchNormalization(), training=True),
    "BatchNormalization, renorm": layer(layers.BatchNormalization(renorm=True), training=True),
    "Dot": layer(layers.Dot(axes=-1, normalize=True), pair=True),
    "Attention": layer(layers.Attention(use_scale=True), pair=True),
    "AdditiveAttention": layer(layers.AdditiveAttention(), pair=True),
    **{name: layer(getattr(layers, name)()) for name in ("LeakyReLU", "PReLU", "ELU", "Softmax", "ReLU")},
    **{
        f"STFTSpectrogram {mode}": wave(layers.STFTSpectrogram(mode, frame_length=16, frame_step=8))
        for mode in ("log", "magnitude", "psd")
    },
    "spectral_normalize": lambda x: spectral_normalize(x, jnp.full((1, 4), 0.5), 2)[0],
    "unit_normalize": lambda x: functional.unit_normalize(x, axis=None),
    **{
        f"activations.{name}": lambda x, name=name: getattr(activations, name)(x, *REQUIRED.get(name, ()))
        for name in activations.__all__
        if name not in NOT_FUNCTIONS
    },
}


@pytest.mark.parametrize("point", [0.0, 1.0])
@pytest.mark.parametrize("name", CASES)
def test_derivatives_at_singular_points_are_numbers(name, point):
    x = jnp.full(SHAPE, point)

    def total(x):
        return jnp.sum(jnp.sin(CASES[name](x)))

    @jax.jit
    def derivatives(x):
        first, second = jax.jvp(jax.grad(total), (x,), (jnp.ones_like(x),))
        return CASES[name](x), first, second

    for what, found in zip(("value", "gradient", "second derivative"), derivatives(x), strict=True):
        assert np.isfinite(found).all(), what
