"""Machines by name, such as `"v5p:4x4x8"`: what XLA compiles for without having one, and how much memory a chip has.

v4 v5e v5p v6e tpu7x   TPUs, with the shape of the slice in chips; the extra `jkeras[tpu]`
a100 h100 h200         NVIDIA's GPUs, `h100:8` or `h100:4x8`: hosts by GPUs of each; the extra `jkeras[cuda]`
cpu                    this machine's, `cpu:8`: as many virtual devices
"""

import dataclasses
import importlib
import math
import os
import re
from typing import Any

import jax
from jax.experimental import topologies

from jkeras.errors import MissingExtraError, PlacementError, UnknownNameError, did_you_mean

GIB = 2**30
# What a program may use of the memory of one device, in GiB, as libtpu's compiler (0.0.42) says in its errors. A device
# is a chip, but for tpu7x, of which it is half a chip.
TPUS = {"v4": 30.75, "v5e": 15.75, "v5p": 95.74, "v6e": 31.25, "tpu7x": 94.75}
# XLA's description of a GPU (`GpuTargetConfigProto`): multiprocessors, floating-point units of each, bytes of shared
# memory of each and of a block, GHz, bytes of L2 cache, bytes a second, bytes of memory; as the driver gives them.
GPUS = {
    "a100": ("NVIDIA A100-SXM4-80GB", 8, 108, 64, 167_936, 166_912, 1.41, 41_943_040, 2_039e9, 84_974_239_744),
    "h100": ("NVIDIA H100 80GB HBM3", 9, 132, 128, 233_472, 232_448, 1.98, 52_428_800, 3_352.32e9, 84_929_347_584),
    "h200": ("NVIDIA H200", 9, 132, 128, 233_472, 232_448, 1.98, 62_914_560, 4_915.2e9, 150_110_011_392),
}
# Without a GPU nothing can be measured to choose by.
GPU_OPTIONS = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False}
ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",  # else libtpu asks the network which machine this is
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # a compiler needs no device of its own
    "TPU_MIN_LOG_LEVEL": "3",  # else it warns that it is on no TPU
}
PLUGINS = {"tpu": "libtpu", "cuda": "jax_plugins.xla_cuda12"}
EXAMPLES = "'v5e:4x4', 'v5p:4x4x8', 'h100:8', 'cpu:8'"


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a name means.

    Attributes:
        name: as it was given.
        kind: `"v5p"`.
        platform: `"tpu"`, `"cuda"` or `"cpu"`.
        shape: the numbers after the colon.

    >>> machine = machine_of("v5p:4x4x8")
    >>> machine.platform, machine.shape, machine.memory / GIB
    ('tpu', (4, 4, 8), 95.74)
    """

    name: str
    kind: str
    platform: str
    shape: tuple[int, ...]

    @property
    def memory(self) -> float | None:
        """The bytes that a program may use on a device; `None` of a CPU, whose devices share the memory."""
        if self.kind in TPUS:
            return TPUS[self.kind] * GIB
        return float(GPUS[self.kind][-1]) if self.kind in GPUS else None

    @property
    def options(self) -> dict[str, Any]:
        """The options of the compiler."""
        return dict(GPU_OPTIONS) if self.platform == "cuda" else {}

    def devices(self) -> list[Any]:
        """The devices: those of a description that only a compiler knows, or virtual ones of this machine's CPU.

        Raises:
            MissingExtraError: JAX's plug-in for the platform is not installed.
            PlacementError: the slice has a shape that there is not, or there are too few virtual devices.
        """
        if self.platform == "cpu":
            return self._virtual()
        self._load()
        options: dict[str, Any] = {}
        if self.platform == "cuda":
            hosts, each = (1, *self.shape)[-2:]
            options = {"target_config": target_config(self.kind), "topology": f"1x{hosts}x{each}"}
        if self.kind == "v4":
            options = {"chip_config_name": "megacore"}  # both cores of a chip as one device
        name = f"{self.kind}:{math.prod(self.shape)}" if self.platform == "cuda" else self.name
        try:
            return list(topologies.get_topology_desc(name, platform=self.platform, **options).devices)
        except (jax.errors.JaxRuntimeError, ValueError, RuntimeError) as error:
            raise PlacementError(
                f"there is no such machine, says the compiler: {str(error).splitlines()[0][:160]}",
                path="Trainer.plan(topology)",
                expected="the shape of a slice in chips, such as 'v5e:4x4' or 'v5p:4x4x8'",
                received=repr(self.name),
            ) from error

    def _load(self) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        extra, plugin = self.platform, PLUGINS[self.platform]
        try:
            importlib.import_module(plugin)
        except ImportError as error:
            raise MissingExtraError(
                f"a plan for {self.name!r} needs JAX's compiler for {extra}, which is not installed.",
                path="Trainer.plan(topology)",
                expected=f"the extra `jkeras[{extra}]`",
                write=f"pip install 'jkeras[{extra}]'   # runs on machines without such a device",
            ) from error

    def _virtual(self) -> list[Any]:
        count, found = math.prod(self.shape), jax.devices("cpu")
        if len(found) < count:
            raise PlacementError.must(
                f"{self.name!r} must have {count} virtual devices",
                f"{len(found)}",
                path="Trainer.plan(topology)",
                write=f"jax.config.update('jax_num_cpu_devices', {count})   # before anything is computed",
            )
        return found[:count]


def machine_of(name: str) -> Machine:
    """The machine of a name.

    Raises:
        UnknownNameError: there is no such kind, or no numbers follow.

    >>> machine_of("h100:4x8")
    Machine(name='h100:4x8', kind='h100', platform='cuda', shape=(4, 8))
    """
    kind, _, numbers = str(name).partition(":")
    known = [*TPUS, *GPUS, "cpu"]
    if kind not in known:
        raise UnknownNameError.must(
            f"`topology` must begin with one of {', '.join(known)}",
            repr(name),
            path="Trainer.plan(topology)",
            expected=did_you_mean(kind, known),
            write=f"trainer.plan({EXAMPLES.split(',')[0]}, batch)",
        )
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", numbers):
        raise UnknownNameError.must(
            "`topology` must have the shape of the machine after a colon",
            repr(name),
            path="Trainer.plan(topology)",
            expected=f"such as {EXAMPLES}",
            write=f"trainer.plan('{kind}:{'4x4' if kind in TPUS else 8}', batch)",
        )
    platform = "tpu" if kind in TPUS else "cuda" if kind in GPUS else "cpu"
    return Machine(name, kind, platform, tuple(map(int, numbers.split("x"))))


def target_config(kind: str) -> str:
    """XLA's description of a GPU, as text.

    >>> target_config("h100").split()[:3]
    ['gpu_device_info', '{', 'threads_per_block_limit:']
    """
    name, major, cores, fpus, shared, block, clock, cache, bandwidth, memory = GPUS[kind]
    return f"""
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048 core_count: {cores}
  fpus_per_core: {fpus} shared_memory_per_block: 49152 shared_memory_per_core: {shared}
  shared_memory_per_block_optin: {block} block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
  block_dim_limit_z: 65535 memory_bandwidth: {int(bandwidth)} l2_cache_size: {cache} clock_rate_ghz: {clock}
  device_memory_size: {memory} cuda_compute_capability {{ major: {major} }} registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 8 }} runtime_version {{ major: 12 minor: 9 patch: 0 }}
device_description_str: "{name}"
"""
