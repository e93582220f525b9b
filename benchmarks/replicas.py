"""Replicas: many small networks trained in one program, beside the same networks one after another."""

import jax
import numpy as np
import optax

import jkeras
from benchmarks import models
from benchmarks.harness import Report, interleaved, milliseconds, ratio

ROUNDS = 5
STEPS = 100
NETWORKS = ((1, 8, 8), (3, 16, 32), (3, 128, 32))  # layers, their width, batch size
MEMBERS = 64


def trained(layers: int, width: int, batch: int, replicas: int | None) -> "jkeras.Trainer":
    """A trainer of one network or of many."""
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return jkeras.Trainer(models.mlp(layers, width), optimizer=optax.adam(1e-3), loss=loss, replicas=replicas)


def run() -> Report:
    """Wall time of 64 trainings, compiled before: one after another, and as replicas."""
    report = Report(
        "replicas",
        f"{MEMBERS} networks, {STEPS} steps of Adam each; compiled before",
        ("network", "one after another", "replicas", "one after another to replicas"),
    )
    rng = np.random.default_rng(0)
    for layers, width, batch in NETWORKS:
        x = rng.normal(size=(STEPS * batch, 64)).astype("float32")
        y = rng.integers(0, 10, len(x)).astype("int32")
        one, many = trained(layers, width, batch, None), trained(layers, width, batch, MEMBERS)

        def sequence(one=one, x=x, y=y, batch=batch):
            for member in range(MEMBERS):
                one.fit(one.init(jax.random.key(member)), x, y, batch_size=batch, verbose=0)

        def together(many=many, x=x, y=y, batch=batch):
            many.fit(many.init(jax.random.key(0)), x, y, batch_size=batch, verbose=0)

        timings = interleaved({"sequence": sequence, "replicas": together}, rounds=ROUNDS)
        relative = ratio(timings["sequence"].complete, timings["replicas"].complete)
        times = [milliseconds(float(np.median(timings[name].complete))) for name in ("sequence", "replicas")]
        name = f"{layers} of {width}, batch {batch}"
        report.add((name, *times, str(relative)), network=name, seconds=timings, ratio=relative)
    return report
