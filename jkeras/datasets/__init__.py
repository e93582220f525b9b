"""Data sets that come with the package."""

from jkeras.datasets import digits

__all__ = ["digits"]
