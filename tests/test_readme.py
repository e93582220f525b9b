"""What the README and the guides show, runs: every Python block, in order, page by page."""

import re

import pytest

from tests.repository import ROOT, blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page):
    namespace = {"__name__": f"page_{page.stem}"}
    for block in blocks(page, "python"):
        block.run(namespace)


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
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
