"""Axis classes: which axes of the arrays of a program must be split alike, and what happens along them.

Each axis of each array is a node. Two axes that an operation splits alike are one class: union and find. A class knows
the weights that it is an axis of, which of them make it (it is a free axis of a product with the weight) and which sum
over it (it is contracted with the weight), and what else happens along it.
"""

import dataclasses
import math


@dataclasses.dataclass
class AxisClass:
    """Axes that are split alike.

    Attributes:
        sizes: their lengths; a split must divide all of them.
        weights: the weights that have such an axis, and which axis it is.
        made, summed: the weights whose products make the axis, and those whose products sum over it.
        blocks: why no device can work on a part of the axis alone.
        reduced: what sums over the axis, other than a product with a weight.
        gathered: whether rows of a table are taken along it.
        expert: whether products with weights are taken for each entry of it alone.
        returned: whether the model returns it.
        stream: whether what is made from it is added to it: the residual stream.
        narrow: whether much more is made from it than it is long: the rank of an adaptation, a bottleneck.
        order: the number of its first axis.

    >>> AxisClass(0, {8}).size, AxisClass(0, {8, 12}).size
    (8, 4)
    """

    order: int
    sizes: set[int]
    weights: set[tuple[str, int]] = dataclasses.field(default_factory=set)
    made: set[str] = dataclasses.field(default_factory=set)
    summed: set[str] = dataclasses.field(default_factory=set)
    blocks: list[str] = dataclasses.field(default_factory=list)
    reduced: list[str] = dataclasses.field(default_factory=list)
    gathered: bool = False
    expert: bool = False
    returned: bool = False
    stream: bool = False
    narrow: bool = False

    @property
    def size(self) -> int:
        """What a number of parts must divide."""
        return math.gcd(*self.sizes)

    @property
    def is_free(self) -> bool:
        """Whether nothing needs the whole of the axis yet."""
        return not (self.blocks or self.reduced or self.gathered)

    def take_over(self, other: "AxisClass") -> None:
        """Adds what is known of another class."""
        self.order = min(self.order, other.order)
        self.sizes |= other.sizes
        self.weights |= other.weights
        self.made |= other.made
        self.summed |= other.summed
        self.blocks += other.blocks
        self.reduced += other.reduced
        self.gathered |= other.gathered
        self.expert |= other.expert
        self.returned |= other.returned
        self.stream |= other.stream
        self.narrow |= other.narrow


class AxisClasses:
    """The classes of all axes of a program, by union and find.

    >>> classes = AxisClasses()
    >>> one, other = classes.new(8), classes.new(4)
    >>> classes.tie(one, other)
    >>> classes[one] is classes[other], classes[one].size
    (True, 4)
    """

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._classes: dict[int, AxisClass] = {}
        self.lengths: list[int] = []

    def new(self, size: int) -> int:
        """A node for an axis of this length."""
        node = len(self._parents)
        self._parents.append(node)
        self._classes[node] = AxisClass(node, {size})
        self.lengths.append(size)
        return node

    def _root(self, node: int) -> int:
        while self._parents[node] != node:
            self._parents[node] = self._parents[self._parents[node]]
            node = self._parents[node]
        return node

    def __getitem__(self, node: int) -> AxisClass:
        return self._classes[self._root(node)]

    def tie(self, one: int, other: int) -> None:
        """Makes the classes of two nodes one."""
        one, other = self._root(one), self._root(other)
        if one != other:
            self._parents[other] = one
            self._classes[one].take_over(self._classes.pop(other))

    def all(self) -> list[AxisClass]:
        """All classes, in the order in which the program meets them."""
        return sorted(self._classes.values(), key=lambda each: each.order)
