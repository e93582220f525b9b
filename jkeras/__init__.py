"""jkeras: Keras 3's way of describing networks on JAX, with nothing stateful left in it."""

from jkeras import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    lora,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
)
from jkeras import dtypes as dtype_policies
from jkeras.core import (
    Function,
    Input,
    InputSpec,
    KerasTensor,
    Layer,
    Operation,
    SeedGenerator,
    Variable,
    Variables,
    cond,
    functionalize,
    get_mask,
    remat,
    scan,
    set_mask,
    vmap,
)
from jkeras.dtypes import DTypePolicy
from jkeras.initializers import Initializer
from jkeras.losses import Loss
from jkeras.metrics import Metric
from jkeras.models import Model, Sequential
from jkeras.regularizers import Regularizer
from jkeras.training import Trainer, TrainState
from jkeras.version import __version__

__all__ = [
    "DTypePolicy",
    "Function",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Regularizer",
    "SeedGenerator",
    "Sequential",
    "TrainState",
    "Trainer",
    "Variable",
    "Variables",
    "__version__",
    "activations",
    "callbacks",
    "cond",
    "config",
    "constraints",
    "datasets",
    "dtype_policies",
    "functionalize",
    "get_mask",
    "initializers",
    "layers",
    "lora",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "scan",
    "set_mask",
    "vmap",
]
