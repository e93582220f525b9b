"""Lambda: any function of arrays as a layer."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import registry
from jkeras.arguments import refusal
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import is_shape
from jkeras.errors import ArgumentError, ConfigError, SerializationError
from jkeras.typing import ArrayTree, Config, PyTree, ShapeTree


@registry.export("keras.layers")
class Lambda(Layer):
    """`outputs = function(inputs, **arguments)`.

    The function holds no weights. It is given `mask` and `training` where it has parameters of these names. Only a
    named, registered function has a config: a Python lambda has no name to write down, and code in a file is not
    executed.

    Args:
        function: a function of a tensor or of a structure of tensors.
        output_shape: its output's shape without the batch axis, or a function of the input's shape; by default it is
            found by running the function for shapes alone, which never fails where JAX can trace it.
        mask: the output's mask, or a function `(inputs, mask)` that makes it from the inputs and theirs.
        arguments: further keyword arguments of the function.

    Raises:
        ArgumentError: `function` is not callable, or an argument is an array.
        SerializationError: `get_config` of a Python lambda.

    >>> import jax, jax.numpy as jnp
    >>> layer = Lambda(jnp.roll, arguments={"shift": 1})
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[2.0, 1.0]]

    Source: the definition.
    """

    def __init__(
        self,
        function: Callable[..., PyTree],
        output_shape: ShapeTree | Callable[..., Any] | None = None,
        mask: ArrayTree | Callable[..., Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise refusal(function, "function", "Lambda", "a function", write="Lambda(lambda x: x**2)")
        self.function = function
        self.output_shape = output_shape
        self.mask = np.asarray(mask).tolist() if isinstance(mask, jax.Array | np.ndarray) else mask
        self.arguments = dict(arguments or {})
        for name, value in self.arguments.items():
            if any(isinstance(leaf, jax.Array | np.ndarray) for leaf in jax.tree.leaves(value)):
                raise ArgumentError(
                    f"the argument `{name}` must not be an array, because a layer holds no values.",
                    path="Lambda",
                    expected="Python numbers, strings, lists, ...",
                    write="self.add_weight(...)   # in a custom Layer; or make the array inside the function",
                )
        self.supports_masking = mask is not None
        self._extra = tuple(name for name in ("mask", "training") if name in _parameters(function))

    def call(self, inputs: ArrayTree, mask: PyTree = None, training: bool | None = None) -> PyTree:
        context = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: context[name] for name in self._extra})

    def compute_mask(self, inputs: ArrayTree, mask: PyTree = None) -> PyTree:
        if callable(self.mask):
            return self.mask(inputs, mask)
        return self.mask if self.mask is None else jnp.asarray(self.mask, bool)

    def compute_output_shape(self, input_shape: ShapeTree) -> Any:
        if self.output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self.output_shape):
            return self.output_shape(input_shape)
        batch = jax.tree.leaves(input_shape, is_leaf=is_shape)[0][0]
        return jax.tree.map(lambda shape: (batch, *shape), self.output_shape, is_leaf=is_shape)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        if self.output_shape is None:
            return self.infer_build(*args, **kwargs)
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self) -> Config:
        given = {"output_shape": self.output_shape, "mask": self.mask}
        written = {name: _serialize(value, name) for name, value in given.items() if value is not None}
        own = {"function": _serialize(self.function, "function"), "arguments": registry.serialize(self.arguments)}
        base = {name: value for name, value in super().get_config().items() if name not in (*given, *own)}
        return {**base, **own, **written}

    @classmethod
    def from_config(cls, config: Config) -> Any:
        config = dict(config)
        for name in ("function", "output_shape", "mask"):
            config[name] = _deserialize(config.get(name), name)
        shape = config["output_shape"]
        config["output_shape"] = tuple(shape) if isinstance(shape, list) and is_shape(shape) else shape
        config["arguments"] = registry.deserialize(config.get("arguments"))
        return super().from_config(config)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters; none where Python does not know them."""
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _serialize(value: object, argument: str) -> Any:
    if getattr(value, "__name__", None) == "<lambda>":
        raise SerializationError(
            f"`{argument}` cannot be written, because it is a Python lambda and has no name.",
            path="Lambda",
            expected="a named function, registered so that configs that name it can be read",
            write='@registry.register_keras_serializable("mine")   # above def my_function(x): ...',
        )
    return registry.serialize(value)


def _deserialize(value: object, argument: str) -> Any:
    if isinstance(value, Mapping) and value.get("class_name") == "__lambda__":
        problem = f"`{argument}` cannot be read, because it is a Python lambda written as bytecode."
        write = "layers.Lambda(my_function)   # make the layer again, with a named function"
        raise ConfigError(problem, path="Lambda", expected="a named function", write=write)
    return registry.deserialize(value)
