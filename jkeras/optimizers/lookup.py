"""Optimizers by name and by config: `get`, `serialize`, `deserialize`.

Names are looked up in lower case, as Keras does: `"adamw"`, `"AdamW"` and `"ADAMW"` are one.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import optax

from jkeras import arguments, families, slots
from jkeras.configurable import with_plain_arguments
from jkeras.errors import SerializationError
from jkeras.optimizers.base import Optimizer
from jkeras.typing import Config

T = TypeVar("T", bound=type)
UNKNOWN_TO_KERAS = ("weight_decay_exclusions",)
FAMILY = families.Family("optimizer", "keras.optimizers", Optimizer)


def register(cls: T) -> T:
    """Puts an optimizer into the table, under its name in lower case too. Its arguments may be given by position."""
    return FAMILY.register(cls.__name__.lower())(by_position(cls))


def by_position(cls: T) -> T:
    """Lets the common arguments of an optimizer be given by position, after its own, in Keras's order.

    A dataclass has those of its base by name only, since they would come before its own.
    """
    fields = [field for field in dataclasses.fields(cls) if field.init]
    own = [field.name for field in fields if not field.kw_only]
    common = [field.name for field in dataclasses.fields(Optimizer) if field.name not in (*own, *UNKNOWN_TO_KERAS)]
    others = [field.name for field in fields if field.name not in (*own, *common, *UNKNOWN_TO_KERAS)]
    names, construct = (*common, *others), cls.__init__  # type: ignore[misc]

    @functools.wraps(construct)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        further = args[len(own) :]
        if len(further) > len(names):
            raise TypeError(f"{cls.__name__} takes at most {len(own) + len(names)} arguments, received {len(args)}")
        named = dict(zip(names, further, strict=False))
        if twice := named.keys() & kwargs.keys():
            raise TypeError(f"{cls.__name__} received {min(twice)!r} by position and by name")
        construct(self, *args[: len(own)], **named, **kwargs)

    cls.__init__ = with_plain_arguments(__init__)  # type: ignore[misc]
    return cls


def _known(name: str) -> str:
    return name if name in FAMILY.table or name.lower() not in FAMILY.table else name.lower()


OptimizerLike: TypeAlias = str | Mapping[str, Any] | type | Optimizer | optax.GradientTransformation | None
"""What `get` takes: a name, a config, a class or an optimizer, of optax too."""


def get(identifier: OptimizerLike) -> Any:
    """The optimizer of a name, a config, a class, or of an optimizer.

    An optax transformation is an optimizer as it is, and `optax.MultiSteps` becomes one. `None` stays `None`.

    Args:
        identifier: a name in any case, an envelope, a class, an optimizer, or `None`.

    Raises:
        UnknownNameError: no optimizer has the name.
        ArgumentError: the identifier is nothing of these.

    >>> get("sgd").learning_rate, get({"class_name": "Adam", "config": {"learning_rate": 0.5}}).learning_rate
    (0.01, 0.5)
    """
    if identifier is None or isinstance(identifier, Optimizer | optax.GradientTransformation):
        return identifier
    if isinstance(identifier, optax.MultiSteps):
        return optax.GradientTransformationExtraArgs(identifier.init, identifier.update)
    if isinstance(identifier, str):
        return FAMILY.get(_known(identifier))
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return FAMILY.get(identifier)
    slots.check(identifier, "optimizer", "optimizers.get")
    wanted = "a name, a config, a jkeras optimizer or an optax transformation"
    write = 'optimizers.get("adam")   # or optax.adam(1e-3)'
    raise arguments.refusal(identifier, "identifier", "optimizers.get", "an optimizer", expected=wanted, write=write)


def serialize(optimizer: OptimizerLike) -> Any:
    """The config of an optimizer, in Keras's envelope.

    Args:
        optimizer: an optimizer of jkeras.

    Raises:
        SerializationError: the optimizer is an optax transformation, a pair of functions without a config.

    >>> from jkeras import optimizers
    >>> serialize(optimizers.SGD(0.5))["class_name"]
    'SGD'
    """
    if isinstance(optimizer, optax.GradientTransformation):
        raise SerializationError(
            "an optax transformation cannot be written as a config, because it has none.",
            path="optimizers.serialize",
            expected="an optimizer of jkeras.optimizers",
            write="optimizers.Adam(1e-3)",
        )
    return FAMILY.serialize(optimizer)


def deserialize(config: Config | str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimizer of a config, of ours or of Keras's.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import optimizers
    >>> deserialize(serialize(optimizers.SGD(0.5))) == optimizers.SGD(0.5)
    True
    """
    if isinstance(config, str):
        return FAMILY.deserialize(_known(config), custom_objects)
    if isinstance(config.get("class_name"), str):
        config = {**config, "class_name": _known(config["class_name"])}
    return FAMILY.deserialize(config, custom_objects)
