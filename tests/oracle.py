"""Keras 3 as the oracle: how to ask it, and how close we have to come.

Keras promotes ranks and warns where this suite forbids both, so it runs inside `asking_keras()`.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras

EPS32 = float(np.finfo("float32").eps)


@contextlib.contextmanager
def asking_keras() -> Iterator[None]:
    """Lifts the suite's strictness for calls into Keras."""
    with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
        warnings.simplefilter("ignore")
        yield


def assert_close(ours, theirs, *, ulps: float = 64, scale: float | None = None, err_msg: str = "") -> None:
    """Asserts agreement within `ulps` float32 rounding errors of the largest magnitude in `theirs`.

    Two float32 evaluations of one formula differ by a few rounding errors per operation, accumulated over reductions;
    a bound in units of eps times the magnitude of the result says how many. `scale` replaces that magnitude where
    cancellation makes the result smaller than its terms.
    """
    ours, theirs = np.asarray(ours, "float64"), np.asarray(theirs, "float64")
    assert ours.shape == theirs.shape, f"{err_msg}: shape {ours.shape} != {theirs.shape}"
    finite = np.abs(theirs[np.isfinite(theirs)])
    magnitude = scale if scale is not None else max(float(finite.max()) if finite.size else 0.0, 1e-30)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ulps * EPS32 * magnitude, err_msg=err_msg)


__all__ = ["EPS32", "asking_keras", "assert_close", "keras"]
