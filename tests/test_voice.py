"""One voice: every message of an error or a warning says what must be and what came, in plain words.

The messages are read off the source: the first argument of each class of `jkeras.errors`, of their `must` (which adds
what came, and the period) and of `warnings.warn`. An expression in an f-string reads as `{}`; a variable stands for the
strings that its function assigns to it, a parameter for those that the module passes.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jkeras import errors
from tests.repository import ROOT

COVERED = (
    "ops",
    "functional",
    "data",
    "models",
    "random",
    "saving",
    "datasets",
    "export",
    "registry",
    "families",
    "dtypes",
    "slots",
    "tree",
    "keys",
    "lora",
    "config",
    "configurable",
    "backend",
    "utils",
    "errors",
    "training",
    "core",
    "jax_compat",
    *("arguments", "layers", "losses", "metrics", "initializers", "optimizers", "callbacks", "activations"),
    *("regularizers", "constraints"),
)
"""The rooms whose messages are held to these rules."""

KINDS = "int|integer|float|number|string|list|tuple|dict"
RULES = {
    "write '... must be ...' in place of 'is no'": re.compile(r"\b(is|are) no\b(?! longer| more)"),
    "name the argument in place of 'this is no'": re.compile(r"^\W*this is no"),
    "write 'again' in place of 'anew'": re.compile(r"\banew\b"),
    "write 'custom' in place of 'one's own'": re.compile("one's own"),
    "write a noun in place of 'what is'": re.compile(r"what is (?!the)"),
    "write '... must be ...': the rule is not the fault": re.compile(
        rf"^`?\w+`? (is|are) (positive|not negative|an? ({KINDS})\b)"
    ),
}
ERRORS = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def is_rule(call: ast.Call) -> bool:
    """Whether a call is `SomeError.must(rule, ...)`."""
    method = call.func
    return isinstance(method, ast.Attribute) and method.attr == "must" and getattr(method.value, "id", "") in ERRORS


@dataclass
class Source:
    """The messages of one file."""

    text: str
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def messages(self) -> Iterator[tuple[int, str]]:
        """Each message and its line; several where a message has alternatives."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and node.args and (name_of(node) in ERRORS or name_of(node) == "warn"):
                for text in self.read(node.args[0]):
                    yield node.lineno, text
        for line, rule in self.rules():
            yield line, f"{rule}, got {{}}."

    def rules(self) -> Iterator[tuple[int, str]]:
        """Each rule that a `must` was given, and its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and node.args and is_rule(node):
                for text in self.read(node.args[0]):
                    yield node.lineno, text

    def read(self, node: ast.AST) -> list[str]:
        """The strings that an expression may be."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)]
        if isinstance(node, ast.IfExp):
            return self.read(node.body) + self.read(node.orelse)
        if isinstance(node, ast.BinOp):
            return [left + right for left in self.read(node.left) for right in self.read(node.right) or ["{}"]]
        return self.values_of(node) if isinstance(node, ast.Name) else []

    def values_of(self, variable: ast.Name) -> list[str]:
        """The strings that the function around a variable assigns to it, or gets as an argument of this name."""
        function: ast.AST = variable
        while not isinstance(function, Function | ast.Module):
            function = self.parents[function]
        found = []
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target, value in assigned(node):
                    if isinstance(target, ast.Name) and target.id == variable.id:
                        found += self.read(value)
        if isinstance(function, Function):
            names = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
            for call in ast.walk(self.tree) if variable.id in names else ():
                if isinstance(call, ast.Call) and name_of(call) == function.name:
                    given = dict(zip(names, call.args, strict=False)) | {each.arg: each.value for each in call.keywords}
                    found += self.read(given[variable.id]) if variable.id in given else []
        return found


def assigned(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The pairs of target and value of an assignment."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def faults(text: str) -> list[str]:
    """The rules that a message breaks."""
    broken = [rule for rule, pattern in RULES.items() if pattern.search(text)]
    is_list = "\n" in text  # a sentence that ends in a colon, then one line for each entry
    return broken + ([] if is_list or text.rstrip().endswith((".", "{}")) else ["end with a period"])


def covered_files() -> list[Path]:
    files = sorted((ROOT / "jkeras").rglob("*.py"))
    return [file for file in files if file.relative_to(ROOT / "jkeras").parts[0].removesuffix(".py") in COVERED]


def test_messages_say_what_must_be():
    problems = [
        f"{file.relative_to(ROOT)}:{line}: {fault}: {text!r}"
        for file in covered_files()
        for line, text in Source(file.read_text()).messages()
        for fault in faults(text)
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_rules_say_must():
    problems = [
        f"{file.relative_to(ROOT)}:{line}: {text!r}"
        for file in covered_files()
        for line, text in Source(file.read_text()).rules()
        if " must " not in text or text.endswith(".")
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_every_covered_room_has_files():
    assert {file.relative_to(ROOT / "jkeras").parts[0].removesuffix(".py") for file in covered_files()} == set(COVERED)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('raise ArgumentError("`axis` is no axis.", path=owner)', "'is no'"),
        ('raise ArgumentError("this is no loss.")', "'this is no'"),
        ('raise errors.DataError(f"{name} are no labels.")', "'is no'"),
        ('raise ArgumentError("beta is positive.")', "the rule"),
        ('raise ArgumentError("`units` is an int.")', "the rule"),
        ('warnings.warn("delete the folder to begin anew.")', "'anew'"),
        ('return ShapeError("a layer of one\'s own has it.")', "'one's own'"),
        ('raise BuildError("it needs what is left out.")', "'what is'"),
        ('raise BuildError("`units` must be an integer" if x else "`units` must be positive.")', "period"),
        ('problem = "the name is no string."\n    raise ArgumentError(problem)', "'is no'"),
        ('problem, line = "the name is no string.", ""\n    raise ArgumentError(problem)', "'is no'"),
        ('def of(problem):\n        return ArgumentError(problem)\n    raise of("this is no name.")', "'this is no'"),
    ],
)
def test_a_fault_is_found(line, fault):
    texts = [text for _, text in Source(f"def check(owner):\n    {line}\n").messages()]
    assert any(fault in broken for text in texts for broken in faults(text)), texts


@pytest.mark.parametrize(
    "text",
    [
        "`units` must be a positive integer, got -3.",
        "`state` is no longer alive.",
        "the file does not fit the state:\n    'kernel' is missing",
        "the model needs what is the first axis of `x`.",
    ],
)
def test_a_good_message_passes(text):
    assert not faults(text)
