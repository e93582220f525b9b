"""Files of tests that need several devices, each run by pytest in a process that has eight virtual ones."""

import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

FILES = ("placed_training", "placed_states", "placed_auto")


@pytest.mark.parametrize("name", FILES)
def test_on_eight_devices(name):
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/distribution/{name}.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_every_such_file_is_run():
    found = {path.stem for path in (ROOT / "tests/distribution").glob("placed_*.py")}
    assert found == set(FILES)
