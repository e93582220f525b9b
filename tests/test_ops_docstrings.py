"""The docstrings of operations. `lift` wraps them, so that collecting doctests misses those of functions which stand in
the table under their own names; they run here."""

import doctest
import inspect
import re

import pytest

from jkeras.ops.table import TABLE
from tests import test_ops

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
OURS = {name: row.function for name, row in TABLE.items() if row.function.__module__.startswith("jkeras.ops")}


def examples(function):
    """The doctest of a function's docstring, in the module of the function."""
    module = inspect.getmodule(function)
    (found,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, module, globs=dict(vars(module)))
    return found


def described(function):
    """The names of the arguments that a docstring describes."""
    section = inspect.getdoc(function).partition("Args:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\S[^:]*):", section, re.MULTILINE)
    return {name.strip("*`") for entry in entries for name in entry.split(", ")}


def failures(test):
    """What failed, as doctest reports it."""
    report = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
    return "".join(report)


@pytest.mark.parametrize("name", sorted(OURS))
def test_arguments_are_described_and_examples_run(name):
    function = OURS[name]
    assert function.__name__ == name
    assert set(inspect.signature(function).parameters) - {"options"} == described(function)
    test = examples(function)
    assert test.examples
    assert not failures(test)


def test_a_wrong_example_is_noticed():
    def wrong():
        """
        >>> 1 + 1
        3
        """

    assert "Expected:\n    3\nGot:\n    2" in failures(doctest.DocTestFinder().find(wrong, "wrong", test_ops)[0])


def test_the_table_has_functions_of_its_own():
    assert len(OURS) >= 70
    assert {"conv", "sum", "where", "one_hot", "elastic_transform", "rearrange"} <= set(OURS)
