"""Prefetching: order, errors, and threads that end."""

import gc
import threading
import time
import traceback

import jax
import numpy as np
import pytest

from jkeras.data import prefetch, to_device
from jkeras.errors import ArgumentError

SOON = 5.0  # seconds; generous, for machines that are busy


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jkeras-prefetch"]


def eventually(condition) -> bool:
    end = time.monotonic() + SOON
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert eventually(lambda: not threads())


def test_all_batches_arrive_in_order_on_the_device():
    with prefetch({"x": np.full(2, index, "float32")} for index in range(20)) as batches:
        found = list(batches)
    assert all(isinstance(batch["x"], jax.Array) for batch in found)
    assert [int(batch["x"][0]) for batch in found] == list(range(20))


def test_nothing_arrives_after_the_last():
    batches = prefetch([np.ones(1)])
    next(batches)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(batches)


def test_it_reads_no_further_ahead_than_it_is_told():
    read = []

    def numbers():
        for index in range(100):
            read.append(index)
            yield index

    with prefetch(numbers(), depth=3, put=int) as batches:
        assert eventually(lambda: len(read) == 3)
        assert next(batches) == 0
        assert eventually(lambda: len(read) == 4)
        time.sleep(0.02)
        assert len(read) == 4


def test_an_exception_of_the_producer_reaches_the_consumer_with_its_place():
    def failing():
        yield 1
        yield 2
        raise ValueError("the disk is gone")

    with prefetch(failing(), put=int) as batches:
        assert [next(batches), next(batches)] == [1, 2]
        with pytest.raises(ValueError, match="the disk is gone") as error:
            next(batches)
        with pytest.raises(StopIteration):
            next(batches)
    assert "in failing" in "".join(traceback.format_tb(error.value.__traceback__))


def test_an_exception_of_put_reaches_the_consumer():
    def refuse(item):
        raise RuntimeError(f"no place for {item}")

    with prefetch([1], put=refuse) as batches, pytest.raises(RuntimeError, match="no place for 1"):
        next(batches)


def test_an_exception_of_the_consumer_ends_the_thread_and_closes_the_generator():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with pytest.raises(KeyError), prefetch(endless(), put=int) as batches:
        next(batches)
        raise KeyError
    assert closed.is_set()
    assert not threads()


def test_a_thread_whose_batches_nobody_holds_ends():
    batches = prefetch(iter(int, 1), put=int)
    assert next(batches) == 0
    del batches
    gc.collect()
    assert eventually(lambda: not threads())


def test_what_is_closed_gives_nothing_more():
    batches = prefetch(iter(int, 1), put=int)
    batches.close()
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


def test_a_producer_may_use_its_buffer_again():
    buffer = np.empty(64, "float32")

    def refilled():
        for index in range(4):
            buffer[:] = index
            yield buffer

    with prefetch(refilled(), depth=4) as batches:
        assert eventually(lambda: len(batches._buffer.ready) == 4)
        assert [float(batch.max()) for batch in batches] == [0, 1, 2, 3]


def test_arrays_on_the_device_are_not_copied():
    array = jax.device_put(np.ones(3))
    assert to_device((array, None))[0] is array


@pytest.mark.parametrize("depth", [0, -1, True, 1.5])
def test_a_depth_that_is_none_is_refused(depth):
    with pytest.raises(ArgumentError, match="depth"):
        prefetch([], depth=depth)
