"""Optimizers: frozen configs with Keras's names and numbers that build optax transformations.

An optimizer is any `optax.GradientTransformation`. Those of this package hold no array: moments, counters and the
hyper-parameters themselves are in the state that `init` returns, so a new learning rate compiles nothing.
"""

from jkeras.optimizers import schedules
from jkeras.optimizers.adadelta import Adadelta
from jkeras.optimizers.adafactor import Adafactor
from jkeras.optimizers.adagrad import Adagrad
from jkeras.optimizers.adam import Adam, AdamW
from jkeras.optimizers.adamax import Adamax
from jkeras.optimizers.averaging import ParameterAverageState, ema_params
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.ftrl import Ftrl
from jkeras.optimizers.groups import by_path
from jkeras.optimizers.hyperparameters import (
    get_hyperparameters,
    get_learning_rate,
    set_hyperparameters,
    set_learning_rate,
)
from jkeras.optimizers.lamb import Lamb
from jkeras.optimizers.lion import Lion
from jkeras.optimizers.lookup import deserialize, get, serialize
from jkeras.optimizers.muon import Muon
from jkeras.optimizers.nadam import Nadam
from jkeras.optimizers.rmsprop import RMSprop
from jkeras.optimizers.schedule_free import ScheduleFreeAdamW
from jkeras.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "ParameterAverageState",
    "RMSprop",
    "ScheduleFreeAdamW",
    "by_path",
    "deserialize",
    "ema_params",
    "get",
    "get_hyperparameters",
    "get_learning_rate",
    "schedules",
    "serialize",
    "set_hyperparameters",
    "set_learning_rate",
]
