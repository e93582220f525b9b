"""Attention compiled for accelerators that this machine does not have."""

import importlib.util
import subprocess
import sys

import pytest

from tests.repository import ROOT

PLUGINS = {"tpu": "libtpu", "cuda": "jax_plugins.xla_cuda12"}
KERNELS = {
    "tpu": ("splash_mqa_fwd", "splash_mqa_dq", "splash_mqa_dkv"),
    "cuda": ("dot_product_attention_fwd", "dot_product_attention_bwd"),
}


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


@pytest.mark.parametrize("platform", PLUGINS)
def test_the_compiled_step_has_the_kernels_of_the_accelerator(platform):
    if not is_installed(PLUGINS[platform]):
        pytest.skip(f"needs JAX's plug-in: pip install 'jkeras[{platform}]'")
    found = subprocess.run(
        [sys.executable, "-m", "tests.accelerators", platform], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr[-2000:]
    for kernel in KERNELS[platform]:
        assert found.stdout.count(kernel) >= 2, found.stdout  # of either layer
