"""What `auto` splits, and why: on one device, for any number of parts."""

import pickle
import re

import jax
import jax.numpy as jnp
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.distribution import Placement, auto
from jkeras.distribution.auto import chosen
from jkeras.errors import BuildError, PlacementError
from tests.descriptors.layers import ROWS
from tests.distribution.auto_networks import (
    BLOCKS,
    LENGTH,
    VOCABULARY,
    WIDTH,
    Gpt,
    Llama,
    Subclassed,
    by_hand,
    experts,
    language_model,
)

GPT = {
    **{f"attention/{name}/kernel": 1 for name in ("query", "key", "value")},
    **{f"attention/{name}/bias": 0 for name in ("query", "key", "value")},
    "attention/attention_output/kernel": 0,
    "up/kernel": 1,
    "up/bias": 0,
    "down/kernel": 0,
}
LLAMA = {
    **{f"attention/{name}/kernel": 1 for name in ("query", "key", "value")},
    "attention/attention_output/kernel": 0,
    "feed_forward/gate/kernel": 1,
    "feed_forward/up/kernel": 1,
    "feed_forward/down/kernel": 0,
}
BY_HAND = {"query/kernel": 1, "key/kernel": 1, "value/kernel": 1, "out/kernel": 0, "up/kernel": 1, "up/bias": 0}
EXPECTED = {"gpt": GPT, "llama": LLAMA}


def below(prefixes, axes):
    return {prefix + path: axis for prefix in prefixes for path, axis in axes.items()}


def split(model, *inputs, parts=4):
    return chosen(model, inputs, parts)[0]


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("form", ("functional", "subclassed", "stacked", "remat"))
def test_blocks_of_transformers(name, form):
    if form == "subclassed":
        found = split(Subclassed(BLOCKS[name]), jax.ShapeDtypeStruct((2, LENGTH), "int32")).axes
        head = {"embedding/embeddings": 0, "head/kernel": 1, "head/bias": 0}
        assert found == {**head, **below(("blocks/0/", "blocks/1/"), EXPECTED[name])}
        return
    stacked = form != "functional"
    model = language_model(BLOCKS[name], stacked=stacked, remat=form == "remat")
    prefixes = ("blocks/block/",) if stacked else ("block_0/", "block_1/")
    assert split(model).axes == {"embedding/embeddings": 0, **below(prefixes, EXPECTED[name])}


def test_a_block_without_layers_of_attention():
    found = split(language_model(by_hand)).axes
    expected = below(("block_0_", "block_1_"), {**BY_HAND, "down/kernel": 0})
    assert found == {"embedding/embeddings": 0, **expected}


def test_attention_of_other_kinds():
    def axes(make, *shapes):
        inputs = [jkeras.Input(shape) for shape in shapes]
        return split(jkeras.Model(inputs, make(*inputs, *inputs[: 2 - len(inputs)]))).axes

    gated = axes(layers.MultiHeadAttention(4, 4, use_gate=True, dropout=0.1, name="a"), (LENGTH, WIDTH))
    assert {path for path in gated if "kernel" in path} == {
        f"a/{name}/kernel" for name in ("query", "key", "value", "gate", "attention_output")
    }
    crossed = axes(layers.MultiHeadAttention(4, 4, name="a"), (LENGTH, WIDTH), (6, 12))
    assert crossed["a/key/kernel"] == crossed["a/query/kernel"] == 1


def test_heads_are_not_cut():
    reasons = split(language_model(by_hand), parts=8)
    assert "block_0_query/kernel" not in reasons.axes and "block_0_up/kernel" in reasons.axes
    assert reasons.reasons["block_0_query/kernel"] == "pair with block_0_out/kernel, but 8 does not divide 4"
    model = language_model(lambda name: Llama(8, 2, name=name), vocabulary=26)
    found = split(model)
    assert found.reasons["block_0/attention/query/kernel"].endswith("but 4 does not divide 2")
    assert found.reasons["block_0/attention/value/kernel"].endswith("but 4 does not divide 2")
    assert found.reasons["embedding/embeddings"] == "vocabulary, but 4 does not divide 26"
    assert "block_0/feed_forward/up/kernel" in found.axes


def dense(units, **options):
    return layers.Dense(units, use_bias=False, **options)


def test_chains_of_projections():
    inputs = jkeras.Input((64,))
    equal = jkeras.Sequential([inputs, *(dense(64) for _ in range(4))])
    assert split(equal).axes == {"dense/kernel": 1, "dense_1/kernel": 0, "dense_2/kernel": 1, "dense_3/kernel": 0}
    odd = jkeras.Sequential([inputs, dense(32), dense(31), dense(32)])
    assert split(odd).axes == {"dense/kernel": 1, "dense_1/kernel": 0}
    bottleneck = jkeras.Sequential([inputs, dense(4), dense(64)])
    assert split(bottleneck).axes == {}
    assert "short beside" in split(bottleneck).reasons["dense/kernel"]


