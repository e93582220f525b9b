"""Processes that are killed while they save a model."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np

import jkeras
from tests.repository import ROOT

SAVING = """
import sys, jax, jkeras
model = jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(512), jkeras.layers.Dense(512)])
variables = model.init(jax.random.key(0))
number = 0
while True:
    number += 1
    values = jax.tree.map(lambda leaf: jax.numpy.full_like(leaf, number), variables)
    model.save(sys.argv[1], values)
    if number == 1:
        print("begun", flush=True)
"""


def test_a_model_that_is_saved_over_and_over_is_whole_whenever_the_process_is_killed(tmp_path):
    path, generator = tmp_path / "a.keras", np.random.default_rng(0)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, path],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        )
        assert process.stdout.readline() == b"begun\n"
        time.sleep(generator.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        _, variables = jkeras.models.load_model(path)
        numbers = {float(value) for leaf in jax.tree.leaves(variables) for value in np.unique(leaf)}
        assert len(numbers) == 1
    model, variables = jkeras.models.load_model(path)
    model.save(path, variables)
    assert os.listdir(tmp_path) == ["a.keras"]  # what the killed left is gone
