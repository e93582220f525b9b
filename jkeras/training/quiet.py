"""Two things that must not cut into a running loop: Python's garbage collector, and Ctrl-C in the middle of a call."""

import contextlib
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

ALLOCATIONS = 50_000  # net allocations of containers until Python collects by itself; 700 by default
SECONDS = 5.0


class _Thresholds:
    """The collector's thresholds are the process's: the first loop raises them, the last one restores them."""

    def __init__(self) -> None:
        self.lock, self.loops = threading.Lock(), 0
        self.before = self.raised = gc.get_threshold()

    def enter(self) -> None:
        with self.lock:
            if self.loops == 0:
                first, second, third = self.before = gc.get_threshold()
                self.raised = (max(first, ALLOCATIONS) if first else 0, second, third)
                gc.set_threshold(*self.raised)
            self.loops += 1

    def leave(self) -> None:
        with self.lock:
            self.loops -= 1
            if self.loops == 0 and gc.get_threshold() == self.raised:  # else somebody has chosen others since
                gc.set_threshold(*self.before)


_thresholds = _Thresholds()


@contextlib.contextmanager
def rare_collection(rarely: bool = True) -> Iterator[Callable[..., None]]:
    """Makes Python's garbage collector run more rarely in the block: after `ALLOCATIONS` allocations.

    A collection may walk every object of the process, which takes longer than many a step. A collector that is
    disabled stays disabled. Whatever happens in the block, the process's thresholds come back after it.

    Args:
        rarely: whether to do so; otherwise the collector is left alone.

    Yields:
        A function for the block to call after each step: it collects young objects if `SECONDS` have passed since the
        last time, or if its argument says so.

    >>> before = gc.get_threshold()
    >>> with rare_collection() as collect:
    ...     gc.get_threshold()[0] >= ALLOCATIONS, gc.isenabled()
    (True, True)
    >>> gc.get_threshold() == before
    True
    """
    last = time.perf_counter()

    def collect(now: bool = False) -> None:
        nonlocal last
        if rarely and gc.isenabled() and (now or time.perf_counter() - last > SECONDS):
            gc.collect(1)
            last = time.perf_counter()

    if not rarely:
        yield collect
        return
    _thresholds.enter()
    try:
        yield collect
    finally:
        _thresholds.leave()


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
