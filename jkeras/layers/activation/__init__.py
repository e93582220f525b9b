"""Activations as layers."""

from jkeras.layers.activation.activation import Activation
from jkeras.layers.activation.rectifiers import ELU, LeakyReLU, PReLU, ReLU
from jkeras.layers.activation.softmax import Softmax

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]
