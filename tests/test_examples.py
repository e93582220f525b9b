"""The programs under `docs/examples` run to their end; each checks its own result."""

import runpy

import pytest

from tests.repository import ROOT

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("program", EXAMPLES, ids=lambda program: program.name)
def test_the_example_runs(program):
    runpy.run_path(str(program), run_name="__main__")
