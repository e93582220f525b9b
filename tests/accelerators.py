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
from jax.experimental import topologies

from jkeras import layers
from jkeras.config import lowering_for

# XLA's GpuTargetConfigProto of an H100
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
  clock_rate_ghz: 1.98 device_memory_size: 84929347584 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 } runtime_version { major: 12 minor: 9 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
TARGETS = {
    "tpu": ("v5e:2x2", {}),
    "cuda": ("h100:1", {"target_config": H100, "topology": "1x1x1"}),
}


def compiled(platform: str, layer: layers.Layer) -> str:
    """The text of the compiled gradient of a layer on one device."""
    if platform == "cuda":
        import jax_plugins.xla_cuda12  # noqa: F401 - registers the compiler
    name, options = TARGETS[platform]
    topology = topologies.get_topology_desc(name, platform=platform, **options)
    device = jax.sharding.SingleDeviceSharding(topology.devices[0])
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
