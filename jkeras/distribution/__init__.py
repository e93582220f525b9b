"""Distribution: placements of a training over devices, under Keras's names and ours, and JAX's own start of processes.

Nothing is global: a placement is an argument of the trainer.
"""

from jkeras.distribution.auto import auto
from jkeras.distribution.devices import get_device_count, initialize, list_devices
from jkeras.distribution.globals import distribution, set_distribution
from jkeras.distribution.layouts import DeviceMesh, LayoutMap, TensorLayout, distribute_tensor
from jkeras.distribution.placements import FSDP, DataParallel, ModelParallel
from jkeras.placement.pins import constrain
from jkeras.placement.placement import Placement

__all__ = [
    "FSDP",
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "Placement",
    "TensorLayout",
    "auto",
    "constrain",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
