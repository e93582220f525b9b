"""Two things that must not cut into a running loop: Python's garbage collector, and Ctrl-C in the middle of a call."""

import contextlib
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def paused_collection() -> Iterator[Callable[[], int]]:
    """Keeps the cyclic garbage collector from running in the block; the block may call what it gets to collect.

    A collection walks every object of the process, which takes longer than many a step.

    >>> import gc
    >>> with paused_collection() as collect:
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield lambda: gc.collect(1)
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def deferred_interrupt(stop: Callable[[], None], alive: Callable[[], bool]) -> Iterator[Callable[[], None]]:
    """Turns the first Ctrl-C in the block into a call of `stop`; later ones interrupt as usual, but lose no state.

    A donated state is lost if a call is interrupted between giving it away and getting the next one. So while there is
    none, an interrupt waits. Works in the main thread, which alone gets signals; in others it does nothing.

    Args:
        stop: asks the loop to stop.
        alive: whether there is a state that was not given away.

    Yields:
        A function to call when the next state is there: it interrupts if a Ctrl-C has waited for that.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:  # `None`: not set from Python
        yield lambda: None
        return
    pressed, waits = 0, False

    def interrupt(frame: FrameType | None) -> None:
        if callable(before):
            before(signal.SIGINT, frame)
        else:
            signal.signal(signal.SIGINT, before)
            signal.raise_signal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed, waits
        pressed += 1
        if pressed == 1:
            stop()
        elif alive():
            interrupt(frame)
        else:
            waits = True

    def settle() -> None:
        nonlocal waits
        if waits:
            waits = False
            interrupt(None)

    signal.signal(signal.SIGINT, press)
    try:
        yield settle
    finally:
        signal.signal(signal.SIGINT, before)
