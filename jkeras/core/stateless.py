"""Trees in, trees out: how the leaves that a caller holds meet the declarations of a layer.

`bind` checks two trees (or Keras's two flat lists) against a structure and names every leaf that is missing, unknown,
in the wrong tree or mis-shaped. Nothing is ever paired by position without a count. `Bound.collect` gives the
non-trainable values back in the very form in which they came.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras import keys, tree
from jkeras.core.structure import Declaration, Structure
from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError, LeafError
from jkeras.typing import Array, Key, Tree


class Variables(NamedTuple):
    """The values of a layer: two nested dicts of arrays, addressed by the layer's structure.

    >>> Variables({"dense": {"bias": 0.0}}, {}).trainable["dense"]
    {'bias': 0.0}
    """

    trainable: dict[str, Any]
    non_trainable: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Bound:
    """The values of a structure's variables, and the form of the non-trainable ones."""

    values: dict[Variable, Array]
    non_trainable: Any
    declarations: list[Declaration]  # of the non-trainable leaves, in their order

    def collect(self, values: Mapping[Variable, Array]) -> Any:
        """The non-trainable values after a call, in the form in which they came in."""
        if not isinstance(self.non_trainable, Mapping):
            return [values[d.variable] for d in self.declarations]
        by_path = {d.path: values[d.variable] for d in self.declarations}
        return _refill(self.non_trainable, by_path, "")


def _refill(node: Mapping[str, Any], leaves: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name: _refill(child, leaves, f"{prefix}{name}/") if isinstance(child, Mapping) else leaves[f"{prefix}{name}"]
        for name, child in node.items()
    }


def bind(structure: Structure, trainable: Any, non_trainable: Any, owner: str) -> Bound:
    """Pairs leaves and declarations by path. Raises `LeafError` that names every leaf which does not fit."""
    sides = structure.split()
    if isinstance(trainable, list | tuple) and isinstance(non_trainable, list | tuple):
        values = {
            **_listed(sides[0], trainable, "trainable", owner),
            **_listed(sides[1], non_trainable, "non_trainable", owner),
        }
        return Bound(values, non_trainable, sides[1])
    for name, given in (("trainable", trainable), ("non_trainable", non_trainable)):
        if not isinstance(given, Mapping):
            raise LeafError(
                f"`{name}` must be a tree, or a flat list like the other one.",
                path=owner,
                expected="two nested dicts, or two flat lists",
                received=type(given).__name__,
                write=f"{owner}.stateless_call(*variables, x)   # variables = {owner}.init(key, x)",
            )
    flat = tree.flatten(trainable), tree.flatten(non_trainable)
    _check(structure, flat, owner)
    values = {
        d.variable: leaves[d.path] for declarations, leaves in zip(sides, flat, strict=True) for d in declarations
    }
    return Bound(values, non_trainable, sides[1])


def _listed(declarations: Sequence[Declaration], leaves: Sequence[Any], name: str, owner: str) -> dict[Variable, Any]:
    if len(declarations) != len(leaves):
        paths = ", ".join(d.path for d in declarations)[:200]
        raise LeafError(
            f"the list `{name}` must have one leaf for each declaration.",
            path=owner,
            expected=f"{len(declarations)} arrays in the order of `{name}_variables`: {paths}",
            received=f"{len(leaves)} arrays",
        )
    problems = [line for d, leaf in zip(declarations, leaves, strict=True) if (line := _misfit(d, leaf))]
    _report(problems, owner)
    return {d.variable: leaf for d, leaf in zip(declarations, leaves, strict=True)}


def _check(structure: Structure, flat: tuple[Tree, Tree], owner: str) -> None:
    names = ("trainable", "non_trainable")
    problems: list[str] = []
    expected: tuple[set[str], set[str]] = (set(), set())
    for d in structure.declarations.values():
        side = 0 if d.trainable else 1
        expected[side].add(d.path)
        if d.path in flat[side]:
            if line := _misfit(d, flat[side][d.path]):
                problems.append(line)
            if d.path in flat[1 - side]:
                problems.append(f"'{d.path}' is given twice, in both trees")
        elif d.path in flat[1 - side]:
            problems.append(
                f"'{d.path}' is in `{names[1 - side]}` and belongs to `{names[side]}`: {owner}.repartition(variables)"
            )
        else:
            problems.append(
                f"'{d.path}' is missing from `{names[side]}`: shape {d.variable.shape}, {d.variable.declared_dtype}"
            )
    known = expected[0] | expected[1]
    problems += [
        f"'{path}' in `{names[side]}` is unknown" for side in (0, 1) for path in flat[side] if path not in known
    ]
    _report(problems, owner)


def _misfit(declaration: Declaration, leaf: object) -> str | None:
    if not hasattr(leaf, "shape") and not isinstance(leaf, int | float | complex):
        return f"'{declaration.path}' is no array: {type(leaf).__name__}"
    if jnp.shape(leaf) != declaration.variable.shape:
        return f"'{declaration.path}' has shape {jnp.shape(leaf)}, expected {declaration.variable.shape}"
    return None


SHOWN = 4  # so that a message has at most six lines


def _report(problems: list[str], owner: str) -> None:
    """Raises `LeafError` where there are problems, each a line that begins with a path in quotes."""
    if not problems:
        return
    lines = problems
    if len(problems) > SHOWN:
        others = [problem.split("'")[1] for problem in problems[SHOWN - 1 :]]
        lines = [*problems[: SHOWN - 1], f"and {len(others)} more: {', '.join(others)}"]
    raise LeafError(
        f"{len(problems)} {'leaf does' if len(problems) == 1 else 'leaves do'} not fit the declarations:\n    "
        + "\n    ".join(lines),
        path=owner,
        write=f"variables = {owner}.init(jax.random.key(0), x)   # trees of the right form",
    )


