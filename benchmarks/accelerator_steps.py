"""The training steps of `benchmarks accelerators`: networks of one size as users of each library write them.

    python -m benchmarks.accelerator_steps TARGET PROGRAM SIDE   # with the environment of benchmarks.targets

A step is a function from a state and a batch to the next state and a loss, and the specs of its arguments. Nothing is
computed here: states are abstract. Weights are float32, computation is bfloat16, the optimizer AdamW.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.extend.core import jaxprs_in_params
from jax.interpreters import partial_eval

import jkeras
from benchmarks import accelerators, layer_pairs, targets
from jkeras import layers

Step = tuple[Callable[..., Any], Any]  # (state, x, y) -> (state, loss); specs of these


@dataclasses.dataclass(frozen=True)
class Size:
    """Of a language model and of a batch."""

    vocabulary: int
    blocks: int
    time: int = 1024
    heads: int = 12
    width: int = 768
    batch: int = 8
    shared: int = 12  # heads of keys and values
    hidden: int = 3072

    @property
    def specs(self) -> tuple[Any, Any]:
        """The token ids of a batch, and the labels."""
        ids = jax.ShapeDtypeStruct((self.batch, self.time), "int32")
        return ids, ids


GPT = {"GPT-2, 2 blocks": Size(32768, 2), "GPT-2, 12 blocks": Size(50304, 12)}
LLAMA = Size(32000, 4, 1024, 16, 1024, 8, 4, 2816)
IMAGES = (64, 224, 224, 3)


# -- jkeras


def with_jkeras(model: jkeras.Model, loss: jkeras.losses.Loss, x: Any, y: Any) -> Step:
    """`Trainer.train_step`."""
    trainer = jkeras.Trainer(model, optax.adamw(3e-4), loss)
    state = jax.eval_shape(lambda: trainer.init(jax.random.key(0), x))
    return lambda state, x, y: trainer.train_step(state, (x, y)), (state, x, y)


def gpt_of(module: Any, size: Size, **attention_options: Any) -> Any:
    """GPT-2 of jkeras or of Keras, with logits in bfloat16."""
    ids = module.Input((size.time,), dtype="int32")
    embedding = module.layers.ReversibleEmbedding(size.vocabulary, size.width)
    places = module.layers.Lambda(lambda ids: module.ops.arange(size.time)[None], output_shape=(size.time,))(ids)
    x = embedding(ids) + module.layers.Embedding(size.time, size.width)(places)
    for _ in range(size.blocks):
        h = module.layers.LayerNormalization(epsilon=1e-5)(x)
        attention = module.layers.MultiHeadAttention(size.heads, size.width // size.heads, **attention_options)
        x = x + attention(h, h, use_causal_mask=True)
        h = module.layers.LayerNormalization(epsilon=1e-5)(x)
        h = module.layers.Dense(4 * size.width, activation=module.activations.gelu)(h)
        x = x + module.layers.Dense(size.width)(h)
    x = module.layers.LayerNormalization(epsilon=1e-5)(x)
    return module.Model(ids, embedding(x, reverse=True))


class LlamaBlock(jkeras.Layer):
    """Grouped attention with rotations, and a gated feed-forward layer."""

    def __init__(self, size: Size, implementation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = layers.GroupQueryAttention(
            size.width // size.heads,
            size.heads,
            size.shared,
            use_bias=False,
            position_embedding=layers.RotaryEmbedding(),
            implementation=implementation,
        )
        self.feed_forward = layers.SwiGLU(size.hidden)
        self.before_attention, self.before_feed_forward = layers.RMSNormalization(), layers.RMSNormalization()

    def call(self, x: jax.Array) -> jax.Array:
        y = self.before_attention(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.feed_forward(self.before_feed_forward(x))


class Llama(jkeras.Model):
    """A stack of blocks between an embedding and a head."""

    def __init__(self, size: Size, implementation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(size.vocabulary, size.width)
        self.blocks = layers.Stack(LlamaBlock(size, implementation), size.blocks, remat=True)
        self.norm, self.head = layers.RMSNormalization(), layers.Dense(size.vocabulary, use_bias=False)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return self.head(self.norm(self.blocks(self.embedding(inputs))))


# -- others


def by_gradient(loss: Callable[..., Any], params: Any, x: Any, y: Any) -> Step:
    """AdamW by optax on a function `loss(params, x, y)`."""
    optimizer = optax.adamw(3e-4)

    def step(state: Any, x: Any, y: Any) -> Any:
        params, opt_state = state
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    return step, ((params, jax.eval_shape(optimizer.init, params)), x, y)


def crossentropy(logits: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype("float32"), labels).mean()


def with_keras(model: Any, x: Any, y: Any) -> Step:
    """`stateless_call` and `stateless_apply`."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(3e-4)
    optimizer.build(model.trainable_variables)
    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = tuple([jax.ShapeDtypeStruct(each.value.shape, each.value.dtype) for each in group] for group in groups)

    def objective(trainable: Any, others: Any, x: Any, y: Any) -> Any:
        outputs, others = model.stateless_call(trainable, others, x, training=True)
        return loss(y, outputs), others

    def step(state: Any, x: Any, y: Any) -> Any:
        trainable, others, variables = state
        (value, others), gradients = jax.value_and_grad(objective, has_aux=True)(trainable, others, x, y)
        trainable, variables = optimizer.stateless_apply(variables, gradients, trainable)
        return (trainable, others, variables), value

    return step, (state, x, y)


