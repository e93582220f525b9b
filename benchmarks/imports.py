"""How long `import jkeras` takes beside `import jax`, in fresh interpreters."""

import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks.harness import Report, milliseconds

ROUNDS = 15
MODULES = ("jax", "jax, optax", "jkeras")


def seconds(modules: str, bytecode: str) -> tuple[float, float]:
    """Of one import, in an interpreter of its own: passed, and spent by the processor. Bytecode is kept in a folder."""
    program = (
        f"from time import perf_counter as t, process_time as p; a, b = t(), p(); import {modules};"
        " print(t() - a, p() - b)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode  # what is imported is bytecode, as in an installed package
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    passed, spent = map(float, run.stdout.split())
    return passed, spent


def run() -> Report:
    """Import time in fresh interpreters, in turn."""
    times: dict[str, list[tuple[float, float]]] = {modules: [] for modules in MODULES}
    with tempfile.TemporaryDirectory() as bytecode:
        for number in range(ROUNDS + 1):
            for modules in MODULES:
                measured = seconds(modules, bytecode)
                if number:  # the first round compiles
                    times[modules].append(measured)
    columns = ("import", "fastest", "beyond jax", "median", "beyond jax", "processor, median", "beyond jax")
    report = Report("imports", f"Import in fresh interpreters, {ROUNDS} rounds", columns)
    jax_passed, jax_spent = zip(*times["jax"], strict=True)
    for modules, each in times.items():
        passed, spent = zip(*each, strict=True)
        beyond = {
            "fastest": min(passed) - min(jax_passed),
            "median": statistics.median(a - b for a, b in zip(passed, jax_passed, strict=True)),
            "processor": statistics.median(a - b for a, b in zip(spent, jax_spent, strict=True)),
        }
        absolute = (min(passed), statistics.median(passed), statistics.median(spent))
        cells = [milliseconds(value) for pair in zip(absolute, beyond.values(), strict=True) for value in pair]
        report.add((modules, *cells), modules=modules, seconds=each, beyond_jax=beyond)
    return report
