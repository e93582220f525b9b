"""What a placement costs a step: `fit` over eight virtual devices, beside a loop over a step sharded by hand in JAX."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.harness import Ratio, Report, milliseconds


def measured(what: str) -> list[dict[str, Any]]:
    """The rows that `benchmarks.placed_steps` finds, in a process with eight virtual devices."""
    command = [sys.executable, "-m", "benchmarks.placed_steps", what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def run() -> Report:
    """Time of a step on 8 virtual devices: data, fully sharded and tensor parallel, by hand and with `fit`."""
    columns = ("network", "split", "by hand", "fit", "fit to by hand")
    report = Report("scaling", "Steps over 8 virtual CPU devices, batches from the host", columns)
    for row in measured("times"):
        relative = Ratio(**row["ratio"])
        cells = (
            row["network"],
            row["placement"],
            milliseconds(row["hand"]),
            milliseconds(row["jkeras"]),
            str(relative),
        )
        report.add(cells, **row)
    report.notes.append("Both sides put each batch on the devices; `fit` takes its epoch's order from the same arrays.")
    return report
