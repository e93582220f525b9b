"""How long `import jkeras` takes beside `import jax`, in fresh interpreters."""

import statistics
import subprocess
import sys

from benchmarks.harness import Report, milliseconds

ROUNDS = 15
MODULES = ("jax", "jax, optax", "jkeras")


def seconds(modules: str) -> tuple[float, float]:
    """Of one import, in an interpreter of its own: passed, and spent by the processor."""
    program = (
        f"from time import perf_counter as t, process_time as p; a, b = t(), p(); import {modules};"
        " print(t() - a, p() - b)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    passed, spent = map(float, run.stdout.split())
    return passed, spent


def run() -> Report:
    """Import time in fresh interpreters, in turn."""
    times: dict[str, list[tuple[float, float]]] = {modules: [] for modules in MODULES}
    for number in range(ROUNDS + 1):
        for modules in MODULES:
            measured = seconds(modules)
            if number:  # the first round fills the file cache
                times[modules].append(measured)
    columns = ("import", "time", "beyond jax", "processor time", "beyond jax")
    report = Report("imports", f"Import in fresh interpreters: medians of {ROUNDS}", columns)
    for modules, each in times.items():
        cells, measured_beyond = [], {}
        for kind, passed, jax in zip(
            ("time", "processor"), zip(*each, strict=True), zip(*times["jax"], strict=True), strict=True
        ):
            beyond = statistics.median(a - b for a, b in zip(passed, jax, strict=True))
            cells += [milliseconds(statistics.median(passed)), milliseconds(beyond)]
            measured_beyond[kind] = beyond
        report.add((modules, *cells), modules=modules, seconds=each, beyond_jax=measured_beyond)
    return report