def test_the_residual_stream_is_whole():
    x = inputs = jkeras.Input((16,))
    for _ in range(2):  # without norms, which would say so
        x = layers.Add()([x, dense(16)(dense(64, activation="relu")(x))])
    found = split(jkeras.Model(inputs, x)).axes
    assert found == {"dense/kernel": 1, "dense_1/kernel": 0, "dense_2/kernel": 1, "dense_3/kernel": 0}


def test_a_block_that_is_used_twice():
    x = inputs = jkeras.Input((LENGTH, WIDTH))
    up, down, norm = dense(32, activation="gelu", name="up"), dense(WIDTH, name="down"), layers.LayerNormalization()
    for _ in range(2):
        x = layers.Add()([x, down(up(norm(x)))])
    assert split(jkeras.Model(inputs, x)).axes == {"up/kernel": 1, "down/kernel": 0}


def test_low_rank_adaptation():
    model = jkeras.Sequential(
        [jkeras.Input((32,)), dense(64, lora_rank=2, activation="relu", name="up"), dense(32, lora_rank=2, name="down")]
    )
    assert split(model, parts=2).axes == {
        "up/kernel": 1,
        "up/lora_kernel_b": 1,
        "down/kernel": 0,
        "down/lora_kernel_a": 0,
    }


def test_experts():
    found = split(experts())
    assert found.axes == {"experts/up": 0, "experts/down": 0}
    assert found.reasons["experts/up"] == "experts"
    assert split(experts(routed=False)).axes == {"experts/up": 2, "experts/down": 1}  # summed over both: hidden units
    assert split(experts(6), parts=4).reasons["experts/up"] == "experts, but 4 does not divide 6"


def test_heads_of_vocabularies():
    inputs = jkeras.Input((LENGTH,), dtype="int32")
    x = layers.LayerNormalization()(layers.Embedding(VOCABULARY, WIDTH, name="table")(inputs))
    head = layers.Dense(VOCABULARY, activation="softmax", name="head")(x)
    assert split(jkeras.Model(inputs, head)).axes == {"table/embeddings": 0, "head/kernel": 1, "head/bias": 0}
    classes = layers.Dense(12, name="head")(layers.GlobalAveragePooling1D()(x))
    found = split(jkeras.Model(inputs, classes))
    assert found.axes == {}
    assert found.reasons["head/kernel"] == "in no pair of projections: its axis of length 12 is returned by the model"
    assert found.reasons["table/embeddings"] == "vocabulary, but most of the work cannot be split so"


NOT_UNDERSTOOD = {
    "split": lambda x: ops.multiply(*ops.split(layers.Dense(32, name="first")(x), 2, axis=-1)),
    "conv_general_dilated": lambda x: layers.Conv1D(16, 3, padding="same", name="first")(x),
    "cumsum": lambda x: ops.cumsum(layers.Dense(16, name="first")(x), axis=-1),
    "sort": lambda x: ops.sort(layers.Dense(16, name="first")(x), axis=-1),
    "concatenate": lambda x: layers.Concatenate()([layers.Dense(16, name="first")(x), x]),
    "fft": lambda x: ops.fft([layers.Dense(16, name="first")(x)] * 2)[0],
}


@pytest.mark.parametrize("primitive", NOT_UNDERSTOOD)
def test_what_is_not_understood(primitive):
    inputs = jkeras.Input((LENGTH, WIDTH))
    found = split(jkeras.Model(inputs, dense(WIDTH)(NOT_UNDERSTOOD[primitive](inputs))))
    assert found.axes == {}
    assert f"goes through `{primitive}`" in found.reasons["first/kernel"]