def gpt_by_hand(size: Size) -> Step:
    """In `jax.numpy`, with `jax.nn.dot_product_attention`."""
    half, width = jnp.bfloat16, size.width
    shapes = {"qkv": (width, 3 * width), "out": (width, width), "up": (width, 4 * width), "down": (4 * width, width)}

    def init() -> Any:
        norm = {"w": jnp.ones(width), "b": jnp.zeros(width)}
        weights = {name: {"w": jnp.zeros(shape), "b": jnp.zeros(shape[1])} for name, shape in shapes.items()}
        blocks = [{"n1": norm, "n2": norm, **weights}] * size.blocks
        tables = {"words": jnp.zeros((size.vocabulary, width)), "places": jnp.zeros((size.time, width))}
        return {**tables, "norm": norm, "blocks": blocks}

    def normalized(p: Any, x: Any) -> Any:
        x = x.astype("float32")
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        return ((x - mean) * jax.lax.rsqrt(variance + 1e-5) * p["w"] + p["b"]).astype(half)

    def linear(p: Any, x: Any) -> Any:
        return x @ p["w"].astype(half) + p["b"].astype(half)

    def loss(params: Any, ids: Any, labels: Any) -> Any:
        x = params["words"].astype(half)[ids] + params["places"].astype(half)
        for p in params["blocks"]:
            heads = linear(p["qkv"], normalized(p["n1"], x)).reshape(*ids.shape, 3 * size.heads, -1)
            mixed = jax.nn.dot_product_attention(*jnp.split(heads, 3, axis=2), is_causal=True)
            x = x + linear(p["out"], mixed.reshape(x.shape))
            x = x + linear(p["down"], jax.nn.gelu(linear(p["up"], normalized(p["n2"], x))))
        return crossentropy(normalized(params["norm"], x) @ params["words"].astype(half).T, labels)

    return by_gradient(loss, jax.eval_shape(init), *size.specs)


