"""`PyDataset`: orders, hooks, threads and processes; workers that really fail."""

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from jkeras.data import adapt, prefetch, processes
from jkeras.errors import ArgumentError, DataError, MissingCallError, WorkerError
from jkeras.utils import PyDataset, Sequence
from tests.data.datasets import Counting, Failing, Kinds, Numbered, Strings
from tests.oracle import keras

NOTICED = 5.0  # seconds within which a failure surfaces; measured from when the batch before it arrived
PROCESSES = {"workers": 1, "use_multiprocessing": True}


def numbers(source, epoch):
    return [int(x[0, 0]) for x, _, _ in source.epoch(epoch)]


def ends(pid: int) -> bool:
    """Whether a process ends soon. One that has ended, but that nobody has waited for, counts as ended."""
    end = time.monotonic() + NOTICED
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def shared_memory() -> set[str]:
    """The names of the shared memory and semaphores that Python made, in whichever process."""
    return {name for name in os.listdir("/dev/shm") if name.startswith(("psm", "sem.mp"))}


def mapped_by_others() -> set[str]:
    """The names in shared memory that processes besides this one use, such as another worker of the suite."""
    names = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if maps.parent.name != str(os.getpid()):
                names |= set(re.findall(r" /dev/shm/(\S+)", maps.read_text()))
    return names


@pytest.fixture
def nothing_is_left():
    """No process, no thread, no shared memory and no open file outlives its source."""
    threads, memory, files = threading.active_count(), shared_memory(), len(os.listdir("/proc/self/fd"))
    yield
    assert not multiprocessing.active_children()
    assert threading.active_count() <= threads
    end = time.monotonic() + NOTICED
    while left := shared_memory() - memory - mapped_by_others():
        assert time.monotonic() < end, left  # another process may have made it, and not have mapped it yet
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= files + 1  # the resource tracker of multiprocessing, once


# the class


def test_arguments_are_those_of_keras():
    theirs = keras.utils.PyDataset()
    ours = Numbered()
    for name in ("workers", "use_multiprocessing", "max_queue_size"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert Sequence is PyDataset


@pytest.mark.parametrize(
    "options", [{"workers": -1}, {"workers": True}, {"max_queue_size": 0}, {"timeout": 0}, {"workers": "2"}]
)
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ArgumentError, match=f"PyDataset\\({next(iter(options))}=\\)"):
        Numbered(**options)


