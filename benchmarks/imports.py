"""How long `import jkeras` takes beside `import jax`, in fresh interpreters."""

import statistics
import subprocess
import sys

from benchmarks.harness import Report, milliseconds

ROUNDS = 15
MODULES = ("jax", "jax, optax", "jkeras")


def seconds(modules: str) -> float:
    """Of one import, in an interpreter of its own."""
    program = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout)


def run() -> Report:
    """Import time in fresh interpreters, in turn."""
    times: dict[str, list[float]] = {modules: [] for modules in MODULES}
    for number in range(ROUNDS + 1):
        for modules in MODULES:
            measured = seconds(modules)
            if number:  # the first round fills the file cache
                times[modules].append(measured)
    report = Report("imports", "Import, fresh interpreters", ("import", "median", "fastest", "slowest", "beyond jax"))
    for modules, each in times.items():
        beyond = statistics.median(a - b for a, b in zip(each, times["jax"], strict=True))
        cells = [milliseconds(value) for value in (statistics.median(each), min(each), max(each), beyond)]
        report.add((modules, *cells), modules=modules, seconds=each, beyond_jax=beyond)
    return report
