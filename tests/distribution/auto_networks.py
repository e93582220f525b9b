"""Networks for the tests of `auto`: every way to write a block of a Transformer, and what else it must understand."""

import jax
import jax.numpy as jnp

import jkeras
from jkeras import layers, ops

VOCABULARY, WIDTH, LENGTH = 24, 16, 8


class Gpt(layers.Layer):
    def __init__(self, heads=4, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.LayerNormalization(), layers.LayerNormalization()
        self.attention = layers.MultiHeadAttention(heads, 4)
        self.up, self.down = layers.Dense(32, activation="gelu"), layers.Dense(WIDTH)

    def call(self, x):
        y = self.first(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.down(self.up(self.second(x)))


class Llama(layers.Layer):
    def __init__(self, heads=8, shared=4, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.RMSNormalization(), layers.RMSNormalization()
        rotary = layers.RotaryEmbedding()
        self.attention = layers.GroupQueryAttention(4, heads, shared, use_bias=False, position_embedding=rotary)
        self.feed_forward = layers.SwiGLU(32)

    def call(self, x):
        y = self.first(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.feed_forward(self.second(x))


BLOCKS = {"gpt": Gpt, "llama": Llama}


def by_hand(x, name, heads=4):
    """A block of a functional model, without any layer of attention."""

    def split(kind):
        projected = layers.Dense(WIDTH, use_bias=False, name=f"{name}_{kind}")(x)
        return ops.transpose(ops.reshape(projected, (-1, LENGTH, heads, WIDTH // heads)), (0, 2, 1, 3))

    query, key, value = map(split, ("query", "key", "value"))
    weights = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))))  # (b, n, t, t)
    attended = ops.reshape(ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3)), (-1, LENGTH, WIDTH))
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(WIDTH, name=f"{name}_out")(attended)]))
    hidden = layers.Dense(32, activation="relu", name=f"{name}_up")(x)
    return layers.Add()([x, layers.Dense(WIDTH, name=f"{name}_down")(hidden)])


def language_model(block, n=2, stacked=False, remat=False, vocabulary=VOCABULARY):
    inputs = jkeras.Input((LENGTH,), dtype="int32")
    embedding = layers.ReversibleEmbedding(vocabulary, WIDTH, name="embedding")
    x = embedding(inputs)
    if stacked:
        x = layers.Stack(block(), n=n, remat=remat, name="blocks")(x)
    else:
        for index in range(n):
            x = by_hand(x, f"block_{index}") if block is by_hand else block(name=f"block_{index}")(x)
    return jkeras.Model(inputs, embedding(layers.RMSNormalization(name="norm")(x), reverse=True))


class Subclassed(jkeras.Model):
    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(VOCABULARY, WIDTH)
        self.blocks = [block(), block()]
        self.norm, self.head = layers.LayerNormalization(), layers.Dense(VOCABULARY)

    def call(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Experts(layers.Layer):
    def __init__(self, count, routed, **kwargs):
        super().__init__(**kwargs)
        self.count, self.routed = count, routed

    def build(self, input_shape):
        width = input_shape[-1]
        make = {"router": (width, self.count), "up": (self.count, width, 32), "down": (self.count, 32, width)}
        for name, shape in make.items():
            setattr(self, name, self.add_weight(shape=shape, initializer="glorot_uniform", name=name))

    def call(self, x):
        scores = jax.nn.softmax(x @ self.router.value)  # (b, t, e)
        if not self.routed:
            hidden = jax.nn.relu(jnp.einsum("btd,edh->beth", x, self.up.value))
            return jnp.einsum("bte,beth,ehd->btd", scores, hidden, self.down.value)
        best, chosen = jax.lax.top_k(scores, 2)
        parts = jnp.einsum("btk,btke->bte", best, jax.nn.one_hot(chosen, self.count))
        taken = jnp.einsum("bte,btd->ebtd", (parts > 0).astype(x.dtype), x)
        hidden = jax.nn.relu(jnp.einsum("ebtd,edh->ebth", taken, self.up.value))
        return jnp.einsum("bte,ebtd->btd", parts, jnp.einsum("ebth,ehd->ebtd", hidden, self.down.value))


def experts(count=4, routed=True):
    return jkeras.Sequential([jkeras.Input((LENGTH, WIDTH)), Experts(count, routed, name="experts")])
