"""Several processes over loopback: as one, or an error on all of them. They are real, and some are really killed."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from tests.distribution.worker import BATCH, SIZE
from tests.repository import ROOT
from tests.training.networks import data, mlp, trainer

TIMEOUT = 500


@contextlib.contextmanager
def started(what, count, folder, devices=2, **environment):
    """The processes, each with so many virtual devices; they are killed at the end, by their pids."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "tests.distribution.worker", what, address, str(count)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": ROOT}
    running = [subprocess.Popen([*command, str(rank), str(folder)], **options) for rank in range(count)]
    try:
        yield running
    finally:
        for program in running:
            program.kill()
            program.communicate()


def said(program, timeout=TIMEOUT):
    """What a process said last."""
    output, errors = program.communicate(timeout=timeout)
    assert program.returncode == 0, errors[-4000:]
    return json.loads(output.splitlines()[-1])["said"]


def run(what, count, folder, **options):
    with started(what, count, folder, **options) as running:
        return [said(program) for program in running]


@functools.cache
def alone():
    """What one process with one device says of the same."""
    x, y = data(SIZE)
    t = trainer(mlp())

    def fit(*given, **options):
        state, history = t.fit(t.init(jax.random.key(0)), *given, **{"batch_size": BATCH, "verbose": 0, **options})
        return state, history.history

    state, whole = fit(x, y, epochs=2, validation_data=(x[:10], y[:10]))
    state = t.init(jax.random.key(0))
    found = {"whole": whole, "evaluated": t.evaluate(state, x, y, batch_size=BATCH)}
    found["predicted"] = t.predict(state, x[:7]).tolist()
    state, logs = t.train_on_batch(state, x[:8], y[:8])
    found["on a batch"] = [logs, t.test_on_batch(state, x[:5], y[:5]), t.predict_on_batch(state, x[:3]).tolist()]
    state, found["local"] = fit(x[:48], y[:48], shuffle=False, validation_data=(x[:48], y[:48]))
    found["local evaluated"] = t.evaluate(state, x[:48], y[:48], batch_size=BATCH)
    _, found["generator"] = fit(x, y, shuffle=False)
    begin = t.init(jax.random.key(0))
    found["generator evaluated"] = t.evaluate(begin, x, y)
    found["rows"] = t.predict(begin, x)
    return found


def assert_close(found, expected):
    """Sums over devices are added in another order."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("count", "devices"), ((2, 2), (4, 1)))
def test_as_one_process(tmp_path, count, devices):
    expected = alone()
    for rank, found in enumerate(run("trains", count, tmp_path, devices=devices)):
        assert_close(found["fsdp"], expected["whole"])
        assert_close(found["tensor"], {name: values[:1] for name, values in expected["whole"].items()})
        for name in ("evaluated", "predicted", "on a batch", "local", "local evaluated"):
            assert_close(found[name], expected[name])
        if count == 2:
            assert_close(found["generator"], expected["generator"])
            assert_close(found["grain"], expected["local"]["loss"])
            assert_close(found["generator evaluated"], expected["generator evaluated"])
            rows = [
                rows for start in range(0, 48, BATCH) for rows in np.split(np.arange(start, start + BATCH), 2)[rank]
            ]
            rows += [(48, 49, 50), (51,)][rank]
            assert found["own rows"][0] == len(rows)
            assert_close(found["own rows"][1], expected["rows"][rows].tolist())


def test_files_of_all(tmp_path):
    first, second = run("writes", 2, tmp_path)
    assert first.pop("whole") is True
    assert first == second
    assert first["restored"] is True
    assert first["spec"] == str(jax.P("data"))
    assert "one process must have the whole state" in first["refused"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "log.csv", "whole.keras"]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_differences_are_errors_on_all(tmp_path):
    first, second = run("differs", 2, tmp_path)
    mine = {"labels": ("ProcessesError", "DataError"), "loader": ("ProcessesError", "OSError")}
    assert len(first) == len(second) == 9
    for name in first:
        wanted = mine.get(name, ("ProcessesError", "ProcessesError"))
        assert (first[name].split(":")[0], second[name].split(":")[0]) == wanted, (name, first[name], second[name])


def test_one_may_stop_all(tmp_path):
    assert run("stops", 2, tmp_path) == [1, 1]


def lines_until(program, step):
    """Reads what a process says until it has made so many steps."""
    for line in program.stdout:
        if line.startswith("{") and json.loads(line).get("step", 0) >= step:  # gloo says something, too
            return
    raise AssertionError(program.stderr.read()[-4000:])


def test_a_killed_process_ends_the_others(tmp_path):
    with started("long_run", 2, tmp_path, SLOW="0.2") as running:
        lines_until(running[1], 3)
        running[1].kill()
        began = time.monotonic()
        _, errors = running[0].communicate(timeout=60)
        assert running[0].returncode != 0
        assert time.monotonic() - began < 60
        assert errors


def test_a_machine_that_is_taken_away(tmp_path):
    """SIGTERM to one process; then the same number of processes goes on, more of them, and one alone."""
    with started("long_run", 2, tmp_path / "a", SLOW="0.2") as running:
        for program in running:
            lines_until(program, 3)
        os.kill(running[1].pid, signal.SIGTERM)
        stopped = [said(program) for program in running]
    assert 3 < stopped[0]["step"] < 20
    assert stopped[0] == stopped[1]
    (whole, _) = run("long_run", 2, tmp_path / "whole")
    assert whole["step"] == 20
    for count, devices in ((2, 2), (4, 1), (1, 4)):
        shutil.copytree(tmp_path / "a", tmp_path / f"{count}")
        for each in run("long_run", count, tmp_path / f"{count}", devices=devices):
            assert each["step"] == 20
            rounding = 0 if (count, devices) == (2, 2) else 1e-5
            np.testing.assert_allclose(each["sums"], whole["sums"], rtol=rounding)


def test_a_kill_while_saving_loses_nothing(tmp_path):
    """Orbax writes after each batch, and the process is killed while it does so, at one step after another."""
    (whole,) = run("long_run", 1, tmp_path / "whole", devices=4)
    for step in (2, 5, 9):
        with started("long_run", 1, tmp_path / "a", devices=4, SLOW="0", SAVE_EVERY="1") as (program,):
            lines_until(program, step)
            program.kill()
    with started("long_run", 1, tmp_path / "a", devices=4, SLOW="0") as (program,):
        steps = [
            json.loads(line) for line in program.communicate(timeout=TIMEOUT)[0].splitlines() if line.startswith("{")
        ]
    assert 8 <= steps[0]["step"] <= 11  # it goes on behind the last batch or the one before
    assert steps[-1]["said"] == whole


def test_the_language_model_goes_on_elsewhere(tmp_path):
    """The example: an epoch on eight virtual devices, the next one in two processes, the last one alone."""
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-W", "error", "docs/examples/train_language_model.py", "--steps=3", "--goal=6"]
    for epochs, place in enumerate(("--devices=8", "--processes=2", "--devices=1"), start=1):
        command = [*program, place, f"--epochs={epochs}", f"--folder={tmp_path}"]
        ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT)
        assert ran.returncode == 0, ran.stderr[-4000:]
        assert f"{3 * epochs} steps" in ran.stdout
        assert ran.stdout.count("val_loss") == 1
