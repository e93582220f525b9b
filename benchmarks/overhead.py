"""What jkeras adds to a step written by hand: host time per call, time to trace, time to compile."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from benchmarks import pairs
from benchmarks.harness import Report, Timing, interleaved, microseconds, milliseconds, ratio

COMPILES, WARM_UP = 5, 3


def stepper(state: Any, step: Callable[..., Any], batch: Any) -> Callable[[], Any]:
    """Calls the compiled step over and over, each time on the state that the last call returned."""
    compiled = jax.jit(step, donate_argnums=0)
    holder = [state]

    def call() -> Any:
        holder[0], logs = compiled(holder[0], batch)
        return holder[0], logs

    return call


def tracer(state: Any, step: Callable[..., Any], batch: Any) -> Callable[[], Any]:
    """Traces the step anew on every call: each call gives JAX a function that it has not seen."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (state, batch))

    def call() -> None:
        jax.jit(lambda s, b: step(s, b)).trace(*shapes)

    return call


def compiler(state: Any, step: Callable[..., Any], batch: Any) -> Callable[[], Any]:
    """Compiles the traced and lowered step anew on every call: each call takes a lowered program that waits."""
    waiting = [jax.jit(lambda s, b: step(s, b)).lower(state, batch) for _ in range(COMPILES + WARM_UP)]

    def call() -> None:
        waiting.pop().compile()

    return call


@dataclass(frozen=True)
class Measurement:
    """One quantity of a training step: how to make the call that is timed, how often, and which of its times count."""

    what: str
    make: Callable[..., Callable[[], Any]]
    rounds: int
    calls: int
    kinds: tuple[str, ...]
    show: Callable[[float], str]

    def compare(self, pair: pairs.Pair) -> dict[str, Timing]:
        """The timings of the two sides."""
        sides = pairs.train_steps(pair)
        candidates = {side: self.make(*getattr(sides, side), pair.batch) for side in ("hand", "jkeras")}
        return interleaved(candidates, rounds=self.rounds, calls=self.calls, warm_up=WARM_UP)


MEASUREMENTS = (
    Measurement("call", stepper, 40, 50, ("host", "thread", "complete"), microseconds),
    Measurement("trace", tracer, 30, 1, ("host", "thread"), milliseconds),
    Measurement("compile", compiler, COMPILES, 1, ("host",), milliseconds),
)


def run() -> Report:
    """Host time, trace time and compile time of a training step, against the same step by hand."""
    report = Report(
        "overhead",
        "One training step: jkeras against the same step by hand (Adam, batch 32, float32)",
        ("network", "leaves", "measured", "by hand", "jkeras", "ratio (quartiles)"),
    )
    for pair in (pairs.mlp(3), pairs.mlp(50)):
        leaves = pairs.train_steps(pair).leaves()
        for each in MEASUREMENTS:
            timings = each.compare(pair)
            for kind in each.kinds:
                what = f"{each.what}, {kind}"
                times = {side: getattr(timing, kind) for side, timing in timings.items()}
                medians = (each.show(statistics.median(times[side])) for side in ("hand", "jkeras"))
                relative = ratio(times["jkeras"], times["hand"])
                cells = (pair.name, f"{leaves['hand']} / {leaves['jkeras']}", what, *medians, str(relative))
                report.add(cells, network=pair.name, leaves=leaves, what=what, seconds=times, ratio=relative)
    return report
