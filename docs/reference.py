"""Writes the reference pages from the docstrings: `make docs`.

    docs/reference/layers.md ...    a table of what there is, then each name with its docstring

The pages are part of the repository, and a test fails when they are not what this program writes.
"""

import importlib
import inspect
import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent / "reference"
MODULES = (
    *("layers", "losses", "metrics", "optimizers", "callbacks", "activations", "initializers", "regularizers"),
    *("constraints", "representations", "random", "ops", "export", "distribution"),
)
SECTION = re.compile(r"^[A-Z][A-Za-z ]*:$")
WIDTH = 112  # of a line in a section: 120 columns, without the indentation
ENTRY = re.compile(r"^([\w*, `]+): (.*)$", re.DOTALL)


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    modules = {name: importlib.import_module(f"jkeras.{name}") for name in MODULES}
    made = {f"{name}.md": page(module) for name, module in modules.items()}
    rows = [f"| [{name}]({name}.md) | {first_line(module)} |" for name, module in modules.items()]
    heading = (
        "# Reference\n\nWritten by `make docs` from the docstrings, whose examples run as tests.\n\n| | |\n|---|---|\n"
    )
    return {"README.md": heading + "\n".join(rows) + "\n", **made}


def page(module: ModuleType) -> str:
    """The page of a module: its names in a table, and each one's docstring."""
    things = [(name, getattr(module, name)) for name in sorted(module.__all__) if callable(getattr(module, name))]
    own = [(name, thing) for name, thing in things if is_ours(thing) and name == thing.__name__]
    aliases = [(name, thing) for name, thing in things if is_ours(thing) and name != thing.__name__]
    parts = [f"# `{module.__name__}`", first_line(module), table(own, module)]
    if aliases:
        parts.append(", ".join(f"`{name}` is `{thing.__name__}`" for name, thing in aliases) + ".")
    if borrowed := [(name, thing) for name, thing in things if not is_ours(thing)]:
        parts.append("These are the functions of JAX themselves, recordable on symbolic tensors:")
        parts.append("\n".join(f"- `{name}`: `{origin(thing)}`" for name, thing in borrowed))
    parts += [section(name, thing) for name, thing in own]
    return "\n\n".join(part for part in parts if part) + "\n"


def is_ours(thing: Any) -> bool:
    return inspect.unwrap(thing).__module__.startswith("jkeras")


def origin(thing: Any) -> str:
    """Where JAX keeps a function for its users."""
    inner = inspect.unwrap(thing)
    module = re.sub(r"\b_src\.", "", getattr(inner, "__module__", "") or "jax.numpy")
    return f"{module}.{getattr(inner, '__name__', repr(inner))}"


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").strip().split("\n\n")[0].replace("\n", " ")


def table(things: list[tuple[str, Any]], module: ModuleType) -> str:
    """Name, family and first line of each; a family is the folder or file below the module."""
    rows = []
    for name, thing in things:
        place = thing.__module__
        inside = place.startswith(f"{module.__name__}.")
        family = place.removeprefix(f"{module.__name__}.").split(".")[0] if inside else place.split(".")[-1]
        family = family.replace("_", " ")
        rows.append(f"| [`{name}`](#{name.lower()}) | {family} | {first_line(thing).replace('|', chr(92) + '|')} |")
    return "| name | family | what |\n|---|---|---|\n" + "\n".join(rows) if rows else ""


class Named:
    """A function or class that is a default, shown by its name."""

    def __init__(self, thing: Any) -> None:
        self.name = thing.__name__

    def __repr__(self) -> str:
        return self.name


def section(name: str, thing: Any) -> str:
    """A heading, the signature without annotations, and the docstring."""
    parameters = [
        each.replace(
            annotation=inspect.Parameter.empty,
            default=Named(each.default) if callable(each.default) and each.default is not each.empty else each.default,
        )
        for each in inspect.signature(thing).parameters.values()
    ]
    signature = str(inspect.Signature(parameters))
    return f"## {name}\n\n```python\n{name}{signature}\n```\n\n{markdown(inspect.getdoc(thing) or '')}"


def markdown(text: str) -> str:
    """A docstring as Markdown: sections become lists, examples become code."""
    return "\n\n".join(block(each) for each in re.split(r"\n\s*\n", text.strip()))


def block(text: str) -> str:
    """One paragraph, section or example."""
    heading, _, rest = text.partition("\n")
    if text.lstrip().startswith(">>>"):
        return f"```pycon\n{textwrap.dedent(text)}\n```"
    if not SECTION.match(heading):
        return f"```text\n{textwrap.dedent(text)}\n```" if text.startswith("    ") else text
    lines = []
    for entry in entries(textwrap.dedent(rest)):
        joined = " ".join(entry.split())
        found = ENTRY.match(joined)
        lines.append(f"- `{found[1].strip('`')}`: {found[2]}" if found and heading != "Returns:" else f"- {joined}")
    return f"**{heading[:-1]}**\n\n" + "\n".join(lines)


def entries(text: str) -> list[str]:
    """The entries of a section: lines with what is indented below them, and with prose that only goes on because its
    first word had no place before."""
    found: list[str] = []
    for line in text.split("\n"):
        if found and goes_on(found[-1], line):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def goes_on(entry: str, line: str) -> bool:
    """Whether a line belongs to the entry before it."""
    if not line[:1].strip() or entry.count("`") % 2:
        return True
    last = entry.split("\n")[-1]
    return not ENTRY.match(line) and len(f"{last} {line.split()[0]}") > WIDTH


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.md"):
        stale.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
