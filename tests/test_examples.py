"""The programs under `docs/examples` run to their end, each in a process of its own, compiled as users do; each checks
its own result."""

import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("program", EXAMPLES, ids=lambda program: program.name)
def test_the_example_runs(program):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-W", "error", program], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
