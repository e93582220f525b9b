"""The table of activations, and the one that does nothing.

An activation is a pure function of an array: same shape out (`glu` halves one axis), same dtype out, bfloat16 and
float16 included. Names, argument names and defaults are Keras's; `jax.nn` does the work where it has the function.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from jkeras import families
from jkeras.typing import Activation, Array, ArrayLike, Identifier


def linear(x: Array) -> Array:
    """The identity: `linear(x) = x`.

    Args:
        x: any array.

    >>> from jkeras import activations
    >>> activations.linear(3.0)
    3.0

    Source: the affine output unit of generalised linear models.
    """
    return x


family = families.Family("activation", "keras.activations", default=linear)
family.register()(linear)


def activation(*aliases: str, op: str | None = None) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Puts a function into the table, and an array in place of what becomes one: a list, the value of a Variable.

    A symbolic tensor records the call, with every setting, under the name of the operation.

    Args:
        aliases: further names in the table.
        op: the name of the operation that configs of graphs have; by default the function's, `""` where there is none.
    """

    def decorate(function: Callable[..., Array]) -> Callable[..., Array]:
        @functools.wraps(function)
        def activate(x: ArrayLike, *args: Any, **kwargs: Any) -> Array:
            if (record := getattr(x, "record", None)) is not None:
                call = inspect.signature(function).bind(x, *args, **kwargs)
                call.apply_defaults()
                array: Array = record(function, function.__name__ if op is None else op, **call.arguments)
                return array
            return function(jnp.asarray(x), *args, **kwargs)

        return family.register(*aliases)(activate)

    return decorate


def get(identifier: Identifier) -> Activation:
    """The activation of a name, a config, a callable, or `None` (`linear`).

    Args:
        identifier: a name such as `"relu"`, a config that `serialize` made, a callable, which comes back as it is, or
            `None`.

    Raises:
        UnknownNameError: no activation has the name.
        ArgumentError: the identifier is not one of these.

    >>> from jkeras import activations
    >>> activations.get("swish") is activations.silu, activations.get(None) is activations.linear
    (True, True)
    """
    result: Activation = family.get(identifier)
    return result


def serialize(activation: object) -> Any:
    """The config of an activation: the bare name of one of ours, an envelope for anything else.

    Args:
        activation: a function, or an object with `get_config`.

    Raises:
        SerializationError: a lambda, which has no name.

    >>> from jkeras import activations
    >>> activations.serialize(activations.hard_swish)
    'hard_silu'
    """
    return family.serialize(activation)


def deserialize(config: str | Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """The activation of a config that `serialize` made, here or in Keras.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import activations
    >>> activations.deserialize("relu6") is activations.relu6
    True
    """
    result: Activation = family.deserialize(config, custom_objects)
    return result
