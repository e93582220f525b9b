"""The choice of the axes that a mesh axis splits, among the classes of a program's axes; and the reasons for it.

A class is split as

- a *pair*: products with weights make the axis, and products with weights sum over it, with nothing in between that
  needs the whole of it: heads, hidden units. One sum over devices forward, one backward, for all of its weights.
- a *vocabulary*: rows of a table are taken along it, or it is as long as such an axis and the model returns it.
- *experts*: an axis of weights for each of whose entries products are taken alone.

A weight is split along one axis at most. Classes with more entries of weights come first.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jkeras import tree
from jkeras.distribution.axes import AxisClass


class Choice(NamedTuple):
    """What was chosen.

    Attributes:
        axes: the axis along which a weight is split, by its path; not all weights have one.
        reasons: why, or why not, by the paths of all weights.
    """

    axes: dict[str, int]
    reasons: dict[str, str]


def choose(
    classes: Sequence[AxisClass], shapes: Mapping[str, tuple[int, ...]], parts: int, work: Mapping[str, int]
) -> Choice:
    """The axes along which weights are split into equal parts.

    None is where less than half of the work would be split: each device would do all of the other half.

    Args:
        classes: of all axes of the program.
        shapes: of the weights, by their paths.
        parts: into how many parts.
        work: how many numbers are multiplied with each weight.

    >>> hidden = AxisClass(0, {8}, weights={("up", 1), ("down", 0)}, made={"up"}, summed={"down"})
    >>> choice = choose([hidden], {"up": (4, 8), "down": (8, 4)}, 2, {"up": 1})
    >>> choice.axes == {"up": 1, "down": 0}, choice.reasons["up"]
    (True, 'pair with down')
    >>> choose([hidden], {"up": (4, 8), "down": (8, 4)}, 3, {}).reasons["up"]
    'pair with down, but 3 does not divide 8'
    """
    tables = {size for each in classes if each.gathered for size in each.sizes}
    axes: dict[str, int] = {}
    reasons: dict[str, str] = {}
    failed: list[set[str]] = []

    def entries(each: AxisClass) -> int:
        return sum(math.prod(shapes[path]) for path, _ in each.weights)

    for each in sorted(classes, key=lambda each: (-entries(each), each.order)):
        paths = {path for path, _ in each.weights}
        kind = _kind(each, tables)
        if kind is None or _obstacle(each, kind) is not None or paths & axes.keys():
            continue
        if any(paths <= others for others in failed):
            continue  # a part of a chain that cannot be split is not split another way
        if each.size % parts:
            failed.append(paths)
            for path, axis in each.weights:
                length = shapes[path][axis] if shapes[path][axis] % parts else each.size
                reasons.setdefault(path, f"{_said(each, kind, path)}, but {parts} does not divide {length}")
            continue
        axes |= dict(each.weights)
        reasons |= {path: _said(each, kind, path) for path in paths}
    if 2 * sum(work.get(path, 0) for path in axes) < sum(work.values()):
        reasons |= {path: f"{reasons[path]}, but most of the work cannot be split so" for path in axes}
        axes = {}
    for path in shapes:
        if path not in reasons:
            reasons[path] = _why_not(classes, path, tables)
    return Choice(axes, reasons)


def _kind(each: AxisClass, tables: set[int]) -> str | None:
    if not each.weights:
        return None
    if each.expert:
        return "experts"
    if each.gathered or (each.returned and each.made and not each.summed and each.sizes <= tables):
        return "vocabulary"
    return "pair" if each.made and each.summed else None


def _obstacle(each: AxisClass, kind: str) -> str | None:
    """Why a class cannot be split, whatever its size."""
    paths = [path for path, _ in each.weights]
    if len(set(paths)) < len(paths):
        return "is both axes of one weight"
    if each.stream:
        return "is that of the residual stream"
    if each.blocks:
        return f"goes through {each.blocks[0]}"
    if kind != "pair":
        return None
    if each.reduced:
        return each.reduced[0]
    if each.narrow:
        return "is short beside the one made from it"
    return "is returned by the model" if each.returned else None


def _said(each: AxisClass, kind: str, path: str) -> str:
    """What a weight of a class is split by."""
    if kind != "pair":
        return kind
    if path in each.made or path in each.summed:
        return f"pair with {_listed((each.summed if path in each.made else each.made) - {path})}"
    owners = path.split(tree.SEPARATOR)

    def shared(other: str) -> int:
        return sum(1 for one, two in zip(owners, other.split(tree.SEPARATOR), strict=False) if one == two)

    return f"with {max(sorted(each.made | each.summed), key=shared)}"


def _listed(paths: Iterable[str]) -> str:
    first, *more = sorted(paths)
    return f"{first} and {len(more)} more" if more else first


def _why_not(classes: Iterable[AxisClass], path: str, tables: set[int]) -> str:
    """Why a weight is split along no axis; what became of the axis that it makes tells most."""
    own = [each for each in classes if any(owner == path for owner, _ in each.weights)]
    for each in sorted(own, key=lambda each: path not in each.made):
        obstacle = _obstacle(each, _kind(each, tables) or "pair")
        if obstacle is not None and not each.stream and (path in each.made | each.summed or each.blocks):
            return f"in no pair of projections: its axis of length {max(each.sizes)} {obstacle}"
    return "in no pair of projections"
