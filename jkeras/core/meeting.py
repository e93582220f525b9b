"""Where an unknown dimension of one tensor meets a dimension of another, in the operations of the table.

`(None, None, 8) + (None, 5, 8)` is `(None, 5, 8)`: the unknown dimension may turn out to be 5 (or 1), and the result
has 5 either way. JAX compares symbolic dimensions with numbers and refuses. So for operations that tie axes of their
arrays to each other, the axes are put into groups of one length. A group that has a known length gives it to its
unknown axes; every other group gets a symbol.

Operations without a rule here leave their unknown dimensions to `infer`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export

from jkeras.core.infer import is_spec
from jkeras.core.tensor import KerasTensor, any_symbolic, standardize_shape
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import PyTree, Shape

Place = tuple[int, int]  # (which array, which axis)
Group = list[Place]
Rule = Callable[[list[Shape], tuple[Any, ...], Mapping[str, Any]], list[Group]]


def broadcast(
    shapes: list[Shape], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}, skip: int = 0
) -> list[Group]:
    """Axes counted from the last; `skip` of them take no part.

    >>> broadcast([(None, 3), (3,)])
    [[(0, 1), (1, 0)], [(0, 0)]]
    """
    deepest = max(map(len, shapes), default=0)
    return [
        [(which, len(shape) - back) for which, shape in enumerate(shapes) if len(shape) >= back]
        for back in range(1 + skip, deepest + 1)
    ]


def same(shapes: list[Shape], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}) -> list[Group]:
    """Axis by axis, in front and behind alike."""
    return [
        [(which, axis) for which, shape in enumerate(shapes) if axis < len(shape)] for axis in range(len(shapes[0]))
    ]


def _product(x_axis: int, y_axis: int, batch: bool = False) -> Rule:
    """Sums over one axis of each; with `batch`, the axes in front of two broadcast."""

    def rule(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
        x, y = map(len, shapes[:2])
        if not x or not y:
            return []
        groups = [[(0, x + x_axis), (1, max(y + y_axis, 0))]]
        return groups + (broadcast(shapes[:2], skip=2) if batch else [])

    return rule


def _einsum(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
    subscripts = args[0].replace(" ", "").split("->")[0].split(",")
    groups: dict[Any, Group] = {}
    for which, (letters, shape) in enumerate(zip(subscripts, shapes, strict=False)):
        front, dots, behind = letters.partition("...")
        for axis in range(len(shape)):
            back = len(shape) - axis
            if axis < len(front):
                key: Any = front[axis]
            else:
                key = behind[-back] if back <= len(behind) else (dots, back - len(behind))
            groups.setdefault(key, []).append((which, axis))
    return list(groups.values())


def _all_but(default: int | None, position: int, rule: Callable[[list[Shape]], list[Group]] = same) -> Rule:
    """Every axis but one, which the argument `axis` names."""

    def but(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
        axis = kwargs.get("axis", args[position] if len(args) > position else default)
        if not isinstance(axis, int):
            return []
        axis = axis % max(len(shapes[0]), 1)
        return [group for group in rule(shapes) if (0, axis) not in group]

    return but


def _solution(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
    """Square matrices, and right sides with a row for each of theirs."""
    a, b = map(len, shapes[:2])
    rows = (1, b - 1 if b == a - 1 else b - 2)
    return [*([(0, axis), (1, axis)] for axis in range(a - 2)), [(0, a - 2), (0, a - 1), rows]]


def _tensordot(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
    axes = kwargs.get("axes", args[2] if len(args) > 2 else 2)
    x, y = map(len, shapes[:2])
    if isinstance(axes, int):
        return [[(0, x - axes + number), (1, number)] for number in range(axes)]
    ones, others = ([each] if isinstance(each, int) else each for each in axes)
    return [[(0, one % x), (1, other % y)] for one, other in zip(ones, others, strict=True)]


def _average(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
    axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
    vector = len(shapes) > 1 and len(shapes[1]) == 1 and isinstance(axis, int)
    return [[(0, axis % len(shapes[0])), (1, 0)]] if vector else same(shapes)


def _channels(shapes: list[Shape], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Group]:
    axis = kwargs.get("axis", args[3] if len(args) > 3 else -1)
    return [[(0, axis % len(shapes[0])), *((which, 0) for which in range(1, len(shapes)))]]


# fmt: off
BROADCAST = """
    add allclose arctan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor clip divide
    divide_no_nan equal floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot isclose lcm ldexp
    left_shift less less_equal logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mod multiply
    nextafter not_equal polar power right_shift select subtract true_divide where
