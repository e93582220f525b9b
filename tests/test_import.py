"""`import jkeras`, in a fresh interpreter: no device, no extras, no warnings. How long it takes, `benchmarks` say."""

import functools
import json
import os
import subprocess
import sys

from tests.repository import LATE, OPTIONAL, ROOT

# `sys.modules` and the initialised backends after the import. JAX has no public name for "which backends are up", and
# asking for devices would start one.
PROBE = """
import json, sys
import jkeras
from jax._src import xla_bridge
print(json.dumps({"modules": sorted(sys.modules), "backends": sorted(xla_bridge._backends)}))
"""


@functools.cache
def after_import() -> dict[str, list[str]]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    command = [sys.executable, "-W", "error", "-c", PROBE]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_no_backend_is_initialised():
    assert after_import()["backends"] == []


def test_the_probe_sees_a_backend_that_is_up():
    import jax
    from jax._src import xla_bridge

    jax.devices()
    assert xla_bridge._backends


def test_no_extra_is_imported():
    packages = {name.split(".")[0] for name in after_import()["modules"]}
    assert "jax" in packages
    assert not packages & (OPTIONAL | LATE)


PROGRAM = """
import sys, jkeras
assert not [name for name in sys.modules if name.startswith("jkeras.export")]
model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
assert "load" in dir(jkeras.export)
from jkeras import export
assert export is sys.modules["jkeras.export"] is jkeras.export, export
"""


def test_rooms_that_few_need_are_imported_when_they_are_used():
    run = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
