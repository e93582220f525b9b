"""Signatures of hooks: `(epoch, logs, state)` here, `(epoch, logs=None)` in Keras. Which one a hook has is known from
its arguments, before anything is trained.

A hook with Keras's arguments is called with these and cannot change the state, so what it returns means nothing. What
it could not do is refused at once: to use `self.model`, and to be called under a name that there is not.
"""

import dis
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from jkeras.errors import ArgumentError

ELSEWHERE = {  # methods of Keras's callbacks that nobody calls here, and what to define instead
    "set_model": "def set_loop(self, loop): ...   # the weights are in the state that every hook is given",
    "on_batch_begin": "def on_train_batch_begin(self, batch, logs, state): ...",
    "on_batch_end": "def on_train_batch_end(self, batch, logs, state): ...",
}
MODEL = "the state, which every hook is given, and `self.loop`"
LINES = "def on_epoch_end(self, epoch, logs, state): ...   # self.loop.stop_training = True"


def arguments(hook: str) -> list[str]:
    """The arguments of a hook of some name.

    >>> arguments("on_epoch_end"), arguments("on_test_batch_begin"), arguments("on_train_end")
    (['epoch', 'logs', 'state'], ['batch', 'logs', 'state'], ['logs', 'state'])
    """
    return [*(name for name in ("epoch", "batch") if f"_{name}_" in hook), "logs", "state"]


def takes_state(owner: str, hook: str, function: Callable[..., Any]) -> bool:
    """Whether a hook takes a state, rather than Keras's arguments. Raises `ArgumentError` where it takes neither.

    >>> takes_state("Mine", "on_epoch_end", lambda epoch, logs=None: None)
    False
    """
    wanted = arguments(hook)
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin that does not tell its arguments
        return True
    except TypeError:
        signature = None
    for given, answer in ((wanted, True), (wanted[:-1], False)):
        if signature is not None and _binds(signature, given):
            return answer
    lambda_callback = owner == "LambdaCallback"
    shown = ", ".join(wanted)
    raise ArgumentError(
        "the hook must take the arguments that it is called with.",
        path=f"{owner}.{hook}",
        expected=f"({shown}), or Keras's ({', '.join(wanted[:-1])}=None)",
        received=repr(function) if signature is None else str(signature),
        write=f"LambdaCallback({hook}=lambda {shown}: ...)" if lambda_callback else f"def {hook}(self, {shown}): ...",
    )


def _binds(signature: inspect.Signature, given: list[str]) -> bool:
    try:
        signature.bind(*given)
    except TypeError:
        return False
    return True


def check_methods(callback: object, base: type) -> None:
    """Raises `ArgumentError` for a method of Keras's callbacks that nobody would call."""
    for name, write in ELSEWHERE.items():
        if inspect.getattr_static(callback, name, None) is not inspect.getattr_static(base, name, None):
            raise ArgumentError(
                f"`{name}` is never called here, because it is a method of Keras's callbacks only.",
                path=f"{type(callback).__name__}.{name}",
                expected="a hook of jkeras.callbacks.Callback",
                received=f"def {name}",
                write=write,
            )


def check_model(callback: object, base: type, hook: str) -> None:
    """Raises `ArgumentError` for a hook with Keras's arguments that uses `self.model`, where nobody has set it."""
    function = getattr(getattr(callback, hook), "__func__", None)
    has_none = inspect.getattr_static(callback, "model", None) is inspect.getattr_static(base, "model")
    if function is not None and has_none and "model" in _attributes_of_self(function):
        raise ArgumentError(
            "a hook cannot use `self.model`, because a model holds no values.",
            path=f"{type(callback).__name__}.{hook}",
            expected=MODEL,
            received="self.model",
            write=f"def {hook}(self, {', '.join(arguments(hook))}): ...   # self.loop.stop_training; state.trainable",
        )


def _attributes_of_self(function: Callable[..., Any]) -> Iterator[str]:
    """What a method reads of its first argument, out of its bytecode."""
    code = function.__code__
    before: Any = None
    for instruction in dis.get_instructions(code):
        names = before.argval if before is not None and before.opname.startswith("LOAD_FAST") else None
        last = names[-1] if isinstance(names, tuple) else names  # one instruction may load two
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and code.co_varnames[:1] == (last,):
            yield instruction.argval
        before = instruction
