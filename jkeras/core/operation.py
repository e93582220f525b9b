"""An Operation is anything callable on symbolic or real tensors.

On a symbolic tensor the call is recorded and answered with symbolic tensors; on anything else `call` runs. An
operation whose constructor takes plain values is serializable without further code: `__new__` notes its arguments.
"""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from jkeras import dtypes, registry
from jkeras.configurable import PlainArguments
from jkeras.core.infer import infer
from jkeras.core.node import Node
from jkeras.core.tensor import any_symbolic
from jkeras.core.variable import check_name
from jkeras.errors import ConfigError, JKerasError, MissingCallError, NeverCalledError, SerializationError
from jkeras.typing import Config, PyTree


class Operation(PlainArguments):
    """Something that can be called on symbolic and on real tensors.

    Subclasses override `call`, and `compute_output_spec` where the outputs' shapes cannot be found by running it.

    Args:
        name: its address among other operations; by default the class name in snake case, numbered by its owner.

    Raises:
        ArgumentError: the name is no str or has a slash.

    >>> import jax.numpy as jnp
    >>> class Double(Operation):
    ...     def call(self, x):
    ...         return 2 * x
    >>> Double()(jnp.ones(2)).tolist()
    [2.0, 2.0]
    """

    _constructor: "Given"
    default_name = "operation"  # of which an owner makes a numbered one: the class name in snake case

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.default_name = registry.snake_case(cls.__name__)

    def __new__(cls, *args: Any, **kwargs: Any) -> "Operation":
        instance = super().__new__(cls)
        # object.__setattr__: a subclass's own __setattr__ may need what its __init__ has not set yet
        object.__setattr__(instance, "_constructor", _plain_arguments(cls, instance, args, kwargs))
        return instance

    def __init__(self, name: str | None = None) -> None:
        self.explicit_name = check_name(name, type(self).__name__) if name is not None else None
        self.given_name: str | None = None  # by the first model that it became part of; other models keep it
        self._nodes: list[Node] = []

    @property
    def name(self) -> str:
        """The explicit name, else the name that its first model gave it, else the class name in snake case."""
        return self.explicit_name or self.given_name or self.default_name

    @property
    def nodes(self) -> list[Node]:
        """The recorded calls."""
        return self._nodes

    def __call__(self, *args: Any, **kwargs: Any) -> PyTree:
        """Records the call where an argument is symbolic, runs it otherwise."""
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> PyTree:
        """Records the call and returns what it will give."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> PyTree:
        """What the operation computes."""
        raise MissingCallError(
            "the class must define `call`.", path=type(self).__name__, write="def call(self, inputs): ..."
        )

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs, found by running `call` for shapes alone."""
        try:
            return infer(self.call, *args, **kwargs)
        except JKerasError:
            raise
        except Exception as error:
            error.add_note(
                f"While inferring the outputs of {type(self).__name__} '{self.name}' from its `call`. "
                "If `call` cannot be traced, write `compute_output_spec(self, ...)`."
            )
            raise

    @property
    def input(self) -> PyTree:
        """The symbolic tensors of the first call."""
        return _unwrap(self._first_node("input").input_tensors)

    @property
    def output(self) -> PyTree:
        """The symbolic tensors that the first call returned."""
        return _unwrap(self._first_node("output").output_tensors)

    def _first_node(self, which: str) -> Node:
        if not self.nodes:
            raise NeverCalledError(
                f"`{which}` exists only after the first call on a symbolic tensor.",
                path=self.name,
                write=f"{self.name}(jkeras.Input((8,))).{which}"
                if which != "input"
                else f"{self.name}(jkeras.Input((8,)))",
            )
        return self.nodes[0]

    def get_config(self) -> Config:
        """The constructor's arguments. Subclasses with other than plain ones override it.

        Raises:
            SerializationError: the arguments are unknown to us, and the class has no `get_config` of its own.
        """
        given = self._constructor
        if given.problem is not None:
            raise SerializationError(
                given.problem, path=type(self).__name__, write="def get_config(self): return {...}"
            )
        config = dict(given.plain)
        if "name" not in config and "name" in inspect.signature(type(self).__init__).parameters:
            config["name"] = self.explicit_name
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The object of a config.

        Raises `ConfigError` where the constructor refuses it; an error of ours about an argument stays as it is.
        """
        config = dict(config)
        if isinstance(config.get("dtype"), Mapping):
            policy = registry.deserialize(config["dtype"])
            config["dtype"] = policy.name if isinstance(policy, dtypes.DTypePolicy) else policy
        try:
            return cls(**config)
        except JKerasError:
            raise
        except Exception as error:
            raise ConfigError(
                f"the constructor refused the config: {error}", path=cls.__name__, received=f"keys {sorted(config)}"
            ) from error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Given(NamedTuple):
    """What a constructor was given: the arguments that are plain values, and why the others have no config."""

    plain: Config
    problem: str | None


def _plain_arguments(cls: type, instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    """The constructor's arguments by name, defaults included."""
    try:
        bound = inspect.signature(cls.__init__).bind(instance, *args, **kwargs)  # type: ignore[misc]
    except TypeError:
        return Given({}, "the constructor's arguments do not fit its signature.")
    bound.apply_defaults()
    config: Config = {}
    problem = None
    for parameter in list(bound.signature.parameters.values())[1:]:
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL or parameter.kind is parameter.POSITIONAL_ONLY:
            problem = "the constructor takes positional-only arguments, which a config cannot name."
        else:
            config.update(value if parameter.kind is parameter.VAR_KEYWORD else {parameter.name: value})
    plain = {name: value for name, value in config.items() if _is_plain(value)}
    if len(plain) < len(config):
        problem = "the constructor has arguments that are no plain values."
    return Given(plain, problem)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, str | bool | int | float)


def _unwrap(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
