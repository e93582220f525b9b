"""Docstrings describe every argument. Those of operations have examples that collecting doctests misses, for `lift`
wraps the functions; they run here."""

import doctest
import inspect
import re

import pytest

import jkeras
from jkeras.ops.table import TABLE
from tests import test_ops

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FAMILIES = (
    *("layers", "losses", "metrics", "optimizers", "activations", "initializers", "regularizers", "constraints"),
    "random",
)
EVERYWHERE = {"name", "dtype", "args", "kwargs"}  # of layers and what else has a name; what is passed on
OURS = {name: row.function for name, row in TABLE.items() if row.function.__module__.startswith("jkeras.ops")}


def examples(function):
    """The doctest of a function's docstring, in the module of the function."""
    module = inspect.getmodule(function)
    (found,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, module, globs=dict(vars(module)))
    return found


def described(thing):
    """The names of the arguments that a docstring describes, for a class also those of its bases."""
    docstrings = [inspect.cleandoc(each.__doc__ or "") for each in getattr(thing, "__mro__", [thing])]
    sections = [each.partition("Args:\n")[2].partition("\n\n")[0] for each in docstrings]
    entries = [entry for section in sections for entry in re.findall(r"^    (\S[^:]*):", section, re.MULTILINE)]
    return {name.strip("*`") for entry in entries for name in entry.split(", ")}


def is_ours(thing):
    return callable(thing) and inspect.unwrap(thing).__module__.startswith("jkeras")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_argument_is_described(family):
    things = {name: getattr(getattr(jkeras, family), name) for name in getattr(jkeras, family).__all__}
    missing = {
        name: absent
        for name, thing in things.items()
        if is_ours(thing) and (absent := {*inspect.signature(thing).parameters} - described(thing) - EVERYWHERE)
    }
    assert not missing


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
