"""How things are measured, and how results are kept.

Two ways of doing the same work are timed in one process, in turn: a block of calls of A, a block of calls of B, a
block of A, ... Whatever slows the machine down for a while slows both. A round is one block of each; its ratio compares
neighbours in time, and the median of the ratios over all rounds is the result, with the quartiles as its spread.

A call has three times: *host*, until it returns (with asynchronous dispatch the device may still be at work); *thread*,
the processor time that the calling thread spent until then, which other programs on the machine do not lengthen; and
*complete*, until its results are there.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("jkeras", "jax", "jaxlib", "optax", "numpy", "keras")


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one way of doing the work, one entry per round (the median of the round's block)."""

    host: list[float]
    thread: list[float]
    complete: list[float]


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as the other, over rounds: the median and the quartiles."""

    median: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.lower:.3f} to {self.upper:.3f})"


@dataclass
class Report:
    """What a program found: a table and notes for people, and everything measured for machines."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    measured: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def divide(self) -> None:
        """Draws a line below the rows that are there."""
        self.rows.append(())

    def add(self, row: Sequence[str], **measured: Any) -> None:
        self.rows.append(row)
        self.measured.append(measured)

    def table(self) -> Table:
        table = Table(title=self.title)
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in self.rows:
            if row:
                table.add_row(*row)
            else:
                table.add_section()
        return table

    def write(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        content = {"name": self.name, "title": self.title, "circumstances": circumstances(), "measured": self.measured}
        path.write_text(json.dumps(content, indent=2, default=_plain) + "\n")
        return path


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Timing | Ratio) else str(value)


def circumstances() -> dict[str, Any]:
    """Versions, machine and command: what another has to match to find the same figures."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "versions": versions,
        "system": platform.platform(),
        "processor": _processor(),
        "devices": [device.device_kind for device in jax.devices()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def time_call(call: Callable[[], Any]) -> tuple[float, float, float]:
    """Host, thread and complete seconds of one call."""
    start, busy = time.perf_counter_ns(), time.thread_time_ns()
    result = call()
    returned, worked = time.perf_counter_ns(), time.thread_time_ns()
    jax.block_until_ready(result)
    done = time.perf_counter_ns()
    return (returned - start) * 1e-9, (worked - busy) * 1e-9, (done - start) * 1e-9


def interleaved(
    candidates: Mapping[str, Callable[[], Any]], *, rounds: int, calls: int = 1, warm_up: int = 1
) -> dict[str, Timing]:
    """Times candidates in turn: `rounds` rounds of a block of `calls` calls of each.

    The order within a round is reversed every other round, so that none always runs in the wake of the same other.
    """
    for call in candidates.values():
        for _ in range(warm_up):
            jax.block_until_ready(call())
    timings = {name: Timing([], [], []) for name in candidates}
    for number in range(rounds):
        for name in list(candidates)[:: -1 if number % 2 else 1]:
            block = [time_call(candidates[name]) for _ in range(calls)]
            for kind, seconds in zip(("host", "thread", "complete"), zip(*block, strict=True), strict=True):
                getattr(timings[name], kind).append(statistics.median(seconds))
    return timings


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """The ratio of two ways of doing the work, round by round.

    >>> str(ratio([2.0, 4.0, 6.0], [1.0, 2.0, 2.0]))
    '2.000 (2.000 to 2.500)'
    """
    each = [a / b for a, b in zip(numerator, denominator, strict=True)]
    lower, median, upper = statistics.quantiles(each, n=4, method="inclusive")
    return Ratio(median, lower, upper)


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"


def show(report: Report) -> None:
    """Prints the table, and where the figures lie."""
    console = Console()
    console.print(report.table())
    for note in report.notes:
        console.print(note)
    console.print(f"[dim]{report.write().relative_to(RESULTS.parents[1])}[/]")
