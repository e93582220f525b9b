"""auto: a placement derived from the program of a model.

The model is traced for shapes alone. The flow of axes through its program (`axis_flow`, `axis_rules`) says which axes
of weights must be split alike and what happens along them; `axis_choice` picks those that pay. So it is the same for
every way to write a network, and knows no names of layers.
"""

import functools
import re
from typing import Any, cast

import jax
import numpy as np

from jkeras import tree
from jkeras.core import Layer
from jkeras.core.infer import SIZES, fill
from jkeras.core.tensor import is_shape
from jkeras.distribution.axis_choice import Choice, choose
from jkeras.distribution.axis_flow import Flow
from jkeras.distribution.axis_rules import RULES
from jkeras.errors import ArgumentError, BuildError, NeverCalledError, PlacementError
from jkeras.jax_compat import lowering_for
from jkeras.placement.placement import MIN_SIZE, Placement
from jkeras.placement.specs import Axes, Spec, as_axes, parts_along
from jkeras.typing import PyTree


def auto(
    model: Layer,
    mesh: jax.sharding.Mesh,
    *inputs: PyTree,
    batch: Axes = "data",
    model_axis: str = "model",
    fsdp: Axes | None = None,
    min_size: int = MIN_SIZE,
    **options: Any,
) -> Placement:
    """A placement derived from a model: which weights are split over which of their axes.

    Pairs of projections (query, key, value and output by heads; up, gate and down by hidden units), the rows of
    embeddings with the head of the same vocabulary, and experts are split over `model_axis`. A block of a Transformer
    then sums over devices twice forward and twice backward. Biases go with their projections. All other weights fall
    to `fsdp` over `batch`; a model of which nothing is split this way is placed as `FSDP` over both axes does it.
    `placement.table(model)` shows the reason of each weight.

    Args:
        model: any layer.
        mesh: with both axes: `jax.make_mesh((2, 4), ("data", "model"))`.
        inputs: examples or specs of what the model is called with; none for a model that knows its inputs.
        batch: the axes of the mesh over which batches are split.
        model_axis: the axis over which weights are split.
        fsdp: axes over which weights that `model_axis` splits are split a second time, along another of their axes.
        min_size: entries that a weight must have to be split by `fsdp`.
        options: further ones of `Placement`. `rules` come before those that are found.

    Returns:
        A `Placement` with one rule for each weight that is split over `model_axis`.

    Raises:
        PlacementError: an axis that the mesh does not have.
        BuildError: the shapes of the inputs are not known.

    >>> import jkeras
    >>> layers = [jkeras.layers.Dense(8, activation="relu"), jkeras.layers.Dense(2)]
    >>> model = jkeras.Sequential([jkeras.Input((4,)), *layers])
    >>> placement = auto(model, jax.make_mesh((1, 1), ("data", "model")))
    >>> for path, weight in placement.weights(model).items():
    ...     print(path, weight.spec, weight.reason)
    dense/kernel P(None, 'model') pair with dense_1/kernel
    dense/bias P('model',) with dense/kernel
    dense_1/kernel P('model',) pair with dense/kernel
    dense_1/bias P() smaller than min_size: in no pair of projections

    Source: Shoeybi et al., "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism"
    (2019), for the pairs; Xu et al., "GSPMD" (2021), for the flow of splits through a program.
    """
    for name, axes in (("batch", batch), ("model_axis", model_axis), ("fsdp", fsdp or ())):
        _check_axes(mesh, name, axes)
    choice, shapes = chosen(model, inputs, mesh.shape[model_axis])
    given = dict(options.pop("rules", {}))
    reasons = {path: why for path, why in choice.reasons.items() if not any(re.search(each, path) for each in given)}
    options = {"min_size": min_size, "reasons": reasons, **options}
    if not choice.axes:
        everywhere: Any = tuple(dict.fromkeys((*as_axes(batch), model_axis)))
        return Placement(mesh, **{"batch": everywhere, "fsdp": everywhere, "rules": given, **options})
    rules = given | {
        f"^{re.escape(path)}$": _spec(mesh, shapes[path], axis, model_axis, fsdp, min_size)
        for path, axis in choice.axes.items()
    }
    return Placement(mesh, **{"batch": batch, "rules": rules, "fsdp": batch if fsdp is None else fsdp, **options})


