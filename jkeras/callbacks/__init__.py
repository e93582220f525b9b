"""Callbacks: hooks of a training loop."""

from jkeras.callbacks.callback import Callback, CallbackList, Loop
from jkeras.callbacks.history import History
from jkeras.callbacks.progress import Progress

__all__ = ["Callback", "CallbackList", "History", "Loop", "Progress"]
