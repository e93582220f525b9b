"""Sequential: a chain of layers, each called on the output of the one before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from jkeras import registry
from jkeras.core import InputLayer, InputSpec, KerasTensor, Layer, Variable, building, describe, in_building_scope
from jkeras.core.graph import number
from jkeras.core.structure import Component
from jkeras.core.tensor import is_shape, standardize_shape
from jkeras.errors import ArgumentError, BuildError, ConfigError, NeverCalledError
from jkeras.models.config import named_config
from jkeras.models.functional import fit, set_masks, unpack
from jkeras.models.model import Model
from jkeras.typing import Config, PyTree, Shape


@registry.export("keras", "keras.models", "keras.src.models.sequential")
class Sequential(Model):
    """A chain of layers.

    With an `Input` in front, the layers are built as they are added. Without one the model waits for a shape: until
    `init` sees an example or a spec, or `build` is called.

    Each layer gets a name when it is added, its own or its class's, numbered: `dense`, `dense_1`. It never changes.

    Args:
        layers: the first layers.
        trainable: whether the weights belong to the trainable tree.
        name: its address in the tree of the owner.

    Raises:
        ArgumentError: an item is not a layer, or a layer does not take exactly one input.
        DuplicateNameError: two layers have the same explicit name.
        BuildError: a second `Input`.

    >>> import jax, jkeras
    >>> model = Sequential([jkeras.layers.Dense(4, activation="relu"), jkeras.layers.Dense(2)])
    >>> variables = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3), "float32"))
    >>> {name: layer["kernel"].shape for name, layer in variables.trainable.items()}
    {'dense': (3, 4), 'dense_1': (4, 2)}
    """

    _hidden = Model._hidden | {"_chain", "_names", "_begin", "_tensors"}

    def __init__(
        self, layers: Sequence[Layer | KerasTensor] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._chain: list[Layer] = []
        self._names: dict[Layer, str] = {}
        self._begin: InputLayer | None = None
        self._tensors: list[PyTree] = []  # the symbolic input, then each layer's symbolic output
        self.allows_python_arguments = True
        given = [_layer_of(layer) for layer in layers or ()]
        fresh = list(dict.fromkeys(layer for layer in given if not isinstance(layer, InputLayer)))
        self._names = number(fresh)
        for layer in given:
            self._append(layer)
        self._connect()

    # -- the chain

    def add(self, layer: Layer | KerasTensor, rebuild: bool = True) -> None:
        """Appends a layer, or puts an `Input` in front of an empty chain. The names of the others do not change.

        Args:
            layer: a layer, or the tensor of an `Input`.
            rebuild: whether a model whose input is known builds the layer at once.
        """
        layer = _layer_of(layer)
        if layer not in self._names and not isinstance(layer, InputLayer):
            self._names.update(number([layer], taken=self._names.values()))
        self._append(layer)
        if rebuild:
            self._connect()
        else:
            self._built = False

    def pop(self, rebuild: bool = True) -> Layer:
        """Takes the last layer away and returns it."""
        if not self._chain:
            problem = "cannot remove the last layer, because the model has no layers."
            wanted, write = "a model with layers", f"{self.name}.add(layers.Dense(10))"
            raise BuildError(problem, path=self.name, expected=wanted, received="no layers", write=write)
        layer = self._chain.pop()
        if layer not in self._chain:
            del self._names[layer]
        del self._tensors[len(self._chain) + 1 :]
        self._built = rebuild and self._built and bool(self._chain)
        return layer

    def _append(self, layer: Layer) -> None:
        if not isinstance(layer, InputLayer):
            if not self._chain and self._begin is None and layer.declared_input_shape is not None:
                self._begin = InputLayer(batch_shape=layer.declared_input_shape)
            _check_single_input(layer)
            layer.given_name = layer.given_name or self._names[layer]
            self._chain.append(layer)
            return
        if self._begin is not None or self._chain:
            earlier = self._begin.batch_shape if self._begin is not None else self._chain[-1]
            problem = "an `Input` must be the first item of a Sequential, and the only `Input`."
            wanted, received = "an `Input` before all layers", f"another after {earlier}"
            write = "jkeras.Sequential([jkeras.Input((8,)), layers.Dense(10)])"
            raise BuildError(problem, path=self.name, expected=wanted, received=received, write=write)
        self._begin = layer

    def _connect(self) -> None:
        """Calls the layers that have not been called yet on the symbolic tensors before them, which builds them."""
        if self._is_connected():
            return
        shape = self._begin.batch_shape if self._begin is not None else self._known_shape()
        if shape is None or not self._chain:
            return
        if self._begin is None:
            self._begin = InputLayer(batch_shape=shape, dtype=self._first_dtype())
        if not self._tensors:
            self._tensors = [self._begin.output]
            self.input_spec = [
                InputSpec(shape=(None, *shape[1:]), allow_last_axis_squeeze=True, optional=self._begin.optional)
            ]
        for layer in self._chain[len(self._tensors) - 1 :]:
            self._tensors.append(layer(self._tensors[-1]))
        building.finish(self, self.path or "", {"input_shape": self._begin.batch_shape})

    def _is_connected(self) -> bool:
        return self._built and len(self._tensors) == len(self._chain) + 1

    def _known_shape(self) -> Shape | None:
        """The shape of the input where the model was built for one, or begins with a model that knows its own."""
        if self._built and self._build_shapes:
            shape = next(iter(self._build_shapes.values()))
            return (None, *shape[1:]) if is_shape(shape) and shape else None
        first = self._chain[0] if self._chain else None
        if isinstance(first, Model) and first.built and (tensors := _known_inputs(first)) is not None:
            return tensors[0].shape if len(tensors) == 1 else None
        return None

    def _first_dtype(self) -> str:
        """The dtype of an undeclared input: the first layer's compute dtype, or its variable dtype without autocast."""
        first = self._chain[0]
        if isinstance(first, Model) and (tensors := _known_inputs(first)) is not None:
            return tensors[0].dtype
        return first.compute_dtype if first.autocast else first.variable_dtype

    # -- building and running

    def build(self, input_shape: PyTree = None) -> None:
        """Builds the layers for inputs of a shape, batch axis included.

        Raises `BuildError` where there are no layers, or the `Input` has another shape.
        """
        if not self._chain:
            raise BuildError(
                "cannot build the model, because it has no layers.",
                path=self.name,
                write=f"{self.name}.add(layers.Dense(10))",
            )
        if in_building_scope():
            return  # the call that follows builds each layer
        if self._begin is None and input_shape is None:
            raise BuildError(
                "`input_shape` must be given, because the model has no `Input`.",
                path=self.name,
                write=f"{self.name}.build((None, 8))",
            )
        if self._begin is not None:
            if input_shape is not None and standardize_shape(input_shape) != self._begin.batch_shape:
                raise BuildError(
                    "`input_shape` must be the shape of the model's `Input`.",
                    path=self.name,
                    expected=self._begin.batch_shape,
                    received=input_shape,
                    write=f"{self.name}.build()   # for the shape of the Input",
                )
        elif is_shape(input_shape):
            self._begin = InputLayer(batch_shape=input_shape, dtype=self._first_dtype())
        else:  # a structure of shapes: the chain runs for shapes alone
            self._infer((building.as_tensors(input_shape, self.input_dtype),), {})
            return
        self._connect()

    def call(self, inputs: PyTree, training: bool | None = None, mask: PyTree = None) -> PyTree:
        """Calls the layers one after the other; `training` and masks reach them through the scope."""
        set_masks(inputs, mask)
        outputs = inputs if self._begin is None else unpack(inputs)
        if not isinstance(outputs, list | tuple | Mapping) and outputs is not None:
            outputs = fit(self._declared_input(outputs), outputs, self._label)
        for layer in self._chain:
            outputs = layer(outputs)
        return outputs

    def _declared_input(self, value: Any) -> KerasTensor:
        if self._begin is not None:
            tensor: KerasTensor = self._begin.output
            return tensor
        return KerasTensor((None,) * value.ndim, self._first_dtype())

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs: known for the declared shape, inferred for others."""
        inputs = unpack(args[0] if args else kwargs.get("inputs"))
        if self._is_connected() and isinstance(inputs, KerasTensor) and inputs.shape == self._tensors[0].shape:
            return jax.tree.map(lambda tensor: KerasTensor(tensor.shape, tensor.dtype), self._tensors[-1])
        return super().compute_output_spec(*args, **kwargs)

    # -- parts

    def addresses(self) -> dict[str, Layer]:
        """The layers by their names; a model that is built has called them on symbolic tensors by then."""
        if self._built:
            self._connect()
        return super().addresses()

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """The layers of the chain, then the layers and variables in attributes."""
        yield from ((self._names[layer], layer) for layer in self._chain)
        yield from super().components()

    @property
    def declared_input(self) -> InputLayer | None:
        """The `Input` in front, given or made by `build`; `layers` does not list it."""
        return self._begin

    def _symbolic(self, what: str) -> list[PyTree]:
        self._connect()
        if not self._built or not self._tensors:
            raise NeverCalledError(
                f"cannot read `{what}`, because the shape of the input is not known yet.",
                path=self.name,
                write=f"{self.name}.build((None, 8))",
            )
        return self._tensors

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic input, in a list."""
        return [self._symbolic("inputs")[0]]

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return jax.tree.leaves(self._symbolic("outputs")[-1])

    @property
    def input(self) -> PyTree:
        """The symbolic input."""
        return self._symbolic("input")[0]

    @property
    def output(self) -> PyTree:
        """The symbolic output."""
        return self._symbolic("output")[-1]

    @property
    def input_names(self) -> list[str]:
        """The name of the input, in a list."""
        return [tensor.history.operation.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [tensor.history.operation.name for tensor in self.outputs]

    # -- configs

    def get_config(self) -> Config:
        """The layers, the `Input` included, and the shape of the input where it is known."""
        self._connect()
        layers = [named_config(layer, self._names[layer]) for layer in self._chain]
        if self._begin is not None:
            name = next(iter(number([self._begin], taken=self._names.values()).values()))
            layers = [named_config(self._begin, name), *layers]
        config = {**describe.base_config(self), "layers": layers}
        return {**config, "build_input_shape": self._begin.batch_shape} if self._built and self._begin else config

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The model of a config. Raises `ConfigError` where it has no `name` or no `layers`."""
        if "name" not in config or "layers" not in config:
            rule = "the config of a Sequential must have the keys 'name' and 'layers'"
            wanted = "the keys 'name' and 'layers'"
            received, write = f"keys {sorted(config)}", f"{cls.__name__}.from_config(model.get_config())"
            raise ConfigError.must(rule, received, path=cls.__name__, expected=wanted, write=write)
        layers = [registry.deserialize(layer, custom_objects) for layer in config["layers"]]
        model = cls(layers, trainable=config.get("trainable", True), name=config["name"])
        shape: Any = config.get("build_input_shape")
        if layers and not model.built and is_shape(shape):
            model.build(tuple(shape))
        return model


def _layer_of(layer: Layer | KerasTensor) -> Layer:
    """A layer, out of itself or out of the symbolic tensor of an `Input`."""
    if isinstance(layer, KerasTensor) and isinstance(layer.history.operation, InputLayer):
        return layer.history.operation
    if not isinstance(layer, Layer):
        raise ArgumentError(
            f"the items of a Sequential must be layers, got {type(layer).__name__}.",
            path="Sequential",
            expected="layers, after an optional `Input`",
            received=f"{layer!r} (a {type(layer).__name__})"[:80],
            write="jkeras.layers.Lambda(function)   # makes a layer of a function",
        )
    return layer


def _check_single_input(layer: Layer) -> None:
    """Raises `ArgumentError` unless a layer can be called on one thing."""
    parameters = list(layer.call_signature.signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(required) > 1 or not (positional or takes_any):
        rule = "a layer in a Sequential must take exactly one input"
        received = f"call(self, {', '.join(map(str, parameters))})"
        write = "jkeras.Model(inputs, outputs)   # for layers of several inputs"
        raise ArgumentError.must(rule, received, path=layer.name, expected="call(self, inputs)", write=write)


def _known_inputs(model: Model) -> list[KerasTensor] | None:
    try:
        return model.inputs
    except NeverCalledError:
        return None
