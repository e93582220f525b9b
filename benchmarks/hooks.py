"""What hooks cost: epochs of `fit` with a checkpoint, TensorBoard, a NaN check and the bar, beside epochs without."""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.harness import Report, interleaved, microseconds, ratio
from jkeras import callbacks

ROUNDS = 5
EPOCHS = 3
STEADY_STEPS = 20_000


def tasks() -> tuple[peers.Task, ...]:
    """The networks of `loop`, in epochs of about a second."""
    return (
        peers.mlp("MLP 64-128-128-128-10", (128,) * 3, 12_000),
        peers.mlp("MLP of 50 layers of 64", (64,) * 50, 2000),
        peers.convolutional("convolutional, 32 and 64 filters", (32, 64), 40, 512),
    )


def hooks(folder: Path) -> list[callbacks.Callback]:
    """Everything that looks at every call or writes after every epoch. TensorBoard's writers are an extra."""
    return [
        callbacks.ModelCheckpoint(str(folder / "{epoch}.h5")),
        callbacks.TerminateOnNaN(),
        callbacks.TensorBoard(str(folder / "logs")),
        callbacks.Progress(1),
    ]


def candidates(task: peers.Task, folder: Path) -> dict[str, Callable[[], Any]]:
    """The same epochs bare and with hooks."""
    return {
        "bare": peers.with_jkeras(task, epochs=EPOCHS),
        "hooks": peers.with_jkeras(task, epochs=EPOCHS, callbacks=hooks(folder)),
    }


def run() -> Report:
    """Wall time per step with hooks, and how steady 20,000 steps are."""
    title = f"Hooks: {EPOCHS} epochs of fit with a checkpoint an epoch, TensorBoard, TerminateOnNaN and the bar"
    report = Report("hooks", title, ("network", "steps an epoch", "bare", "with hooks", "ratio (quartiles)"))
    for task in tasks():
        with tempfile.TemporaryDirectory() as folder:
            timings = interleaved(candidates(task, Path(folder)), rounds=ROUNDS)
        relative = ratio(timings["hooks"].complete, timings["bare"].complete)
        per_step = [statistics.median(timings[name].complete) / task.steps / EPOCHS for name in ("bare", "hooks")]
        row = (task.name, str(task.steps), *map(microseconds, per_step), str(relative))
        report.add(row, network=task.name, steps=task.steps, seconds=timings, ratio=relative)
    for calls in (1, "auto"):
        median, p99 = steadiness(calls)
        name = f"{STEADY_STEPS:,} steps, steps_per_execution={calls}: median and p99"
        row = (name, str(STEADY_STEPS), microseconds(median), microseconds(p99), f"{p99 / median:.3f}")
        report.add(row, steps_per_execution=calls, median=median, p99=p99)
    return report


def steadiness(steps_per_execution: int | str) -> tuple[float, float]:
    """The median and the 99th percentile of the time of a step, from call to call."""
    task = peers.mlp("MLP 64-128-128-128-10", (128,) * 3, STEADY_STEPS)
    trainer, state = peers.trainer_of(task, steps_per_execution=steps_per_execution)
    trainer.fit(state, task.x, task.y, batch_size=task.batch, verbose=0)
    return trainer.stats.step_time_median, trainer.stats.step_time_p99
