"""Plans of large steps for machines that are not there, beside the same steps written by hand in JAX.

Each plan is made in a process of its own. Rows whose plug-in is not installed say so: `pip install 'jkeras[tpu]'` and
`'jkeras[cuda]'`, each in an environment of its own if need be.
"""

import json
import subprocess
import sys
from typing import Any

from benchmarks.harness import Report

# Network, machine, examples of a batch
CASES = (
    ("GPT-2 124M", "v5e:4x4", 128),
    ("GPT-2 124M", "h100:8", 64),
    ("Llama-3-8B", "v5p:4x4x4", 64),
    ("Llama-3-8B", "h100:8x8", 64),
)
GIB = 2**30


def planned(network: str, topology: str, batch: int, side: str) -> dict[str, Any]:
    """The figures of one plan."""
    command = [sys.executable, "-m", "benchmarks.plan_steps", network, topology, str(batch), side]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cells(found: dict[str, Any]) -> tuple[str, ...]:
    """What a row shows of a plan.

    >>> cells({"skipped": "no compiler"})
    ('no compiler', '', '', '', '')
    """
    if words := found.get("skipped") or found.get("refused"):
        return (words, "", "", "", "")
    communicated = (f"{n} {kind} {size / GIB:.2f} GiB" for kind, (n, size) in found["collectives"].items())
    return (
        f"{found['temporaries'] / GIB:.2f} GiB",
        f"{found['arguments'] / GIB:.3f} GiB",
        "\n".join(communicated),
        "" if found["cycles"] is None else f"{found['cycles'] / 1e6:.1f} M",
        f"{found['seconds']:.0f} s ({found['processor_seconds']:.0f} s)",
    )


def ratios(ours: dict[str, Any], hand: dict[str, Any]) -> dict[str, float]:
    """Ours by theirs: temporaries, arguments, bytes of all collectives, cycles.

    >>> one = {"temporaries": 2, "arguments": 1, "cycles": None, "collectives": {"all-gather": [1, 8]}}
    >>> ratios({**one, "temporaries": 3}, one)
    {'temporaries': 1.5, 'arguments': 1.0, 'collectives': 1.0}
    """
    if "temporaries" not in ours or "temporaries" not in hand:
        return {}
    found = {name: ours[name] / hand[name] for name in ("temporaries", "arguments")}
    totals = [sum(size for _, size in side["collectives"].values()) for side in (ours, hand)]
    found["collectives"] = totals[0] / max(totals[1], 1)
    if hand["cycles"]:
        found["cycles"] = ours["cycles"] / hand["cycles"]
    return found


def run() -> Report:
    """Memory, collectives and cycles of GPT-2 and Llama steps on TPU slices and GPUs that are not there."""
    columns = (
        "network",
        "machine",
        "side",
        "temporaries",
        "arguments",
        "collectives",
        "cycles",
        "planned in (processor)",
    )
    report = Report("plans", "Fully sharded steps, bytes on a device", columns)
    for network, topology, batch in CASES:
        sides = {side: planned(network, topology, batch, side) for side in ("by hand", "jkeras")}
        for side, found in sides.items():
            report.add(
                (f"{network}, batch {batch}", topology, side, *cells(found)),
                network=network,
                machine=topology,
                side=side,
                **found,
            )
        if relative := ratios(sides["jkeras"], sides["by hand"]):
            shown = tuple(f"{relative[name]:.3f}" if name in relative else "" for name in ("temporaries", "arguments"))
            rest = tuple(f"{relative[name]:.3f}" if name in relative else "" for name in ("collectives", "cycles"))
            report.add(("", "", "ratio", *shown, *rest, ""), network=network, machine=topology, ratios=relative)
        report.divide()
    return report
