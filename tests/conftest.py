"""Suite-wide strictness: Keras runs on JAX, nothing is promoted in rank silently, every warning is an error.

JAX keeps what it compiled, and each full collection of garbage walks all of it. So there are none while tests run;
every hundred tests there is one, and what is left is set aside. A worker that has grown large forgets what is compiled.
"""

import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax
import pytest

from tests import compilation

# Processes that tests start read the bytecode of jkeras, which is written once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
compilation.quickly()
compilation.share()
jax.config.update("jax_numpy_rank_promotion", "raise")

# A shell that starts the suite in the background ignores SIGINT, and processes inherit that; tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# torch and TensorFlow have an environment of their own: `make test-loaders`
collect_ignore = [] if all(importlib.util.find_spec(name) for name in ("tensorflow", "torch")) else ["loaders"]

TESTS_BETWEEN = 100
LARGE = 1.2e9  # bytes; a worker starts with half of that
FINISHED = pytest.StashKey[int]()
gc.set_threshold(100_000, 50, 1_000)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.config.stash[FINISHED] = item.config.stash.get(FINISHED, 0) + 1
    if item.config.stash[FINISHED] % TESTS_BETWEEN == 0:
        if resident() > LARGE:
            jax.clear_caches()
            gc.unfreeze()  # compiled functions are parts of cycles
        gc.collect()
        gc.freeze()


def resident() -> int:
    """The bytes of memory that this process holds; 0 where the system does not say."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0
