"""Layer: an operation that declares variables and contains other layers. It holds no values.

build   declares variables from the shapes of the inputs
call    describes the computation; it runs only inside a scope
init    draws initial values: a key in, two trees out
stateless_call   runs the layer on two trees: outputs and new non-trainable values out
"""

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import registry, regularizers, tree
from jkeras.core import call as calls
from jkeras.core import scope as scopes
from jkeras.core import stateless
from jkeras.core.infer import infer, is_spec
from jkeras.core.input_spec import check_inputs
from jkeras.core.operation import Operation
from jkeras.core.scope import Scope
from jkeras.core.signature import CallSignature, align, shapes_of, tensor_arguments
from jkeras.core.stateless import Variables
from jkeras.core.structure import Structure
from jkeras.core.tensor import KerasTensor, any_symbolic, is_shape
from jkeras.core.weights import WeightOwner
from jkeras.errors import (
    ArgumentError,
    BuildError,
    JKerasError,
    LeafError,
    MissingCallError,
    OutsideScopeError,
    ShapeError,
)
from jkeras.typing import Array, Config, Key, PyTree


@registry.export("keras", "keras.layers")
class Layer(Operation, WeightOwner):
    """The declaration of one computation with weights; the base of all layers and models.

    A subclass declares weights in `build` (or `__init__`), describes its computation in `call`, and holds sublayers as
    attributes, in lists, tuples or dicts.

    Args:
        activity_regularizer: penalty on the outputs, added to the losses, per example.
        trainable: whether the weights belong to the trainable tree.
        dtype: a dtype name, a `DTypePolicy`, its config, or a `DTypePolicyMap`.
        autocast: whether float inputs and reads are cast to the compute dtype.
        name: the address in the tree of the owner; by default the attribute's name.

    Raises:
        ArgumentError: an unknown argument, a name with a slash, `trainable` that is no bool.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * jnp.broadcast_to(self.factor.value, inputs.shape)
    >>> layer, x = Scale(), jnp.full((1, 2), 3.0)
    >>> variables = layer.init(jax.random.key(0), x)
    >>> outputs, _ = layer.stateless_call(*variables, x)
    >>> outputs.tolist()
    [[3.0, 3.0]]
    """

    call_signature: CallSignature
    converts_inputs: bool = True
    allows_python_arguments: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _building(cls.build)  # type: ignore[method-assign]
        cls.call_signature = CallSignature(cls.call)

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name)
        self.declared_input_shape = _legacy_input_shape(kwargs, type(self).__name__)
        if kwargs:
            raise ArgumentError(
                f"unrecognized arguments: {sorted(kwargs)}.",
                path=type(self).__name__,
                expected=f"arguments of {type(self).__name__}: {', '.join(_own_parameters(type(self))[0])}"[:160],
            )
        if not isinstance(trainable, bool):
            raise ArgumentError(
                "`trainable` is no bool.", path=type(self).__name__, expected="True or False", received=repr(trainable)
            )
        WeightOwner.__init__(self, trainable=trainable, dtype=dtype, autocast=autocast)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.input_spec: Any = None
        self.context_arguments: tuple[str, ...] = ("training",)
        self._supports_masking: bool | None = None
        self._build_shapes: dict[str, Any] | None = None

    # -- running

    def __call__(self, *args: Any, **kwargs: Any) -> PyTree:
        """Records the call on symbolic tensors, runs it inside a scope, and raises anywhere else."""
        self.check_initialized()
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        scope = scopes.current()
        if scope is None:
            raise OutsideScopeError(
                "a layer holds no values, so it cannot be called on arrays by itself.",
                path=self.name,
                expected="a call inside another layer, a symbolic tensor, or the trees of values",
                write=f"variables = {self.name}.init(jax.random.key(0), x)\n"
                f"            outputs, non_trainable = {self.name}.stateless_call(*variables, x)",
            )
        return calls.run(self, scope, args, kwargs)

    def call(self, *args: Any, **kwargs: Any) -> PyTree:
        """What the layer computes."""
        raise MissingCallError(
            "the class describes no computation.", path=type(self).__name__, write="def call(self, inputs): ..."
        )

    def init(self, key: Key, *inputs: PyTree, **kwargs: Any) -> Variables:
        """Draws the initial values.

        Args:
            key: a PRNG key. A weight's value depends on it, the weight's path, shape and dtype, and on nothing else.
            inputs: what `call` takes: arrays, `jax.ShapeDtypeStruct`s, shape tuples or KerasTensors; only their
                shapes and dtypes matter. None are needed by a layer that is built.

        Returns:
            `Variables(trainable, non_trainable)`: nested dicts of arrays.

        Raises:
            BuildError: the layer is not built and no inputs are given.
        """
        self.check_initialized()
        stateless.as_key(key, self.name)
        if inputs or kwargs:
            self.infer_build(*inputs, **kwargs)
        elif not self.built:
            raise BuildError(
                "the shapes of the weights depend on the inputs, which are not known yet.",
                path=self.name,
                expected="an example of the inputs, or their specs",
                write=f'{self.name}.init(key, jax.ShapeDtypeStruct((32, 8), "float32"))',
            )
        return stateless.initialize(self.structure(), key)

    def stateless_call(
        self,
        trainable: Any,
        non_trainable: Any,
        *args: Any,
        training: bool | None = False,
        mask: PyTree = None,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Runs the layer on values: a pure function of its arguments.

        Args:
            trainable, non_trainable: the trees that `init` returned, or flat lists in the order of
                `trainable_variables` and `non_trainable_variables`.
            args, kwargs: what `call` takes.
            training: whether layers such as Dropout behave as in training.
            mask: the mask of the first argument.
            return_losses: whether to return the losses too.

        Returns:
            `(outputs, non_trainable)`, the new values in the form in which the old ones came; with `return_losses`
            also a dict `{path: scalar}` of added losses, activity penalties and weight penalties.

        Raises:
            BuildError: the layer is not built.
            LeafError: a leaf is missing, unknown, in the wrong tree or mis-shaped.
        """
        if mask is not None:
            kwargs["mask"] = mask
        outputs, non_trainable, scope, structure = self.run(trainable, non_trainable, args, kwargs, training=training)
        if not return_losses:
            return outputs, non_trainable
        return outputs, non_trainable, {**scope.losses, **stateless.penalties(structure, scope.values)}

    def run(
        self,
        trainable: Any,
        non_trainable: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        training: bool | None,
    ) -> tuple[PyTree, Any, Scope, Structure]:
        """`stateless_call`, with the scope that it ran in: for losses and masks."""
        self.check_initialized()
        if not self.built:
            raise BuildError(
                "the layer was never built, so nothing is known of its variables.",
                path=self.name,
                expected="`init` or `build` first",
                write=f"variables = {self.name}.init(jax.random.key(0), x)",
            )
        structure = self.structure()
        bound = stateless.bind(structure, trainable, non_trainable, self.name)
        scope = Scope(bound.values, structure.paths, context={"training": training})
        with scope.open():
            outputs = self(*args, **kwargs)
        return outputs, bound.collect(scope.values), scope, structure

    # -- building

    def build(self, input_shape: Any) -> None:
        """Declares the weights for inputs of a shape. By default the layer's `call` runs for shapes alone, which
        builds its sublayers."""
        structure = jax.tree.map(lambda shape: KerasTensor(shape, self.input_dtype), input_shape, is_leaf=is_shape)
        self.infer_build(structure)

    def infer_build(self, *inputs: Any, **kwargs: Any) -> PyTree:
        """Runs the layer for shapes alone, building what is not built; the outputs' specs."""
        specs = jax.tree.map(self._spec, (inputs, kwargs), is_leaf=lambda leaf: is_shape(leaf) and len(leaf) > 0)
        return infer(self._build_call, *specs[0], **specs[1])

    def _spec(self, leaf: Any) -> Any:
        if is_shape(leaf) and isinstance(leaf, tuple | list):
            return KerasTensor(leaf, self.input_dtype)
        return leaf if is_spec(leaf) or not isinstance(leaf, float | int) else jnp.asarray(leaf)

    def _build_call(self, *args: Any, **kwargs: Any) -> PyTree:
        scope = Scope(building=True)
        with scope.open():
            return calls.run(self, scope, args, kwargs)

    def build_for(self, path: str, shapes: dict[str, Any], call_names: tuple[str, ...]) -> None:
        """Calls `build` with the shapes of a call, as its parameters name them."""
        self.path = path
        if type(self).build is not Layer.build:
            self.build(**align(self.build, shapes, call_names, type(self).__name__))

    def mark_built(self, path: str, shapes: dict[str, Any]) -> None:
        """Notes that the layer has been called: from now on its variables are known."""
        if not self._built:
            self._built, self.path, self._build_shapes = True, path, self._build_shapes or shapes
            self.address_variables()

    @property
    def built(self) -> bool:
        """Whether the variables are known."""
        if self._built:
            return True
        if type(self).build is not Layer.build:
            return False
        return all(part.built for _, part in self.components() if isinstance(part, Layer))

    def get_build_config(self) -> Config | None:
        """The shapes that the layer was built for: `{"input_shape": ...}` or `{"shapes_dict": ...}`; `None` before."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": dict(self._build_shapes)}

    def build_from_config(self, config: Config) -> None:
        """Builds the layer for the shapes of `get_build_config`."""
        if config.get("input_shape") is not None:
            self.build(_shapes(config["input_shape"]))
        elif config.get("shapes_dict"):
            self.build(**{name: _shapes(shape) for name, shape in config["shapes_dict"].items()})

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs: from `compute_output_shape` where a subclass has one, else by running
        `call` for shapes alone. Builds the layer."""
        if type(self).compute_output_shape is not Layer.compute_output_shape and self._builds_from_shapes():
            return self._declared_output_spec(args, kwargs)
        try:
            return self.infer_build(*args, **kwargs)
        except JKerasError:
            raise
        except Exception as error:
            error.add_note(f"While inferring the outputs of layer '{self.path or self.name}' ({type(self).__name__}).")
            raise

    def _builds_from_shapes(self) -> bool:
        return self.built or type(self).build is not Layer.build

    def _declared_output_spec(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
        arguments = self.call_signature.bind(args, {k: v for k, v in kwargs.items() if self.call_signature.accepts(k)})
        tensors = tensor_arguments(arguments, self.name)
        shapes = shapes_of(tensors, self.call_signature.variadic)
        check_inputs(self.input_spec, next(iter(arguments.values()), None), self.name)
        if not self.built:
            self.build_for(self.path or "", shapes, tuple(arguments))
            check_inputs(self.input_spec, next(iter(arguments.values()), None), self.name)
        outputs = self.compute_output_shape(
            **align(self.compute_output_shape, shapes, tuple(arguments), type(self).__name__)
        )
        self.mark_built(self.path or "", shapes)
        if is_shape(outputs):
            return KerasTensor(outputs, self.compute_dtype)
        if not jax.tree.leaves(outputs, is_leaf=is_shape) or not all(
            map(is_shape, jax.tree.leaves(outputs, is_leaf=is_shape))
        ):
            raise ShapeError(
                "`compute_output_shape` returned no shape.",
                path=self.name,
                expected="a tuple of ints and None, or a structure of them",
                received=repr(outputs)[:80],
            )
        return jax.tree.map(lambda shape: KerasTensor(shape, self.compute_dtype), outputs, is_leaf=is_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The outputs' shapes for a structure of input shapes, `None` for dimensions that are not known."""
        specs = jax.tree.map(lambda shape: KerasTensor(shape, self.input_dtype), input_shape, is_leaf=is_shape)
        return jax.tree.map(lambda tensor: tensor.shape, self.infer_build(specs))

    # -- masks and losses

    @property
    def supports_masking(self) -> bool:
        """Whether masks pass through; by default whether the class overrides `compute_mask`."""
        if self._supports_masking is None:
            return type(self).compute_mask is not Layer.compute_mask
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    def compute_mask(self, inputs: PyTree, previous_mask: PyTree) -> PyTree:
        """The outputs' mask from the inputs and their mask; by default that mask."""
        return previous_mask

    def add_loss(self, loss: PyTree) -> None:
        """Adds a scalar, or several in a structure, to the losses of this call. Needs a scope."""
        scope = scopes.require(f"Layer '{self.name}'.add_loss", "self.add_loss(penalty)   # inside `call`")
        for leaf in jax.tree.leaves(loss):
            if not hasattr(leaf, "shape") and not isinstance(leaf, int | float):
                raise ArgumentError(
                    "a loss is no tensor.", path=self.name, expected="a scalar", received=type(leaf).__name__
                )
            scope.add_loss(tree.join(scope.paths.get(self, self.path or ""), "add_loss"), jnp.asarray(leaf))

    @property
    def losses(self) -> list[Array]:
        """Inside a scope: what this layer and its sublayers have added so far, and their weight penalties."""
        scope = scopes.require(
            f"Layer '{self.name}'.losses",
            "outputs, non_trainable, losses = layer.stateless_call(..., return_losses=True)",
        )
        path = scope.paths.get(self, "")
        added = [loss for name, loss in scope.losses.items() if not path or name.startswith(path + tree.SEPARATOR)]
        values = {variable: scope.read(variable) for variable in self.trainable_variables}
        return added + list(stateless.penalties(self.structure(), values).values())

    def register_context_arguments(self, *names: str) -> None:
        """Makes further arguments travel from caller to callee as `training` does."""
        self.context_arguments += tuple(name for name in names if name not in self.context_arguments)

    # -- values and configs

    def repartition(self, variables: tuple[Any, Any], key: Key | None = None) -> Variables:
        """The same values split anew, after `trainable` has been changed or LoRA enabled. No value changes.

        Args:
            variables: the two trees.
            key: draws the values of variables that were declared since, such as LoRA's pairs.

        Raises:
            LeafError: a declared variable has no value and there is no key.
        """
        draw = None if key is None else functools.partial(stateless.draw, key=stateless.as_key(key, self.name))
        return stateless.repartition(self.structure(), variables, self.name, draw)

    def get_weights(self, variables: tuple[Any, Any]) -> list[np.ndarray]:
        """The values of `weights`, in their order, as NumPy arrays."""
        structure = self.structure()
        values = stateless.bind(structure, *variables, self.name).values
        return [np.asarray(values[weight]) for weight in self.weights]

    def set_weights(self, variables: tuple[Any, Any], weights: Sequence[Any]) -> Variables:
        """The same trees with the values of `weights` replaced.

        Raises `LeafError` where the number of arrays or a shape differs.
        """
        structure = self.structure()
        bound = stateless.bind(structure, *variables, self.name)
        declared = self.weights
        if len(weights) != len(declared):
            raise LeafError(
                "wrong number of weights.",
                path=self.name,
                expected=f"{len(declared)} arrays",
                received=f"{len(weights)} arrays",
            )
        values = dict(bound.values)
        for variable, value in zip(declared, weights, strict=True):
            if np.shape(value) != variable.shape:
                path = structure.declarations[variable].path
                raise LeafError(
                    "the weight has another shape.", path=path, expected=variable.shape, received=np.shape(value)
                )
            values[variable] = jnp.asarray(value, bound.values[variable].dtype)
        sides = [tree.unflatten({d.path: values[d.variable] for d in side}) for side in structure.split()]
        return Variables(*sides)

    def get_config(self) -> Config:
        """The arguments of `Layer`, and those of a subclass that has no `get_config` of its own.

        A built-in keeps each argument as the attribute of the same name. A class of yours needs plain arguments.
        """
        self.check_initialized()
        base: Config = {
            "name": self.explicit_name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.declared_dtype_policy),
        }
        if self.activity_regularizer is not None:
            base["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if type(self).get_config is not Layer.get_config and not self._is_builtin():
            return base
        own, takes_all = _own_parameters(type(self))
        config = {key: value for key, value in base.items() if takes_all or key in own}
        if self._is_builtin():
            return {**config, **{name: _serialize_argument(getattr(self, name)) for name in own if name not in base}}
        return {**config, **{name: value for name, value in Operation.get_config(self).items() if name not in base}}

    def _is_builtin(self) -> bool:
        return any(registry.is_builtin(cls) for cls in type(self).__mro__ if cls is not Layer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _shapes(shapes: Any) -> Any:
    """Shapes read from JSON: lists of dimensions become tuples."""
    return jax.tree.map(lambda shape: tuple(shape) if is_shape(shape) else shape, shapes, is_leaf=is_shape)


def _own_parameters(cls: type) -> tuple[list[str], bool]:
    """The arguments of a layer's constructor and of the bases that it passes keywords on to, `Layer` apart; and
    whether `Layer`'s own are taken too."""
    names: list[str] = []
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        if base is Layer:
            return names, True
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in names]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names, False


def _serialize_argument(value: Any) -> Any:
    """The config of one argument: built-in functions by their bare name."""
    if callable(value) and not hasattr(value, "get_config") and registry.is_builtin(value):
        return registry.serialize(value)["config"]
    return registry.serialize(value)


def _legacy_input_shape(kwargs: dict[str, Any], owner: str) -> Any:
    """The shape given in the old way, with a warning; `None` where none is."""
    shape = kwargs.pop("input_shape", None)
    dim = kwargs.pop("input_dim", None)
    if shape is None and dim is None:
        return None
    warnings.warn(
        f"`{owner}(input_shape=...)` is the old way to declare inputs: put `jkeras.Input(shape)` before the layer.",
        stacklevel=4,
    )
    return (None, *(shape if shape is not None else (dim,)))


def _building(build: Callable[..., None]) -> Callable[..., None]:
    """`build` as users call it: it declares once, and refuses other shapes afterwards."""

    @functools.wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        self.check_initialized()
        if self._is_building:  # super().build(...)
            build(self, *args, **kwargs)
            return
        bound = inspect.signature(build).bind(self, *args, **kwargs)
        shapes = {name: _shapes(shape) for name, shape in list(bound.arguments.items())[1:]}
        if self._built:
            _check_compatible(self, shapes)
            return
        self._is_building = True
        try:
            build(self, **shapes)
        finally:
            self._is_building = False
        self._built, self._build_shapes = True, shapes
        self.path = self.path or ""
        self.address_variables()

    return wrapped


def _check_compatible(layer: Layer, shapes: Mapping[str, Any]) -> None:
    """Raises `BuildError` unless a built layer takes these shapes too. The batch axis is free."""
    before = jax.tree.leaves(dict(layer._build_shapes or {}), is_leaf=is_shape)
    after = jax.tree.leaves(dict(shapes), is_leaf=is_shape)
    if layer.input_spec is not None:
        specs = jax.tree.map(
            lambda shape: KerasTensor(shape, layer.input_dtype), next(iter(shapes.values()), None), is_leaf=is_shape
        )
        check_inputs(layer.input_spec, specs, layer.path or layer.name)
        return
    for old, new in zip(before, after, strict=False):
        fits = len(old) == len(new) and all(
            a is None or b is None or a == b for a, b in zip(old[1:], new[1:], strict=True)
        )
        if not fits:
            raise BuildError(
                "the layer is already built for another shape.",
                path=layer.path or layer.name,
                expected=f"inputs of shape {old}",
                received=f"inputs of shape {new}",
                write=f"{type(layer).__name__}(...)   # another layer for other inputs",
            )


Layer.call_signature = CallSignature(Layer.call)
