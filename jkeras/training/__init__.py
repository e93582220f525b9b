"""Training: the state, the pure steps, the loops."""

from jkeras.data.arrays import pack_x_y_sample_weight, unpack_x_y_sample_weight
from jkeras.training.forward import Forward, joined
from jkeras.training.options import FitOptions
from jkeras.training.state import TrainState
from jkeras.training.trainer import Trainer

__all__ = [
    "FitOptions",
    "Forward",
    "TrainState",
    "Trainer",
    "joined",
    "pack_x_y_sample_weight",
    "unpack_x_y_sample_weight",
]