def test_a_subclass_need_not_call_its_parent():
    class Quiet(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.full((1, 1), index)

    assert numbers(adapt(Quiet()), 0) == [0, 1]


def test_a_dataset_must_say_its_length():
    class Endless(PyDataset):
        def __getitem__(self, index):
            return np.ones(1)

    with pytest.raises(MissingCallError, match="__len__"):
        adapt(Endless())


def test_a_dataset_can_be_iterated():
    assert [int(x[0, 0]) for x, _ in Numbered(3)] == [0, 1, 2]


# order


def test_each_epoch_has_an_order_of_its_own_that_the_seed_repeats():
    source = adapt(Numbered(20), shuffle=True, seed=3)
    first, second = numbers(source, 0), numbers(source, 1)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second != list(range(20))
    assert numbers(adapt(Numbered(20), shuffle=True, seed=3), 1) == second  # without the epoch before
    assert numbers(adapt(Numbered(20), shuffle=True, seed=4), 1) != second
    assert numbers(adapt(Numbered(20)), 1) == list(range(20))
    assert sorted(numbers(adapt(Numbered(20), shuffle=True, seed=-1), 0)) == list(range(20))


def test_epochs_of_some_steps_are_pieces_of_passes():
    source = adapt(Numbered(5), steps=3, epochs=5, shuffle=True)
    read = [numbers(source, epoch) for epoch in range(5)]
    assert all(len(epoch) == 3 for epoch in read)
    flat = [index for epoch in read for index in epoch]
    assert all(sorted(flat[start : start + 5]) == list(range(5)) for start in (0, 5, 10))
    assert numbers(adapt(Numbered(5), steps=3, epochs=5, shuffle=True), 3) == read[3]


def test_an_epoch_longer_than_the_dataset_is_told():
    with pytest.warns(UserWarning, match="produced 6 of 8 batches in epoch 1"):
        assert numbers(adapt(Numbered(6), steps=8), 0) == list(range(6))


def test_a_dataset_without_end_goes_on():
    source = adapt(Numbered(None), steps=2)
    assert [numbers(source, 0), numbers(source, 3)] == [[0, 1], [6, 7]]


@pytest.mark.parametrize("workers", [1, 3])
def test_hooks_run_around_epochs(workers):
    source = adapt(Counting(2, workers=workers))
    assert [numbers(source, epoch) for epoch in range(3)] == [[0, 1], [10, 11], [20, 21]]
    source.close()


# threads


def test_threads_keep_the_order_whoever_is_faster(nothing_is_left):
    class Uneven(Numbered):
        def __getitem__(self, index):
            time.sleep(0.02 * (index % 3 == 0))
            return super().__getitem__(index)

    with adapt(Uneven(12, workers=3), shuffle=True, seed=1) as source:
        assert numbers(source, 0) == numbers(adapt(Numbered(12), shuffle=True, seed=1), 0)


def test_no_more_is_made_ahead_than_the_queue_holds():
    made = []

    class Watched(Numbered):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    with adapt(Watched(50, workers=2, max_queue_size=4)) as source:
        epoch = source.epoch(0)
        next(epoch)
        time.sleep(0.05)
        assert 1 <= len(made) <= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_thread_raises_is_raised_with_its_place(workers, nothing_is_left):
    with adapt(Failing("raising", workers=workers)) as source, pytest.raises(KeyError, match="three") as error:
        numbers(source, 0)
    assert error.value.__notes__ == ["in dataset[3] of Failing", "while reading batch 4 of epoch 1"]
    assert "by_raising" in str(error.traceback[-1])


def test_a_thread_that_hangs_is_told_with_its_stack():
    begun = time.monotonic()
    with (
        adapt(Failing("hanging", workers=2, timeout=0.2)) as source,
        pytest.raises(WorkerError, match="did not answer") as error,
    ):
        numbers(source, 0)
    assert time.monotonic() - begun < NOTICED
    assert error.value.index == 3
    assert "by_hanging" in error.value.worker_traceback


def test_a_source_that_nobody_holds_ends_its_threads(nothing_is_left):
    source = adapt(Numbered(workers=2))
    numbers(source, 0)
    del source


# processes


def test_processes_make_the_batches_and_live_across_epochs(nothing_is_left):
    with adapt(Counting(2, **PROCESSES)) as source:
        assert numbers(source, 0) == [0, 1]
        (worker,) = multiprocessing.active_children()
        assert numbers(source, 1) == [10, 11]  # what a hook changed has reached the worker
        assert multiprocessing.active_children() == [worker]
        pid = worker.pid
    assert ends(pid)


def test_two_processes_keep_the_order(nothing_is_left):
    with adapt(Numbered(8, workers=2, use_multiprocessing=True), shuffle=True, seed=1) as source:
        batches = list(source.epoch(0))
    assert [int(x[0, 0]) for x, _, _ in batches] == numbers(adapt(Numbered(8), shuffle=True, seed=1), 0)
    pids = {int(pid) for _, y, _ in batches for pid in y}
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids


def test_arrays_come_back_as_they_were(nothing_is_left):
    with adapt(Kinds(1, **PROCESSES)) as source, prefetch(source.epoch(0), put=lambda batch: batch) as batches:
        ((found, _, _),) = batches
    ((wanted, _, _),) = adapt(Kinds(1)).epoch(0)
    assert found["empty"].shape == (2, 0)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    found["wide"][:] = 7  # memory of its own


FAILURES = {
    "raising": (None, ["raised an exception", "KeyError: 'three'"], "by_raising"),
    "raising_what_cannot_be_sent": (None, ["raised an exception", "Unsendable"], "by_raising_what"),
    "death": (-9, ["was killed by SIGKILL", "exit code -9", "memory"], ""),
    "leaving": (123, ["exit code 123"], ""),
    "exiting": (7, ["exit code 7"], ""),
    "a_crash": (-11, ["was killed by SIGSEGV"], "by_a_crash"),
    "hanging": (None, ["did not answer within 0.5 s"], "by_hanging"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_process_that_fails_is_noticed(how, nothing_is_left):
    exit_code, parts, stack = FAILURES[how]
    source = adapt(Failing(how, timeout=0.5 if how == "hanging" else 60.0, **PROCESSES))
    epoch = source.epoch(0)
    for _ in range(3):
        next(epoch)
    begun = time.monotonic()
    with source, pytest.raises(WorkerError) as error:
        next(epoch)
    assert time.monotonic() - begun < NOTICED
    message = str(error.value)
    assert message.startswith(f"dataset[3]: worker process {error.value.pid} ")
    assert len(message.splitlines()) <= 6
    for part in parts:
        assert part in message, message
    assert (error.value.index, error.value.exit_code) == (3, exit_code)
    assert stack in error.value.worker_traceback
    assert error.value.__notes__[-1] == "while reading batch 4 of epoch 1"
    assert isinstance(error.value.__cause__, KeyError) == (how == "raising")
    assert ends(error.value.pid)


def test_a_batch_that_is_none_is_the_same_error_in_a_process(nothing_is_left):
    with adapt(Strings(**PROCESSES)) as source, pytest.raises(DataError, match=r"x: .* got strings"):
        numbers(source, 0)


def test_a_consumer_that_fails_leaves_no_process(nothing_is_left):
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with adapt(Numbered(50, **PROCESSES)) as source, prefetch(source.epoch(0)) as batches:
            next(batches)
            raise ZeroDivisionError


def test_a_death_is_noticed_through_a_prefetch(nothing_is_left):
    with pytest.raises(WorkerError, match="SIGKILL") as error:  # noqa: SIM117
        with adapt(Failing("death", **PROCESSES)) as source, prefetch(source.epoch(0)) as batches:
            assert len([next(batches) for _ in range(3)]) == 3
            next(batches)
    assert ends(error.value.pid)


def test_a_dataset_that_cannot_be_sent_is_refused(nothing_is_left):
    class Local(Numbered):
        pass

    with adapt(Local(**PROCESSES)) as source, pytest.raises(DataError, match="cannot be pickled") as error:
        numbers(source, 0)
    assert "threads" in str(error.value)


def script(tmp_path, body: str) -> list[str]:
    head = "from tests.data.datasets import Failing, Numbered\nfrom jkeras.data import adapt\n"
    (tmp_path / "script.py").write_text(head + textwrap.dedent(body))
    return [sys.executable, str(tmp_path / "script.py")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_script_that_does_not_guard_its_work_is_told_how(tmp_path):
    command = script(tmp_path, "print(list(adapt(Numbered(workers=1, use_multiprocessing=True)).epoch(0)))")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), check=False)
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("WorkerError") :]
    assert "while it started: worker process" in last
    assert "if __name__ == '__main__'" in last


WHEN_KILLED = {
    "idle": ("list(source.epoch(0))", "Numbered(workers=2, use_multiprocessing=True)"),
    "busy": ("[next(epoch) for _ in range(3)]", "Failing('hanging', workers=2, use_multiprocessing=True)"),
    "starting": ("threading.Thread(target=next, args=(epoch,)).start(); time.sleep(0.3)", "Numbered(**PROCESSES)"),
}


@pytest.mark.parametrize("when", WHEN_KILLED)
def test_workers_end_with_a_program_that_is_killed(tmp_path, when):
    work, dataset = WHEN_KILLED[when]
    body = f"""
        import multiprocessing, threading, time
        PROCESSES = {PROCESSES}
        if __name__ == "__main__":
            source = adapt({dataset})
            epoch = source.epoch(0)
            {work}
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
            time.sleep(100)
    """
    with subprocess.Popen(script(tmp_path, body), stdout=subprocess.PIPE, text=True, env=environment()) as program:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        program.kill()
    assert pids and all(ends(pid) for pid in pids)


def test_an_exit_code_is_waited_for(monkeypatch):
    """A process has closed its pipes before it has ended, and another thread may be told of its end first."""
    worker = processes.Worker(timeout=60.0)
    codes = iter([None, None, 123])
    monkeypatch.setattr(type(worker.process), "exitcode", property(lambda process: next(codes, 123)))
    worker.process.kill()
    assert worker._died(3).exit_code == 123
    monkeypatch.undo()
    worker.stop()
    worker.close()


def test_workers_get_no_interrupts_while_they_start(nothing_is_left):
    with adapt(Numbered(4, **PROCESSES)) as source:
        pool = source._workers()  # they are importing now
        for worker in pool._workers:
            os.kill(worker.pid, signal.SIGINT)
        assert numbers(source, 0) == [0, 1, 2, 3]
        os.kill(pool._workers[0].pid, signal.SIGINT)
        assert numbers(source, 1) == [0, 1, 2, 3]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_a_program_with_a_stuck_thread_ends(tmp_path):
    body = "list(adapt(Failing('hanging', workers=2, timeout=0.1)).epoch(0))"
    done = subprocess.run(
        script(tmp_path, body), capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    assert done.returncode == 1
    assert (
        "WorkerError: dataset[3]: cannot read the batch, because a worker thread did not answer within" in done.stderr
    )
