"""jkeras: Keras 3's way of describing networks on JAX, with nothing stateful left in it."""

from jkeras.version import __version__

__all__ = ["__version__"]
