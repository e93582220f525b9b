"""The tests of one row follow each other: one process makes its subject, once, and forgets it soon."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests in this folder that are about a row by its name; all others keep their places."""
    places = [place for place, item in enumerate(items) if row_of(item) is not None]
    for place, item in zip(places, sorted((items[place] for place in places), key=row_of), strict=True):
        items[place] = item


def row_of(item: pytest.Item) -> str | None:
    """The name of the row that a test is about."""
    name = getattr(getattr(item, "callspec", None), "params", {}).get("name")
    return name if isinstance(name, str) and item.path.parent == Path(__file__).parent else None
