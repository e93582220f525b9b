"""Preemption: a machine that is about to be taken away says so by SIGTERM; training ends with a last file.

For one process Python's handler of the signal notes it. For several JAX's preemption service tells all processes, and
names a call after which all of them are: `jax.experimental.multihost_utils.reached_preemption_sync_point`.
"""

import signal
import threading
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils

from jkeras.jax_compat import coordination


class Preemption:
    """Watches for SIGTERM from `watch` to `close`.

    >>> preemption = Preemption()
    >>> preemption.watch()
    >>> preemption.reached()
    False
    >>> signal.raise_signal(signal.SIGTERM)
    >>> preemption.reached()
    True
    >>> preemption.close()
    """

    def __init__(self) -> None:
        self.calls = 0
        self._noted = False
        self._before: Any = None
        self._watches = False

    def watch(self) -> None:
        """Begins. Python lets only the main thread watch for signals; in others nothing is noticed."""
        self._noted = False
        if self._several() or threading.current_thread() is not threading.main_thread():
            return
        self._before = signal.signal(signal.SIGTERM, self._note)
        self._watches = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = True

    def reached(self) -> bool:
        """Whether training is to end now; asked after each call, and the same on all processes."""
        self.calls += 1
        if not self._several():
            return self._noted
        self._noted = self._noted or bool(multihost_utils.reached_preemption_sync_point(self.calls))
        return self._noted

    def close(self) -> None:
        """Ends. Who watched before watches again."""
        if self._watches:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)
            self._watches = False

    def _several(self) -> bool:
        return jax.process_count() > 1 and coordination() is not None