def pair(between):
    class Pair(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.up, self.down = dense(32), dense(WIDTH)

        def call(self, x):
            return self.down(between(self.up(x)))

    return split(Pair(), jax.ShapeDtypeStruct((2, LENGTH, WIDTH), "float32"))


@jax.custom_vjp
def own_derivative(x):
    return jnp.sin(x)


own_derivative.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))
UNDERSTOOD = {
    "a derivative of its own": own_derivative,
    "jit": jax.jit(jax.nn.silu),
    "checkpoint": jax.checkpoint(jnp.tanh),
    "cond": lambda x: jax.lax.cond(jnp.asarray(True), jnp.sin, jnp.cos, x),
    "platforms": lambda x: jax.lax.platform_dependent(x, cpu=jnp.sin, default=lambda x: jnp.sort(x, axis=-1)),
    "while": lambda x: jax.lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * 2), (0, x))[1],
    "fori_loop": lambda x: jax.lax.fori_loop(0, 2, lambda i, c: jnp.sin(c), x),
    "where": lambda x: jnp.where(x > 0, x, jnp.expm1(x)),
    "stack": lambda x: jnp.max(jnp.stack([x, -x], axis=1), axis=1),
    "take": lambda x: jnp.take(x, jnp.arange(3), axis=1),
    "take along": lambda x: jnp.take_along_axis(x, jnp.zeros((2, 1, 32), int), axis=1),
    "windows": lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 1), (1, 2, 1), "VALID"),
    "shift": lambda x: jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0))),
    "map": lambda x: jnp.moveaxis(jax.lax.map(jnp.sin, jnp.moveaxis(x, 1, 0)), 0, 1),
    "barrier": jax.lax.optimization_barrier,
}
NEEDS_THE_WHOLE = {
    "softmax": jax.nn.softmax,
    "norm": lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
    "flip": lambda x: jnp.flip(x, -1),
    "roll": lambda x: jnp.roll(x, 1, -1),
    "pairs": lambda x: jnp.reshape(jnp.swapaxes(jnp.reshape(x, (2, LENGTH, 4, 8)), 2, 3), (2, LENGTH, 32)),
    "branches": lambda x: jax.lax.cond(jnp.asarray(True), jnp.sin, lambda x: jnp.sort(x, axis=-1), x),
    "loop": lambda x: jax.lax.fori_loop(0, 2, lambda i, c: jnp.cumsum(c, -1), x),
    "products": lambda x: jnp.einsum("bth,bsh,bsk->btk", x, x, x),
    "itself": lambda x: x @ jnp.ones((32, 32)),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_lies_between_a_pair(name):
    assert pair(UNDERSTOOD[name]).axes == {"up/kernel": 1, "down/kernel": 0}


@pytest.mark.parametrize("name", NEEDS_THE_WHOLE)
def test_what_a_pair_cannot_have_between(name):
    assert pair(NEEDS_THE_WHOLE[name]).axes == {}


WITH_WEIGHTS = [row for row in ROWS if row.tree and not row.keywords and not row.static]


@pytest.mark.parametrize("row", WITH_WEIGHTS, ids=lambda row: row.name)
def test_every_layer_can_be_looked_at(row):
    layer, (inputs, _) = row.make(None), row.arrays("float32")
    found, shapes = chosen(layer, inputs, 2)
    assert found.reasons.keys() == shapes.keys()
    assert all(shapes[path][axis] % 2 == 0 for path, axis in found.axes.items())


# -- placements


def mesh(*names):
    return jax.make_mesh((1,) * len(names), names)


def test_placements():
    placement = auto(language_model(Gpt), mesh("data", "model"), min_size=8)
    assert placement.batch == placement.fsdp == "data"
    rules = dict(placement.rules)
    assert rules["^block_0/up/kernel$"] == jax.P(None, "model")
    table = placement.weights(language_model(Gpt))
    assert table["block_0/up/kernel"].reason == "pair with block_0/down/kernel"
    assert table["block_0/up/bias"].reason == "with block_0/up/kernel"
    assert table["block_0/first/gamma"].reason == "fsdp: in no pair of projections"
    twice = auto(language_model(Gpt), mesh("data", "model"), fsdp="data", min_size=8)
    assert dict(twice.rules)["^block_0/up/kernel$"] == jax.P("data", "model")
    assert twice.fsdp == "data"


def test_rules_of_ones_own_come_first():
    placement = auto(language_model(Gpt), mesh("data", "model"), rules={"block_1/up": ()})
    table = placement.weights(language_model(Gpt))
    assert (table["block_1/up/kernel"].spec, table["block_1/up/kernel"].reason) == (jax.P(), "block_1/up")
    assert table["block_0/up/kernel"].spec == jax.P(None, "model")


def test_a_model_of_which_nothing_is_split():
    model = jkeras.Sequential([jkeras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)])
    placement = auto(model, mesh("rows", "columns"), batch="rows", model_axis="columns")
    assert (placement.batch, placement.fsdp, placement.rules) == (("rows", "columns"), ("rows", "columns"), ())
    assert "conv_general_dilated" in placement.weights(model)["conv2d/kernel"].reason


def test_reasons_travel_and_do_not_count():
    placement = auto(language_model(Gpt), mesh("data", "model"))
    again = pickle.loads(pickle.dumps(placement))
    assert again == placement
    assert again.reasons == placement.reasons
    assert Placement.from_config(placement.get_config()).reasons == placement.reasons
    assert hash(again) == hash(placement)
    assert Placement(placement.mesh, "data", placement.rules, fsdp="data") == placement


def test_inputs():
    class Tokens(jkeras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = dense(32), dense(4)

        def call(self, x):
            return self.second(self.first(x["a"]) + 1)

    model = Tokens()
    with pytest.raises(BuildError, match=re.escape("auto(model, mesh, jax.ShapeDtypeStruct(")):
        auto(model, mesh("data", "model"))
    placement = auto(model, mesh("data", "model"), {"a": jax.ShapeDtypeStruct((8, 16), "float32")})
    assert len(placement.rules) == 2
    assert auto(model, mesh("data", "model")) == placement
    plain = jkeras.Sequential([dense(32), dense(4)])
    assert len(auto(plain, mesh("data", "model"), (None, 16)).rules) == 2


def test_what_is_refused():
    model = jkeras.Sequential([jkeras.Input((4,)), dense(4)])
    for options in ({"batch": "rows"}, {"model_axis": "columns"}, {"fsdp": ("data", "rows")}):
        with pytest.raises(PlacementError, match="must be an axis of the mesh"):
            auto(model, mesh("data", "model"), **options)
