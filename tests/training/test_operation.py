"""How training runs as a process: programs ahead of time, caches, interrupts, collection."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref

import jax
import numpy as np
import pytest

from jkeras import errors
from jkeras.callbacks import Callback, LambdaCallback
from jkeras.training import quiet
from jkeras.training.calls import RetraceWatch
from jkeras.training.programs import Traced
from jkeras.training.quiet import ALLOCATIONS, deferred_interrupt, rare_collection
from tests.training.networks import data, trainer

X, Y = data(200)


def test_a_step_ahead_of_time():
    t = trainer()
    lowered = t.lower(jax.ShapeDtypeStruct((32, 64), "float32"), jax.ShapeDtypeStruct((32,), "int32"))
    assert isinstance(lowered, jax.stages.Lowered)
    compiled = lowered.compile()
    assert compiled.memory_analysis().argument_size_in_bytes > 4 * (64 * 16 + 16 + 16 * 10 + 10)
    analysis = compiled.cost_analysis()
    assert analysis["flops"] > 2 * 32 * (64 * 16 + 16 * 10)  # the products of the forward pass alone
    state, logs = compiled(t.init(jax.random.key(0)), (X[:32], Y[:32]))
    assert int(state.step) == 1 and np.isfinite(logs["loss"])


@pytest.fixture
def thresholds():
    before = gc.get_threshold()  # the suite has its own
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("thresholds")
def test_collection_is_rarer_and_comes_back_whatever_happens():
    before = gc.get_threshold()
    with pytest.raises(KeyError), rare_collection() as collect, rare_collection():
        assert gc.isenabled() and gc.get_threshold() == (ALLOCATIONS, *before[1:])
        cycle = Cycle()
        gone = weakref.ref(cycle)
        del cycle
        collect()  # not yet
        assert gone() is not None
        collect(True)
        assert gone() is None
        raise KeyError
    assert gc.get_threshold() == before


def test_collection_happens_by_itself_in_a_long_epoch(monkeypatch):
    monkeypatch.setattr(quiet, "SECONDS", 0.0)
    gone = []

    def leak(batch, logs, state):
        cycle = Cycle()
        gone.append(weakref.ref(cycle))

    t = trainer(steps_per_execution=1)
    callback = LambdaCallback(on_train_batch_begin=leak)
    t.fit(t.init(jax.random.key(0)), X, Y, callbacks=callback, verbose=0)
    assert all(each() is None for each in gone[:-1]) and len(gone) == 7


@pytest.mark.usefixtures("thresholds")
def test_collection_of_others_is_left_alone():
    before = gc.get_threshold()
    with rare_collection(False):
        assert gc.get_threshold() == before
    gc.disable()
    try:
        with rare_collection() as collect:
            cycle = Cycle()
            gone = weakref.ref(cycle)
            del cycle
            collect(True)
            assert gone() is not None and not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    with rare_collection():
        gc.set_threshold(500, *before[1:])
    assert gc.get_threshold()[0] == 500
    gc.set_threshold(*before)


class Cycle:
    def __init__(self):
        self.itself = self


def test_the_timed_calls_are_bounded():
    t = trainer()
    t.fit(t.init(jax.random.key(0)), X, Y, verbose=0)
    assert t.session.calls.timed.maxlen == 10_000


def test_a_second_interrupt_interrupts():
    stopped = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), deferred_interrupt(lambda: stopped.append(1), lambda: True):
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped == [1]
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_get_no_interrupts():
    done = []

    def work():
        with deferred_interrupt(lambda: None, lambda: True):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


CACHED = """
import sys, time
import jax, jkeras
jkeras.config.enable_compile_cache(sys.argv[1])
from tests.training.networks import data, trainer
x, y = data(32)
t = trainer()
state = t.init(jax.random.key(0))
misses = []
jax.monitoring.register_event_listener(lambda event, **_: misses.append(event))
jax.block_until_ready(jax.jit(t.train_step)(state, (x, y)))
print(sum("cache_hits" in e for e in misses), sum("cache_misses" in e for e in misses))
"""


def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    def run():
        process = [sys.executable, "-c", CACHED, str(tmp_path)]
        done = subprocess.run(process, capture_output=True, text=True, check=True, cwd=os.getcwd())
        return tuple(map(int, done.stdout.split()))

    assert run() == (0, 1)
    assert run() == (1, 0)


class Interrupting(Callback):
    """Presses Ctrl-C after a few batches."""

    every_batch = True

    def on_train_batch_end(self, batch, logs, state):
        if batch == 3:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_returns_the_last_state_and_history():
    t = trainer()
    state, history = t.fit(t.init(jax.random.key(0)), X, Y, epochs=5, callbacks=[Interrupting()], verbose=0)
    assert int(state.step) == 4
    assert len(history.history["loss"]) == 1
    t.evaluate(state, X, Y, verbose=0)


class Watching(Callback):
    """Counts the garbage collections between the beginning and the end of epochs."""

    def __init__(self):
        self.inside, self.collections = False, 0

    def collected(self, phase, info):
        self.collections += self.inside

    def on_epoch_begin(self, epoch, logs, state):
        self.inside = True

    def on_epoch_end(self, epoch, logs, state):
        self.inside = False


def test_no_collection_during_an_epoch():
    watching, threshold = Watching(), gc.get_threshold()
    gc.callbacks.append(watching.collected)
    gc.set_threshold(10)  # otherwise a short epoch may well go without one
    try:
        t = trainer()
        t.fit(t.init(jax.random.key(0)), X, Y, epochs=3, batch_size=4, callbacks=[watching], verbose=0)
        assert watching.collections == 0
        watching.inside = True
        gc.collect()
        assert watching.collections > 0
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(watching.collected)


def test_stats():
    t = trainer(steps_per_execution=2)
    with pytest.raises(errors.ArgumentError):
        _ = t.stats
    t.fit(t.init(jax.random.key(0)), X, Y, batch_size=10, verbose=0)
    stats = t.stats
    assert stats.steps == 18  # 20 batches, without the first call
    assert 0 < stats.step_time_median <= stats.step_time_p99
    assert stats.flops_per_step > 2 * 10 * (64 * 16 + 16 * 10)
    assert stats.samples_per_second > 0 and stats.model_flop_utilisation is None


class Meddling(Callback):
    """Returns a state whose step is another kind of number."""

    def on_epoch_end(self, epoch, logs, state):
        return state.replace(step=2.5) if epoch == 0 else None


def test_a_retrace_names_the_leaf_that_changed():
    t = trainer()
    state = t.init(jax.random.key(0))
    with pytest.warns(UserWarning, match=r"state/step is float32\[\], weakly typed, before int32\[\]"):
        t.fit(state, X, Y, epochs=2, callbacks=[Meddling()], verbose=0)


def test_a_retrace_names_the_part_of_the_batch_that_changed():
    def batches():
        yield X[:32], Y[:32]
        yield X[:8], Y[:8]  # another number of examples is no surprise
        yield X[:32], Y[:32].astype("uint8")

    t = trainer()
    with pytest.warns(UserWarning) as caught:
        t.fit(t.init(jax.random.key(0)), batches(), verbose=0)
    assert any("batch/1 is uint8[32], before int32" in str(each.message) for each in caught), [
        str(each.message) for each in caught
    ]


def test_a_retrace_is_noticed_where_jax_has_dropped_the_program_before():
    program = jax.jit(Traced(lambda x: 2 * x))
    watch = RetraceWatch(program)
    for x in (X[:2], X[:4]):  # another number of examples
        program(x)
        watch.check(None, x)
        program.clear_cache()
    other = X[:4].astype("int32")
    program(other)
    with pytest.warns(UserWarning, match=r"batch is int32\[4, 64\], before float32\[4, 64\]"):
        watch.check(None, other)


def test_a_compilation_is_counted_where_jax_has_dropped_the_program_at_once():
    program = jax.jit(Traced(lambda x: 2 * x))
    watch = RetraceWatch(program)
    assert watch.count() == (0, 0)
    program(X)
    program.clear_cache()
    assert watch.count() == (1, 0)
