"""Flipped bits in files of every form: `python -m tests.nightly.bits [NUMBER]`.

Each file with one bit flipped must be refused by an error of ours, or give the values that were written.
"""

import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

import jax
import numpy as np

import jkeras
from jkeras import Input, layers
from jkeras.callbacks import read_state, write_state
from jkeras.errors import JKerasError


def trainer_of():
    parts = [Input((5,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    return jkeras.Trainer(jkeras.Sequential(parts), "adam", "mse", ["mae"])


def doors(trainer, state):
    """By the end of a path: how a file is written, how it is read, and what is read."""
    model, variables = trainer.model, state.variables

    def weights(suffix, **options):
        return (
            lambda path: model.save_weights(path, variables, **options),
            lambda path: model.load_weights(path, variables),
            variables,
        )

    return {
        ".keras": (lambda path: trainer.save(path, state), lambda path: jkeras.Trainer.load(path)[1], state),
        ".weights.h5": weights(".weights.h5"),
        ".weights.json": weights(".weights.json"),
        ".safetensors": weights(".safetensors"),
        ".npz": weights(".npz"),
        ".h5": (lambda path: write_state(path, state), lambda path: read_state(path, state), state),
    }


def same(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def main(count):
    trainer = trainer_of()
    state = trainer.init(jax.random.key(0))
    generator, wrong = random.Random(0), 0
    for suffix, (write, read, expected) in doors(trainer, state).items():
        started = time.perf_counter()
        noticed = 0
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / f"a{suffix}")
            files = sorted(Path(folder).iterdir())
            contents = {path: path.read_bytes() for path in files}
            for _ in range(count):
                path = generator.choices(files, [len(contents[each]) for each in files])[0]
                broken = bytearray(contents[path])
                position = generator.randrange(8 * len(broken))
                broken[position // 8] ^= 1 << position % 8
                path.write_bytes(broken)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        harmless = same(read(Path(folder) / f"a{suffix}"), expected)
                except JKerasError:
                    noticed += 1
                else:
                    wrong += not harmless
                    if not harmless:
                        print(f"{path.name}: bit {position} changed values in silence")
                path.write_bytes(contents[path])
        seconds = time.perf_counter() - started
        print(f"{suffix:14} {count} flips, {noticed} refused, the others harmless, {seconds:.0f} s", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
