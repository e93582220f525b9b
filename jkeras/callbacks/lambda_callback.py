"""LambdaCallback: a callback out of functions."""

import inspect
from collections.abc import Callable
from typing import Any

from jkeras.callbacks.callback import Callback
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.typing import PyTree

Hook = Callable[..., PyTree]
HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback whose hooks are the given functions, with the arguments that the hooks have.

    Args:
        on_epoch_begin, on_epoch_end: `(epoch, logs, state)`.
        on_train_begin, on_train_end: `(logs, state)`.
        on_train_batch_begin, on_train_batch_end: `(batch, logs, state)`.
        every_batch: whether the hooks for batches run for every single one.
        **hooks: any further hook of `Callback`.

    Raises:
        UnknownNameError: no hook has the name.
        ArgumentError: a function that takes other arguments.

    >>> losses = []
    >>> keep = LambdaCallback(on_epoch_end=lambda epoch, logs, state: losses.append(logs["loss"]))
    >>> keep.on_epoch_end(0, {"loss": 0.5}, None)
    >>> losses
    [0.5]

    Validation with the moving average of the weights, while training goes on without:

    >>> averaged = LambdaCallback(on_test_begin=lambda logs, state: state.averaged)
    """

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        on_train_batch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
        *,
        every_batch: bool = False,
        **hooks: Hook | None,
    ) -> None:
        self.every_batch = every_batch
        given: dict[str, Hook | None] = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **hooks,
        }
        for name, function in given.items():
            _check_name(name)
            if function is not None:
                _check_arguments(name, function)
                setattr(self, name, function)


def _check_name(name: str) -> None:
    if name not in HOOKS:
        raise UnknownNameError(f"there is no hook {name!r}.", path="LambdaCallback", expected=did_you_mean(name, HOOKS))


def _check_arguments(name: str, function: Any) -> None:
    expected = [each for each in inspect.signature(getattr(Callback, name)).parameters if each != "self"]
    try:
        inspect.signature(function).bind(*expected)
    except ValueError:  # a builtin that does not tell its arguments
        return
    except TypeError as error:
        shown = f"({', '.join(expected)})"
        raise ArgumentError(
            f"`{name}` takes other arguments.",
            path="LambdaCallback",
            expected=shown,
            received=str(inspect.signature(function)) if callable(function) else repr(function),
            write=f"LambdaCallback({name}=lambda {shown[1:-1]}: ...)",
        ) from error
