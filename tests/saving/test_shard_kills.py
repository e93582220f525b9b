"""Processes that are killed while they save weights into shards."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np

import jkeras
from jkeras import layers
from tests.repository import ROOT

SAVING = """
import sys, jax, jkeras
model = jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(512), jkeras.layers.Dense(512)])
variables = model.init(jax.random.key(0))
number = 0
while True:
    number += 1
    values = jax.tree.map(lambda leaf: jax.numpy.full_like(leaf, number), variables)
    model.save_weights(sys.argv[1], values, max_shard_size=1.1 / 1024)
    if number == 1:
        print("begun", flush=True)
"""


def test_shards_that_are_saved_over_and_over_are_of_one_save_whenever_the_process_is_killed(tmp_path):
    path, generator = tmp_path / "a.weights.json", np.random.default_rng(0)
    model = jkeras.Sequential([jkeras.Input((64,)), layers.Dense(512), layers.Dense(512)])
    like = model.init(jax.random.key(0))
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, path],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        assert process.stdout.readline() == b"begun\n"
        time.sleep(generator.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        variables = model.load_weights(path, like)
        assert len({float(value) for leaf in jax.tree.leaves(variables) for value in np.unique(leaf)}) == 1
    model.save_weights(path, variables, max_shard_size=1.1 / 1024)
    left = sorted(os.listdir(tmp_path))
    assert left[0] == "a.weights.json" and len(left) <= 4  # two shards, and the empty one that Keras opens first
    assert not any(name.endswith(".tmp") for name in left)
