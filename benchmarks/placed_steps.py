"""Steps that are spread over eight virtual devices, by hand and with jkeras, in a process of its own.

    python -m benchmarks.placed_steps collectives | times

Both sides have the same trees, shardings and formulas; by hand every layer's output keeps the batch axis too, as an
expert has to write who splits weights.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

if __name__ == "__main__":
    os.environ.update(JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_force_host_platform_device_count=8")

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import P

import jkeras
from benchmarks import models, networks
from benchmarks.harness import interleaved, ratio
from jkeras import distribution, layers, tree
from jkeras.jax_compat import cpu_options
from jkeras.plan import Program

WIDTH, HEADS, TIME, VOCABULARY, BLOCKS, BATCH = 256, 8, 32, 128, 4, 64
FREE = P.UNCONSTRAINED
ROUNDS, STEPS = 5, 32  # a call of `fit` has costs of its own, which many steps share
Pin = Callable[[jax.Array], jax.Array]


class Block(jkeras.Layer):
    """A pre-norm Transformer block."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.norm_attention, self.norm_dense = layers.LayerNormalization(), layers.LayerNormalization()
        self.query, self.key, self.value, self.mixed = (layers.Dense(WIDTH) for _ in range(4))
        self.wide, self.narrow = layers.Dense(4 * WIDTH, activation="gelu"), layers.Dense(WIDTH)

    def call(self, x: jax.Array) -> jax.Array:
        y = self.norm_attention(x)
        x = x + self.mixed(networks.attend(self.query(y), self.key(y), self.value(y), HEADS))
        return x + self.narrow(self.wide(self.norm_dense(x)))


def block_by_hand(params: networks.Params, x: jax.Array, pin: Pin) -> jax.Array:
    """The same block."""
    dense, norm = networks.dense, networks.layer_norm
    y = pin(norm(params["norm_attention"], x))
    query, key, value = (pin(dense(params[name], y)) for name in ("query", "key", "value"))
    x = x + pin(dense(params["mixed"], networks.attend(query, key, value, HEADS)))
    y = pin(norm(params["norm_dense"], x))
    return pin(x + pin(dense(params["narrow"], pin(jax.nn.gelu(dense(params["wide"], y), approximate=False)))))


def stack() -> jkeras.Sequential:
    tokens = layers.Embedding(VOCABULARY, WIDTH)
    blocks = layers.Stack(Block(), BLOCKS)
    return jkeras.Sequential(
        [jkeras.Input((TIME,), dtype="int32"), tokens, blocks, layers.GlobalAveragePooling1D(), layers.Dense(10)]
    )


def stack_by_hand(params: networks.Params, x: jax.Array, pin: Pin) -> jax.Array:
    x = pin(jnp.take(params["embedding"]["embeddings"], x, axis=0))
    x, _ = jax.lax.scan(lambda x, block: (block_by_hand(block, x, pin), None), x, params["stack"]["block"])
    return networks.dense(params["dense"], pin(jnp.mean(x, 1)))


def mlp_by_hand(params: networks.Params, x: jax.Array, pin: Pin) -> jax.Array:
    for name in ("dense", "dense_1", "dense_2", "dense_3"):
        x = pin(jax.nn.relu(networks.dense(params[name], x)))
    return pin(networks.dense(params["dense_4"], x))


@dataclass(frozen=True)
class Placed:
    """A network, by hand and with jkeras, and how tensor parallelism splits its weights, by the ends of their paths."""

    model: Callable[[], Any]
    apply: Callable[[networks.Params, jax.Array, Pin], jax.Array]
    x: np.ndarray
    tensor: Mapping[str, tuple[str | None, ...]]


RANDOM = np.random.default_rng(0)
NETWORKS = {
    "MLP of 4": Placed(
        lambda: models.mlp(4, WIDTH, WIDTH),
        mlp_by_hand,
        RANDOM.normal(size=(BATCH, WIDTH)).astype("float32"),
        {
            **{f"dense{n}/kernel": (None, "model") for n in ("", "_2")},
            **{f"dense{n}/bias": ("model",) for n in ("", "_2")},
            **{f"dense{n}/kernel": ("model", None) for n in ("_1", "_3")},
        },
    ),
    "Stack of 4 blocks": Placed(
        stack,
        stack_by_hand,
        RANDOM.integers(0, VOCABULARY, (BATCH, TIME)).astype("int32"),
        {
            **{f"{name}/kernel": (None, "model") for name in ("query", "key", "value", "wide")},
            **{f"{name}/bias": ("model",) for name in ("query", "key", "value", "wide")},
            **{f"{name}/kernel": ("model", None) for name in ("mixed", "narrow")},
        },
    ),
}
PLACEMENTS = ("data", "fsdp", "tensor")


def mesh_of(placement: str) -> jax.sharding.Mesh:
    sizes, names = ((2, 4), ("data", "model")) if placement == "tensor" else ((8,), ("data",))
    return jax.make_mesh(sizes, names, axis_types=(jax.sharding.AxisType.Auto,) * len(names))


