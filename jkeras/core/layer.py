"""Layer: an operation that declares variables and contains other layers. It holds no values.

build   declares variables from the shapes of the inputs
call    describes the computation; it runs only inside a scope
init    draws initial values: a key in, two trees out
stateless_call   runs the layer on two trees: outputs and new non-trainable values out
"""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import registry, regularizers, slots
from jkeras.core import building, describe, stateless
from jkeras.core import call as calls
from jkeras.core import scope as scopes
from jkeras.core.infer import infer
from jkeras.core.losses import AddsLosses
from jkeras.core.masked import infer_with_masks, takes_mask
from jkeras.core.operation import Operation
from jkeras.core.probe import Pinning, Probe, by_path
from jkeras.core.scope import Scope
from jkeras.core.signature import CallSignature
from jkeras.core.stateless import Variables
from jkeras.core.structure import Structure
from jkeras.core.tensor import KerasTensor, any_symbolic, is_shape
from jkeras.dtypes import PolicyLike
from jkeras.errors import ArgumentError, BuildError, JKerasError, MissingCallError, OutsideScopeError, elsewhere
from jkeras.typing import ArraySpec, Config, Key, PyTree, RegularizerLike


@elsewhere(
    *("metrics", "metrics_variables", "add_metric"),
    expected="metrics of a Trainer, and their states in its TrainState",
    write="trainer = jkeras.Trainer(model, metrics=['accuracy'])\n            values = trainer.results(state)",
)
@elsewhere(
    *("quantize", "quantized_build", "quantized_call", "quantization_mode"),
    expected="layers that compute in the dtypes of their policy; they are not quantized",
    write="layer = type(layer)(..., dtype='mixed_bfloat16')",
)
@elsewhere(
    "rematerialized_call",
    expected="`jkeras.remat` where the layer is called, or `layers.Remat` around it",
    write="outputs = jkeras.remat(layer)(inputs)",
)
@registry.export("keras", "keras.layers")
class Layer(Operation, AddsLosses):
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
    overrides_build: bool = False
    converts_inputs: bool = True
    allows_python_arguments: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = building.once(cls.build)  # type: ignore[method-assign]
            cls.overrides_build = True
        cls.call_signature = CallSignature(cls.call)

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: PolicyLike = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name)
        self.declared_input_shape = describe.legacy_input_shape(kwargs, type(self).__name__)
        if kwargs:
            raise ArgumentError(
                f"unrecognized arguments: {sorted(kwargs)}.",
                path=type(self).__name__,
                expected=f"arguments of {type(self).__name__}: {', '.join(describe.parameters(type(self), Layer)[0])}"[
                    :160
                ],
            )
        if not isinstance(trainable, bool):
            raise ArgumentError(
                "`trainable` must be a bool.",
                path=type(self).__name__,
                expected="True or False",
                received=repr(trainable),
            )
        AddsLosses.__init__(self, trainable=trainable, dtype=dtype, autocast=autocast)
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
                f"            outputs, non_trainable = {self.name}.stateless_call(*variables, x)\n"
                f"            {self.name}(layers.Lambda(lambda _: x)(inputs))   # in a functional model",
            )
        return calls.run(self, scope, args, kwargs)

    def call(self, *args: Any, **kwargs: Any) -> PyTree:
        """What the layer computes."""
        raise MissingCallError(
            "the class must define `call`.", path=type(self).__name__, write="def call(self, inputs): ..."
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
        self.address_variables()
        return stateless.initialize(self.structure(), key)

    def stateless_call(
        self,
        trainable: Any = None,
        non_trainable: Any = None,
        *args: Any,
        training: bool | None = False,
        mask: PyTree = None,
        return_losses: bool = False,
        capture: str | None = None,
        replace: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Runs the layer on values: a pure function of its arguments.

        Args:
            trainable, non_trainable: the trees that `init` returned, or flat lists in the order of
                `trainable_variables` and `non_trainable_variables`, which are their names as keywords, too.
            args, kwargs: what `call` takes.
            training: whether layers such as Dropout behave as in training.
            mask: the mask of the first argument.
            return_losses: whether to return the losses too.
            capture: a pattern, searched in paths with `re.search`, of the layers inside whose outputs are returned too.
            replace: by path, an array in place of what a layer inside returns, or a function of what it returns.

        Returns:
            `(outputs, non_trainable)`, the new values in the form in which the old ones came; with `return_losses`
            also a dict `{path: scalar}` of added losses, activity penalties and weight penalties; with `capture` last a
            dict `{path: outputs}`. A layer that runs several times has a tuple there. What layers in a `Stack` return,
            or in the transforms of jkeras, has the axis of the loop first, and so has an array that replaces it.

        Raises:
            BuildError: the layer is not built.
            LeafError: a leaf is missing, unknown, in the wrong tree or mis-shaped.
            ArgumentError: no layer that `capture` or `replace` names ran.
        """
        self.check_initialized()
        trainable = stateless.named("trainable_variables", trainable, kwargs, self.name)
        non_trainable = stateless.named("non_trainable_variables", non_trainable, kwargs, self.name)
        if mask is not None:
            kwargs["mask"] = mask
        probe = None if capture is None and replace is None else Probe(capture, replace)
        outputs, new, scope, structure = self.run(
            trainable, non_trainable, args, kwargs, training=training, probe=probe
        )
        results = [outputs, new]
        if return_losses:
            results.append({**scope.losses, **stateless.penalties(structure, scope.values)})
        if probe is not None:
            probe.check(scope.captured)
            results += [] if capture is None else [by_path(scope.captured)]
        return tuple(results)

    def run(
        self,
        trainable: Any,
        non_trainable: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        training: bool | None,
        probe: Probe | None = None,
        pins: Pinning | None = None,
        origins: bool = False,
    ) -> tuple[PyTree, Any, Scope, Structure]:
        """`stateless_call`, with the scope that it ran in: for losses, masks and what layers return; with `origins`
        also for what linear layers computed their outputs of."""
        self.check_initialized()
        if not self.built:
            raise BuildError(
                "the layer must be built before it is called.",
                path=self.name,
                expected="`init` or `build` first",
                write=f"variables = {self.name}.init(jax.random.key(0), x)",
            )
        structure = self.structure()
        bound = stateless.bind(structure, trainable, non_trainable, self.name)
        scope = Scope(bound.values, structure.paths, context={"training": training}, probe=probe, pins=pins)
        scope.origins = {} if origins else None
        with scope.open():
            outputs = self(*args, **kwargs)
        return outputs, bound.collect(scope.values), scope, structure

    # -- building

    def build(self, *shapes: Any, **named_shapes: Any) -> None:
        """Declares the weights for inputs of a shape. By default the layer's `call` runs for shapes alone, which
        builds its sublayers. `super().build(input_shape)` in a `build` of a subclass does nothing.

        Args:
            shapes: of the arguments of `call`, in their order.
            named_shapes: `x_shape` for the argument `x` of `call`; `input_shape` for the first one.
        """
        if not self._is_building:
            self._infer_shapes(shapes, named_shapes)

    def _infer_shapes(self, shapes: tuple[Any, ...], named_shapes: dict[str, Any]) -> PyTree:
        """The outputs' specs for shapes of the arguments of `call`."""
        if "input_shape" in named_shapes and not self.call_signature.accepts("input"):
            shapes = (named_shapes.pop("input_shape"), *shapes)
        tensors = functools.partial(building.as_tensors, dtype=self.input_dtype)
        named = {name.removesuffix("_shape"): tensors(shape) for name, shape in named_shapes.items()}
        return self._infer(tuple(map(tensors, shapes)), named)

    def infer_build(self, *inputs: Any, **kwargs: Any) -> PyTree:
        """Runs the layer for shapes alone, building what is not built; the outputs' specs.

        Args:
            inputs: arrays, specs, symbolic tensors, shapes, or structures of them.
            kwargs: what else `call` takes, as it is.
        """
        specs = tuple(jax.tree.map(self._spec, each, is_leaf=is_shape) for each in inputs)
        return self._infer(specs, kwargs)

    def _spec(self, leaf: ArraySpec) -> Any:
        if is_shape(leaf):
            return KerasTensor(leaf, self.input_dtype)
        return jnp.asarray(leaf) if isinstance(leaf, float | int) else leaf

    def _infer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyTree:
        newborn: dict[Any, object] = {}

        def run_building(*args: Any, **kwargs: Any) -> PyTree:
            with Scope(building=True, newborn=newborn).open() as scope:
                return calls.run(self, scope, args, kwargs)

        return infer(run_building, *args, **kwargs)

    @property
    def built(self) -> bool:
        """Whether the variables are known."""
        return self._built or self._parts_are_built()

    @built.setter
    def built(self, value: bool) -> None:
        """`self.built = True`, which layers written for Keras end their `build` with, changes nothing."""

    def _parts_are_built(self) -> bool:
        return not self.overrides_build and all(part.built for _, part in self.components() if isinstance(part, Layer))

    def get_build_config(self) -> Config | None:
        """The shapes that the layer was built for: `{"input_shape": ...}` or `{"shapes_dict": ...}`; `None` before."""
        return building.config_of(self._build_shapes)

    def build_from_config(self, config: Config) -> None:
        """Builds the layer for the shapes of `get_build_config`."""
        if config.get("input_shape") is not None:
            self.build(building.tuples(config["input_shape"]))
        elif shapes := building.tuples(config.get("shapes_dict")):
            self.build(**shapes)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs: by `compute_output_shape` of a subclass, else by running `call`. Builds."""
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            outputs = building.declared_output_spec(self, args, kwargs)
            if outputs is not None:
                return outputs
        try:
            return self._infer(args, kwargs)
        except Exception as error:
            if isinstance(error, JKerasError):
                raise
            if takes_mask(self) and (outputs := infer_with_masks(self, args, kwargs)) is not None:
                return outputs
            error.add_note(f"While inferring the outputs of layer '{self._label}' ({type(self).__name__}).")
            raise

    def compute_output_shape(self, *shapes: Any, **named_shapes: Any) -> Any:
        """The outputs' shapes, `None` for dimensions that are not known. Arguments as in `build`.

        >>> from jkeras import layers
        >>> layers.MultiHeadAttention(2, key_dim=4).compute_output_shape((None, 4, 8), value_shape=(None, 5, 8))
        (None, 4, 8)
        """
        outputs = self._infer_shapes(shapes, named_shapes)
        return jax.tree.map(lambda tensor: tensor.shape, outputs)

    # -- masks and context

    @property
    def supports_masking(self) -> bool:
        """Whether masks pass through; by default whether the class overrides `compute_mask`."""
        if self._supports_masking is None:
            return type(self).compute_mask is not Layer.compute_mask
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    def compute_mask(self, inputs: PyTree, previous_mask: PyTree = None) -> PyTree:
        """The outputs' mask from the inputs and their mask; by default that mask."""
        return previous_mask

    def register_context_arguments(self, *names: str) -> None:
        """Makes further arguments travel from caller to callee as `training` does."""
        self.context_arguments += tuple(name for name in names if name not in self.context_arguments)

    # -- configs

    def get_config(self) -> Config:
        """The arguments of `Layer`, and those of a subclass that has no `get_config` of its own.

        A built-in keeps each argument as the attribute of the same name. A class of yours needs plain arguments.
        """
        self.check_initialized()
        if type(self).get_config is not Layer.get_config and describe.builtin_class(type(self), Layer) is None:
            return describe.base_config(self)
        return describe.complete_config(self, Layer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


Layer.call_signature = CallSignature(Layer.call)
Layer._reserved = frozenset(
    name for name, member in inspect.getmembers(Layer, inspect.isfunction) if not name.startswith("_")
) - {"build", "call", "compute_mask", "compute_output_shape", "compute_output_spec", "get_config"}
slots.KINDS[Layer] = "layer"