"""
# fmt: on
RULES: dict[str, Rule] = {
    **dict.fromkeys(BROADCAST.split(), broadcast),
    **dict.fromkeys(("stack", "binary_crossentropy", "categorical_crossentropy", "psnr", "ssim"), same),
    "matmul": _product(-1, -2, batch=True),
    "dot": _product(-1, -2),
    "inner": _product(-1, -1),
    "einsum": _einsum,
    "concatenate": _all_but(0, 1),
    "append": _all_but(None, 2),
    "hstack": lambda shapes, args, kwargs: _all_but(1 if len(shapes[0]) > 1 else 0, 9)(shapes, (), {}),
    "vstack": lambda shapes, args, kwargs: same(shapes)[1 if len(shapes[0]) > 1 else 0 :],
    "dstack": lambda shapes, args, kwargs: same(shapes)[:2],
    "cross": broadcast,
    "broadcast_to": broadcast,  # of the array and the shape that it gets
    "take_along_axis": _all_but(None, 2),
    "vdot": same,
    "cdist": lambda shapes, args, kwargs: [
        [(0, len(shapes[0]) - 1), (1, len(shapes[1]) - 1)],
        *broadcast(shapes, skip=2),
    ],
    "solve": _solution,
    "solve_triangular": _solution,
    "lstsq": lambda shapes, args, kwargs: [[(0, 0), (1, 0)]],
    "tensordot": _tensordot,
    "average": _average,
    "batch_normalization": _channels,
    "in_top_k": lambda shapes, args, kwargs: same(shapes),
    "dot_product_attention": lambda shapes, args, kwargs: [
        [(0, 0), (1, 0), (2, 0)],
        [(0, 3), (1, 3)],
        [(1, 1), (2, 1)],
        [(1, 2), (2, 2)],
    ],
    **{f"segment_{name}": lambda shapes, args, kwargs: [[(0, 0), (1, 0)]] for name in ("max", "min", "prod", "sum")},
}


def compute(op: str | None, function: Callable[..., PyTree], args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
    """What an operation gives for symbolic tensors whose unknown dimensions meet others'.

    Returns:
        KerasTensors; `None` where the operation has no rule, or its arrays have no place for one.

    >>> import jax.numpy as jnp
    >>> compute("add", jnp.add, (KerasTensor((None, 3)), KerasTensor((2, None))), {}).shape
    (2, 3)
    """
    rule = RULES.get(op) if op is not None else None
    leaves, treedef = jax.tree.flatten((args, kwargs))
    where = [index for index, leaf in enumerate(leaves) if is_spec(leaf)]
    shapes = [standardize_shape(leaves[index].shape) for index in where]
    if rule is None or all(None not in shape for shape in shapes) or not any_symbolic(args, kwargs):
        return None
    try:
        tied = [*shapes, tuple(kwargs.get("shape", args[-1]))] if op == "broadcast_to" else shapes
        dims = _met(tied, rule(tied, args, kwargs))[: len(shapes)]
    except (IndexError, TypeError):  # arguments of other kinds, which the function itself refuses
        return None

    def run(specs: list[Any]) -> PyTree:
        filled = list(leaves)
        for index, spec in zip(where, specs, strict=True):
            filled[index] = spec
        call_args, call_kwargs = jax.tree.unflatten(treedef, filled)
        return function(*call_args, **call_kwargs)

    structs = [
        jax.ShapeDtypeStruct(tuple(dim), canonical_dtype(leaf.dtype), weak_type=getattr(leaf, "weak_type", False))
        for dim, leaf in zip(dims, (leaves[index] for index in where), strict=True)
    ]
    try:
        outputs = jax.eval_shape(run, structs)
    except Exception:  # `infer` says what is wrong, in the shapes that were given
        return None
    return jax.tree.map(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), outputs)


def _met(shapes: list[Shape], groups: list[Group]) -> list[list[Any]]:
    """The shapes with a number or a symbol for every unknown dimension."""
    extended: list[list[Any]] = [list(shape) for shape in shapes]
    inside = {place for group in groups for place in group}
    alone = [[(i, axis)] for i, shape in enumerate(shapes) for axis in range(len(shape)) if (i, axis) not in inside]
    groups = groups + alone
    names = [f"d{number}" for number in range(len(groups))]
    symbols = jax.export.symbolic_shape(", ".join(names), constraints=[f"{name} >= 2" for name in names])
    for group, symbol in zip(groups, symbols, strict=True):
        known = [shapes[i][axis] for i, axis in group if shapes[i][axis] not in (None, 1)]
        for i, axis in group:
            if shapes[i][axis] is None:
                extended[i][axis] = known[0] if known else symbol
    return extended
