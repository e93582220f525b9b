"""Ctrl-C at any moment: `fit` returns, or what it raises carries the last good state."""

import functools
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.callbacks import LambdaCallback, ModelCheckpoint, read_state, write_state
from tests.training.networks import data

X, Y = data(64)
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
SIZE, EPOCHS = 16, 3
ROOT = Path(__file__).parents[2]


class Keyboard:
    """Presses Ctrl-C some times, when it is called the n-th time."""

    def __init__(self, times, at):
        self.times, self.left = times, at

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.001)  # the main thread takes a signal between two instructions


class Pressing(layers.Layer):
    """Presses while its call is traced."""

    def __init__(self, keyboard):
        super().__init__()
        self.keyboard = keyboard

    def call(self, x, training=False):
        if training:
            self.keyboard()
        return x


def network(*more):
    return jkeras.Sequential([jkeras.Input((64,)), layers.Dense(8), *more, layers.Dense(10)])


def hook(name, keyboard):
    return {"callbacks": LambdaCallback(**{name: lambda *args: keyboard(), "every_batch": True})}


def in_a_generator(keyboard):
    def batches():
        for start in range(0, 64, SIZE):
            keyboard()
            yield X[start : start + SIZE], Y[start : start + SIZE]

    return batches


def after_the_donation(trainer, keyboard):
    """The moment in which the state is given away, and the next one not there yet."""
    begin = trainer.session.begin

    def watched(*args):
        calls = begin(*args)
        many = calls.many

        def pressing(*args, **kwargs):
            results = many(*args, **kwargs)
            keyboard()
            return results

        calls.many = pressing
        return calls

    trainer.session.begin = watched


def while_saving(keyboard, folder):
    def writer(path, state):
        keyboard()
        write_state(path, state)

    return {"callbacks": ModelCheckpoint(folder / "{epoch}.h5", writer=writer)}


MOMENTS = [
    *("tracing", "generator", "donated", "saving"),
    *("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"),
    *("on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"),
]


@functools.cache
def one_trainer():
    """One for all, so that its programs are compiled once."""
    return jkeras.Trainer(network(), "adam", LOSS)


def training(moment, times, folder):
    """A call of `fit` in which Ctrl-C is pressed at some moment, in its second epoch where that has one."""
    each_epoch = ("saving", "on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end")
    once = ("tracing", "on_train_begin", "on_train_end")
    keyboard = Keyboard(times, at=1 if moment in once else 2 if moment in each_epoch else 5)
    trainer = one_trainer()
    if moment in ("tracing", "donated"):  # which change theirs
        trainer = jkeras.Trainer(network(*([Pressing(keyboard)] if moment == "tracing" else [])), "adam", LOSS)
    options = {"epochs": EPOCHS, "validation_data": (X[:48], Y[:48]), "verbose": 0}
    given = (X, Y)
    if moment.startswith("on_"):
        options |= hook(moment, keyboard)
    elif moment == "saving":
        options |= while_saving(keyboard, folder)
    elif moment == "donated":
        after_the_donation(trainer, keyboard)
        options["callbacks"] = LambdaCallback(every_batch=True)
    if moment == "generator":
        given, options["steps_per_epoch"] = (in_a_generator(keyboard)(),), 2
        keyboard.left = 3
    else:
        options["batch_size"] = SIZE
    state = trainer.init(jax.random.key(0))
    return trainer, lambda: trainer.fit(state, *given, **options)


def is_good(trainer, state):
    """Whether a state is whole and can be trained on."""
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state.variables))
    steps = int(state.step)
    state, _ = trainer.train_on_batch(state, X[:SIZE], Y[:SIZE])
    return int(state.step) == steps + 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_press_returns_the_state(moment, tmp_path):
    trainer, fit = training(moment, 1, tmp_path)
    before = signal.getsignal(signal.SIGINT)
    state, history = fit()
    assert signal.getsignal(signal.SIGINT) is before
    assert (len(history.epoch) < EPOCHS) == (moment != "on_train_end")
    assert is_good(trainer, state)


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_presses_interrupt_and_carry_the_state(moment, tmp_path):
    trainer, fit = training(moment, 2, tmp_path)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as error:
        fit()
    assert signal.getsignal(signal.SIGINT) is before
    assert len(error.value.history.epoch) < EPOCHS or moment == "on_train_end"
    assert (int(error.value.state.step) > 0) == (moment not in ("tracing", "on_train_begin"))
    assert is_good(trainer, error.value.state)
    if moment == "saving":
        assert [path.name for path in tmp_path.iterdir()] == ["1.h5"]  # the second was interrupted before it was begun
        read_state(tmp_path / "1.h5", error.value.state)


def test_the_step_that_is_under_way_is_kept(tmp_path):
    _, fit = training("donated", 2, tmp_path)
    with pytest.raises(KeyboardInterrupt) as error:
        fit()
    assert int(error.value.state.step) == 5


def test_before_the_loop_one_press_interrupts_and_the_state_is_that_which_was_given():
    class Slow:
        def __iter__(self):
            os.kill(os.getpid(), signal.SIGINT)
            return iter([(X, Y)])

    trainer = jkeras.Trainer(network(), "adam", LOSS)
    with pytest.raises(KeyboardInterrupt) as error:
        trainer.fit(trainer.init(jax.random.key(0)), Slow(), verbose=0)
    assert int(error.value.state.step) == 0 and is_good(trainer, error.value.state)


PROGRAM = """
    import multiprocessing, sys, time
    import jax, numpy as np
    from tests.training.networks import data, trainer
    from tests.training.test_interrupts import Rows, X, Y

    if __name__ == "__main__":
        t = trainer()
        state = t.init(jax.random.key(0))
        print("ready", flush=True)
        how = "returned"
        try:
            state, _ = t.fit(state, Rows(workers=2, use_multiprocessing=True), epochs=10**6, verbose=0,
                             validation_data=(X, Y))
        except KeyboardInterrupt as error:
            state, how = error.state, "carried"
        finite = all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state.variables))
        print(how, int(state.step), finite, len(multiprocessing.active_children()), flush=True)
"""


class Rows(jkeras.data.PyDataset):
    """Four batches, each of which takes a moment to make."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        time.sleep(0.01)
        return X[index * SIZE : (index + 1) * SIZE], Y[index * SIZE : (index + 1) * SIZE]


def test_real_programs_with_workers_at_random_moments(tmp_path):
    """Ctrl-C reaches the program and its workers, as from a terminal: while they start, compile, train, or end."""
    (tmp_path / "script.py").write_text(textwrap.dedent(PROGRAM))
    draw = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    command = [sys.executable, str(tmp_path / "script.py")]
    programs = [subprocess.Popen(command, start_new_session=True, **options) for _ in range(3)]
    try:
        for program, delay in zip(programs, (0.1, 1.5, 5.0), strict=True):
            assert program.stdout.readline() == "ready\n"
            time.sleep(delay * draw.uniform(0.5, 1.5))
            os.killpg(program.pid, signal.SIGINT)
            said, errors = program.communicate(timeout=60)
            how, steps, finite, children = said.split()
            assert how in ("returned", "carried") and finite == "True" and children == "0", said
            assert int(steps) > 0 or how == "carried"
            assert program.returncode == 0 and not errors, errors  # no worker complains either
    finally:
        for program in programs:
            program.kill()
            program.communicate()
