"""What each of several processes does: `python -m tests.distribution.worker WHAT ADDRESS COUNT RANK FOLDER`."""

import json
import os
import sys
import time
import warnings

import grain
import jax
import numpy as np
from jax.sharding import PartitionSpec as P

import jkeras
from jkeras.callbacks import BackupAndRestore, CSVLogger, ModelCheckpoint, read_orbax, write_orbax
from jkeras.distribution import FSDP, DataParallel, Placement
from tests.training.networks import data, mlp, trainer

SIZE = 52  # three batches of 16 and one of 4
BATCH = 16


def placements():
    """By name; the second splits weights over processes."""
    mesh = jax.make_mesh((jax.device_count(),), ("data",))
    tensor = jax.make_mesh((jax.device_count() // 2, 2), ("data", "model"))
    return {
        "data": DataParallel(),
        "fsdp": FSDP(mesh, min_size=32),
        "tensor": Placement(tensor, rules={"dense/kernel": P(None, "model"), "dense_1/kernel": P("model")}),
    }


def trainer_of(name, **options):
    return trainer(mlp(), placement=placements()[name], **options)


def begin(t):
    return t.init(jax.random.key(0))


def part(array, rank, count, size=BATCH):
    """The rows that a process brings, so that batches in their order are those of one process."""
    share = size // count
    return np.concatenate([array[i : i + size][rank * share : (rank + 1) * share] for i in range(0, len(array), size)])


def parts(x, y, rank, count):
    """The batches of one process; of the last one another number of rows on each."""
    for start in range(0, len(x), BATCH):
        rows = np.arange(start, min(start + BATCH, len(x)))
        own = (
            np.array_split(rows, count)[rank] if len(rows) == BATCH else (rows[:3], rows[3:], rows[:0], rows[:0])[rank]
        )
        yield x[own], y[own]


def checksum(tree):
    return [float(np.sum(np.asarray(leaf.addressable_data(0), "float64"))) for leaf in jax.tree.leaves(tree)]


def trains(rank, count, folder):
    """Every way of data, and every placement."""
    x, y = data(SIZE)
    said = {}
    for name, epochs in (("fsdp", 2), ("tensor", 1)):
        t = trainer_of(name)
        state, history = t.fit(
            begin(t), x, y, batch_size=BATCH, epochs=epochs, verbose=0, validation_data=(x[:10], y[:10])
        )
        said[name] = history.history
    t = trainer_of("fsdp")
    state = begin(t)
    said["evaluated"] = t.evaluate(state, x, y, batch_size=BATCH, verbose=0)
    said["predicted"] = t.predict(state, x[:7], verbose=0).tolist()
    state, logs = t.train_on_batch(state, x[:8], y[:8])
    said["on a batch"] = [logs, t.test_on_batch(state, x[:5], y[:5]), t.predict_on_batch(state, x[:3]).tolist()]
    t = trainer_of("fsdp")
    local, labels = part(x[:48], rank, count), part(y[:48], rank, count)
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "data": "local"}
    state, history = t.fit(begin(t), local, labels, validation_data=(local, labels), **options)
    said["local"] = history.history
    said["local evaluated"] = t.evaluate(state, local, labels, batch_size=BATCH, data="local", verbose=0)
    if count == 2:
        t = trainer_of("data")
        state, history = t.fit(begin(t), parts(x, y, rank, count), verbose=0)
        said["generator"] = history.history
        said["generator evaluated"] = t.evaluate(begin(t), parts(x, y, rank, count), verbose=0)
        rows = [(local[index], labels[index]) for index in range(len(local))]
        loader = grain.MapDataset.source(rows).batch(BATCH // count)
        said["grain"] = t.fit(begin(t), loader, verbose=0, shuffle=False)[1].history["loss"]
        own = np.concatenate([batch for batch, _ in parts(x, y, rank, count)])
        found = t.predict(begin(t), (batch for batch, _ in parts(x, y, rank, count)), verbose=0)
        said["own rows"] = [len(own), found.tolist()]
    return said


def writes(rank, count, folder):
    """Files: one writer, orbax from all, logs once; resumed as it was."""
    x, y = data(SIZE)
    callbacks = [
        CSVLogger(f"{folder}/log.csv"),
        ModelCheckpoint(f"{folder}/{{epoch}}", writer=write_orbax, keep=1),
    ]
    t = trainer_of("fsdp")
    state, _ = t.fit(begin(t), x, y, batch_size=BATCH, epochs=2, verbose=0, callbacks=callbacks)
    again = t.restore(f"{folder}/2")
    said = {
        "restored": checksum(again) == checksum(state),
        "spec": str(again.trainable["dense"]["kernel"].sharding.spec),
    }
    try:
        t.fit(again, x, y, verbose=0, callbacks=[ModelCheckpoint(f"{folder}/a.keras")])
    except jkeras.errors.StateError as error:
        said["refused"] = str(error).splitlines()[0]
    t = trainer_of("data")
    state, _ = t.fit(begin(t), x, y, batch_size=BATCH, verbose=2, callbacks=[ModelCheckpoint(f"{folder}/whole.keras")])
    if rank == 0:
        said["whole"] = checksum(jkeras.Trainer.load(f"{folder}/whole.keras")[1].trainable) == checksum(state.trainable)
    return said


def differs(rank, count, folder):
    """What is not the same on all processes is an error on all of them."""
    x, y = data(SIZE)
    t = trainer_of("data")
    wrong = np.where(np.arange(SIZE) == 40, 10, y) if rank == 1 else y

    def batches(number, size=8):
        yield from ((x[:size], y[:size]) for _ in range(number))

    def broken():
        yield x[:8], y[:8]
        if rank == 1:
            raise OSError("the disk is gone")
        yield x[:8], y[:8]

    cases = {
        "values": lambda: t.fit(begin(t), x + rank, y, verbose=0),
        "labels": lambda: t.fit(begin(t), x, wrong, verbose=0),
        "shapes": lambda: t.fit(begin(t), x[: SIZE - rank], y[: SIZE - rank], verbose=0),
        "epochs": lambda: t.fit(begin(t), x, y, epochs=1 + rank, verbose=0),
        "batches": lambda: t.fit(begin(t), batches(2 + rank), verbose=0),
        "dtypes": lambda: t.fit(
            begin(t), ((x[:8].astype(f"float{32 // (1 + rank)}"), y[:8]) for _ in range(2)), verbose=0
        ),
        "loader": lambda: t.fit(begin(t), broken(), verbose=0),
        "evaluated": lambda: t.evaluate(begin(t), x + rank, y, verbose=0),
        "model": lambda: (two := trainer(mlp(16 + rank), placement=DataParallel())).fit(begin(two), x, y, verbose=0),
    }
    said = {}
    for name, case in cases.items():
        try:
            case()
        except (jkeras.errors.JKerasError, OSError) as error:
            said[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return said


def stops(rank, count, folder):
    """A callback on one process ends the training of all, at the end of its epoch."""
    x, y = data(SIZE)
    t = trainer_of("data")

    class Stop(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs, state):
            self.loop.stop_training = rank == 1

    return len(t.fit(begin(t), x, y, batch_size=BATCH, epochs=4, verbose=0, callbacks=[Stop()])[1].history["loss"])


class Slow(jkeras.callbacks.Callback):
    """Says where training is, and takes its time."""

    every_batch = True

    def on_train_batch_end(self, batch, logs, state):
        print(json.dumps({"step": int(state.step.addressable_data(0)), "pid": os.getpid()}), flush=True)
        time.sleep(float(os.environ["SLOW"]))


def long_run(rank, count, folder, placement="fsdp"):
    """A training that is interrupted: until then it says each step; afterwards it says its state."""
    x, y = data(SIZE)
    t = trainer_of(placement)
    frequency = int(os.environ.get("SAVE_EVERY", "0")) or "epoch"
    backup = BackupAndRestore(folder, frequency, writer=write_orbax, reader=read_orbax, delete_checkpoint=False)
    slow = [Slow()] if os.environ.get("SLOW") else []
    state, _ = t.fit(begin(t), x, y, batch_size=BATCH, epochs=5, verbose=0, callbacks=[*slow, backup])
    gathered = jax.jit(lambda tree: tree, out_shardings=jax.sharding.NamedSharding(t.placement.mesh, P()))(
        state.trainable
    )
    return {"step": int(state.step.addressable_data(0)), "sums": checksum(gathered)}


def main():
    what, address, count, rank, folder = sys.argv[1:]
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", module="orbax")
    warnings.filterwarnings("ignore", message="Mesh.*|.*sharding.*", category=UserWarning, module="jax|orbax")
    jkeras.distribution.initialize(address, int(count), int(rank), heartbeat_timeout_seconds=20)
    print(json.dumps({"said": globals()[what](int(rank), int(count), folder)}), flush=True)


if __name__ == "__main__":
    main()
