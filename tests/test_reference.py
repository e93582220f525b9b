"""The reference pages are what `make docs` writes now."""

import importlib.util

import pytest

from tests.repository import ROOT

spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def test_there_is_a_page_for_each_module_and_no_other():
    assert {path.name for path in reference.FOLDER.glob("*.md")} == set(reference.pages())


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_the_page_is_what_the_docstrings_say(name):
    written = (reference.FOLDER / name).read_text()
    assert written == reference.pages()[name], f"docs/reference/{name} is out of date: make docs"


def test_no_page_holds_an_address_of_memory():
    assert not [name for name, text in reference.pages().items() if " at 0x" in text]