def penalties(structure: Structure, values: Mapping[Variable, Array]) -> dict[str, Array]:
    """The weight penalties of the trainable variables, by path."""
    trainable, _ = structure.split()
    return {d.path: d.variable.regularizer(values[d.variable]) for d in trainable if d.variable.regularizer is not None}


def constrain(structure: Structure, trainable: Mapping[str, Any]) -> dict[str, Any]:
    """The trainable tree with each variable's constraint applied."""
    constraints = {d.path: d.variable.constraint for d in structure.split()[0] if d.variable.constraint is not None}
    if not constraints:
        return dict(trainable)
    result: dict[str, Any] = tree.map_with_path(
        lambda path, leaf: constraints[path](leaf) if path in constraints else leaf, trainable
    )
    return result


def repartition(structure: Structure, variables: tuple[Any, Any], owner: str, draw: Any = None) -> Variables:
    """The same leaves, each in the tree that its declaration names now; `draw(declaration)` makes new ones."""
    leaves = {**tree.flatten(variables[1]), **tree.flatten(variables[0])}
    sides: tuple[dict[str, Any], ...] = ({}, {})
    for side, declarations in zip(sides, structure.split(), strict=True):
        for d in declarations:
            if d.path in leaves:
                side[d.path] = leaves.pop(d.path)
            elif draw is not None:
                side[d.path] = draw(d)
    _check(structure, ({**sides[0], **leaves}, sides[1]), owner)  # what is left in `leaves` is unknown
    return Variables(tree.unflatten(sides[0]), tree.unflatten(sides[1]))


def select(
    structure: Structure,
    variables: tuple[Any, Any],
    places: Mapping[Variable, str | None],
    owner: str,
    whole: str | None,
) -> Variables:
    """The trees of a structure out of those of a whole, in which its variables have other addresses."""
    leaves = {**tree.flatten(variables[1]), **tree.flatten(variables[0])}
    problems: list[str] = []
    sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for side, declarations in zip(sides, structure.split(), strict=True):
        for d in declarations:
            place = places[d.variable]
            if place is None or place not in leaves:
                problems.append(f"'{d.path}' is not in the whole{'' if place is None else f' at {place!r}'}")
            elif line := _misfit(d, leaves[place]):
                problems.append(line)
            else:
                side[d.path] = leaves[place]
    if problems:
        shown = (
            problems if len(problems) <= SHOWN else [*problems[: SHOWN - 1], f"and {len(problems) - SHOWN + 1} more"]
        )
        raise LeafError(
            f"{len(problems)} weights are not in the trees of {whole or 'the whole'}:\n    " + "\n    ".join(shown),
            path=owner,
            write=f"{owner}.select(variables, of=model)   # the model whose trees they are",
        )
    return Variables(tree.unflatten(sides[0]), tree.unflatten(sides[1]))


def replace(
    structure: Structure, variables: tuple[Any, Any], declared: Sequence[Variable], values: Sequence[Any], owner: str
) -> Variables:
    """The trees with the values of some variables replaced, in the dtypes of the old ones."""
    if len(values) != len(declared):
        raise LeafError(
            "`weights` must have one array for each declaration.",
            path=owner,
            expected=f"{len(declared)} arrays",
            received=f"{len(values)} arrays",
        )
    pairs = list(zip(declared, values, strict=True))
    _report([line for v, new in pairs if (line := _misfit(structure.declarations[v], new))], owner)
    leaves = bind(structure, *variables, owner).values
    leaves = {**leaves, **{v: jnp.asarray(new, leaves[v].dtype) for v, new in pairs}}
    return Variables(*(tree.unflatten({d.path: leaves[d.variable] for d in side}) for side in structure.split()))


def initialize(structure: Structure, key: Key) -> Variables:
    """The initial values, each drawn with the key of its path."""
    draw = drawing(structure, key)
    return Variables(*(tree.unflatten({d.path: draw(d) for d in side}) for side in structure.split()))


def drawing(structure: Structure, key: Key) -> Callable[[Declaration], Array]:
    """A function that draws the initial value of a variable with the key of its path; what a component draws together
    with other values is drawn at once, with the key of the component's path."""
    together: dict[Variable, Array] = {}
    for component, path in structure.components.items():
        if component.draws_together:
            together.update(component.draw_together(keys.for_path(key, path)))

    def draw(declaration: Declaration) -> Array:
        value = together.get(declaration.variable)
        return declaration.variable.initialize(keys.for_path(key, declaration.path)) if value is None else value

    return draw


def named(name: str, given: object, kwargs: dict[str, Any], owner: str) -> Any:
    """The values that `stateless_call` was given, under Keras's name or ours; takes the former out of `kwargs`.

    >>> named("trainable_variables", None, {"trainable_variables": {}}, "dense")
    {}
    """
    values = kwargs.pop(name, None)
    if (given is None) == (values is None):
        raise ArgumentError(
            f"`stateless_call` needs `{name}` once, got {'none' if given is None else 'two'}.",
            path=owner,
            expected="the two trees before the inputs",
            write=f"{owner}.stateless_call(trainable_variables, non_trainable_variables, x)",
        )
    return values if given is None else given


def as_key(key: Key, owner: str) -> Key:
    """A PRNG key, or an error that shows how to make one."""
    is_key = hasattr(key, "dtype") and (
        jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or (key.dtype == jnp.uint32 and key.ndim == 1)
    )
    if not is_key:
        raise LeafError(
            "`key` must be a PRNG key.",
            path=owner,
            expected="a key",
            received=repr(key)[:60],
            write=f"{owner}.init(jax.random.key(0), x)",
        )
    return key
