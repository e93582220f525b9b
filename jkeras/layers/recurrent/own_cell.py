"""Layers that make their own cell: they take the cell's arguments beside those of RNN."""

from collections.abc import Mapping
from typing import Any

from jkeras import arguments
from jkeras.layers.recurrent.rnn import RNN
from jkeras.typing import Config

UNWRITTEN = {"use_cudnn": "auto"}  # arguments that Keras's configs do not have, and ours only off their default


class OfCell:
    """An attribute of a layer that is its cell's.

    >>> class Holder:
    ...     real = OfCell()
    ...     cell = 3
    >>> Holder().real
    3
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer.cell, self.name)

    def __set__(self, layer: Any, value: object) -> None:
        setattr(layer.cell, self.name, value)


class OwnCellRNN(RNN):
    """The base of layers that make their cell; the cell keeps the arguments, and the config has them, not the cell."""

    activation = OfCell()
    use_bias = OfCell()
    kernel_initializer = OfCell()
    recurrent_initializer = OfCell()
    bias_initializer = OfCell()
    kernel_regularizer = OfCell()
    recurrent_regularizer = OfCell()
    bias_regularizer = OfCell()
    kernel_constraint = OfCell()
    recurrent_constraint = OfCell()
    bias_constraint = OfCell()
    dropout = OfCell()
    recurrent_dropout = OfCell()
    seed = OfCell()

    def get_config(self) -> Config:
        config = {name: value for name, value in super().get_config().items() if name != "cell"}
        for name, default in UNWRITTEN.items():
            if name in config and config[name] == default:
                del config[name]
        return config


def inherited(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a layer's own arguments that its cell has too.

    >>> inherited({"dtype": "bfloat16", "name": "encoder"})
    {'dtype': 'bfloat16'}
    """
    return {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}


def check_cudnn(value: object, owner: str) -> bool | str:
    """The value of `use_cudnn`, if it is one.

    >>> check_cudnn("auto", "LSTM")
    'auto'
    """
    choices: tuple[bool | str, ...] = ("auto", True, False)
    return arguments.one_of(value, "use_cudnn", owner, choices)
