"""Processes that are killed while they save, over and over: `python -m tests.nightly.kills [NUMBER]`.

Each writes files of ever new values until it is killed with SIGKILL at a random moment; then every file must be whole
and of one save, and what the killed left must go with the next save. Three forms: `.keras`, `.weights.h5`, and what
`write_state` writes. The processes come from a server that has imported everything, and compute nothing.
"""

import functools
import multiprocessing
import os
import random
import sys
import tempfile
import time

import jax
import numpy as np

import jkeras
from jkeras.callbacks import read_state, write_state


def trainer_of():
    dense = jkeras.layers.Dense
    return jkeras.Trainer(jkeras.Sequential([jkeras.Input((64,)), dense(256), dense(256)]), "adam", "mse")


def save(folder, trainer, state):
    trainer.save(f"{folder}/a.keras", state)
    trainer.model.save_weights(f"{folder}/a.weights.h5", state.variables)
    write_state(f"{folder}/a.h5", state)


def save_for_ever(folder, state, number, begun):
    """What the processes do."""
    trainer = trainer_of()
    while True:
        number += 1
        save(folder, trainer, jax.tree.map(functools.partial(np.full_like, fill_value=number), state))
        begun.set()


def numbers(values):
    return {float(number) for leaf in jax.tree.leaves(values) for number in np.unique(leaf)}


def is_whole(folder, trainer, state):
    """Whether each of the three files is of one save."""
    _, whole = jkeras.Trainer.load(f"{folder}/a.keras")
    weights = trainer.model.load_weights(f"{folder}/a.weights.h5", state.variables)
    alone = read_state(f"{folder}/a.h5", state)
    return all(len(numbers(values)) == 1 for values in (whole.variables, whole.opt_state, weights, alone))


def main(count):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["jkeras", "jkeras.callbacks"])
    trainer, generator, lost = trainer_of(), random.Random(0), 0
    state = jax.tree.map(np.asarray, trainer.init(jax.random.key(0)))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        save(folder, trainer, jax.tree.map(lambda leaf: np.full_like(leaf, 0), state))
        for index in range(count):
            begun = processes.Event()
            process = processes.Process(target=save_for_ever, args=(folder, state, 100 * index, begun))
            process.start()
            begun.wait()
            time.sleep(generator.uniform(0, 0.1))
            process.kill()
            process.join()
            lost += not is_whole(folder, trainer, state)
            if (index + 1) % 100 == 0:
                print(f"{index + 1} kills, {lost} losses, {time.perf_counter() - started:.0f} s", flush=True)
        save(folder, trainer, state)
        left = sorted(os.listdir(folder))
    print(f"{count} kills, {lost} losses; left: {left}")
    return int(lost > 0 or left != ["a.h5", "a.keras", "a.weights.h5"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
