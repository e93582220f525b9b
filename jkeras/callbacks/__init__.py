"""Callbacks: hooks of a training loop, as functions from state to state."""

from jkeras.callbacks.backup import BackupAndRestore
from jkeras.callbacks.callback import Callback, CallbackList, Loop
from jkeras.callbacks.csv_logger import CSVLogger
from jkeras.callbacks.early_stopping import EarlyStopping
from jkeras.callbacks.history import History
from jkeras.callbacks.lambda_callback import LambdaCallback
from jkeras.callbacks.learning_rate import LearningRateScheduler
from jkeras.callbacks.model_checkpoint import ModelCheckpoint
from jkeras.callbacks.monitor import Monitor
from jkeras.callbacks.progress import Progress
from jkeras.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from jkeras.callbacks.tensorboard import TensorBoard
from jkeras.callbacks.terminate_on_nan import TerminateOnNaN
from jkeras.saving.background import BackgroundWriter
from jkeras.saving.orbax_states import read_orbax, write_orbax
from jkeras.saving.state import read_state, write_state

__all__ = [
    "BackgroundWriter",
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "Loop",
    "ModelCheckpoint",
    "Monitor",
    "Progress",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "read_orbax",
    "read_state",
    "write_orbax",
    "write_state",
]
