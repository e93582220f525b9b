"""How a layer runs inside a scope: what happens around `call`.

In order: arrays are converted and cast to the compute dtype; the inputs are checked against the layer's `input_spec`;
a building scope builds the layer from the shapes; context arguments (`training`) and masks that were not given are
filled in; `call` runs below the layer's path; its activity penalty and its outputs' masks are recorded.
"""

import contextlib
import os
import traceback
import warnings
from typing import Any

import jax
import numpy as np

from jkeras import dtypes, tree
from jkeras.core import building
from jkeras.core.arrays import from_numpy
from jkeras.core.input_spec import check_inputs
from jkeras.core.protocol import LayerLike
from jkeras.core.scope import Frame, Scope
from jkeras.core.signature import is_tensor, shapes_of, tensor_arguments
from jkeras.core.structure import Component
from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError, BuildError, JKerasError
from jkeras.typing import PyTree


def run(layer: LayerLike, scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
    """`layer(*args, **kwargs)` in a scope; the outputs."""
    path = address(layer, scope)
    label = path or layer.name
    if scope.building and layer.path is None:
        layer.path = path  # before anything runs: a map of dtype policies goes by it, and messages of `call` name it
    args, kwargs = _convert(layer, scope, args, kwargs, label)
    context = _context(layer, scope, kwargs)
    explicit_mask = kwargs.get("mask")
    signature = layer.call_signature
    call_kwargs = kwargs if signature.accepts("mask") or signature.catches_all else _without(kwargs, "mask")
    try:
        arguments = signature.bind(args, call_kwargs)
    except TypeError as error:
        _locate(error, layer, label, {})
        raise
    first = next(iter(arguments.values()), None)
    tensors = tensor_arguments(arguments, signature.variadic, label)

    check_inputs(layer.input_spec, first, label)
    _ensure_built(layer, scope, path, label, tensors, arguments)

    fill_masks(scope, tensors, arguments, call_kwargs)
    mask = call_kwargs.get("mask") if explicit_mask is None else explicit_mask
    previous_mask = mask if mask is not None else jax.tree.map(scope.mask_of, first)

    if scope.watch is not None:
        scope.watch(layer, first)
    with _named(path, layer, scope), scope.entering(Frame(layer, path, context, cast_dtype(layer))):
        try:
            outputs = scope.pinned(path, scope.probed(path, _read(layer.call(*args, **call_kwargs))))
        except Exception as error:
            _locate(error, layer, label, tensors)
            raise
        _penalize_activity(layer, scope, path, outputs)
    if scope.building:
        building.called_inside(layer, scope, path, shapes_of(tensors), tuple(arguments))
    _mask_outputs(layer, scope, label, first, outputs, previous_mask)
    return outputs


def _read(outputs: PyTree) -> PyTree:
    """The outputs of `call`, with the values of variables that it returns as they are."""
    if isinstance(outputs, Variable | list | tuple | dict):
        return jax.tree.map(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, outputs)
    return outputs


CALLING = "While calling layer"
JAX = os.path.dirname(jax.__file__)


def _locate(error: Exception, layer: LayerLike, label: str, tensors: dict[str, PyTree]) -> None:
    """Notes on an error the innermost layer that it left; our own errors name their place already."""
    if isinstance(error, JKerasError) or any(note.startswith(CALLING) for note in getattr(error, "__notes__", ())):
        return
    shapes = ", ".join(f"{name}={shape}" for name, shape in shapes_of(tensors).items())
    error.add_note(f"{CALLING} '{label}' ({type(layer).__name__}){f' with {shapes}' if shapes else ''}.")
    if isinstance(error, jax.errors.ConcretizationTypeError):
        error.add_note(
            f"{_place(error)}: a value that is traced is known only when the program runs. Write"
            " jnp.where(condition, a, b), or jax.lax.cond(condition, f, g, x)."
        )


def _place(error: Exception) -> str:
    """The file and line that an exception comes from, JAX aside."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if JAX not in frame.filename]
    return f"{own[-1].filename}:{own[-1].lineno}"


def _without(kwargs: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key != name}


def _named(path: str, layer: LayerLike, scope: Scope) -> contextlib.AbstractContextManager[Any]:
    """Names the layer's operations in the compiled program; shapes alone need no names."""
    if scope.building:
        return contextlib.nullcontext()
    caller = scope.frames[-1].path if scope.frames else ""
    return jax.named_scope(path.removeprefix(caller).strip(tree.SEPARATOR) or layer.name)


def address(layer: LayerLike, scope: Scope) -> str:
    """The path of a layer in a scope: its place below the layers that are being called.

    A layer that no attribute holds (one without variables, made inside `call`) gets its caller's path and its own name.
    """
    if (path := scope.paths.get(layer)) is not None:
        return path
    if not scope.frames:
        scope.paths[layer] = ""
        return ""
    # A running scope knows every part from the start. A building one does not: `build` and `call` still make parts.
    for frame in reversed(scope.frames) if scope.building else ():
        for name, part in reachable(frame.layer):
            scope.paths.setdefault(part, tree.join(frame.path, name))
        if (path := scope.paths.get(layer)) is not None:
            return path
    return tree.join(scope.frames[-1].path, layer.name)


def reachable(layer: Component) -> list[tuple[str, Any]]:
    """The components directly inside a layer, then those inside them, with their paths."""
    found: list[tuple[str, Any]] = []
    seen = {id(layer)}
    level = [("", layer)]
    while level:
        parts = [
            (tree.join(path, name), part)
            for path, owner in level
            for name, part in owner.components()
            if isinstance(part, Component) and id(part) not in seen
        ]
        seen.update(id(part) for _, part in parts)
        found += parts
        level = parts
    return found


def cast_dtype(layer: LayerLike) -> str | None:
    """The dtype to which reads are cast inside a layer, `None` for no cast."""
    compute = layer.compute_dtype
    return compute if layer.autocast and dtypes.is_float(compute) else None


def _convert(
    layer: LayerLike, scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any], label: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """NumPy arrays become JAX arrays, floats the layer's input dtype; a converted value keeps its mask."""
    if not layer.converts_inputs:
        return args, dict(kwargs)
    target = layer.input_dtype if layer.autocast else None

    def convert(leaf: Any) -> Any:
        if not is_tensor(leaf):
            return leaf
        new = from_numpy(leaf, label) if isinstance(leaf, np.ndarray | np.generic) else leaf
        if target is not None and new.dtype != target and dtypes.is_float(new.dtype):
            new = new.astype(target)
        if new is not leaf:
            scope.set_mask(new, scope.mask_of(leaf))
        return new

    if not layer.allows_python_arguments:
        for leaf in jax.tree.leaves(args):
            if not is_tensor(leaf):
                raise ArgumentError(
                    "only tensors may be passed by position.",
                    path=label,
                    expected="an array",
                    received=f"{leaf!r} (a {type(leaf).__name__})"[:80],
                    write=f"{layer.name}(x, argument={leaf!r})"[:100],
                )
    return jax.tree.map(convert, args), jax.tree.map(convert, dict(kwargs))


def _context(layer: LayerLike, scope: Scope, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Resolves context arguments in `kwargs`: the given value, else the caller's, else the default of `call`."""
    context = dict(scope.frames[-1].context) if scope.frames else dict(scope.context)
    for name in layer.context_arguments:
        accepted = layer.call_signature.accepts(name)
        value = kwargs.get(name) if accepted else kwargs.pop(name, None)
        if value is None:
            value = context.get(name)
        if value is None and accepted:
            value = layer.call_signature.default(name)
        if accepted and value is not None:
            kwargs[name] = value
        context[name] = value
    return context


def _ensure_built(
    layer: LayerLike, scope: Scope, path: str, label: str, tensors: dict[str, PyTree], arguments: dict[str, Any]
) -> None:
    if layer.built:
        return
    if not scope.building:
        raise BuildError(
            "the layer must be built before it is called.",
            path=label,
            expected="a part of the layer that calls it, made in `__init__` or `build`",
            received=f"a {type(layer).__name__} that no attribute holds, made in `call`"
            if scope.frames and layer not in scope.paths
            else f"a {type(layer).__name__}",
            write=f"self.{layer.name} = {type(layer).__name__}(...)   # in `__init__`",
        )
    shapes = shapes_of(tensors)
    building.build_inside(layer, scope, path, shapes, tuple(arguments))
    check_inputs(layer.input_spec, next(iter(arguments.values()), None), label)


def fill_masks(scope: Scope, tensors: dict[str, PyTree], arguments: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """Fills `mask` (one tensor argument) or `<argument>_mask` (several) that `call` takes and nobody gave."""
    if len(tensors) == 1:
        wanted = {"mask": next(iter(tensors.values()))}
    else:
        wanted = {f"{name}_mask": value for name, value in tensors.items()}
    for name, value in wanted.items():
        if name in arguments and arguments[name] is None:
            mask = jax.tree.map(scope.mask_of, value)
            if any(leaf is not None for leaf in jax.tree.leaves(mask, is_leaf=lambda leaf: leaf is None)):
                kwargs[name] = mask


def _penalize_activity(layer: LayerLike, scope: Scope, path: str, outputs: PyTree) -> None:
    """Records the activity penalty of each output, per example."""
    if layer.activity_regularizer is None:
        return
    for output in jax.tree.leaves(outputs):
        penalty = layer.activity_regularizer(output)
        scope.add_loss(tree.join(path, "activity_regularizer"), penalty / output.shape[0] if output.ndim else penalty)


def _mask_outputs(
    layer: LayerLike, scope: Scope, label: str, first: PyTree, outputs: PyTree, previous_mask: PyTree
) -> None:
    """Gives the outputs the masks that the layer computes from its inputs'."""
    masked = any(leaf is not None for leaf in jax.tree.leaves(previous_mask, is_leaf=lambda leaf: leaf is None))
    if not layer.supports_masking:
        if masked:
            warnings.warn(
                f"Layer '{label}' ({type(layer).__name__}) does not support masking: the mask of its input ends here. "
                "Set `self.supports_masking = True` to pass it on, or override `compute_mask`.",
                stacklevel=2,
            )
        return
    leaves = jax.tree.leaves(outputs)
    if not leaves or all(scope.mask_of(leaf) is not None for leaf in leaves):
        return
    masks = layer.compute_mask(first, previous_mask if masked else None)
    if masks is None:
        return
    flat = (
        [masks] if len(leaves) == 1 and is_tensor(masks) else jax.tree.leaves(masks, is_leaf=lambda leaf: leaf is None)
    )
    for leaf, mask in zip(leaves, flat, strict=False):
        scope.set_mask(leaf, mask)
