"""Files of weights: time and memory of writing and reading, beside Keras, safetensors and orbax.

Each round of each side runs in a process of its own: it makes a chain of dense layers, writes its weights, and reads
them again while the file is in the page cache. The extra memory of writing is what the peak of the process grows by;
that of reading is the same, less the values that were read.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.harness import Report, ratio

LAYERS, WIDTH, ROUNDS = 300, 925, 3  # 1.03 GB of float32

BEGIN = """
import json, os, resource, sys, time
os.environ["KERAS_BACKEND"] = "jax"
import jax, numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux

def measured(call):
    before, start = peak(), time.perf_counter()
    call()
    return time.perf_counter() - start, peak() - before

count, width, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
"""

JKERAS = """
import jkeras
layer = lambda: jkeras.layers.Dense(width, use_bias=False)
model = jkeras.Sequential([jkeras.Input((width,)), *(layer() for _ in range(count))])
variables = jax.tree.map(lambda leaf: jax.numpy.full(leaf.shape, 0.5), jax.eval_shape(model.init, jax.random.key(0)))
jax.block_until_ready(variables)
write = lambda: model.save_weights(path + "{suffix}", variables)
read = lambda: jax.block_until_ready(model.load_weights(path + "{suffix}", variables))
"""

ARRAYS = """
arrays = {f"layer_{index}": np.full((width, width), 0.5, "float32") for index in range(count)}
"""

SIDES = {
    "jkeras .weights.h5": JKERAS.replace("{suffix}", ".weights.h5"),
    "jkeras .safetensors": JKERAS.replace("{suffix}", ".safetensors"),
    "jkeras .npz": JKERAS.replace("{suffix}", ".npz"),
    "Keras .weights.h5": """
import keras
model = keras.Sequential([keras.Input((width,)), *(keras.layers.Dense(width, use_bias=False) for _ in range(count))])
write = lambda: model.save_weights(path + ".weights.h5")
read = lambda: model.load_weights(path + ".weights.h5")
""",
    "safetensors": ARRAYS
    + """
from safetensors.numpy import load_file, save_file
write = lambda: save_file(arrays, path)
read = lambda: load_file(path)
""",
    "orbax": ARRAYS
    + """
import orbax.checkpoint
checkpointer = orbax.checkpoint.StandardCheckpointer()
arrays = jax.tree.map(jax.numpy.asarray, arrays)
def write():
    checkpointer.save(os.path.join(path, "state"), arrays)
    checkpointer.wait_until_finished()
read = lambda: checkpointer.restore(os.path.join(path, "state"), arrays)
""",
}

END = """
written = measured(write)
print(json.dumps([*written, *measured(read)]))
"""


def measure(side: str, layers: int, width: int) -> list[float]:
    """Seconds and extra bytes of writing, then of reading."""
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-W", "ignore", "-c", BEGIN + SIDES[side] + END]
        done = subprocess.run(
            [*program, str(layers), str(width), f"{folder}/a"], capture_output=True, text=True, check=True
        )
    seconds_and_bytes: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds_and_bytes


def run(layers: int = LAYERS, width: int = WIDTH, rounds: int = ROUNDS) -> Report:
    """Files of weights: time and memory of writing and reading."""
    size = 4 * layers * width**2
    columns = ("side", "write", "to safetensors", "read", "to Keras", "extra, writing", "extra, reading")
    report = Report("files", f"{size / 1e9:.2f} GB of float32 in {layers} leaves", columns)
    found: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, each in list(found.items()):
            try:
                each.append(measure(side, layers, width))
            except subprocess.CalledProcessError as error:
                report.notes.append(f"{side}: not measured: {error.stderr.strip().splitlines()[-1]}")
                del found[side]
    columns_of = {side: list(zip(*each, strict=True)) for side, each in found.items()}
    for side, (write, write_bytes, read, read_bytes) in columns_of.items():
        to_library = ratio(write, columns_of["safetensors"][0])
        to_keras = ratio(read, columns_of["Keras .weights.h5"][2])
        extra = statistics.median(write_bytes), statistics.median(read_bytes) - size
        measured: dict[str, Any] = {"side": side, "write": write, "read": read, "extra_bytes": extra}
        row = (f"{statistics.median(write):.2f} s", f"{to_library.median:.2f}", f"{statistics.median(read):.2f} s")
        memory = (f"{max(value, 0) / 1e6:.0f} MB" for value in extra)
        report.add((side, *row, f"{to_keras.median:.2f}", *memory), **measured)
    report.notes.append(f"The largest leaf has {4 * width**2 / 1e6:.1f} MB.")
    return report
