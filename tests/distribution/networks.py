"""Networks and placements for tests on eight devices, and the comparison of what they compute."""

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

import jkeras
from jkeras import layers
from jkeras.distribution import FSDP, DataParallel, Placement
from tests.training.networks import data, images, mlp


def convnet():
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    return jkeras.Sequential([jkeras.Input((8, 8, 1)), *parts, layers.Flatten(), layers.Dense(10)])


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.attention = layers.LayerNormalization(), layers.MultiHeadAttention(4, 4)
        self.up, self.down = layers.Dense(32, activation="gelu"), layers.Dense(16)

    def call(self, x):
        x = x + self.attention(self.norm(x), self.norm(x))
        return x + self.down(self.up(x))


def transformer():
    inputs = jkeras.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16)(inputs)
    x = layers.Stack(Block(), n=2, name="blocks")(x)
    return jkeras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def tokens(count):
    x, y = data(count)
    return (x.reshape(-1, 8, 8).sum(-1) * 2).astype("int32"), y


NETWORKS = {"mlp": (mlp, data), "convnet": (convnet, images), "transformer": (transformer, tokens)}
TENSOR_PARALLEL = {
    "transformer": {
        r"attention/(query|key|value)/kernel": P(None, "model"),
        r"attention/attention_output/kernel": P("model"),
        r"up/kernel": P(None, "model"),
        r"down/kernel": P("model"),
    },
    "mlp": {r"dense/kernel": P(None, "model"), r"dense_1/kernel": P("model")},
    "convnet": {r"conv2d/kernel": P(None, None, None, "model"), r"dense/kernel": P("model")},
}


def mesh_of(*sizes):
    return jax.make_mesh(sizes, ("data", "model")[: len(sizes)])


def placements(network):
    rules = TENSOR_PARALLEL[network]
    return {
        "data": DataParallel(),
        "fsdp": FSDP(mesh_of(8), min_size=32),
        "tensor": Placement(mesh_of(2, 4), batch="data", rules=rules),
        "both": Placement(mesh_of(4, 2), batch="data", rules=rules, fsdp="data", min_size=32),
    }


def values(leaf):
    is_key = hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def assert_close(found, expected, tolerance=1e-4):
    """To float rounding: sums over devices are added in another order, and Adam divides small numbers by each other."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(values(one), values(other), rtol=tolerance, atol=tolerance)


def specs(tree):
    return jax.tree.map(lambda leaf: leaf.sharding.spec, tree)
