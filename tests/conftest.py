"""Suite-wide strictness: Keras runs on JAX, nothing is promoted in rank silently, every warning is an error.

JAX keeps what it compiled, so a worker ends with gigabytes of objects, and each full collection of garbage walks them
all. So there are none while tests run; every hundred tests there is one, and what is left is set aside for good.
"""

import gc
import importlib.util
import os
import signal

os.environ["KERAS_BACKEND"] = "jax"

import jax
import pytest

from tests import compilation

compilation.quickly()
jax.config.update("jax_numpy_rank_promotion", "raise")

# A shell that starts the suite in the background ignores SIGINT, and processes inherit that; tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# torch and TensorFlow have an environment of their own: `make test-loaders`
collect_ignore = [] if all(importlib.util.find_spec(name) for name in ("tensorflow", "torch")) else ["loaders"]

TESTS_BETWEEN = 100
FINISHED = pytest.StashKey[int]()
gc.set_threshold(100_000, 50, 1_000)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.config.stash[FINISHED] = item.config.stash.get(FINISHED, 0) + 1
    if item.config.stash[FINISHED] % TESTS_BETWEEN == 0:
        gc.collect()
        gc.freeze()
