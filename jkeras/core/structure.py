"""Structure: what a layer consists of, and the address of each part.

There is no tracking. Parts are found by walking the attributes of a layer when somebody asks: variables, seed
generators, layers, and lists, tuples, dicts and (where each part has a name) sets of them. The address of a part is its
place: its explicit name, else the attribute's name, list index or dict key, below the address of its owner:

    self.blocks = [Block(), Block()]     ->     blocks/0/dense/kernel

A part that is reachable on several ways has one address, the first.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError, DuplicateNameError
from jkeras.typing import Array, Key

PLAIN = frozenset({type(None), bool, int, float, str})  # what most attributes hold, and no part is


class Component:
    """Anything that has an address and may own parts. Layers and seed generators are components."""

    explicit_name: str | None = None
    trainable: bool = True
    is_random_stream: bool = False  # then its state is no weight, and comes before the layers of its owner
    draws_together: bool = False  # then `draw_together` gives the initial values of its own variables
    _hidden: frozenset[str] = frozenset()  # attributes that hold no parts

    @property
    def origin(self) -> "Component":
        """The component itself; of one that stands for another with stacked variables, that other."""
        return self

    def draw_together(self, key: Key) -> Mapping[Variable, Array]:
        """The initial values of variables that cannot be drawn one by one, from the key of the component's path."""
        return {}

    def components(self) -> Iterator[tuple[str, "Component | Variable"]]:
        """The parts and their addresses within this one. The same part may come several times."""
        for attribute, value in vars(self).items():
            if type(value) not in PLAIN and attribute not in self._hidden:
                yield from parts(attribute, value)


def parts(address: str, value: object) -> Iterator[tuple[str, "Component | Variable"]]:
    """The components and variables in a value, containers included, with their addresses.

    >>> [address for address, _ in parts("pair", [Variable("zeros", ()), Variable("zeros", (), name="b")])]
    ['pair/0', 'pair/b']
    """
    if isinstance(value, Component | Variable):
        prefix, _, last = address.rpartition("/")
        name = value.explicit_name or last
        yield (f"{prefix}/{name}" if prefix else name), value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from parts(f"{address}/{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from parts(f"{address}/{index}", item)
    elif isinstance(value, set | frozenset):
        yield from _unordered(address, [item for item in value if isinstance(item, Component | Variable)])


def _unordered(address: str, items: list["Component | Variable"]) -> Iterator[tuple[str, "Component | Variable"]]:
    """The parts in a set, by name: the order of a set differs from one process to the next."""
    for item in items:
        if item.explicit_name is None:
            raise ArgumentError(
                "parts in a set must have names, because a set has no order.",
                path=address,
                expected="a list, or parts that have names",
                received=f"a {type(item).__name__} without a name",
                write=f"{type(item).__name__}(..., name='first')",
            )
    for item in sorted(items, key=lambda item: item.explicit_name or ""):
        yield from parts(f"{address}/{item.explicit_name}", item)


@dataclasses.dataclass(frozen=True)
class Declaration:
    """One variable of a structure: its address, the tree that its value belongs to, and whether it is a stream."""

    path: str
    variable: Variable
    trainable: bool
    stream: bool = False


@dataclasses.dataclass(frozen=True)
class Structure:
    """Everything below one root, in Keras's order: a component's variables, its seed generators, its layers."""

    declarations: dict[Variable, Declaration]
    components: dict[Component, str]

    @property
    def paths(self) -> dict[Any, str]:
        """The address of each variable and component."""
        return {**self.components, **{variable: d.path for variable, d in self.declarations.items()}}

    def split(self) -> tuple[list[Declaration], list[Declaration]]:
        """The trainable and the non-trainable declarations."""
        trainable = [d for d in self.declarations.values() if d.trainable]
        return trainable, [d for d in self.declarations.values() if not d.trainable]


def walk(root: Component) -> Structure:
    """The structure below a root. Raises `DuplicateNameError` where two parts share one address.

    >>> pair = Component()
    >>> pair.scale = Variable("ones", shape=(3,))
    >>> [(d.path, d.trainable) for d in walk(pair).declarations.values()]
    [('scale', True)]
    """
    declarations: dict[Variable, Declaration] = {}
    components: dict[Component, str] = {root: ""}
    taken: dict[str, Any] = {}

    def claim(path: str, part: object) -> None:
        other = taken.setdefault(path, part)
        if other is not part:
            raise DuplicateNameError(
                f"two parts share this address: {type(other).__name__} and {type(part).__name__}.",
                path=path,
                expected="distinct names within one layer",
                write=f"{type(part).__name__}(..., name={path.rsplit('/', 1)[-1] + '_1'!r})",
            )

    def visit(owner: Component, prefix: str, frozen: bool) -> None:
        own: list[tuple[str, Variable]] = []
        nested: list[tuple[str, Component]] = []
        for address, part in owner.components():
            if isinstance(part, Variable):
                own.append((prefix + address, part))
            else:
                nested.append((prefix + address, part))
        for path, variable in sorted(own, key=lambda item: item[1].assignable):  # stable: trainable ones first
            if variable not in declarations:
                claim(path, variable)
                trained = variable.trainable and not frozen
                declarations[variable] = Declaration(path, variable, trained, owner.is_random_stream)
        for path, part in sorted(nested, key=lambda item: not item[1].is_random_stream):
            if part not in components:
                claim(path, part)
                components[part] = path
                visit(part, path + "/", frozen or not part.trainable)

    visit(root, "", not root.trainable)
    return Structure(declarations, components)
