"""Compiling: what `steps_per_execution` adds to it, and what the cache of compiled programs saves a second process."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks import peers
from benchmarks.harness import Report, milliseconds, ratio

ROUNDS = 5
NETWORKS = {"small": "MLP of 3 layers of 128", "deep": "MLP of 50 layers of 64", "convolutional": "convolutional"}
FIRST_STEP = """
import sys, time
import jkeras
from benchmarks import peers
jkeras.config.enable_compile_cache(sys.argv[1])
task = {"deep": peers.mlp("", (64,) * 50, 1), "small": peers.mlp("", (128,) * 3, 1),
        "convolutional": peers.convolutional("", (32, 64), 1, 512)}[sys.argv[2]]
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


def first_step(cache: str, network: str) -> tuple[float, float]:
    """Of a process of its own: seconds to make a trainer and its state, and seconds of a `fit` of one step."""
    program = [sys.executable, "-c", FIRST_STEP, cache, network]
    run = subprocess.run(program, capture_output=True, check=True, text=True)
    made, fitted = map(float, run.stdout.split())
    return made, fitted


def run() -> Report:
    """Compile time against `steps_per_execution`, and the first step with a cold and a warm cache."""
    columns = ("network", "what", "before", "after", "before to after (quartiles)")
    report = Report("compiling", "What compiling takes, and what the cache of compiled programs saves", columns)
    once, often = zip(*[(compile_seconds(1), compile_seconds(100)) for _ in range(ROUNDS)], strict=True)
    _add(report, NETWORKS["deep"], "compiling with steps_per_execution=100, and 1", often, once)
    for network, name in NETWORKS.items():
        cold, warm = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(first_step(cache, network))
                warm.append(first_step(cache, network))
        for index, what in enumerate(("making a trainer and its state", "fit of one step")):
            what = f"{what} in a first process, and in a second"
            _add(report, name, what, [each[index] for each in cold], [each[index] for each in warm])
    return report


def _add(report: Report, network: str, what: str, before: Sequence[float], after: Sequence[float]) -> None:
    relative = ratio(before, after)
    medians = [milliseconds(statistics.median(seconds)) for seconds in (before, after)]
    report.add((network, what, *medians, str(relative)), network=network, before=before, after=after, ratio=relative)
