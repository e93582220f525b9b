"""Checks of constructor arguments that several layers share."""

from typing import Any, Self, overload

from jkeras import activations
from jkeras.errors import ArgumentError
from jkeras.typing import Activation, ActivationLike

LARGEST = 2**63  # sizes of arrays are 64-bit integers


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

    @overload
    def __get__(self, layer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, layer: object, owner: type | None = None) -> Activation: ...
    def __get__(self, layer: object, owner: type | None = None) -> Any:
        return self if layer is None else vars(layer)[self.name]

    def __set__(self, layer: object, value: ActivationLike) -> None:
        vars(layer)[self.name] = activations.get(value)


def positive_int(value: object, argument: str, owner: str, write: str) -> int:
    """The value, if it is a positive int.

    >>> positive_int(3, "units", "Dense", "Dense(3)")
    3
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < LARGEST:
        raise ArgumentError(
            f"`{argument}` must be a positive int.",
            path=owner,
            expected="an int >= 1, below 2**63",
            received=repr(value),
            write=write,
        )
    return value


def fraction(value: object, argument: str, owner: str, *, one: bool = True) -> float:
    """The value, if it is a number in [0, 1]; with `one=False` in [0, 1).

    >>> fraction(0.5, "rate", "Dropout")
    0.5
    """
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not (0 <= value <= 1 and (one or value < 1))  # written so that NaN fails too
    ):
        raise ArgumentError(
            f"`{argument}` is no fraction.",
            path=owner,
            expected=f"a number in [0, 1{']' if one else ')'}",
            received=repr(value),
            write=f"{owner}({argument}=0.1)",
        )
    return value


QUANTIZATION = ("quantization_config", "gptq_unpacked_column_size")


def without_quantization(kwargs: dict[str, Any], owner: str) -> dict[str, Any]:
    """The keywords without those of quantization, which Keras's configs carry; only `None` means something here.

    >>> without_quantization({"quantization_config": None, "name": "head"}, "Dense")
    {'name': 'head'}
    """
    for name in QUANTIZATION:
        if kwargs.get(name) is not None:
            raise ArgumentError("layers are not quantized.", path=owner, expected=f"{name}=None")
    return {name: value for name, value in kwargs.items() if name not in QUANTIZATION}
