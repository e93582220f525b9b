"""Models that tests of exporting share, each with a batch of inputs."""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.typing import PyTree


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def dense() -> tuple[jkeras.Model, PyTree]:
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(2)])
    return model, normal(5, 3)


def convolution() -> tuple[jkeras.Model, PyTree]:
    inputs = jkeras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(x))
    x = layers.AveragePooling2D(padding="same")(x)
    return jkeras.Model(inputs, layers.Dense(3, "softmax", name="label")(layers.Flatten()(x))), normal(5, 8, 8, 3)


def recurrent() -> tuple[jkeras.Model, PyTree]:
    model = jkeras.Sequential([jkeras.Input((None, 3)), layers.Bidirectional(layers.LSTM(4)), layers.Dense(2)])
    return model, normal(5, 6, 3)


def masked() -> tuple[jkeras.Model, PyTree]:
    embedding = layers.Embedding(10, 4, mask_zero=True)
    model = jkeras.Sequential([jkeras.Input((None,), dtype="int32"), embedding, layers.GRU(3)])
    return model, np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]], "int32")


def attention(dtype: str = "float32") -> tuple[jkeras.Model, PyTree]:
    inputs = jkeras.Input((128, 16), dtype=dtype)
    x = layers.MultiHeadAttention(2, 64, dtype=dtype)(inputs, inputs, use_causal_mask=True)
    return jkeras.Model(inputs, layers.LayerNormalization(dtype=dtype)(x)), jnp.asarray(normal(2, 128, 16), dtype)


def several() -> tuple[jkeras.Model, PyTree]:
    """Two inputs by name, two outputs by name."""
    left, right = jkeras.Input((3,), name="left"), jkeras.Input((4,), name="right")
    both = layers.Concatenate()([left, right])
    outputs = {"sum": layers.Dense(2)(both), "norm": layers.Dense(1, name="size")(both)}
    return jkeras.Model({"left": left, "right": right}, outputs), {"left": normal(5, 3), "right": normal(5, 4, seed=1)}


def listed() -> tuple[jkeras.Model, PyTree]:
    """Two inputs and two outputs in lists."""
    one, other = jkeras.Input((3,)), jkeras.Input((3,))
    model = jkeras.Model([one, other], [layers.Add()([one, other]), layers.Dense(2)(one)])
    return model, [normal(5, 3), normal(5, 3, seed=1)]


MODELS = (dense, convolution, recurrent, masked, attention, several, listed)


def trained(model: jkeras.Model) -> jkeras.Variables:
    """Values unlike the initial ones, those of BatchNormalization included."""
    variables = model.init(jax.random.key(0))
    leaves, structure = jax.tree.flatten(variables)
    changed = [
        leaf + jnp.abs(jnp.asarray(normal(*leaf.shape, seed=i))) * 0.1
        if jnp.issubdtype(leaf.dtype, jnp.floating)
        else leaf
        for i, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, [new.astype(old.dtype) for new, old in zip(changed, leaves, strict=True)])


def outputs_of(model: jkeras.Layer, variables: jkeras.Variables, inputs: PyTree) -> PyTree:
    return jax.jit(lambda variables, inputs: model.stateless_call(*variables, inputs)[0])(variables, inputs)


def first(inputs: PyTree, size: int) -> PyTree:
    """The first examples of a batch."""
    return jax.tree.map(lambda leaf: leaf[:size], inputs)


def assert_same(one: PyTree, other: PyTree, ulps: int = 16) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        a, b = jnp.asarray(a), jnp.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        # the compiler fuses another graph; sums of at most a few hundred terms round elsewhere
        tolerance = ulps * float(jnp.finfo(a.dtype).eps) if jnp.issubdtype(a.dtype, jnp.floating) else 0.0
        np.testing.assert_allclose(a.astype("float32"), b.astype("float32"), rtol=tolerance, atol=tolerance)
