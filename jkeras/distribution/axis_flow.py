"""The flow of axes through a program: from the axes of weights and inputs to those of outputs.

The program is a jaxpr, traced for shapes alone. Each of its operations has a rule in `axis_rules`, which says which
axes of operands and results are split alike. An operation without a rule blocks the axes of its operands.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import Literal

from jkeras.distribution.axes import AxisClasses


class Value(NamedTuple):
    """What is known of an array of the program.

    Attributes:
        axes: the node of each axis.
        live: whether it depends on the inputs of the model.
        past: the products with weights that it depends on, a bit for each.
        sources: the weights that it is made of; none for what is live.
    """

    axes: tuple[int, ...]
    live: bool = False
    past: int = 0
    sources: frozenset[str] = frozenset()

    @property
    def is_weight(self) -> bool:
        """Whether it is made of weights alone."""
        return not self.live and bool(self.sources)


Rule = Callable[["Flow", Any, list[Value]], list[Value]]


class Flow:
    """One pass over a program.

    Args:
        rules: by names of primitives.

    Attributes:
        classes: of all axes.
        work: how many numbers are multiplied with each weight.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.classes = AxisClasses()
        self.work: dict[str, int] = {}
        self.turns = 1  # how often a part of the program runs
        self._products: list[tuple[int, ...]] = []  # the nodes that each product with a weight sums over
        self._meetings: list[tuple[int, int]] = []  # a node at which values meet, and the products not all come from

    # -- values

    def fresh(self, shape: Iterable[int]) -> tuple[int, ...]:
        """Nodes for the axes of a new array."""
        return tuple(self.classes.new(size) for size in shape)

    def weight(self, path: str, shape: Sequence[int], front: int) -> Value:
        """A weight of the model, with `front` axes that are not its own but a stack's."""
        axes = self.fresh(shape)
        for axis, node in enumerate(axes):
            if axis < front:
                self.classes[node].blocks.append("the axis of a stack")
            else:
                self.classes[node].weights.add((path, axis - front))
        return Value(axes, sources=frozenset([path]))

    def input(self, shape: Sequence[int]) -> Value:
        """An input of the model."""
        return Value(self.fresh(shape), live=True)

    def made(self, axes: Iterable[int], *values: Value, product: int = 0) -> Value:
        """The value with these axes that is computed from others."""
        live = any(value.live for value in values)
        past = product
        for value in values:
            past |= value.past
        sources = frozenset().union(*(value.sources for value in values)) if not live else frozenset()
        return Value(tuple(axes), live, past, sources)

    def length(self, node: int) -> int:
        """The length of one axis."""
        return self.classes.lengths[node]

    # -- what happens along axes

    def block(self, node: int, why: str) -> None:
        """Notes that devices cannot work on parts of an axis."""
        if self.length(node) > 1:
            self.classes[node].blocks.append(why)

    def reduce(self, node: int, why: str) -> None:
        """Notes that something sums over an axis."""
        if self.length(node) > 1:
            self.classes[node].reduced.append(why)

    def works(self, weight: Value, count: int) -> None:
        """Notes how many numbers are multiplied with a weight."""
        for path in weight.sources:
            self.work[path] = self.work.get(path, 0) + count * self.turns

    def product(self, nodes: Iterable[int]) -> int:
        """Notes a product with a weight that sums over axes; its bit."""
        self._products.append(tuple(nodes))
        return 1 << (len(self._products) - 1)

    def joined(self, values: Sequence[Value], nodes: Sequence[int]) -> int:
        """The node of an axis along which values meet entry by entry, of which these are the nodes.

        Experts are an exception: what a router says of them is whole on each device, and each takes its part.
        """
        classes = self.classes
        experts = [node for node in nodes if classes[node].expert]
        if experts:
            nodes = [node for node in nodes if classes[node].expert or classes[node].is_free]
        for node in nodes[1:]:
            classes.tie(nodes[0], node)
        pasts = [value.past for value in values if value.live]
        if len(pasts) > 1:
            some = every = pasts[0]
            for past in pasts[1:]:
                some, every = some | past, every & past
            if some != every:
                self._meetings.append((nodes[0], some & ~every))
        return experts[0] if experts else nodes[0]

    # -- programs

    def run(self, jaxpr: Any, consts: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
        """The values that a jaxpr returns for these."""
        known: dict[Any, Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

        def read(atom: Any) -> Value:
            return Value(self.fresh(np.shape(atom.val))) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            ins = [read(atom) for atom in equation.invars]
            rule = self.rules.get(equation.primitive.name, unknown)
            known.update(zip(equation.outvars, rule(self, equation, ins), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def run_closed(self, closed: Any, inputs: Sequence[Value]) -> list[Value]:
        """The same for a jaxpr together with its constants, or one without any."""
        consts = [Value(self.fresh(np.shape(const))) for const in getattr(closed, "consts", ())]
        return self.run(getattr(closed, "jaxpr", closed), consts, inputs)

    def finish(self) -> AxisClasses:
        """The classes, after the whole program. Only now is it known which axes are the residual stream."""
        for node, products in self._meetings:
            met = self.classes[node]
            bits = (bit for bit in range(products.bit_length()) if products >> bit & 1)
            met.stream = met.stream or any(
                self.classes[summed] is met for bit in bits for summed in self._products[bit]
            )
        return self.classes


def unknown(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """The results of an operation of which nothing is known."""
    for value in ins:
        for node in value.axes:
            flow.block(node, f"`{equation.primitive.name}`")
    outs = [flow.made(flow.fresh(out.aval.shape), *ins) for out in equation.outvars]
    for value in outs:
        for node in value.axes:
            flow.block(node, f"`{equation.primitive.name}`")
    return outs
