"""Every network of keras.applications, in files both ways: `python -m tests.nightly.applications [NAME ...]`.

A network is made by Keras at the smallest size that it takes, with random weights; its file is read here, and what is
written here is read by Keras. Prints the largest difference of the outputs in units of their largest value.
"""

import inspect
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

import jkeras
from tests.oracle import asking_keras, keras

SIZES = (32, 75, 139, 331)


def builders() -> dict[str, object]:
    """The functions of keras.applications that build networks, by name."""
    found = {name: thing for name, thing in vars(keras.applications).items() if inspect.isfunction(thing)}
    return {name: thing for name, thing in found.items() if "include_top" in inspect.signature(thing).parameters}


def network(builder):
    """A network without its head, for the smallest images."""
    for size in SIZES:
        try:
            return builder(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)), size
        except ValueError:
            continue
    raise ValueError(f"{builder} takes none of {SIZES}")


def difference(one, other):
    return float(np.abs(one - other).max() / np.abs(other).max())


def check(builder, folder):
    """The differences of our reading and of Keras's."""
    with asking_keras():
        keras.utils.set_random_seed(0)
        theirs, size = network(builder)
        x = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype("float32")
        expected = theirs.predict(x, verbose=0)
        theirs.save(folder / "theirs.keras")
    model, variables = jkeras.models.load_model(folder / "theirs.keras")
    call = jax.jit(lambda variables, x: model.stateless_call(*variables, x)[0])
    read = difference(np.asarray(call(variables, x)), expected)
    model.save(folder / "ours.keras", variables)
    with asking_keras():
        back = difference(keras.models.load_model(folder / "ours.keras").predict(x, verbose=0), expected)
    return read, back, size


def main(names):
    chosen = {name: builder for name, builder in builders().items() if not names or name in names}
    worst = 0.0
    for name, builder in sorted(chosen.items()):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            read, back, size = check(builder, Path(folder))
            worst = max(worst, read, back)
            seconds = time.perf_counter() - start
            print(f"{name:24} {size:4} read {read:.1e}  written {back:.1e}  {seconds:.0f} s", flush=True)
    print(f"{len(chosen)} networks, largest difference {worst:.1e}")
    return int(worst > 1e-4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