def _check_axes(mesh: jax.sharding.Mesh, name: str, axes: Axes) -> None:
    for axis in as_axes(axes):
        if axis not in mesh.axis_names:
            raise PlacementError.must(
                f"`{name}` must be an axis of the mesh",
                repr(axis),
                path=f"auto({name}=)",
                expected=f"one of {mesh.axis_names}",
                write=f"auto(model, mesh, {name}={mesh.axis_names[-1]!r})",
            )


def _spec(
    mesh: jax.sharding.Mesh, shape: tuple[int, ...], axis: int, model_axis: str, fsdp: Axes | None, min_size: int
) -> Spec:
    """The spec of a weight that is split along an axis, and if it is large by `fsdp` along its largest other one."""
    entries: list[Any] = [None] * len(shape)
    entries[axis] = model_axis
    if fsdp is not None and np.prod(shape) >= min_size:
        others = sorted((other for other in range(len(shape)) if other != axis), key=lambda other: -shape[other])
        second = next((other for other in others if shape[other] % parts_along(mesh, fsdp) == 0), None)
        if second is not None:
            entries[second] = fsdp
    return Spec(*entries)


# -- the program of a model


def chosen(model: Layer, inputs: tuple[PyTree, ...], parts: int) -> tuple[Choice, dict[str, tuple[int, ...]]]:
    """The axes of a model's weights that are split into equal parts, and the own shapes of all weights.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(6), jkeras.layers.Dense(2, use_bias=False)])
    >>> chosen(model, (), 3)[0].axes, chosen(model, (), 4)[0].axes
    ({'dense/kernel': 1, 'dense/bias': 0, 'dense_1/kernel': 0}, {})
    """
    inputs = inputs or known_inputs(model)
    if not model.built:
        model.infer_build(*inputs)
    fill_in = functools.partial(_filled, dtype=model.input_dtype)
    specs = tuple(jax.tree.map(fill_in, each, is_leaf=is_shape) for each in inputs)
    variables = jax.eval_shape(model.init, jax.random.key(0))

    def outputs(trainable: PyTree, non_trainable: PyTree, *inputs: PyTree) -> PyTree:
        return model.stateless_call(trainable, non_trainable, *inputs, training=True)[0]

    program = _traced(outputs, (*variables, *specs))
    declared = {each.path: variable for variable, each in model.structure().declarations.items()}
    flow = Flow(RULES)
    shapes: dict[str, tuple[int, ...]] = {}
    values = []
    for place, leaf in jax.tree_util.tree_leaves_with_path(tuple(variables)):
        path = tree.key_path(place[1:])
        front = len(leaf.shape) - len(declared[path].origin.shape)
        shapes[path] = leaf.shape[front:]
        values.append(flow.weight(path, leaf.shape, front))
    values += [flow.input(leaf.shape) for leaf in jax.tree.leaves(specs)]
    for value in flow.run_closed(program, values):
        for node in value.axes:
            flow.classes[node].returned = True
    shapes = {path: shapes[path] for path in declared}
    choice = choose(flow.finish().all(), shapes, parts, flow.work)
    return choice._replace(axes={path: choice.axes[path] for path in shapes if path in choice.axes}), shapes


def known_inputs(model: Layer) -> tuple[PyTree, ...]:
    """Symbolic inputs of a model that knows its own, or the shapes for which it was built.

    Raises:
        BuildError: they are not known.

    >>> import jkeras
    >>> known_inputs(jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(2)]))
    (<KerasTensor shape=(None, 4), dtype=float32, name=input_layer>,)
    """
    try:
        return (model.input,)
    except NeverCalledError:
        shapes = model.get_build_config() or {}
    if not shapes:
        raise BuildError.must(
            "the shapes of the model's inputs must be known",
            "a model that was never built",
            path=model.name,
            expected="an example of the inputs, or their specs",
            write="auto(model, mesh, jax.ShapeDtypeStruct((32, 128), 'int32'))",
        )
    return tuple(shapes.get("shapes_dict", shapes).values())


def _filled(leaf: Any, dtype: Any) -> Any:
    """The spec of an input or of a shape, with numbers for dimensions that are not known."""
    shape, sizes = (leaf if is_shape(leaf) else tuple(leaf.shape)), cast(tuple[Any, Any], SIZES[0])
    return jax.ShapeDtypeStruct(fill(shape, *sizes), dtype if is_shape(leaf) else leaf.dtype)


def _traced(function: Any, specs: tuple[PyTree, ...]) -> Any:
    """The program, with attention as products: that of kernels is not understood, and only where they are demanded."""
    try:
        with lowering_for("cpu"):
            return jax.make_jaxpr(function)(*specs)
    except ArgumentError:
        return jax.make_jaxpr(function)(*specs)