def trainer_of(network: Placed, placement: str) -> "jkeras.Trainer":
    """jkeras's side."""
    mesh = mesh_of(placement)
    rules = {rf"(^|/){path}$": spec for path, spec in network.tensor.items()}
    made = {
        "data": lambda: distribution.DataParallel(mesh),
        "fsdp": lambda: distribution.FSDP(mesh),
        "tensor": lambda: distribution.Placement(mesh, rules=rules),
    }[placement]()
    return models.make_trainer(network.model()).replace(placement=made)


def spec_by_hand(network: Placed, placement: str, path: str, shape: tuple[int, ...]) -> jax.sharding.PartitionSpec:
    """Where an expert puts a weight; those of a stack have an axis for the blocks in front."""
    front = [None] * ("stack/" in path)
    if placement == "tensor":
        found = next((s for end, s in network.tensor.items() if f"/{path}".endswith(f"/{end}")), None)
        return P(*front, *found) if found else P()
    own = shape[len(front) :]
    if placement == "data" or np.prod(own) < 2**16:
        return P()
    return P(*front, *[None] * int(np.argmax(own)), "data")


def by_hand(network: Placed, placement: str, values: Any) -> tuple[Any, Any, Any]:
    """The state, the step that keeps its shardings, and the sharding of batches."""
    mesh = mesh_of(placement)
    split, copied = jax.NamedSharding(mesh, P("data")), jax.NamedSharding(mesh, P())

    def pin(x: jax.Array) -> jax.Array:
        return jax.lax.with_sharding_constraint(x, jax.NamedSharding(mesh, P("data", *[FREE] * (x.ndim - 1))))

    def apply(params: Any, statistics: Any, x: jax.Array, training: bool) -> Any:
        return network.apply(params, x, pin), statistics

    start, step = networks.make_step(networks.Network(lambda key: values, apply))
    params = tree.unflatten(
        {
            path: jax.NamedSharding(mesh, spec_by_hand(network, placement, path, leaf.shape))
            for path, leaf in tree.flatten(values[0]).items()
        }
    )
    state = start((values[0], {}))
    places = jax.tree.map(lambda leaf: copied, state)._replace(
        params=params,
        opt_state=optax.tree.map_params(
            optax.adam(networks.LEARNING_RATE),
            lambda _, place: place,
            state.opt_state,
            params,
            transform_non_params=lambda _: copied,
        ),
    )
    program = jax.jit(step, donate_argnums=0, out_shardings=(places, None), compiler_options=cpu_options())
    return jax.device_put(jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state), places), program, split


def collectives() -> list[dict[str, Any]]:
    """The collectives of both sides, by network and placement."""
    rows = []
    for name, network in NETWORKS.items():
        for placement in PLACEMENTS:
            trainer = trainer_of(network, placement)
            labels = np.zeros(BATCH, "int32")
            values = network.model().init(jax.random.key(0))
            state, step, split = by_hand(network, placement, (values.trainable, {}))
            batch = jax.device_put((network.x, labels), split)
            texts = {
                "hand": step.lower(state, batch).compile().as_text(),
                "jkeras": trainer.lower(network.x, labels).compile(compiler_options=cpu_options()).as_text(),
            }
            found = {
                side: {each.kind: [each.count, each.nbytes] for each in Program(text).collectives()}
                for side, text in texts.items()
            }
            rows.append({"network": name, "placement": placement, **found})
    return rows


def times() -> list[dict[str, Any]]:
    """The time of both sides for some steps on data of the host: a loop by hand, and `fit`."""
    rows = []
    for name, network in NETWORKS.items():
        for placement in PLACEMENTS:
            x = np.concatenate([network.x] * STEPS)
            labels = np.arange(len(x), dtype="int32") % 10
            trainer = trainer_of(network, placement)
            values = network.model().init(jax.random.key(0))
            made, step, split = by_hand(network, placement, (values.trainable, {}))
            states = {"hand": made, "jkeras": trainer.init(jax.random.key(0))}

            def loop(step=step, split=split, states=states, x=x, labels=labels):
                for start in range(0, len(x), BATCH):
                    batch = x[start : start + BATCH], labels[start : start + BATCH]
                    states["hand"], logs = step(states["hand"], jax.device_put(batch, split))
                return float(logs["loss"] if isinstance(logs, dict) else jax.tree.leaves(logs)[0])

            def fit(trainer=trainer, states=states, x=x, labels=labels):
                states["jkeras"], history = trainer.fit(states["jkeras"], x, labels, batch_size=BATCH, verbose=0)
                return history.history["loss"]

            timings = interleaved({"hand": loop, "jkeras": fit}, rounds=ROUNDS, warm_up=3)
            found = ratio(timings["jkeras"].complete, timings["hand"].complete)
            medians = {side: float(np.median(timing.complete)) / STEPS for side, timing in timings.items()}
            rows.append({"network": name, "placement": placement, **medians, "ratio": vars(found)})
    return rows


if __name__ == "__main__":
    print(json.dumps({"collectives": collectives, "times": times}[sys.argv[1]]()))
