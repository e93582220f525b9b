"""TensorBoard: logs and weights as event files that the program TensorBoard draws."""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from jkeras import arguments, tree
from jkeras.callbacks.callback import Callback
from jkeras.callbacks.counting import EveryBatches
from jkeras.callbacks.learning_rate import learning_rate_of
from jkeras.callbacks.monitor import VALIDATION
from jkeras.callbacks.state import State
from jkeras.errors import ArgumentError, MissingExtraError

TRAIN, TEST = "train", "validation"


class TensorBoard(Callback):
    """Writes events for TensorBoard: `tensorboard --logdir logs`. Needs the extra `jkeras[tensorboard]`.

    In `train/`: `epoch_<log>` and `epoch_learning_rate` by epoch; `batch_<log>` by batch, if asked for, counted over
    epochs and restarts; `<path of the weight>/histogram` by epoch, if asked for. In `validation/`: `epoch_<log>` by
    epoch, and `evaluation_<log>_vs_iterations` by the state's step after every evaluation.

    Args:
        log_dir: the folder.
        histogram_freq: every how many epochs histograms of the weights are written; 0 for never.
        write_steps_per_second: also write `epoch_steps_per_second`, the time of validation included.
        update_freq: `"epoch"`, or every how many batches logs are written; `"batch"` is every single one, and makes
            every call of the program run one batch.
        profile_batch: the index (from 1, counted over epochs) of a batch to profile, or the first and the last; 0 for
            none. The profile begins and ends with a call of the program.

    Raises:
        MissingExtraError: when it first writes, where the package tensorboardX is not installed.
        ArgumentError: an argument out of range.

    >>> TensorBoard("logs", update_freq="batch").every_batch
    True
    """

    first_process_only = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        *,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int | tuple[int, int] = 0,
    ) -> None:
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = arguments.non_negative_int(histogram_freq, "histogram_freq", "TensorBoard")
        self.write_steps_per_second = write_steps_per_second
        self.every = EveryBatches("TensorBoard", "update_freq", 1 if update_freq == "batch" else update_freq)
        self.update_freq = self.every.frequency
        self.every_batch = self.update_freq == 1
        self.profile_batch = _range(profile_batch)
        self.writers: dict[str, Any] = {}
        self.before_epoch = 0  # batches before the epoch
        self.last: int | None = None  # the index in its epoch of the last batch of the call before
        self.is_training = self.is_profiling = False

    # -- training

    def on_train_begin(self, logs: Mapping[str, Any], state: State) -> None:
        """Counts batches on from the state's step."""
        self.is_training = True
        self.before_epoch = int(state.step) - self.loop.initial_batch

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Starts the epoch's clock."""
        self.last = None
        self.first = self.loop.initial_batch if epoch == self.loop.initial_epoch else 0
        self.started = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        """Begins the profile, if it is time."""
        if self.profile_batch and not self.is_profiling and self.before_epoch + batch + 1 >= self.profile_batch[0]:
            jax.profiler.start_trace(os.path.join(self.log_dir, TRAIN))
            self.is_profiling = True

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes the logs of the call before, which are ready."""
        if self.last is not None and self.every.due(self.last):
            self._write_batch(self.last, logs)
        self.last = batch
        if self.is_profiling and self.profile_batch and self.before_epoch + batch + 1 >= self.profile_batch[1]:
            jax.block_until_ready(state)
            self._end_profile()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any], state: State) -> None:
        """Writes the epoch's logs, and what is still missing of its batches."""
        of_training = {name: value for name, value in logs.items() if not name.startswith(VALIDATION)}
        if self.last is not None:
            if self.every.due(self.last):
                self._write_batch(self.last, of_training)
            self.before_epoch += self.last + 1
        rates = self._rates(state)
        self._write(TRAIN, {f"epoch_{name}": value for name, value in {**of_training, **rates}.items()}, epoch)
        of_validation = {
            name.removeprefix(VALIDATION): value for name, value in logs.items() if name not in of_training
        }
        if of_validation:
            self._write(TEST, {f"epoch_{name}": value for name, value in of_validation.items()}, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_histograms(state, epoch)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Mapping[str, Any], state: State) -> None:
        """Closes the files."""
        self.is_training = False
        self._end_profile()
        self._close()

    # -- evaluation

    def on_test_end(self, logs: Mapping[str, Any], state: State) -> None:
        """Writes the evaluation's logs."""
        values = {f"evaluation_{name}_vs_iterations": value for name, value in logs.items()}
        self._write(TEST, values, int(state.step))
        if not self.is_training:
            self._close()

    # -- what is written

    def _rates(self, state: State) -> dict[str, float]:
        """The learning rate, where the optimizer's state has one, and the speed, where it is asked for."""
        rates = {}
        with contextlib.suppress(ArgumentError):  # an optimizer without hyper-parameters in its state, or several
            rates["learning_rate"] = learning_rate_of(state)
        if self.write_steps_per_second and self.last is not None:
            rates["steps_per_second"] = (self.last + 1 - self.first) / (time.perf_counter() - self.started)
        return rates

    def _write_batch(self, batch: int, logs: Mapping[str, Any]) -> None:
        values = {f"batch_{name}": value for name, value in logs.items()}
        self._write(TRAIN, values, self.before_epoch + batch + 1)

    def _write(self, which: str, values: Mapping[str, Any], step: int) -> None:
        for name, value in values.items():
            for path, each in ((name, value),) if np.ndim(value) == 0 else _members(name, value):
                self._writer(which).add_scalar(path, each, step)

    def _write_histograms(self, state: State, epoch: int) -> None:
        for part in (state.trainable, state.non_trainable):
            for path, leaf in tree.flatten(jax.device_get(part)).items():
                values = np.asarray(leaf, "float64").ravel()
                values = values[np.isfinite(values)]
                if values.size:
                    self._writer(TRAIN).add_histogram(f"{path}/histogram", values, epoch)

    def _writer(self, which: str) -> Any:
        if which not in self.writers:
            self.writers[which] = _summary_writer(os.path.join(self.log_dir, which))
        return self.writers[which]

    def _close(self) -> None:
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _end_profile(self) -> None:
        if self.is_profiling:
            jax.profiler.stop_trace()
            self.is_profiling, self.profile_batch = False, None


def _members(name: str, values: np.ndarray) -> Iterable[tuple[str, float]]:
    """The value of each replica."""
    return ((f"{name}/{'_'.join(map(str, index))}", value) for index, value in np.ndenumerate(values))


def _summary_writer(folder: str) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        what = "writing events for TensorBoard"
        raise MissingExtraError.of(what, "tensorboardX", "tensorboard", "TensorBoard") from error
    return SummaryWriter(folder)


def _range(given: object) -> tuple[int, int] | None:
    """The first and last batch to profile."""
    if isinstance(given, int | np.integer) and not isinstance(given, bool) and given >= 0:
        return (int(given), int(given)) if given else None
    if (
        isinstance(given, tuple | list)
        and len(given) == 2
        and all(isinstance(each, int | np.integer) for each in given)
    ):
        first, last = given
        if 0 < first <= last:
            return int(first), int(last)
    wanted = "0, the number of a batch, or a pair of the first and the last batch"
    expected, line = "0, an int >= 1, or a pair of ints 1 <= first <= last", "TensorBoard(profile_batch=(10, 20))"
    raise arguments.refusal(given, "profile_batch", "TensorBoard", wanted, expected=expected, write=line)
