"""JaxLayer: a pair of pure functions as a layer."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Never, Self, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, dtypes, registry
from jkeras.core import Layer, SeedGenerator, Variable
from jkeras.core.describe import base_config
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import is_shape
from jkeras.errors import ArgumentError, BuildError, ShapeError
from jkeras.typing import Array, ArrayTree, Config, DTypeLike, Key, PyTree, Shape

CALL_ARGUMENTS = ("params", "state", "rng", "inputs", "training")
INIT_ARGUMENTS = ("rng", "inputs", "training")


@registry.export("keras.layers")
class JaxLayer(Layer):
    """`outputs = call_fn(params, inputs)` with `params = init_fn(rng, inputs)`: functions of any library as a layer.

    The leaves of `params` become trainable weights, those of `state` non-trainable ones, under their own names.

    Nothing is needed for the other direction: every layer and model is a pair of pure functions already, `layer.init`
    and `layer.stateless_call`, to be used wherever JAX takes functions.

    Args:
        call_fn: a function with some of the parameters `params`, `state`, `rng`, `inputs`, `training`, in any order;
            `inputs` is one tensor or a structure of them. It returns the outputs, and with `state` the pair
            `(outputs, new state)`. `rng` is a key in training, another one in each call, and `None` otherwise.
        init_fn: a function with some of the parameters `rng`, `inputs`, `training`. It returns `params`, and where
            `call_fn` has a `state` the pair `(params, state)`. `inputs` are ones of the shapes of the inputs, an
            unknown dimension being 1, in the compute dtype; `training` is `True`.
        params, state: must be `None`: a layer holds no values, so `init_fn` returns them.
        seed: an int, for the same stream of `rng` after every `init`.
        native_serialization_platforms: must be `None`.

    Shapes:
        Those of the functions. Floats of `params` and `state` are kept in the variable dtype; `params` are read in the
        compute dtype.

    Raises:
        ArgumentError: a function has other parameters or lacks `inputs`; there is no `init_fn` for `params` or `state`;
            `params`, `state` or `native_serialization_platforms` are given.
        ShapeError: the new state has another structure than the old one.
        SerializationError: `get_config` where a function is a lambda.

    >>> import jax, jax.numpy as jnp
    >>> def init(rng, inputs):
    ...     return {"w": jnp.full((inputs.shape[-1], 2), 3.0)}
    >>> def call(params, inputs):
    ...     return inputs @ params["w"]
    >>> layer = JaxLayer(call, init)
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> variables.trainable["params"]["w"].shape
    (2, 2)
    >>> layer.stateless_call(*variables, jnp.ones((1, 2)))[0].tolist()
    [[6.0, 6.0]]

    Source: the definition.
    """

    draws_together = True

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: ArrayTree | None = None,
        state: ArrayTree | None = None,
        seed: int | None = None,
        native_serialization_platforms: Sequence[str] | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if params is not None or state is not None:
            raise ArgumentError(
                "`params` and `state` must be None, because a layer holds no values.",
                path="JaxLayer",
                expected="params=None, state=None, and a function that returns them",
                write="JaxLayer(call_fn, init_fn=lambda inputs: params)",
            )
        if native_serialization_platforms is not None:
            raise arguments.refusal(
                native_serialization_platforms,
                "native_serialization_platforms",
                "JaxLayer",
                "None, because it is for TensorFlow only",
                expected="native_serialization_platforms=None",
                write="JaxLayer(call_fn, init_fn=init_fn)   # without native_serialization_platforms",
            )
        self.call_fn, self.init_fn, self.seed = call_fn, init_fn, seed
        self.call_names = _parameters(call_fn, "call_fn", CALL_ARGUMENTS)
        self.init_names = () if init_fn is None else _parameters(init_fn, "init_fn", INIT_ARGUMENTS)
        if init_fn is None and {"params", "state"} & {*self.call_names}:
            raise ArgumentError(
                "`init_fn` is required, because `call_fn` takes `params` or `state`.",
                path="JaxLayer",
                expected="an `init_fn`",
                received="init_fn=None",
                write="JaxLayer(call_fn, init_fn=lambda rng, inputs: ...)",
            )
        if "rng" in self.call_names:
            self.seed_generator = SeedGenerator(seed)
        self.params: PyTree = None
        self.state: PyTree = None

    def build(self, input_shape: Shape) -> None:
        if not {"params", "state"} & {*self.call_names}:
            return
        key = jax.eval_shape(lambda: jax.random.key(0))
        params, state = jax.eval_shape(lambda key: self._initial_values(key, input_shape), key)
        self.params = jax.tree.map(lambda spec: self._declare(spec, trainable=True), params)
        self.state = jax.tree.map(lambda spec: self._declare(spec, trainable=False), state)

    def _declare(self, spec: jax.ShapeDtypeStruct, trainable: bool) -> Variable:
        is_float = dtypes.is_float(spec.dtype)
        return self.add_weight(
            spec.shape,
            _drawn_with_the_others,
            self.variable_dtype if is_float else spec.dtype,
            trainable=trainable and is_float,
            autocast=trainable,
        )

    def _initial_values(self, key: Key, input_shape: Shape) -> tuple[PyTree, PyTree]:
        """`(params, state)` of `init_fn`."""

        def ones(shape: Shape) -> Array:
            return jnp.ones([1 if dim is None else dim for dim in shape], self.input_dtype)

        inputs = jax.tree.map(ones, input_shape, is_leaf=is_shape)
        given = {"rng": key, "inputs": inputs, "training": True}
        assert self.init_fn is not None
        values = self.init_fn(*(given[name] for name in self.init_names))
        return values if "state" in self.call_names else (values, None)

    def draw_together(self, key: Key) -> dict[Variable, Array]:
        """The values of `init_fn` for a key."""
        variables = jax.tree.leaves((self.params, self.state))
        if not variables:
            return {}
        values = jax.tree.leaves(self._initial_values(key, (self.get_build_config() or {})["input_shape"]))
        return {
            variable: jnp.asarray(value, variable.declared_dtype)
            for variable, value in zip(variables, values, strict=True)
        }

    def call(self, inputs: ArrayTree, training: bool | None = False) -> PyTree:
        given = {"inputs": inputs, "training": bool(training), "rng": None}
        given["params"], given["state"] = jax.tree.map(lambda variable: variable.value, (self.params, self.state))
        if training and "rng" in self.call_names:
            given["rng"] = self.seed_generator.next()
        outputs = self.call_fn(*(given[name] for name in self.call_names))
        if "state" not in self.call_names:
            return outputs
        outputs, state = outputs
        old, new = (str(jax.tree.structure(each)) for each in (self.state, state))
        if old != new:
            raise ShapeError(
                "`call_fn` must return a state of the structure of the old one.",
                path=self._label,
                expected=old,
                received=new,
                write="return outputs, {**state, 'count': count}   # the same keys as in `state`",
            )
        jax.tree.map(lambda variable, value: variable.assign(value), self.state, state)
        return outputs

    def get_config(self) -> Config:
        functions = {"call_fn": registry.serialize(self.call_fn), "init_fn": registry.serialize(self.init_fn)}
        return {**base_config(self), **functions, "seed": self.seed}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The layer of a config. Its functions have to be registered, or named by a `custom_object_scope`."""
        functions = {name: registry.deserialize(config.get(name)) for name in ("call_fn", "init_fn")}
        return super().from_config({**config, **functions})


def _parameters(function: Callable[..., Any], argument: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a function's parameters, in their order, if they are allowed ones and `inputs` is among them."""
    names = tuple(inspect.signature(function).parameters) if callable(function) else ()
    if "inputs" not in names or not {*names} <= {*allowed}:
        raise ArgumentError(
            f"`{argument}` must be a function with the parameters of a layer's function."
            if argument == "call_fn" or names
            else f"`{argument}` must be a function.",
            path="JaxLayer",
            expected=f"`inputs`, and any of {[name for name in allowed if name != 'inputs']}",
            received=f"a function of {list(names)}" if callable(function) else repr(function)[:60],
            write=f"JaxLayer({argument}=lambda {', '.join(allowed)}: my_function(...))",
        )
    return names


def _drawn_with_the_others(shape: Shape, dtype: DTypeLike | None = None) -> Never:
    raise BuildError(
        "one value of a JaxLayer cannot be drawn alone, because `init_fn` draws all of them.",
        path="JaxLayer",
        expected="`init` of the layer, or of a model that calls it",
        write="variables = layer.init(jax.random.key(0), (None, 8))",
    )
