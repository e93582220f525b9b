"""Summaries: a table of a model's layers, and the totals of its parameters."""

import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core import Function, KerasTensor, Layer, Variable
from jkeras.core.lift import Lifted
from jkeras.core.node import Node
from jkeras.core.tensor import is_shape
from jkeras.errors import ArgumentError, JKerasError
from jkeras.ops import table
from jkeras.typing import ShapeTree

if TYPE_CHECKING:
    from rich.table import Table

INDENT = 3
MIN_WIDTH = 4  # of a column
UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
COLUMNS = ("Layer (type)", "Output Shape", "Param #")
# where columns end, as fractions of the width, and the width, for chains and for other graphs
CHAIN = ((0.45, 0.80, 1.0), 88)
GRAPH = ((0.30, 0.56, 0.74, 1.0), 108)
TRAINABLE_WIDTH = 12


class Row(NamedTuple):
    """One line of the table."""

    name: str
    class_name: str
    output_shape: str
    parameters: str
    connections: str
    trainable: str


def show(
    model: Layer,
    addresses: Mapping[str, Layer],
    function: Function | None,
    *,
    line_length: int | None,
    positions: Sequence[float] | None,
    print_fn: Callable[[str], Any] | None,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> None:
    """Prints the table and the totals, or passes their lines to `print_fn`."""
    named: dict[str, Any] = dict(addresses)
    if function is not None:  # in the order of the graph; then what attributes hold besides
        named = {function.graph.names[part]: part for part in function.graph.operations} | dict(addresses)
    nodes = None if function is None else {id(node): node for node in function.graph.nodes}
    connected = function is not None and not _is_chain(function)
    first, last = _bounds(list(named), layer_range)
    rows: list[Row] = []
    for name, part in list(named.items())[first:last]:
        rows += _rows(name, part, function, nodes, expand_nested, 0)
    from rich.console import Console
    from rich.text import Text

    rendered = _table(rows, connected, show_trainable, line_length, positions)
    console = Console(highlight=False) if print_fn is None else Console(highlight=False, color_system=None, width=10**4)
    with console.capture() as capture:
        console.print(Text(f'Model: "{model.name}"', "bold"))
        console.print(rendered)
        for line in totals(model.trainable_weights, model.non_trainable_weights):
            console.print(line)
    if print_fn is None:
        console.print(Text.from_ansi(capture.get()), end="", soft_wrap=True)
    else:
        for line in capture.get().splitlines():
            print_fn(line)


def totals(trainable: Sequence[Variable], non_trainable: Sequence[Variable]) -> list[str]:
    """The lines with the numbers of parameters and the bytes of their values.

    >>> print(*totals([Variable("zeros", (3, 4))], []), sep="\\n")
     Total params: 12 (48.00 B)
     Trainable params: 12 (48.00 B)
     Non-trainable params: 0 (0.00 B)
    """
    groups = {
        "Total": [*trainable, *non_trainable],
        "Trainable": list(trainable),
        "Non-trainable": list(non_trainable),
    }
    return [
        f" {name} params: {sum(variable.size for variable in group):,} ({readable(_bytes(group))})"
        for name, group in groups.items()
    ]


def readable(size: int) -> str:
    """A number of bytes in the largest unit that is not larger.

    >>> readable(48), readable(3 * 2**20)
    ('48.00 B', '3.00 MB')
    """
    power = min(int(math.log(size, 1024)), len(UNITS) - 1) if size else 0
    return f"{size / 1024**power:.2f} {UNITS[power]}"


def _bytes(variables: Sequence[Variable]) -> int:
    return sum(variable.size * jnp.dtype(variable.declared_dtype).itemsize for variable in variables)


def _is_chain(function: Function) -> bool:
    """Whether every call of a graph has one parent, no two run side by side, and no layer is called twice."""
    graph = function.graph
    return len(graph.nodes) == len(graph.operations) and all(
        len(nodes) == 1 and len(nodes[0].input_tensors) <= 1 for nodes in graph.nodes_by_depth.values()
    )


def _bounds(names: list[str], layer_range: Sequence[str] | None) -> tuple[int, int]:
    """The indices of the first layer to show and of the one after the last."""
    if layer_range is None:
        return 0, len(names)
    if len(layer_range) != 2 or not all(isinstance(pattern, str) for pattern in layer_range):
        raise ArgumentError(
            "`layer_range` must be a pair of names.",
            path="summary",
            expected='("first", "last")',
            received=layer_range,
            write='model.summary(layer_range=("dense", "dense_2"))',
        )
    matches = [[i for i, name in enumerate(names) if re.match(pattern, name)] for pattern in layer_range]
    if not all(matches):
        raise ArgumentError(
            "both patterns of `layer_range` must match the name of a layer.",
            path="summary",
            expected=names,
            received=layer_range,
            write=f"model.summary(layer_range=({names[0]!r}, {names[-1]!r}))" if names else None,
        )
    if matches[0][0] > matches[1][-1]:
        return matches[1][0], matches[0][-1] + 1
    return matches[0][0], matches[1][-1] + 1


def _rows(
    name: str, part: Layer, function: Function | None, nodes: Mapping[int, Node] | None, expand: bool, level: int
) -> list[Row]:
    """The row of one layer, and below it those of the layers inside."""
    calls = [node for node in part.nodes if nodes is None or id(node) in nodes]
    prefix = " " * INDENT * level + "└ " if level else ""
    is_layer = isinstance(part, Layer)
    row = Row(
        name=prefix + name,
        class_name=table.class_name(part.op) if isinstance(part, Lifted) and part.op else type(part).__name__,
        output_shape=_output_shape(part, calls),
        parameters=f"{part.count_params():,}" if is_layer and part.built else ("0 (unbuilt)" if is_layer else "0"),
        connections=_connections(function, calls),
        trainable=("Y" if part.trainable else "N") if is_layer and part.built and part.weights else "-",
    )
    rows = [row]
    if expand and is_layer and hasattr(part, "addresses"):
        for inner, layer in part.addresses().items():
            rows += _rows(inner, layer, None, None, True, level + 1)
    return rows


def _connections(function: Function | None, calls: Sequence[Node]) -> str:
    """The tensors that the calls of a layer take: `dense[0][0]` is the first output of the first call of `dense`."""
    if function is None:
        return "-"
    taken = [
        f"{function.graph.names.get(operation, tensor.name)}[{call}][{place}]"
        for node in calls
        for tensor in node.input_tensors
        for operation, call, place in [tensor.history]
    ]
    return ", ".join(taken) or "-"


def _output_shape(part: Layer, calls: Sequence[Node]) -> str:
    """The shape of the output of a layer: on symbolic tensors, else for the shapes that it was built for."""
    if calls:
        return _shown(jax.tree.map(lambda tensor: tensor.shape, calls[0].outputs))
    config = part.get_build_config() if isinstance(part, Layer) and part.built else None
    if config is None:
        return "?"
    try:
        if "input_shape" in config:
            return _shown(part.compute_output_shape(config["input_shape"]))
        specs = {
            name.removesuffix("_shape"): KerasTensor(shape, part.input_dtype)
            for name, shape in config["shapes_dict"].items()
        }
        return _shown(jax.tree.map(lambda tensor: tensor.shape, part.compute_output_spec(**specs)))
    except (JKerasError, TypeError, ValueError):  # a layer that needs more than shapes has a row all the same
        return "?"


def _shown(shapes: ShapeTree) -> str:
    flat = jax.tree.leaves(shapes, is_leaf=is_shape)
    return str(tuple(flat[0])) if len(flat) == 1 else str(shapes)


def _table(
    rows: Sequence[Row],
    connected: bool,
    show_trainable: bool,
    line_length: int | None,
    positions: Sequence[float] | None,
) -> "Table":
    from rich.table import Table
    from rich.text import Text

    default_positions, width = GRAPH if connected else CHAIN
    fractions: tuple[float, ...] = tuple(positions or default_positions)
    last = 1.0 if fractions[-1] <= 1 else fractions[-1]  # positions above 1 are characters, as in Keras
    headers = [*COLUMNS, *(["Connected to"] if connected else []), *(["Trainable"] if show_trainable else [])]
    if show_trainable:
        width += TRAINABLE_WIDTH
        if len(fractions) < len(headers):
            fractions = (*(0.9 * fraction for fraction in fractions), last)
    if len(fractions) != len(headers):
        rule = f"`positions` must have one entry per column, {len(headers)}"
        wanted = f"{len(headers)} fractions, where these end: {', '.join(headers)}"
        write = f"positions={tuple(round((i + 1) / len(headers), 2) for i in range(len(headers)))}"
        raise ArgumentError.must(rule, len(fractions), path="summary", expected=wanted, write=write)
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    ends = [int(fraction * width if last == 1 else fraction) for fraction in fractions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < MIN_WIDTH:
        raise ArgumentError(
            f"`line_length` and `positions` must give each column at least {MIN_WIDTH} characters, got {widths}.",
            path="summary",
            expected=f"{MIN_WIDTH} characters each",
            received=widths,
            write="model.summary(line_length=100)",
        )
    shown = Table(width=width, show_lines=True)
    for header, column in zip(headers, widths, strict=True):
        shown.add_column(header, width=column, justify="right" if header == "Param #" else "left", overflow="fold")
    for row in rows:
        cells = [Text.assemble(row.name, " (", (row.class_name, "color(33)"), ")")]
        cells += [Text(row.output_shape, "color(34)"), Text(row.parameters, "color(34)")]
        cells += [Text(row.connections)] if connected else []
        cells += [Text(row.trainable, "bold")] if show_trainable else []
        shown.add_row(*cells)
    return shown
