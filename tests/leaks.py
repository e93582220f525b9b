"""Looking for tracers that outlive their trace."""

import contextlib
import gc
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def checking_leaks() -> Iterator[None]:
    """`jax.checking_leaks` among the objects that are made inside.

    At each trace it walks all that the garbage collector knows, and a worker of this suite knows gigabytes.
    """
    gc.collect()
    gc.freeze()
    with jax.checking_leaks():
        yield
