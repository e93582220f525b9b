"""Memory: what a process keeps of models that were made, trained and dropped, and what threads cost.

Each case runs in a process of its own, and reports the resident memory after each model, when Python has collected and
the C library has given free pages back to the system. JAX and XLA keep something of every compiled program. So the same
network is also trained by a loop written by hand, with jitted functions that are as new for each model.
"""

import json
import subprocess
import sys
from typing import Any

from benchmarks.harness import Report

MODELS, WARM_UP = 300, 25
THREADS = 8

BEGIN = """
import ctypes, functools, gc, json, os, sys, threading
import jax, jax.numpy as jnp, numpy as np, optax

def trim():
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except OSError:
        pass
    with open("/proc/self/statm") as pages:  # Linux
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

x, y = np.ones((64, 16), "float32"), np.zeros((64,), "int32")
"""

SIDES = {
    "jkeras": """
import jkeras

def train(width):
    dense = jkeras.layers.Dense
    model = jkeras.Sequential([jkeras.Input((16,)), dense(width, activation="relu"), dense(4)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = jkeras.Trainer(model, "adam", loss)
    trainer.fit(trainer.init(jax.random.key(0)), x, y, verbose=0)
""",
    "by hand": """
def train(width):
    optimizer = optax.adam(1e-3)

    @jax.jit
    def init(key):
        draw = jax.nn.initializers.glorot_uniform()
        one, two = jax.random.split(key)
        params = [(draw(one, (16, width)), jnp.zeros(width)), (draw(two, (width, 4)), jnp.zeros(4))]
        return params, optimizer.init(params)

    def loss(params, x, y):
        (a, b), (c, d) = params
        logits = jax.nn.relu(x @ a + b) @ c + d
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, x, y):
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, value

    params, state = init(jax.random.key(0))
    for start in (0, 32):
        params, state, value = step(params, state, x[start:start + 32], y[start:start + 32])
    float(value)
""",
}

END = """
models, threads, widths = map(int, sys.argv[1:])
found = []
for number in range(models):
    given = [16 + (number * threads + each) % widths for each in range(threads)]
    workers = [threading.Thread(target=train, args=(width,)) for width in given]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found.append(trim())
print(json.dumps(found))
"""


def resident(side: str, models: int, threads: int, widths: int) -> list[float]:
    """The resident memory in MB after each round of models, of as many different widths."""
    arguments = [sys.executable, "-c", BEGIN + SIDES[side] + END, str(models), str(threads), str(widths)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


def growth(values: list[float], warm_up: int) -> float:
    """MB a round after the warm-up: the slope of a line through the values.

    >>> growth([9.0, 1.0, 2.0, 3.0], 1)
    1.0
    """
    rest = values[warm_up:]
    middle, mean = (len(rest) - 1) / 2, sum(rest) / len(rest)
    covariance = sum((index - middle) * (value - mean) for index, value in enumerate(rest))
    return covariance / sum((index - middle) ** 2 for index in range(len(rest)))


def run(models: int = MODELS, warm_up: int = WARM_UP) -> Report:
    """Memory that models leave behind which were made, trained and dropped, one after another and in threads."""
    columns = ("case", "side", "after warm-up", "at the end", "a model")
    report = Report("memory", "Resident memory of models that are dropped", columns)
    cases: dict[str, tuple[int, int, int]] = {
        f"{models} models of one width": (models, 1, 1),
        f"{models} models, each of another width": (models, 1, models),
        f"{THREADS} threads, {models // THREADS} rounds": (models // THREADS, THREADS, models),
    }
    for name, (rounds, threads, widths) in cases.items():
        for side in SIDES:
            values = resident(side, rounds, threads, widths)
            start = min(warm_up // threads, rounds // 2)
            each = growth(values, start) / threads
            measured: dict[str, Any] = {"case": name, "side": side, "values": values, "megabytes_per_model": each}
            report.add((name, side, f"{values[start]:.0f} MB", f"{values[-1]:.0f} MB", f"{each:+.3f} MB"), **measured)
    return report
