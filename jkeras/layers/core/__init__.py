"""Core layers."""

from jkeras.layers.core.dense import Dense

__all__ = ["Dense"]
