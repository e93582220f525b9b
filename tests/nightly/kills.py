"""Processes that are killed while they save, over and over: `python -m tests.nightly.kills [NUMBER]`.

Each writes files of ever new values until it is killed with SIGKILL at a random moment; then every file must be whole
and of one save, and what the killed left must go with the next save. Three forms: `.keras`, `.weights.h5`, and what
`write_state` writes. Before the kill it is stopped a few times, and the files are looked at.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

import jkeras
from jkeras.callbacks import read_state

STOPS = 3
SAVING = """
import sys, jax, jkeras
from jkeras.callbacks import write_state
model = jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(256), jkeras.layers.Dense(256)])
trainer = jkeras.Trainer(model, "adam", "mse")
state = trainer.init(jax.random.key(0))
number = 0
while True:
    number += 1
    values = jax.tree.map(lambda leaf: jax.numpy.full_like(leaf, number), state)
    trainer.save("a.keras", values)
    model.save_weights("a.weights.h5", values.variables)
    write_state("a.h5", values)
    if number == 1:
        print("begun", flush=True)
"""


def model():
    return jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(256), jkeras.layers.Dense(256)])


def numbers(values):
    return {float(number) for leaf in jax.tree.leaves(values) for number in np.unique(leaf)}


def check(made, state):
    """Whether each of the three files is of one save."""
    _, whole = jkeras.Trainer.load("a.keras")
    weights = made.load_weights("a.weights.h5", state.variables)
    alone = read_state("a.h5", state)
    return all(len(numbers(values)) == 1 for values in (whole.variables, whole.opt_state, weights, alone))


def main(count):
    made = model()
    trainer = jkeras.Trainer(made, "adam", "mse")
    state = trainer.init(jax.random.key(0))
    generator, lost = random.Random(0), 0
    root = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        begun = time.perf_counter()
        for index in range(count):
            process = subprocess.Popen(
                [sys.executable, "-c", SAVING],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": root, "JAX_PLATFORMS": "cpu"},
            )
            process.stdout.readline()
            for _ in range(STOPS):  # stopped at random moments and looked at, as often as killed
                time.sleep(generator.uniform(0, 0.02))
                process.send_signal(signal.SIGSTOP)
                lost += not check(made, state)
                process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            lost += not check(made, state)
            if (index + 1) % 10 == 0:
                print(f"{index + 1} kills, {lost} losses, {time.perf_counter() - begun:.0f} s", flush=True)
        trainer.save("a.keras", state)
        made.save_weights("a.weights.h5", state.variables)
        jkeras.callbacks.write_state("a.h5", state)
        left = sorted(os.listdir("."))
        os.chdir(root)
    print(f"{count} kills and {STOPS * count} stops, {lost} losses; left: {left}")
    return int(lost > 0 or left != ["a.h5", "a.keras", "a.weights.h5"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
