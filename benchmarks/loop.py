"""A whole training loop, per step: `fit` beside the loops that users of other libraries write."""

import statistics
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks import peers
from benchmarks.harness import Report, interleaved, microseconds, ratio

ROUNDS = 9
PACKAGES = {"Keras": "keras", "Flax NNX": "flax", "Flax Linen": "flax", "Equinox": "equinox"}


def tasks() -> tuple[peers.Task, ...]:
    """The networks: small steps, many leaves, and steps beside which a loop's own time is nothing."""
    return (
        peers.mlp("MLP 64-128-128-128-10", (128,) * 3, 4000),
        peers.mlp("MLP of 50 layers of 64", (64,) * 50, 500),
        peers.convolutional("convolutional, 32 and 64 filters", (32, 64), 40, 512),
    )


def candidates(task: peers.Task) -> dict[str, Callable[[], Any]]:
    """The peers that are installed and have this network."""
    names = [name for name in peers.PEERS if name not in PACKAGES or find_spec(PACKAGES[name]) is not None]
    if task.convolutional:
        names = [name for name in names if name in ("by hand", "jkeras", "Keras")]
    return {name: peers.PEERS[name](task) for name in names}


def run() -> Report:
    """Wall time per step of whole epochs, with the ratio to the hand-written loop."""
    report = Report(
        "loop",
        "One step of a training loop: wall time of whole epochs (Adam, float32)",
        ("network", "loop", "per step", "to the loop by hand (quartiles)", "to Keras"),
    )
    for task in tasks():
        timings = interleaved(candidates(task), rounds=ROUNDS, warm_up=2)
        hand = timings["by hand"].complete
        for name, timing in timings.items():
            relative = ratio(timing.complete, hand)
            per_step = statistics.median(timing.complete) / task.steps
            to_keras = ratio(timing.complete, timings["Keras"].complete) if "Keras" in timings else None
            cells = (microseconds(per_step), str(relative), "" if to_keras is None else f"{to_keras.median:.3f}")
            measured = {"seconds": timing.complete, "ratio": relative, "to_keras": to_keras}
            report.add((task.name, name, *cells), network=task.name, peer=name, steps=task.steps, **measured)
    return report
