"""One plan of `plans`, in a process of its own: `python -m benchmarks.plan_steps NETWORK MACHINE BATCH SIDE`."""

import json
import os
import sys
import time
from typing import Any

if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import optax

import jkeras
from benchmarks import plan_hands
from benchmarks.plan_sizes import SIZES, Size
from jkeras import layers
from jkeras.distribution import FSDP
from jkeras.errors import MissingExtraError
from jkeras.jax_compat import lowering_for
from jkeras.plan import Collective, Program, machine_of


class Block(jkeras.Layer):
    """One pre-norm block."""

    def __init__(self, size: Size, **options: Any) -> None:
        super().__init__(**options)
        head = size.width // size.heads
        if size.is_llama:
            self.attention: Any = layers.GroupQueryAttention(
                head, size.heads, size.key_heads, use_bias=False, position_embedding=layers.RotaryEmbedding()
            )
            norms: list[Any] = [layers.RMSNormalization() for _ in range(2)]
            self.feed: Any = layers.SwiGLU(size.hidden)
        else:
            self.attention = layers.MultiHeadAttention(size.heads, head)
            norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
            self.feed = jkeras.Sequential([layers.Dense(size.hidden, "gelu"), layers.Dense(size.width)])
        self.norm1, self.norm2 = norms

    def call(self, x: jax.Array) -> jax.Array:
        y = self.norm1(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.feed(self.norm2(x))


class Language(jkeras.Model):
    """A language model of a size."""

    def __init__(self, size: Size, **options: Any) -> None:
        super().__init__(**options)
        self.size = size
        embedding = layers.Embedding if size.is_llama else layers.ReversibleEmbedding
        self.tokens = embedding(size.vocabulary, size.width)
        if size.is_llama:
            self.head = layers.Dense(size.vocabulary, use_bias=False)
        else:
            self.positions = layers.Embedding(size.time, size.width)
        self.blocks = layers.Stack(Block(size), size.blocks, remat=True)
        self.norm = layers.RMSNormalization() if size.is_llama else layers.LayerNormalization(epsilon=1e-5)

    def call(self, inputs: jax.Array, training: bool | None = None, mask: Any = None) -> jax.Array:
        x = self.tokens(inputs)
        if not self.size.is_llama:
            x = x + jax.numpy.expand_dims(self.positions(jax.numpy.arange(self.size.time)), 0)
        x = self.norm(self.blocks(x))
        return self.head(x) if self.size.is_llama else self.tokens(x, reverse=True)


def ours(size: Size, topology: str) -> dict[str, Any]:
    """The figures of jkeras's step."""
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = jkeras.Trainer(Language(size), optax.adamw(3e-4), loss)
    start, busy = time.perf_counter(), time.process_time()
    plan = trainer.plan(topology, (size.batch, size.time), FSDP)
    print(plan, file=sys.stderr)
    found = figures(plan.compiled, plan.collectives, plan.cycles, plan.refusal)
    return found | spent(start, busy) | {"flops": plan.flops}


def hand(size: Size, topology: str) -> dict[str, Any]:
    """The figures of the step by hand."""
    machine = machine_of(topology)
    devices = machine.devices()
    auto = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((len(devices),), ("data",), devices=devices, axis_types=auto)
    start, busy = time.perf_counter(), time.process_time()
    with lowering_for(machine.platform, devices=len(devices)):
        step, specs = plan_hands.step_of(size, mesh, machine.platform)
        lowered = jax.jit(step, donate_argnums=0).lower(*specs)
    try:
        compiled = lowered.compile(compiler_options=machine.options)
    except jax.errors.JaxRuntimeError as error:
        return figures(None, (), None, str(error)) | spent(start, busy)
    program = Program(compiled.as_text() or "")
    return figures(compiled, program.collectives(), program.cycles(), "") | spent(start, busy)


def figures(compiled: Any, collectives: tuple[Collective, ...], cycles: int | None, refusal: str) -> dict[str, Any]:
    if compiled is None:
        return {"refused": refusal[:400]}
    memory = compiled.memory_analysis()
    return {
        "temporaries": memory.temp_size_in_bytes,
        "arguments": memory.argument_size_in_bytes,
        "collectives": {each.kind: [each.count, each.nbytes] for each in collectives},
        "cycles": cycles,
    }


def spent(start: float, busy: float) -> dict[str, float]:
    return {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - busy}


if __name__ == "__main__":
    network, topology, batch, side = sys.argv[1:]
    try:
        made = {"jkeras": ours, "by hand": hand}[side](SIZES[network].with_batch(int(batch)), topology)
    except MissingExtraError as error:
        made = {"skipped": str(error).splitlines()[0]}
    print(json.dumps(made))
