"""Accelerators that a machine compiles for without having them: one chip of a TPU v5e, and one H100."""

import importlib.util
from typing import Any

import jax
from jax.experimental import topologies

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
PLATFORMS = {"v5e": "tpu", "h100": "cuda"}
PLUGINS = {"tpu": "libtpu", "cuda": "jax_plugins.xla_cuda12"}
ENVIRONMENT = {  # of the process that compiles, before it imports JAX
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # two processes may compile at once
    "XLA_FLAGS": "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false",
    "KERAS_BACKEND": "jax",
}


def why_not(target: str) -> str | None:
    """Why this environment cannot compile for a target; `None` where it can.

    >>> why_not("h100") in (None, "not installed: pip install 'jkeras[cuda]'")
    True
    """
    try:
        found = importlib.util.find_spec(PLUGINS[PLATFORMS[target]])
    except ModuleNotFoundError:  # of a package above it
        found = None
    return None if found else f"not installed: pip install 'jkeras[{PLATFORMS[target]}]'"


def device_of(target: str) -> jax.sharding.Sharding:
    """One device of a target, as a sharding for the arguments of a program."""
    platform = PLATFORMS[target]
    options: dict[str, Any] = {}
    if platform == "cuda":
        __import__(PLUGINS[platform])  # registers the compiler
        options = {"target_config": H100, "topology": "1x1x1"}
    name = {"v5e": "v5e:2x2", "h100": "h100:1"}[target]
    return jax.sharding.SingleDeviceSharding(topologies.get_topology_desc(name, platform, **options).devices[0])
