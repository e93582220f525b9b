"""LambdaCallback: a callback out of functions."""

from collections.abc import Callable

from jkeras.callbacks.callback import HOOKS, Callback
from jkeras.callbacks.signatures import takes_state
from jkeras.errors import UnknownNameError, did_you_mean
from jkeras.typing import PyTree

Hook = Callable[..., PyTree]


class LambdaCallback(Callback):
    """A callback whose hooks are the given functions, with the arguments that the hooks have, or Keras's.

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
                takes_state("LambdaCallback", name, function)
                setattr(self, name, function)


def _check_name(name: str) -> None:
    if name not in HOOKS:
        raise UnknownNameError.must(
            "every keyword must be the name of a hook",
            repr(name),
            path="LambdaCallback",
            expected=did_you_mean(name, HOOKS),
            write="LambdaCallback(on_epoch_end=lambda epoch, logs, state: ...)",
        )
