"""What the README and the guides show, runs: every Python block, in order, page by page.

A `text` block behind a Python block is what that one prints; an ellipsis stands for what differs between machines.
"""

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys

import pytest

from tests.repository import ROOT, blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


OWN_PROCESS = ("many_devices",)  # pages that choose their devices before JAX is imported


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pages write files
    if page.stem not in OWN_PROCESS:
        run(page)
        return
    program = f"import pathlib; from tests.test_readme import run; run(pathlib.Path({str(page)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]


def run(page):
    """Runs the blocks of a page, and compares what they print."""
    namespace = {"__name__": f"page_{page.stem}"}
    shown = blocks(page, "python", "text")
    for block, following in zip(shown, [*shown[1:], None], strict=True):
        if block.language == "text":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            block.run(namespace)
        if following is not None and following.language == "text":
            assert prints(printed.getvalue(), following.text), f"line {following.line}: {printed.getvalue()}"


def prints(printed: str, expected: str) -> bool:
    """Whether a text is what a page says that it is.

    >>> prints("loss 0.513\\n", "loss 0.5...\\n"), prints("loss 0.7\\n", "loss 0.5...\\n")
    (True, False)
    """
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shell = "\n".join(block.text for block in blocks(page, "sh"))
    assert set(re.findall(r"\bmake ([a-z]+)", shell)) <= targets


def test_the_readme_names_the_two_commands():
    shell = "\n".join(block.text for block in blocks(ROOT / "README.md", "sh"))
    assert {"make train", "make test"} <= set(re.findall(r"make \w+", shell))


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_links_within_the_repository_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)  # code looks like links at times
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []
