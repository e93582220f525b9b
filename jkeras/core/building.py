"""Building: from the shapes of a first call to declared weights.

A layer is built once. Its `build` gets the shapes of the tensors that `call` got, and declares. It runs outside of any
trace, so constants that it computes are arrays and may be kept. A layer whose class has no `build` is built when its
`call` has run for shapes alone, which builds its sublayers. Afterwards the layer takes any inputs that fit the weights,
and `build` for others is an error.
"""

import contextvars
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jkeras import tree
from jkeras.core.input_spec import check_inputs
from jkeras.core.protocol import LayerLike
from jkeras.core.scope import Frame, Scope
from jkeras.core.signature import align, shapes_of, tensor_arguments
from jkeras.core.tensor import KerasTensor, is_shape
from jkeras.errors import BuildError, ShapeError
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import Config, PyTree, ShapeTree

Shapes = dict[str, PyTree]

LARGE = 2**20  # bytes of constants in one attribute of a layer, from which on a warning says that a weight is better


def tuples(shapes: ShapeTree | None) -> PyTree:
    """Shapes read from JSON: lists of dimensions become tuples.

    >>> tuples({"a": [None, 3], "b": [[2], [4]]})
    {'a': (None, 3), 'b': [(2,), (4,)]}
    """
    return jax.tree.map(lambda shape: tuple(shape) if is_shape(shape) else shape, shapes, is_leaf=is_shape)


def as_tensors(shapes: ShapeTree | None, dtype: str) -> PyTree:
    """Symbolic tensors in place of shapes.

    >>> as_tensors({"a": (None, 3)}, "float32")
    {'a': <KerasTensor shape=(None, 3), dtype=float32, name=keras_tensor>}
    """
    return jax.tree.map(lambda shape: KerasTensor(shape, dtype), shapes, is_leaf=is_shape)


def once(build: Callable[..., None]) -> Callable[..., None]:
    """`build` as users call it: it declares once, and refuses other shapes afterwards."""
    signature = inspect.signature(build)

    @functools.wraps(build)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        self.check_initialized()
        if self._is_building:  # super().build(...)
            build(self, *args, **kwargs)
            return
        shapes = tuples(dict(list(signature.bind(self, *args, **kwargs).arguments.items())[1:]))
        if self._built:
            check_compatible(self, shapes)
            return
        declared = list(self.own_variables)
        owners = _owners.get()
        if self.path is None and owners:
            self.path = place(owners[-1], self)
        self._is_building, token = True, _owners.set((*owners, self))
        try:
            with jax.ensure_compile_time_eval():  # constants that `build` computes are arrays, whatever traces `init`
                build(self, **shapes)
        except BaseException:
            self.own_variables = declared  # what a failed build has declared is declared again by the next
            raise
        finally:
            self._is_building = False
            _owners.reset(token)
        finish(self, self.path or "", shapes or self._build_shapes or {})  # `build` may know the shapes by itself

    return wrapped


_owners: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("owners", default=())  # being built


def place(owner: Any, part: Any) -> str:
    """The path of a part that its owner builds: where an attribute holds it, else its name below the owner."""
    return tree.join(owner.path or "", owner.structure().components.get(part) or part.name)


def finish(layer: LayerLike, path: str, shapes: Shapes) -> None:
    """Notes that the variables of a layer are known, and for which shapes they were declared."""
    layer._built, layer.path, layer._build_shapes = True, path, shapes
    layer.settle_dtype_policy()
    layer.address_variables()
    _warn_of_large_constants(layer)


def _warn_of_large_constants(layer: LayerLike) -> None:
    """Warns of large arrays in the attributes of a layer: each program that calls the layer has a copy of them."""
    for attribute, value in vars(layer).items():
        held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else (value,)
        size = sum(each.nbytes for each in held if isinstance(each, jax.Array | np.ndarray))
        if size > LARGE:
            warnings.warn(
                f"{layer._label}: the attribute `{attribute}` holds {size / 2**20:.1f} MiB of constants, "
                "which are copied into every compiled function that calls the layer. Declare a weight instead: "
                f"self.{attribute} = self.add_weight(shape=..., initializer=..., trainable=False).",
                stacklevel=2,
            )


def build_inside(layer: LayerLike, scope: Scope, path: str, shapes: Shapes, call_names: tuple[str, ...]) -> None:
    """Calls a layer's `build`, if its class has one, with the shapes of a call in a building scope."""
    if layer.overrides_build:
        layer.path = path
        with scope.entering(Frame(layer, path, {}, None)):
            layer.build(**align(layer.build, shapes, call_names, type(layer).__name__))
        scope.newborn[layer] = scope.run


