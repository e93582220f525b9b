"""Train a small language model on the sources of Python's standard library, and let it write.

    python docs/examples/train_language_model.py                      one device
    python docs/examples/train_language_model.py --devices 8          eight virtual devices, weights split over them
    python docs/examples/train_language_model.py --processes 2        two processes, each with its part of each batch

A run that was interrupted goes on when it is started again with the same `--folder`, with other devices too.
"""

import argparse
import pathlib
import socket
import subprocess
import sys
import sysconfig
import tempfile

import jax
import numpy as np

import jkeras
from jkeras import layers
from jkeras.callbacks import BackupAndRestore, read_orbax, write_orbax
from jkeras.distribution import FSDP, DeviceMesh

LENGTH, BATCH, WIDTH, HEADS, DEPTH = 64, 32, 64, 4, 2
GOAL = 3.0  # nats a byte; one that guesses has 5.5


def token_file(folder: pathlib.Path) -> np.ndarray:
    """The bytes of all modules as a memory-mapped array, of which only the parts that are read are loaded."""
    path = folder / "tokens.bin"
    if not path.exists():
        modules = sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
        beside = path.with_suffix(".tmp")
        beside.write_bytes(b"\n".join(module.read_bytes() for module in modules))
        beside.rename(path)
    return np.memmap(path, np.uint8, "r")


class Windows(jkeras.data.PyDataset):
    """Batches of windows at random places, of which each process reads its own rows.

    Args:
        tokens: all of them.
        number: of batches.
        seed: where the windows of a batch lie depends on it and the index of the batch.
    """

    def __init__(self, tokens: np.ndarray, number: int, seed: int) -> None:
        super().__init__()
        self.tokens, self.number, self.seed = tokens, number, seed

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        starts = np.random.default_rng([self.seed, index]).integers(len(self.tokens) - LENGTH - 1, size=BATCH)
        own = np.split(starts, jax.process_count())[jax.process_index()]
        windows = np.stack([self.tokens[start : start + LENGTH + 1] for start in own]).astype("int32")
        return windows[:, :-1], windows[:, 1:]


class Block(jkeras.Layer):
    """Attention to what came before, then a gated feed-forward layer; each behind a normalization."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.attention = layers.GroupQueryAttention(
            WIDTH // HEADS, HEADS, HEADS // 2, use_bias=False, position_embedding=layers.RotaryEmbedding()
        )
        self.feed_forward = layers.SwiGLU(2 * WIDTH)
        self.before_attention, self.before_feed_forward = layers.RMSNormalization(), layers.RMSNormalization()

    def call(self, x):
        y = self.before_attention(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.feed_forward(self.before_feed_forward(x))


def network() -> jkeras.Model:
    """Logits of the next byte at each position: (b, t) -> (b, t, 256)."""
    tokens = jkeras.Input((LENGTH,), dtype="int32")
    x = layers.Stack(Block(), DEPTH, name="blocks")(layers.Embedding(256, WIDTH)(tokens))
    return jkeras.Model(tokens, layers.Dense(256)(layers.RMSNormalization()(x)))


def written(trainer: jkeras.Trainer, state: jkeras.TrainState, beginning: bytes, count: int) -> str:
    """What the model writes behind a beginning; the same on all processes."""
    draw, text = np.random.default_rng(0), list(beginning)
    for _ in range(count):
        window = np.zeros((1, LENGTH), "int32")
        seen = text[-LENGTH:]
        window[0, : len(seen)] = seen
        logits = trainer.predict_on_batch(state, window)[0, len(seen) - 1]
        text.append(int(np.argmax(logits / 0.8 + draw.gumbel(size=256))))
    return bytes(text).decode(errors="replace")


def train(folder: pathlib.Path, epochs: int, steps: int, goal: float) -> None:
    placement = FSDP(DeviceMesh((jax.device_count(),), ["data"]), min_size=1024)
    trainer = jkeras.Trainer(
        network(),
        jkeras.optimizers.Adam(3e-3, clipnorm=1.0),
        jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        placement=placement,
    )
    tokens = token_file(folder)
    middle = len(tokens) * 9 // 10
    training, held_out = Windows(tokens[:middle], steps, seed=0), Windows(tokens[middle:], 10, seed=1)
    backup = BackupAndRestore(folder / "backup", writer=write_orbax, reader=read_orbax, delete_checkpoint=False)
    state = trainer.init(jax.random.key(0))
    state, _ = trainer.fit(state, training, epochs=epochs, validation_data=held_out, verbose=2, callbacks=[backup])

    loss = trainer.evaluate(state, held_out, verbose=0)["loss"]
    text = written(trainer, state, b"def ", 80)
    if jax.process_index() == 0:
        print(text)
        print(f"{int(state.step.addressable_data(0))} steps, loss {loss:.4f} nats a byte")
    if loss > goal:
        raise SystemExit(f"expected at most {goal}")


def start_processes(options: argparse.Namespace, folder: pathlib.Path) -> None:
    """Starts this program several times, and waits for all of them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    same = {name: getattr(options, name) for name in ("devices", "processes", "epochs", "steps", "goal")}
    given = {**same, "folder": folder, "address": address}
    command = [sys.executable, __file__, *(f"--{name}={value}" for name, value in given.items())]
    running = [subprocess.Popen([*command, f"--rank={rank}"]) for rank in range(options.processes)]
    codes = [program.wait() for program in running]
    if any(codes):
        raise SystemExit("a process has failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=1, help="virtual devices of each process")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60, help="of an epoch")
    parser.add_argument("--goal", type=float, default=GOAL, help="the greatest loss that is good")
    parser.add_argument("--folder", type=pathlib.Path, help="of tokens and backups; by default a temporary one")
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.processes > 1 and options.rank is None:
            token_file(folder)
            start_processes(options, folder)
            return
        jax.config.update("jax_num_cpu_devices", options.devices)
        if options.rank is not None:
            jkeras.distribution.initialize(options.address, options.processes, options.rank)
        train(folder, options.epochs, options.steps, options.goal)


if __name__ == "__main__":
    main()
