"""Stats: how fast training ran, in numbers that can be compared."""

import dataclasses
from collections.abc import Collection

import jax
import numpy as np

PEAK_FLOPS = {  # dense bfloat16 FLOP/s of one device, from the vendors' data sheets
    "NVIDIA H200": 989e12,
    "NVIDIA H100": 989e12,
    "NVIDIA A100": 312e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
}


@dataclasses.dataclass(frozen=True)
class Stats:
    """The speed of a `fit`, without the calls that compile.

    Attributes:
        steps: how many steps were timed.
        step_time_median, step_time_p99: seconds of wall time per step.
        samples_per_second: examples per second of wall time.
        flops_per_step: floating-point operations of a step, as XLA counts them; 0 where it does not.
        flops_per_second: these per second of wall time.
        model_flop_utilisation: their share of what the device can do, `None` for a device that is not in `PEAK_FLOPS`.
    """

    steps: int
    step_time_median: float
    step_time_p99: float
    samples_per_second: float
    flops_per_step: float
    flops_per_second: float
    model_flop_utilisation: float | None


def summarize(calls: Collection[tuple[int, int, float]], flops_per_step: float) -> Stats:
    """The stats of timed calls `(steps, samples, seconds)`.

    >>> stats = summarize([(1, 32, 0.5), (3, 96, 1.5)], 10.0)
    >>> stats.steps, stats.step_time_median, stats.samples_per_second, stats.flops_per_second
    (4, 0.5, 64.0, 20.0)
    """
    steps = np.array([call[0] for call in calls])
    seconds = np.array([call[2] for call in calls])
    per_step = np.repeat(seconds / steps, steps)
    total = max(float(seconds.sum()), 1e-12)
    speed = flops_per_step * float(steps.sum()) / total
    peak = next((flops for kind, flops in PEAK_FLOPS.items() if kind in jax.local_devices()[0].device_kind), None)
    return Stats(
        steps=int(steps.sum()),
        step_time_median=float(np.median(per_step)),
        step_time_p99=float(np.quantile(per_step, 0.99)),
        samples_per_second=sum(call[1] for call in calls) / total,
        flops_per_step=flops_per_step,
        flops_per_second=speed,
        model_flop_utilisation=None if peak is None else speed / peak,
    )