def called_inside(layer: LayerLike, scope: Scope, path: str, shapes: Shapes, call_names: tuple[str, ...]) -> None:
    """Notes that a call in a building scope is over: a layer without `build` is built now.

    Where dimensions are unknown, one inference may run a layer for several sizes: what it was built for is then what
    the sizes have in common.
    """
    if not layer._built:
        finish(layer, path, shapes)
        scope.newborn[layer] = scope.run
    elif scope.newborn.get(layer, scope.run) is not scope.run:
        scope.newborn[layer] = scope.run
        if layer.overrides_build:
            shapes = align(layer.build, shapes, call_names, type(layer).__name__)
        layer._build_shapes = {
            name: _common(shape, shapes.get(name)) for name, shape in (layer._build_shapes or {}).items()
        }


def _common(one: PyTree, two: PyTree) -> PyTree:
    """The shapes that two runs agree on, dimension by dimension."""
    if is_shape(one) and is_shape(two) and len(one) == len(two):
        return tuple(a if a == b else None for a, b in zip(one, two, strict=True))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return {name: _common(shape, two.get(name)) for name, shape in one.items()}
    if isinstance(one, list | tuple) and isinstance(two, list | tuple) and not is_shape(one):
        return type(one)(_common(a, b) for a, b in zip(one, two, strict=False))
    return one


def config_of(shapes: Shapes | None) -> Config | None:
    """What `get_build_config` returns for the shapes that a layer was built for."""
    if shapes is None:
        return None
    if len(shapes) == 1:
        return {"input_shape": next(iter(shapes.values()))}
    return {"shapes_dict": dict(shapes)}


def check_compatible(layer: LayerLike, shapes: Mapping[str, Any]) -> None:
    """Raises `BuildError` or `ShapeError` unless a built layer takes these shapes too. The batch axis is free."""
    shapes = {name: shape for name, shape in shapes.items() if shape is not None}
    if not shapes:
        return
    if layer.input_spec is not None:
        first = as_tensors(next(iter(shapes.values()), None), layer.input_dtype)
        check_inputs(layer.input_spec, first, layer._label)
        return
    before = jax.tree.leaves(dict(layer._build_shapes or {}), is_leaf=is_shape)
    after = jax.tree.leaves(dict(shapes), is_leaf=is_shape)
    for old, new in zip(before, after, strict=False):
        fits = len(old) == len(new) and all(
            a is None or b is None or a == b for a, b in zip(old[1:], new[1:], strict=True)
        )
        if not fits:
            raise BuildError(
                "cannot build the layer again for another shape.",
                path=layer._label,
                expected=f"inputs of shape {old}",
                received=f"inputs of shape {new}",
                write=f"{type(layer).__name__}(...)   # another layer for other inputs",
            )


def declared_output_spec(layer: LayerLike, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
    """The outputs of a call as the layer's own `compute_output_shape` describes them, after building it.

    `None` where the layer cannot be built without running `call`: it has no `build`, or parts that `build` leaves out.
    """
    signature, path = layer.call_signature, layer.path or ""
    arguments = signature.bind(args, {name: value for name, value in kwargs.items() if signature.accepts(name)})
    shapes = shapes_of(tensor_arguments(arguments, signature.variadic, layer.name))
    first, names = next(iter(arguments.values()), None), tuple(arguments)
    check_inputs(layer.input_spec, first, path or layer.name)
    if not layer.built:
        build_inside(layer, Scope(building=True), path, shapes, names)
        check_inputs(layer.input_spec, first, path or layer.name)
    if not all(getattr(part, "built", True) for part in layer.structure().components):
        return None
    outputs = layer.compute_output_shape(**align(layer.compute_output_shape, shapes, names, type(layer).__name__))
    if not layer._built:
        finish(layer, path, shapes)
    leaves = jax.tree.leaves(outputs, is_leaf=is_shape)
    if not leaves or not all(map(is_shape, leaves)):
        raise ShapeError(
            "`compute_output_shape` must return a shape, or a structure of shapes.",
            path=path or layer.name,
            expected="a tuple of ints and None, or a structure of them",
            received=repr(outputs)[:80],
        )
    dtype = layer.compute_dtype
    # int64 is int32 unless 64 bits are enabled
    return as_tensors(outputs, dtype if dtype == "string" else canonical_dtype(dtype).name)
