"""Constructor arguments that several layers share: activations, and the keywords of quantization."""

from typing import Any

from jkeras import activations
from jkeras.errors import ArgumentError
from jkeras.typing import ActivationLike


class ActivationAttribute:
    """An attribute that holds an activation. It is set to a function, a name or a config; `None` means linear.

    >>> class Holder:
    ...     activation = ActivationAttribute()
    >>> holder = Holder()
    >>> holder.activation = None
    >>> holder.activation(3.0)
    3.0
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else vars(layer)[self.name]

    def __set__(self, layer: object, value: ActivationLike) -> None:
        vars(layer)[self.name] = activations.get(value)


QUANTIZATION = ("quantization_config", "gptq_unpacked_column_size")


def without_quantization(kwargs: dict[str, Any], owner: str) -> dict[str, Any]:
    """The keywords without those of quantization, which Keras's configs carry; only `None` means something here.

    >>> without_quantization({"quantization_config": None, "name": "head"}, "Dense")
    {'name': 'head'}
    """
    for name in QUANTIZATION:
        if kwargs.get(name) is not None:
            raise ArgumentError(
                f"`{name}` must be None, because layers are not quantized.",
                path=owner,
                expected=f"{name}=None",
                received=f"{name}={kwargs[name]!r}"[:80],
                write=f"{owner}(..., {name}=None)",
            )
    return {name: value for name, value in kwargs.items() if name not in QUANTIZATION}
