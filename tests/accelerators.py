"""Compiles training steps of attention for an accelerator that this machine does not have, and prints the kernels.

    python -m tests.accelerators tpu | cuda

A process of its own: the plug-ins read the environment when JAX starts.
"""

import os
import sys

os.environ.update(
    JAX_PLATFORMS="cpu",
    TPU_SKIP_MDS_QUERY="1",
    XLA_FLAGS="--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false",
)

import jax
import jax.numpy as jnp

from benchmarks import targets
from jkeras import layers
from jkeras.config import lowering_for


def compiled(platform: str, layer: layers.Layer) -> str:
    """The text of the compiled gradient of a layer on one device."""
    device = targets.device_of({"tpu": "v5e", "cuda": "h100"}[platform])
    x = jax.ShapeDtypeStruct((2, 256, 32), "bfloat16", sharding=device)

    def loss(trainable: dict, x: jax.Array) -> jax.Array:
        outputs, _ = layer.stateless_call(trainable, {}, x, x, use_causal_mask=True)
        return jnp.sum(outputs.astype("float32"))

    with lowering_for(platform):
        specs = jax.eval_shape(lambda: layer.init(jax.random.key(0), x, x)).trainable
        specs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), specs)
        return jax.jit(jax.grad(loss)).lower(specs, x).compile().as_text()


if __name__ == "__main__":
    for layer in (
        layers.MultiHeadAttention(2, 64, dtype="bfloat16"),
        layers.GroupQueryAttention(64, 4, 2, dtype="bfloat16"),
    ):
        print(
            *(line.strip()[:60] for line in compiled(sys.argv[1], layer).splitlines() if "custom-call(" in line),
            sep="\n",
        )
