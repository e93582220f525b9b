"""The rules of operations: which axes of their operands and results are split alike, by the names of JAX's primitives.

There are few kinds: entry by entry, products, reductions, changes of shape, calls and loops. A primitive without a
rule is unknown, and blocks the axes that it touches: a missing rule costs a split, and never gives a wrong one.
"""

import math
from collections.abc import Sequence
from typing import Any

from jkeras.distribution.axis_flow import Flow, Rule, Value, unknown
from jkeras.jax_compat import scan_sizes

NARROW = 8  # a sum over devices of that many numbers or more for each number summed moves more than its split saves


def pointwise(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Entry by entry; axes of length 1 are repeated."""
    shape = equation.outvars[0].aval.shape
    axes = []
    for axis, size in enumerate(shape):
        having = [value for value in ins if len(value.axes) == len(shape) and flow.length(value.axes[axis]) == size]
        same = size > 1 and bool(having)
        axes.append(flow.joined(having, [value.axes[axis] for value in having]) if same else flow.classes.new(size))
    return [flow.made(axes, *ins)]


def each(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Several arrays, each as it is."""
    return ins


def new(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Numbers out of nothing."""
    return [Value(flow.fresh(out.aval.shape)) for out in equation.outvars]


def dot_general(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Products: with a weight they make the weight's free axes, and sum over the contracted ones."""
    (contracted, batch), (left, right) = equation.params["dimension_numbers"], ins
    weights = [value for value in ins if value.is_weight]
    own = weights[0] if len(weights) == 1 else None
    shared = []
    for one, other in zip(*batch, strict=True):
        nodes = left.axes[one], right.axes[other]
        if own is not None:
            mine = nodes[ins.index(own)]
            flow.classes[mine].expert |= flow.length(mine) > 1
        shared.append(flow.joined((), nodes))
    summed = []
    for one, other in zip(*contracted, strict=True):
        nodes = left.axes[one], right.axes[other]
        summed.append(flow.joined((), nodes))
        if own is not None:
            flow.classes[summed[-1]].summed |= own.sources
        elif not any(flow.classes[node].expert for node in nodes):
            flow.reduce(summed[-1], "is summed by a product of two activations")
    free = [
        [node for axis, node in enumerate(value.axes) if axis not in (*contracted[side], *batch[side])]
        for side, value in enumerate(ins)
    ]
    if own is None:
        return [flow.made([*shared, *free[0], *free[1]], left, right)]
    length = math.prod(map(flow.length, summed))
    if NARROW * length < math.prod(map(flow.length, free[ins.index(own)])):
        for node in summed:
            flow.classes[node].narrow = True
    for node in free[ins.index(own)]:
        flow.classes[node].made |= own.sources
    flow.works(own, length * math.prod(equation.outvars[0].aval.shape))
    return [flow.made([*shared, *free[0], *free[1]], left, right, product=flow.product(summed))]


def convolution(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Convolutions: only examples are apart."""
    numbers, outs = equation.params["dimension_numbers"], unknown(flow, equation, [])
    batch, kept = ins[0].axes[numbers.lhs_spec[0]], list(outs[0].axes)
    unknown(flow, equation, [Value(tuple(node for node in ins[0].axes if node != batch)), ins[1]])
    kept[numbers.out_spec[0]] = batch
    kernel = [flow.length(node) for node in ins[1].axes]
    flow.works(ins[1], math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // kernel[numbers.rhs_spec[0]])
    return [flow.made(kept, *ins)]


def reduction(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Reductions over axes."""
    axes = equation.params["axes"]
    for axis in axes:
        flow.reduce(ins[0].axes[axis], f"is reduced by `{equation.primitive.name}`")
    kept = [node for axis, node in enumerate(ins[0].axes) if axis not in axes]
    return [flow.made(kept, ins[0]) for _ in equation.outvars]


def aligned(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Axes stay where they are, and those whose parts need one another, or which change their length, are blocked."""
    along = {equation.params[name] for name in ("axis", "dimension") if name in equation.params}
    along |= set(equation.params.get("dimensions", ()))
    along |= {axis for axis, padding in enumerate(equation.params.get("padding_config", ())) if any(padding)}
    along |= {axis for axis, size in enumerate(equation.params.get("window_dimensions", ())) if size > 1}
    outs = []
    for out in equation.outvars:
        axes = []
        for axis, size in enumerate(out.aval.shape):
            nodes = [value.axes[axis] for value in ins if len(value.axes) == len(out.aval.shape)]
            if axis in along or any(flow.length(node) != size for node in nodes):
                nodes = [*nodes, flow.classes.new(size)]
                for node in nodes:
                    flow.block(node, f"`{equation.primitive.name}`")
                axes.append(nodes[-1])
            else:
                axes.append(flow.joined((), nodes))
        outs.append(flow.made(axes, *ins))
    return outs


def stack(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """A new axis along which arrays are put side by side."""
    axes = [flow.joined((), nodes) for nodes in zip(*(value.axes for value in ins), strict=True)]
    axes.insert(equation.params["axis"], flow.classes.new(len(ins)))
    return [flow.made(axes, *ins)]


def broadcast_in_dim(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """New axes, along which an array is repeated."""
    axes = list(flow.fresh(equation.params["shape"]))
    for axis, node in zip(equation.params["broadcast_dimensions"], ins[0].axes, strict=True):
        if flow.length(node) == flow.length(axes[axis]):
            axes[axis] = node
    return [flow.made(axes, *ins[:1])]


def transpose(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Another order of axes."""
    return [flow.made([ins[0].axes[axis] for axis in equation.params["permutation"]], ins[0])]


def squeeze(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Fewer axes of length 1."""
    gone = equation.params["dimensions"]
    return [flow.made([node for axis, node in enumerate(ins[0].axes) if axis not in gone], ins[0])]


def reshape(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Axes are merged and cut: whole blocks of the first one of a group stay together, the others are blocked."""
    old, shape = list(ins[0].axes), equation.outvars[0].aval.shape
    axes = list(flow.fresh(shape))
    for before, after in groups([flow.length(node) for node in old], shape):
        if len(before) == len(after) == 1:
            axes[after[0]] = old[before[0]]
            continue
        if before and after:
            flow.classes.tie(old[before[0]], axes[after[0]])
        for node in [old[axis] for axis in before[1:]] + [axes[axis] for axis in after[1:]]:
            flow.block(node, "`reshape`, in which it is not the first axis")
    return [flow.made(axes, ins[0])]


def groups(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest groups of axes with the same numbers of entries, of two shapes; without axes of length 1.

    >>> groups((8, 6, 4), (8, 1, 24)), groups((24, 5), (6, 4, 5))
    ([([0], [0]), ([1, 2], [2])], [([0], [0, 1]), ([1], [2])])
    """
    one, other = ([axis for axis, size in enumerate(shape) if size != 1] for shape in (before, after))
    found: list[tuple[list[int], list[int]]] = []
    while one and other:
        group, sizes = ([one.pop(0)], [other.pop(0)]), [0, 0]
        while True:
            sizes = [
                math.prod(shape[axis] for axis in part) for shape, part in zip((before, after), group, strict=True)
            ]
            if sizes[0] == sizes[1] or not (one if sizes[0] < sizes[1] else other):
                break
            side = 0 if sizes[0] < sizes[1] else 1
            group[side].append((one, other)[side].pop(0))
        found.append(group)
    return found


def gather(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Rows of tables, and other entries by their indices."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    table, indices = ins
    axes = list(flow.fresh(equation.outvars[0].aval.shape))
    batch = [axis for axis in range(len(axes)) if axis not in numbers.offset_dims]
    for axis, node in zip(batch, indices.axes[:-1], strict=True):
        axes[axis] = node
    for own, other in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        flow.classes.tie(table.axes[own], indices.axes[other])
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    kept = [axis for axis in range(len(sizes)) if axis not in gone]
    for axis, place in zip(kept, numbers.offset_dims, strict=True):
        if axis in numbers.start_index_map or sizes[axis] != flow.length(table.axes[axis]):
            flow.block(table.axes[axis], "`gather`")
        else:
            axes[place] = table.axes[axis]
    for axis in numbers.collapsed_slice_dims:
        if table.is_weight and len(table.axes) == 2:
            flow.classes[table.axes[axis]].gathered = True
        else:
            flow.block(table.axes[axis], "`gather`")
    return [flow.made(axes, table, indices)]


def call(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Calls of functions, with or without derivatives of their own."""
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in equation.params:
            return flow.run_closed(equation.params[name], ins)
    return unknown(flow, equation, ins)


def _carried(flow: Flow, before: Sequence[Value], after: Sequence[Value]) -> list[Value]:
    """What goes around a loop: what comes out of a turn goes into the next one."""
    outs = []
    for one, other in zip(before, after, strict=True):
        both = one._replace(live=True), other._replace(live=True)
        axes = [flow.joined(both, nodes) for nodes in zip(one.axes, other.axes, strict=True)]
        outs.append(flow.made(axes, *both))
    return outs


def scan(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Loops over the first axes of arrays; `Stack` is one."""
    consts, carries = scan_sizes(equation.params)
    before = [value._replace(live=True, sources=frozenset()) for value in ins[consts : consts + carries]]
    turns = []
    for value in ins[consts + carries :]:
        flow.block(value.axes[0], "`scan`")
        turns.append(value._replace(axes=value.axes[1:]))
    outer, flow.turns = flow.turns, flow.turns * equation.params["length"]
    outs = flow.run_closed(equation.params["jaxpr"], [*ins[:consts], *before, *turns])
    flow.turns = outer
    collected = []
    for value in outs[carries:]:
        front = flow.classes.new(equation.params["length"])
        flow.block(front, "`scan`")
        collected.append(value._replace(axes=(front, *value.axes)))
    return _carried(flow, before, outs[:carries]) + collected


def while_loop(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Loops with a condition."""
    params = equation.params
    first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    before = [value._replace(live=True, sources=frozenset()) for value in ins[second:]]
    flow.run_closed(params["cond_jaxpr"], [*ins[:first], *before])
    return _carried(flow, before, flow.run_closed(params["body_jaxpr"], [*ins[first:second], *before]))


def cond(flow: Flow, equation: Any, ins: list[Value]) -> list[Value]:
    """Branches, all of which may run; of those for platforms, which compute the same, one that is understood."""
    branches = equation.params["branches"]
    if equation.params.get("branches_platforms") is not None:
        understood = [branch for branch in branches if understands(flow, branch.jaxpr)]
        branches = (understood or branches)[:1]
    results = [flow.run_closed(branch, ins[1:]) for branch in branches]
    outs = []
    for values in zip(*results, strict=True):
        axes = [flow.joined((), nodes) for nodes in zip(*(value.axes for value in values), strict=True)]
        outs.append(flow.made(axes, *values))
    return outs


def understands(flow: Flow, jaxpr: Any) -> bool:
    """Whether each operation of a jaxpr has a rule, those inside of calls and loops included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name not in flow.rules:
            return False
        for param in equation.params.values():
            for nested in param if isinstance(param, tuple) else (param,):
                inner = getattr(nested, "jaxpr", nested)
                if hasattr(inner, "eqns") and not understands(flow, inner):
                    return False
    return True


def _alike(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_alike(
        pointwise,
        "abs acos acosh add add_any and asin asinh atan atan2 atanh bitcast_convert_type cbrt ceil clamp clz"
        " complex conj convert_element_type copy copy_p cos cosh device_put digamma div eq erf erf_inv erfc exp"
        " exp2 expm1 floor from_edtype_p ge gt igamma igammac imag integer_pow is_finite le le_to lgamma log log1p"
        " logistic lt lt_to max min mul name ne neg nextafter not or population_count pow real reduce_precision"
        " rem round rsqrt select_n sharding_constraint shift_left shift_right_arithmetic shift_right_logical sign"
        " sin sinh sqrt square stop_gradient sub tan tanh to_edtype_p xor",
    ),
    **_alike(each, "optimization_barrier"),
    **_alike(
        new,
        "empty iota platform_index random_bits random_fold_in random_seed random_split random_unwrap random_wrap"
        " rng_uniform",
    ),
    **_alike(reduction, "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum reduce_xor"),
    **_alike(
        aligned,
        "concatenate cumlogsumexp cummax cummin cumprod cumsum dynamic_slice dynamic_update_slice pad"
        " reduce_window_max reduce_window_min reduce_window_sum rev slice sort split top_k",
    ),
    **_alike(
        call,
        "checkpoint closed_call core_call custom_jvp_call custom_vjp_call custom_vmap_call jit pjit remat2",
    ),
    "broadcast_in_dim": broadcast_in_dim,
    "cond": cond,
    "conv_general_dilated": convolution,
    "dot_general": dot_general,
    "gather": gather,
    "reshape": reshape,
    "scan": scan,
    "squeeze": squeeze,
    "stack": stack,
    "transpose": transpose,
    "while": while_loop,
}