def gpt_with_nnx(size: Size) -> Step:
    """Flax NNX."""
    from flax import nnx

    half: dict[str, Any] = {"dtype": jnp.bfloat16}

    class Block(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.n1, self.n2 = (nnx.LayerNorm(size.width, rngs=rngs, **half) for _ in range(2))
            self.attention = nnx.MultiHeadAttention(size.heads, size.width, decode=False, rngs=rngs, **half)
            self.up = nnx.Linear(size.width, 4 * size.width, rngs=rngs, **half)
            self.down = nnx.Linear(4 * size.width, size.width, rngs=rngs, **half)

        def __call__(self, x: Any, mask: Any) -> Any:
            x = x + self.attention(self.n1(x), mask=mask)
            return x + self.down(nnx.gelu(self.up(self.n2(x))))

    class Network(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.words = nnx.Embed(size.vocabulary, size.width, rngs=rngs, **half)
            self.places = nnx.Embed(size.time, size.width, rngs=rngs, **half)
            self.blocks = nnx.List([Block(rngs) for _ in range(size.blocks)])
            self.norm = nnx.LayerNorm(size.width, rngs=rngs, **half)

        def __call__(self, ids: Any) -> Any:
            x, mask = self.words(ids) + self.places(jnp.arange(size.time)), nnx.make_causal_mask(ids)
            for block in self.blocks:
                x = block(x, mask)
            return self.words.attend(self.norm(x))

    graph, params = nnx.split(nnx.eval_shape(lambda: Network(nnx.Rngs(0))))
    return by_gradient(lambda p, x, y: crossentropy(nnx.merge(graph, p)(x), y), params, *size.specs)


def llama_by_hand(size: Size) -> Step:
    """In `jax.numpy`: a scan over blocks whose insides are computed again."""
    half, width = jnp.bfloat16, size.width
    inner, of_keys = width, width // size.heads * size.shared
    shapes = {"q": (width, inner), "k": (width, of_keys), "v": (width, of_keys), "out": (inner, width)}
    shapes |= {"gate": (width, size.hidden), "up": (width, size.hidden), "down": (size.hidden, width)}

    def init() -> Any:
        blocks = {name: jnp.zeros((size.blocks, *shape)) for name, shape in shapes.items()}
        blocks |= {name: jnp.ones((size.blocks, width)) for name in ("n1", "n2")}
        tables = {"words": jnp.zeros((size.vocabulary, width)), "head": jnp.zeros((width, size.vocabulary))}
        return {**tables, "norm": jnp.ones(width), "blocks": blocks}

    def normalized(scale: Any, x: Any) -> Any:
        x = x.astype("float32")
        return (x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6) * scale).astype(half)

    def rotated(x: Any) -> Any:
        angles = jnp.arange(size.time)[:, None] / 10000 ** (jnp.arange(0, x.shape[-1], 2) / x.shape[-1])
        cos, sin = (f(jnp.concatenate([angles, angles], -1))[None, :, None].astype(half) for f in (jnp.cos, jnp.sin))
        a, b = jnp.split(x, 2, axis=-1)
        return x * cos + jnp.concatenate([-b, a], -1) * sin

    def block(x: Any, p: Any) -> Any:
        y = normalized(p["n1"], x)
        q, k, v = (
            (y @ p[name].astype(half)).reshape(*x.shape[:2], heads, -1)
            for name, heads in (("q", size.heads), ("k", size.shared), ("v", size.shared))
        )
        mixed = jax.nn.dot_product_attention(rotated(q), rotated(k), v, is_causal=True)
        x = x + mixed.reshape(x.shape) @ p["out"].astype(half)
        y = normalized(p["n2"], x)
        gated = jax.nn.silu(y @ p["gate"].astype(half)) * (y @ p["up"].astype(half))
        return x + gated @ p["down"].astype(half), None

    def loss(params: Any, ids: Any, labels: Any) -> Any:
        x = params["words"].astype(half)[ids]
        x, _ = jax.lax.scan(jax.checkpoint(block, prevent_cse=False), x, params["blocks"])
        return crossentropy(normalized(params["norm"], x) @ params["head"].astype(half), labels)

    return by_gradient(loss, jax.eval_shape(init), *size.specs)


# -- the table of steps


def step_of(program: str, side: str) -> Step:
    """A step; raises `ImportError` where the side's library is not installed."""
    kernels = side == "jkeras with kernels"
    losses = jkeras.losses
    loss = losses.FusedLinearCrossentropy() if kernels else losses.SparseCategoricalCrossentropy(from_logits=True)
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    if program == "ResNet-50":
        return resnet(side, loss)
    size = GPT.get(program, LLAMA)
    if side.startswith("jkeras"):
        chosen = {"implementation": None if kernels else "xla"}
        model = gpt_of(jkeras, size, **chosen) if program in GPT else Llama(size, **chosen)
        return with_jkeras(model, loss, *size.specs)
    if side == "Keras":
        import keras

        keras.config.set_dtype_policy("mixed_bfloat16")
        return with_keras(gpt_of(keras, size), *size.specs)
    if side == "Flax NNX":
        return gpt_with_nnx(size)
    return gpt_by_hand(size) if program in GPT else llama_by_hand(size)


def resnet(side: str, loss: Any) -> Step:
    """ResNet-50 of keras.applications, and the model that jkeras makes of its config."""
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    model = keras.applications.ResNet50(weights=None, input_shape=IMAGES[1:], classifier_activation=None)
    batch = jax.ShapeDtypeStruct(IMAGES, "float32"), jax.ShapeDtypeStruct(IMAGES[:1], "int32")
    if side == "Keras":
        return with_keras(model, *batch)
    twin = jkeras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    return with_jkeras(twin, loss, *batch)


# -- compiling


def products(jaxpr: Any) -> int:
    """The floating-point operations of the matrix products and convolutions of a program, outside of kernels.

    >>> products(jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 3)[0])(jnp.ones((4, 4))))
    384
    """
    total, jaxpr = 0, getattr(jaxpr, "jaxpr", jaxpr)
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "dot_general":
            contracted = params["dimension_numbers"][0][0]
            lengths = [equation.invars[0].aval.shape[axis] for axis in contracted]
            total += 2 * math.prod(lengths) * math.prod(equation.outvars[0].aval.shape)
        elif name == "conv_general_dilated":
            kernel, outputs = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
            features = kernel[params["dimension_numbers"].rhs_spec[0]]
            total += 2 * math.prod(outputs) * math.prod(kernel) // features
        elif name != "pallas_call":
            turns = params["length"] if name == "scan" else 1
            total += turns * sum(products(inner) for inner in jaxprs_in_params(params))
    return total


def compiled(step: Callable[..., Any], arguments: Any, sharding: Any) -> dict[str, Any]:
    """The facts of a step that is given its state away."""
    specs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), arguments)
    begun = time.perf_counter()
    traced = jax.jit(step, donate_argnums=0).trace(*specs)
    program = traced.lower().compile()
    used, _ = partial_eval.dce_jaxpr(traced.jaxpr.jaxpr, [True] * len(traced.jaxpr.out_avals))  # as XLA leaves out
    return accelerators.facts(program, products(used), time.perf_counter() - begun)


def main(target: str, program: str, side: str) -> dict[str, Any]:
    """The facts of a step, or of each layer by hand and of jkeras; `{"reason": ...}` where something is missing."""
    sharding, platform = targets.device_of(target), targets.PLATFORMS[target]
    if program == accelerators.LAYERS:
        cases = [layer_pairs.forwards(case) for case in layer_pairs.CASES]
        with jkeras.config.lowering_for(platform):
            return {case.layer: layer(*each, sharding) for case, each in zip(layer_pairs.CASES, cases, strict=True)}
    with jkeras.config.lowering_for(platform):
        try:
            return compiled(*step_of(program, side), sharding)
        except ImportError as error:
            return {"reason": f"not installed: {error.name}"}


def layer(sides: Any, inputs: Any, sharding: Any) -> dict[str, Any]:
    """The facts of a layer's forward pass."""
    each = {"by hand": sides.hand, "jkeras": sides.jkeras}
    return {name: compiled(forward, (values, inputs), sharding) for name, (values, forward) in each.items()}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
