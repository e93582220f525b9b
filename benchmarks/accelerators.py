"""What the compilers of a TPU v5e and of an H100 say of training steps, beside the same steps of others.

    python -m benchmarks accelerators                                # everything: an hour on two cores
    python -m benchmarks.accelerators v5e "GPT-2, 2 blocks" jkeras   # one line

Nothing runs, and no accelerator is needed; XLA's compilers for them are (the extras `tpu` and `cuda`). Each step is
compiled in a process of its own. Cycles are the TPU compiler's estimates, added up, the body of a loop as often as it
runs. It has none for what happens inside a custom kernel (Pallas), so a program with kernels is to be compared by its
temporaries and by the products outside of kernels.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.harness import Report
from benchmarks.targets import ENVIRONMENT, PLATFORMS, why_not

# program -> sides; the first ones are jkeras's
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "GPT-2, 2 blocks": ("jkeras", "jkeras with kernels", "by hand", "Keras", "Flax NNX"),
    "GPT-2, 12 blocks": ("jkeras", "jkeras with kernels", "by hand", "Keras", "Flax NNX"),
    "Llama, 4 blocks": ("jkeras", "jkeras with kernels", "by hand"),
    "ResNet-50": ("jkeras", "Keras"),
}
LAYERS = "layers"
COLUMNS = ("step", "side", "cycles", "products", "temporaries", "arguments", "fusions", "kernels", "compiling")
COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) (?:\([^\n]*)?\{$", re.MULTILINE)
CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
LOOP = re.compile(
    r" while\(.*?condition=%?([\w.\-]+), body=%?([\w.\-]+)(?:.*?\"known_trip_count\":\{\"n\":\"(\d+)\"\})?"
)
BOUND = re.compile(r" s32\[\]\S* constant\((\d+)\)")
KERNEL = re.compile(r'custom_call_target="(tpu_custom_call|__cudnn[\w$]*)"')


def computations(text: str) -> Iterator[tuple[str, str]]:
    """The names and bodies of the computations of a compiled program; that of the entry is `""`."""
    found = list(COMPUTATION.finditer(text))
    for place, match in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(text)
        yield "" if match.group().startswith("ENTRY") else match.group(1), text[match.end() : end]


def cycles(text: str) -> int:
    """The estimated cycles of a compiled program, the bodies of its loops as often as they run.

    Where the compiler does not say how often that is, the bound is in the loop's condition: loops of JAX count from 0.

    >>> cycles('''
    ... %body (p: f32[]) -> f32[] {
    ...   %a = f32[] fusion(%p), backend_config={"estimated_cycles":"5"}
    ... }
    ... ENTRY %main (p: f32[]) -> f32[] {
    ...   %b = f32[] fusion(%p), backend_config={"estimated_cycles":"2"}
    ...   %c = f32[] while(%b), condition=%test, body=%body, backend_config={"known_trip_count":{"n":"10"}}
    ... }''')
    52
    >>> cycles('''
    ... %body (p: s32[]) -> s32[] {
    ...   %a = s32[] fusion(%p), backend_config={"estimated_cycles":"5"}
    ... }
    ... %test (p: s32[]) -> pred[] {
    ...   %n = s32[]{:T(128)} constant(8)
    ...   ROOT %r = pred[] compare(%p, %n), direction=LT
    ... }
    ... ENTRY %main (p: s32[]) -> s32[] {
    ...   %c = s32[] while(%b), condition=%test, body=%body
    ... }''')
    40
    """
    bodies = dict(computations(text))

    def of(name: str) -> int:
        body = bodies.get(name, "")
        own = sum(map(int, CYCLES.findall(body)))
        return own + sum(
            int(known or bound_of(bodies.get(test, ""))) * of(inner) for test, inner, known in LOOP.findall(body)
        )

    return of("")


def bound_of(condition: str) -> int:
    """The number in the condition of a loop, 1 where there is none or several."""
    found = BOUND.findall(condition)
    return int(found[0]) if len(found) == 1 else 1


def facts(compiled: Any, products: int, seconds: float) -> dict[str, Any]:
    """What is said of a compiled program."""
    text, memory = compiled.as_text(), compiled.memory_analysis()
    return {
        "cycles": cycles(text),
        "products": products,
        "temporaries": memory.temp_size_in_bytes,
        "arguments": memory.argument_size_in_bytes,
        "fusions": text.count(" fusion("),
        "kernels": len(KERNEL.findall(text)),
        "seconds": seconds,
    }


def measure(target: str, program: str, side: str) -> dict[str, Any]:
    """The facts of a step, compiled in a process of its own, or `{"reason": ...}`."""
    command = [sys.executable, "-m", "benchmarks.accelerator_steps", target, program, side]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return {"reason": f"failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a line, from the cycles on."""
    counted = f"{found['cycles'] / 1e6:,.2f} M" if found["cycles"] else "-"
    return (
        counted + (" + kernels" if found["kernels"] and found["cycles"] else ""),
        f"{found['products'] / 1e12:,.3f} TFLOP",
        *(f"{found[name] / 2**20:,.0f} MiB" for name in ("temporaries", "arguments")),
        *(str(found[name]) for name in ("fusions", "kernels")),
        f"{found['seconds']:.0f} s",
    )


def run() -> Report:
    """Training steps and layers, compiled for a TPU v5e and an H100: cycles, memory, fusions, kernels."""
    report = Report("accelerators", "What XLA's compilers for accelerators say", COLUMNS)
    for target in PLATFORMS:
        if reason := why_not(target):
            report.notes.append(f"{target}: {reason}")
            continue
        for program, sides in PROGRAMS.items():
            for side in sides:
                add(report, target, program, side)
            report.divide()
        found = measure(target, LAYERS, "")
        for name, each in found.items() if "reason" not in found else ():
            for side in ("jkeras", "by hand"):
                report.add((f"{target}: {name}", side, *cells(each[side])), target=target, program=name, **each[side])
        if "reason" in found:
            report.notes.append(f"{target}, layers: {found['reason']}")
        report.divide()
    report.notes.append("Cycles do not contain what happens inside kernels; products are those outside of them.")
    return report


def add(report: Report, target: str, program: str, side: str) -> None:
    """A line of the table."""
    found = measure(target, program, side)
    row = (found["reason"], *[""] * (len(COLUMNS) - 3)) if "reason" in found else cells(found)
    report.add((f"{target}: {program}", side, *row), target=target, program=program, side=side, **found)


if __name__ == "__main__":
    print(measure(*sys.argv[1:]))
