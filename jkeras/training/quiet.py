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
def deferred_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Turns the first Ctrl-C in the block into a call of `stop`; the second one interrupts as usual.

    A donated state is lost if a call is interrupted between giving it away and getting the next one. Works in the
    main thread, which alone gets signals; in others it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
