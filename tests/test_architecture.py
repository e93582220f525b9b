"""The floors, read off the source: what the design forbids is not there.

The rooms of the library (the modules and packages directly under `jkeras`) stand on numbered floors. A module imports

- its own room: siblings and `base`;
- rooms on lower floors;
- rooms on its own floor, as long as the graph of rooms has no cycle: `registry` serves `dtypes`, `losses` serve
  `metrics`.

`jkeras/__init__.py` may import every room, and nothing imports it. `jkeras.late` has rooms that are imported when they
are used. No cycle runs through the modules either, the
`__init__.py` of a package included. Inside functions only optional extras are imported, and the packages that draw and
write; at the top only what `pyproject.toml` declares.

Sizes: a file has at most 400 lines, a function at most 50 beside its docstring. Words: every public module, class and
function has a docstring, and what a package lists in `__all__` has an example in it.
"""

import ast
import functools
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.repository import LATE, LATE_OF_JAX, OPTIONAL, ROOT, tracked_files

FLOORS = (
    ("typing", "errors", "arguments", "config", "version", "slots", "late", "jax_compat"),
    (
        *("tree", "keys", "registry", "families", "dtypes", "configurable"),
        *("activations", "initializers", "regularizers", "constraints", "functional"),
    ),
    ("losses", "metrics", "optimizers"),
    ("core", "ops", "random", "representations"),
    ("layers",),
    ("models", "saving"),
    ("data", "placement", "training", "callbacks"),
    ("export", "distribution", "plan", "lora", "applications", "datasets", "utils", "backend"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILE_LINES, FUNCTION_LINES = 400, 50

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def room_of(name: str) -> str:
    """`layers` of `jkeras.layers.core.dense`; empty for `jkeras` itself."""
    return name.split(".")[1] if "." in name else ""


@dataclass(frozen=True)
class Import:
    """One imported module, and the line that imports it."""

    target: str
    line: int
    in_function: bool


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    name: str
    file: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.file.name == "__init__.py"

    @property
    def room(self) -> str:
        return room_of(self.name)

    def at(self, line: int) -> str:
        return f"{self.file.relative_to(ROOT)}:{line}"


@functools.cache
def modules() -> dict[str, Module]:
    found = {}
    for file in sorted((ROOT / "jkeras").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = file.read_text()
        found[name] = Module(name, file, text, ast.parse(text, str(file)))
    return found


def imported(module: Module, statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that a statement names; `from jkeras import tree` names `jkeras.tree`."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    base = statement.module or ""
    if statement.level:
        ancestors = module.name.split(".")
        kept = len(ancestors) - statement.level + module.is_package
        base = ".".join([*ancestors[:kept], *([base] if base else [])])
    for alias in statement.names:
        submodule = f"{base}.{alias.name}"
        yield submodule if submodule in modules() else base


@functools.cache
def imports(name: str) -> tuple[Import, ...]:
    module, found = modules()[name], []

    def visit(node: ast.AST, in_function: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend(Import(target, node.lineno, in_function) for target in imported(module, node))
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(module.tree, False)
    return tuple(found)


def ours(target: str) -> bool:
    return target.split(".")[0] == "jkeras"


def edges() -> Iterator[tuple[Module, str, Import]]:
    """Every import of one of our modules by another: who, which module, where."""
    for module in modules().values():
        for each in imports(module.name):
            if ours(each.target):
                yield module, each.target, each


def cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def test_every_room_has_a_floor():
    report([f"{m.at(1)}: give '{m.room}' a floor in FLOORS" for m in modules().values() if m.room not in {"", *FLOOR}])


def test_imports_never_go_up():
    problems = []
    for module, target, each in edges():
        room = room_of(target)
        if module.room in ("", room):
            continue
        if room == "":
            problems.append(f"{module.at(each.line)}: imports jkeras itself; import the room that has the name")
        elif FLOOR.get(room, 99) > FLOOR.get(module.room, -1):
            problems.append(
                f"{module.at(each.line)}: floor {FLOOR.get(module.room)} ({module.room}) imports"
                f" floor {FLOOR.get(room)} ({room})"
            )
    report(problems)


def test_the_rooms_form_no_cycle():
    graph: dict[str, set[str]] = {}
    for module, target, _ in edges():
        room = room_of(target)
        if module.room and room and room != module.room:
            graph.setdefault(module.room, set()).add(room)
    assert not cycle(graph), " -> ".join(cycle(graph))


def test_the_modules_form_no_cycle():
    graph: dict[str, set[str]] = {}
    for module, target, _ in edges():
        graph.setdefault(module.name, set()).add(target)
    assert not cycle(graph), " -> ".join(cycle(graph))


def test_only_extras_and_late_packages_are_imported_inside_functions():
    report(
        [
            f"{module.at(each.line)}: imports {each.target} inside a function"
            for module in modules().values()
            for each in imports(module.name)
            if each.in_function
            and each.target.split(".")[0] not in OPTIONAL | LATE
            and not each.target.startswith(LATE_OF_JAX)
        ]
    )


def test_only_declared_dependencies_are_imported_at_the_top():
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    allowed = {re.split(r"[^\w-]", each)[0] for each in declared} | set(sys.stdlib_module_names) | {"jkeras"}
    report(
        [
            f"{module.at(each.line)}: {each.target} is no dependency"
            for module in modules().values()
            for each in imports(module.name)
            if not each.in_function and each.target.split(".")[0] not in allowed
        ]
    )


def is_reexport(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.Assign) and all(
        isinstance(target, ast.Name) and target.id in ("__all__", "__version__") for target in node.targets
    )


def test_init_files_only_reexport():
    report(
        [
            f"{module.at(node.lineno)}: an __init__.py holds a docstring, imports and __all__"
            for module in modules().values()
            if module.is_package
            for node in module.tree.body
            if not is_reexport(node)
        ]
    )


def functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_beside_docstring(function: Function) -> int:
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return total
    docstring = function.body[0]
    return total - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def test_files_are_read_in_one_sitting():
    lengths = {module: module.text.count("\n") for module in modules().values()}
    report([f"{m.at(n)}: {n} lines, at most {FILE_LINES}" for m, n in lengths.items() if n > FILE_LINES])


def test_functions_fit_the_eye():
    report(
        [
            f"{module.at(function.lineno)}: {function.name} has {lines_beside_docstring(function)} lines beside its"
            f" docstring, at most {FUNCTION_LINES}"
            for module in modules().values()
            for function in functions(module.tree)
            if lines_beside_docstring(function) > FUNCTION_LINES
        ]
    )


def definitions(module: Module) -> dict[str, Definition]:
    return {
        node.name: node
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def test_public_names_have_docstrings():
    problems = []
    for module in modules().values():
        if ast.get_docstring(module.tree) is None and module.name != "jkeras.version":
            problems.append(f"{module.at(1)}: the module has no docstring")
        for name, node in definitions(module).items():
            if not name.startswith("_") and ast.get_docstring(node) is None:
                problems.append(f"{module.at(node.lineno)}: {name} has no docstring")
    report(problems)


def exported(module: Module) -> Iterator[str]:
    """The literal names in `__all__`."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            for constant in ast.walk(node.value):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield constant.value


def origin(module: Module, name: str) -> tuple[Module, Definition] | None:
    """Where a name that a module holds is defined as a class or function of ours, through any number of re-exports."""
    if name in definitions(module):
        return module, definitions(module)[name]
    for node in module.tree.body:
        for alias in getattr(node, "names", ()) if isinstance(node, ast.ImportFrom) else ():
            if (alias.asname or alias.name) == name and node.module in modules():
                is_module = f"{node.module}.{alias.name}" in modules()
                return None if is_module else origin(modules()[node.module], alias.name)
    return None


def has_example(definition: Definition) -> bool:
    """In the docstring; for a class, that of its constructor counts too."""
    bodies = [definition]
    if isinstance(definition, ast.ClassDef):
        bodies += [node for node in functions(definition) if node.name in ("__init__", "__call__")]
    return any(">>>" in (ast.get_docstring(body) or "") for body in bodies)


def is_public(module: Module) -> bool:
    """`jkeras.losses` and `jkeras.layers.core`, but not the files behind them."""
    return module.is_package or module.name.count(".") == 1


def test_exported_names_have_examples():
    problems = set()
    for module in filter(is_public, modules().values()):
        for name in exported(module):
            found = origin(module, name)
            if found and not has_example(found[1]):
                problems.add(f"{found[0].at(found[1].lineno)}: {name}, exported by {module.name}, has no example")
    report(sorted(problems))


def test_exported_names_exist():
    problems = []
    for module in modules().values():
        bound = {alias.asname or alias.name for node in module.tree.body for alias in getattr(node, "names", ())}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
        bound |= set(definitions(module))
        problems += [
            f"{module.at(1)}: __all__ lists {name}, which is not there"
            for name in exported(module)
            if name not in bound
        ]
    report(problems)


# Addresses of one machine, or of one place that packages come from, do not belong in a repository. The patterns are
# written in pieces, so that this file passes its own test.
MACHINE_PATH = re.compile(
    r"(?<![\w.~>\-)])/(?:" + "|".join(("home", "root", "Users", "work", "opt", "tmp", "mnt")) + ")/"
)
REGISTRY_HOST = re.compile("|".join((r"py" r"pi\.org", r"python" r"hosted\.org", r"ana" r"conda\.(?:org|com)")))


@pytest.mark.parametrize("what", ["machine path", "package registry"])
def test_no_file_names_a_machine_or_a_registry(what):
    pattern = MACHINE_PATH if what == "machine path" else REGISTRY_HOST
    problems = []
    for file in tracked_files():
        try:
            lines = file.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        problems += [
            f"{file.relative_to(ROOT)}:{number}: a {what}: {found.group()}"
            for number, line in enumerate(lines, 1)
            if (found := pattern.search(line))
        ]
    report(problems)
