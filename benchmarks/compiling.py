"""Compiling: what `steps_per_execution` adds to it, and what the cache of compiled programs saves a second process."""

import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import peers
from benchmarks.harness import Report, milliseconds, ratio

ROUNDS = 5
FIRST_STEP = """
import sys, time
import jkeras
from benchmarks import peers
jkeras.config.enable_compile_cache(sys.argv[1])
task = peers.mlp("", (64,) * 50, 1)
begun = time.perf_counter()
trainer, state = peers.trainer_of(task)
made = time.perf_counter()
trainer.fit(state, task.x, task.y, batch_size=task.batch, verbose=0)
print(made - begun, time.perf_counter() - made)
"""


def compile_seconds(steps_per_execution: int) -> float:
    """How much longer the first `fit` of a trainer takes than its second."""
    task = peers.mlp("", (64,) * 50, 100)
    trainer, state = peers.trainer_of(task, steps_per_execution=steps_per_execution)
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        state, _ = trainer.fit(state, task.x, task.y, batch_size=task.batch, verbose=0)
        seconds.append(time.perf_counter() - begun)
    return seconds[0] - seconds[1]


def first_step(cache: str) -> tuple[float, float]:
    """Of a process of its own: seconds to make a trainer and its state, and seconds of a `fit` of one step."""
    run = subprocess.run([sys.executable, "-c", FIRST_STEP, cache], capture_output=True, check=True, text=True)
    made, fitted = map(float, run.stdout.split())
    return made, fitted


def run() -> Report:
    """Compile time against `steps_per_execution`, and the first step with a cold and a warm cache."""
    report = Report("compiling", "Compiling an MLP of 50 layers of 64", ("what", "seconds", "ratio (quartiles)"))
    once, often = zip(*[(compile_seconds(1), compile_seconds(100)) for _ in range(ROUNDS)], strict=True)
    report.add(("steps_per_execution=1", milliseconds(statistics.median(once)), ""), seconds=once)
    relative = ratio(often, once)
    row = ("steps_per_execution=100, to 1", milliseconds(statistics.median(often)), str(relative))
    report.add(row, seconds=often, ratio=relative)
    cold, warm = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(first_step(cache))
            warm.append(first_step(cache))
    for index, what in enumerate(("making a trainer and its state", "fit of one step")):
        first, second = [each[index] for each in cold], [each[index] for each in warm]
        report.add((f"{what}, first process", milliseconds(statistics.median(first)), ""), seconds=first)
        relative = ratio(first, second)
        row = (f"{what}, second process; first to it", milliseconds(statistics.median(second)), str(relative))
        report.add(row, seconds=second, ratio=relative)
    return report
