"""`assign`: weights of other names and layouts, and sub-models that share weights."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jkeras
from jkeras import Input, layers, saving
from jkeras.errors import ArgumentError, LeafError
from jkeras.saving.entries import Entry, Source
from tests.oracle import assert_close
from tests.saving import published
from tests.saving.published import DEPTH, HEAD, HEADS, HIDDEN, KEY_HEADS, LENGTH, VOCABULARY, WIDTH
from tests.saving.test_keras_files import KEY, model_of

TOKENS = np.array([3, 1, 4, 1, 5, 9, 2], "int32")


class Block(jkeras.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.before_attention = layers.LayerNormalization(epsilon=1e-5)
        self.attention = layers.MultiHeadAttention(HEADS, HEAD)
        self.before_feed_forward = layers.LayerNormalization(epsilon=1e-5)
        self.up = layers.Dense(4 * WIDTH, activation=functools.partial(jax.nn.gelu, approximate=True))
        self.down = layers.Dense(WIDTH)

    def call(self, x):
        y = self.before_attention(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.down(self.up(self.before_feed_forward(x)))


class GPT2(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.ReversibleEmbedding(VOCABULARY, WIDTH)
        self.positions = layers.Embedding(LENGTH, WIDTH)
        self.blocks = [Block() for _ in range(DEPTH)]
        self.norm = layers.LayerNormalization(epsilon=1e-5)

    def call(self, tokens):
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))[None]
        for block in self.blocks:
            x = block(x)
        return self.tokens(self.norm(x), reverse=True)


GPT2_BLOCK = {
    r"h\.(\d+)\.ln_1\.weight": r"blocks/\1/before_attention/gamma",
    r"h\.(\d+)\.ln_1\.bias": r"blocks/\1/before_attention/beta",
    r"h\.(\d+)\.ln_2\.weight": r"blocks/\1/before_feed_forward/gamma",
    r"h\.(\d+)\.ln_2\.bias": r"blocks/\1/before_feed_forward/beta",
    r"h\.(\d+)\.attn\.c_attn\.weight": [rf"blocks/\1/attention/{part}/kernel" for part in ("query", "key", "value")],
    r"h\.(\d+)\.attn\.c_attn\.bias": [rf"blocks/\1/attention/{part}/bias" for part in ("query", "key", "value")],
    r"h\.(\d+)\.attn\.c_proj\.weight": r"blocks/\1/attention/attention_output/kernel",
    r"h\.(\d+)\.attn\.c_proj\.bias": r"blocks/\1/attention/attention_output/bias",
    r"h\.(\d+)\.attn\.bias": None,
    r"h\.(\d+)\.mlp\.c_fc\.(weight|bias)": lambda m: f"blocks/{m[1]}/up/{m[2].replace('weight', 'kernel')}",
    r"h\.(\d+)\.mlp\.c_proj\.(weight|bias)": lambda m: f"blocks/{m[1]}/down/{m[2].replace('weight', 'kernel')}",
}
GPT2_NAMES = {
    "wte.weight": "tokens/embeddings",
    "wpe.weight": "positions/embeddings",
    "ln_f.weight": "norm/gamma",
    "ln_f.bias": "norm/beta",
    **GPT2_BLOCK,
}


def third(index, shape):
    return lambda array: np.split(array, 3, axis=-1)[index].reshape(shape)


GPT2_LAYOUTS = {
    **{rf".*/{part}/kernel": third(i, (WIDTH, HEADS, HEAD)) for i, part in enumerate(("query", "key", "value"))},
    **{rf".*/{part}/bias": third(i, (HEADS, HEAD)) for i, part in enumerate(("query", "key", "value"))},
    r".*/attention_output/kernel": lambda array: array.reshape(HEADS, HEAD, WIDTH),
}


class LlamaBlock(jkeras.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.GroupQueryAttention(
            HEAD, HEADS, KEY_HEADS, use_bias=False, position_embedding=layers.RotaryEmbedding()
        )
        self.feed_forward = layers.SwiGLU(HIDDEN)
        self.before_attention = layers.RMSNormalization(epsilon=1e-5)
        self.before_feed_forward = layers.RMSNormalization(epsilon=1e-5)

    def call(self, x):
        y = self.before_attention(x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.feed_forward(self.before_feed_forward(x))


class Llama(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(VOCABULARY, WIDTH)
        self.blocks = [LlamaBlock() for _ in range(DEPTH)]
        self.norm = layers.RMSNormalization(epsilon=1e-5)
        self.head = layers.Dense(VOCABULARY, use_bias=False)

    def call(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


PARTS = {"q": "query", "k": "key", "v": "value", "o": "attention_output"}
LLAMA_NAMES = {
    r"embed_tokens\.weight": "embedding/embeddings",
    r"norm\.weight": "norm/scale",
    r"layers\.(\d+)\.input_layernorm\.weight": r"blocks/\1/before_attention/scale",
    r"layers\.(\d+)\.post_attention_layernorm\.weight": r"blocks/\1/before_feed_forward/scale",
    r"layers\.(\d+)\.self_attn\.(.)_proj\.weight": lambda m: f"blocks/{m[1]}/attention/{PARTS[m[2]]}/kernel",
    r"layers\.(\d+)\.mlp\.(\w+)_proj\.weight": r"blocks/\1/feed_forward/\2/kernel",
}
LLAMA_LAYOUTS = {
    r".*/(query|key|value)/kernel": lambda array: array.T.reshape(WIDTH, -1, HEAD),
    r".*/attention_output/kernel": lambda array: array.T.reshape(HEADS, HEAD, WIDTH),
    r".*/kernel": np.transpose,
}


def logits(model, variables):
    return model.stateless_call(*variables, TOKENS[None])[0][0]


def test_gpt_2_loads_and_gives_the_reference_s_logits(tmp_path):
    weights = published.gpt2()
    safetensors.numpy.save_file(weights, tmp_path / "model.safetensors")
    model = GPT2()
    variables = model.init(KEY, TOKENS[None])
    with saving.open_weights(tmp_path / "model.safetensors") as found:
        loaded = saving.assign(model, variables, found, rename=GPT2_NAMES, transform=GPT2_LAYOUTS)
    assert_close(logits(model, loaded), published.gpt2_logits(weights, TOKENS), ulps=256)


def test_gpt_2_in_shards_below_a_prefix(tmp_path):
    weights = published.gpt2("transformer.")
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, part in shards.items():
        safetensors.numpy.save_file({name: weights[name] for name in part}, tmp_path / shard)
    weight_map = {name: shard for shard, part in shards.items() for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    found = saving.open_weights(tmp_path / "model.safetensors.index.json")
    assert set(found) == set(weights)
    model = GPT2()
    variables = model.init(KEY, TOKENS[None])
    options = {"rename": GPT2_NAMES, "transform": GPT2_LAYOUTS, "prefix": "transformer."}
    loaded = saving.assign(model, variables, found, **options)
    assert_close(logits(model, loaded), published.gpt2_logits(published.gpt2(), TOKENS), ulps=256)


def test_llama_in_bfloat16_loads_and_gives_the_reference_s_logits(tmp_path):
    weights = {name: value.astype(jnp.bfloat16) for name, value in published.llama().items()}
    safetensors.numpy.save_file(weights, tmp_path / "model.safetensors")
    model = Llama()
    variables = model.init(KEY, TOKENS[None])
    names = {rf"model\.{name}": path for name, path in LLAMA_NAMES.items()} | {r"lm_head\.weight": "head/kernel"}
    with saving.open_weights(tmp_path / "model.safetensors") as found:
        assert found["lm_head.weight"].dtype == jnp.bfloat16
        loaded = saving.assign(model, variables, found, rename=names, transform=LLAMA_LAYOUTS)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(loaded)} == {"float32"}
    reference = {name: value.astype("float32") for name, value in weights.items()}
    assert_close(logits(model, loaded), published.llama_logits(reference, TOKENS), ulps=256)


def test_one_block_of_a_file_goes_into_a_layer(tmp_path):
    weights = published.llama()
    block = LlamaBlock()
    x = np.random.default_rng(0).normal(size=(1, LENGTH, WIDTH)).astype("float32")
    variables = block.init(KEY, x)

    def rename(name):
        return {
            "input_layernorm.weight": "before_attention/scale",
            "post_attention_layernorm.weight": "before_feed_forward/scale",
            **{f"self_attn.{short}_proj.weight": f"attention/{long}/kernel" for short, long in PARTS.items()},
        }.get(name, name.replace("mlp.", "feed_forward.").replace("_proj.weight", ".kernel"))

    loaded = saving.assign(block, variables, weights, prefix="model.layers.1.", rename=rename, transform=LLAMA_LAYOUTS)
    kernel = weights["model.layers.1.mlp.gate_proj.weight"]
    np.testing.assert_array_equal(loaded.trainable["feed_forward"]["gate"]["kernel"], kernel.T)


# -- rules


def dense(**options):
    layer = layers.Dense(2, **options)
    return layer, layer.init(KEY, (1, 3))


def test_paths_need_no_names_and_trees_are_mappings():
    model, variables = model_of(layers.Dense(2))
    kernel = np.ones((6, 2))
    for weights in (
        {"dense.kernel": kernel, "dense.bias": np.zeros(2)},
        {"dense/kernel": jnp.asarray(kernel), "dense/bias": [0.0, 0.0]},
        {"dense": {"kernel": kernel, "bias": np.zeros(2, "int8")}},
    ):
        assert saving.assign(model, variables, weights).trainable["dense"]["kernel"].sum() == 12


def test_everything_that_does_not_fit_is_one_error_of_at_most_six_lines_and_nothing_is_read():
    def load():
        raise AssertionError("read")

    model, variables = model_of(layers.Dense(2), layers.Dense(2), layers.Dense(2))
    shapes = {"dense.kernel": (2, 6), "dense.bias": (2,), "dense_1.kernal": (2, 2), "x": (1,), "y": (1,), "z": (1,)}
    weights = {name: Entry(name, shape, "float32", Source("a"), load) for name, shape in shapes.items()}
    with pytest.raises(LeafError) as caught:
        saving.assign(model, variables, weights)
    message = str(caught.value)
    assert len(message.splitlines()) <= 6
    assert "'dense/kernel' has shape (2, 6), expected (6, 2), from 'dense.kernel'" in message
    assert "'dense_1/kernel' is missing" in message
    assert "'dense_1.kernal' is unexpected" in message and "'dense_1/kernel' (did you mean it?)" in message
    for name in ("dense_1/bias", "dense_2/kernel", "dense_2/bias", "x", "y", "z"):
        assert name in message


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ({"kernel": np.ones((3, 2)), "a": np.ones(2), "bias": np.ones(2)}, {"rename": {"a": "bias"}}, "given twice"),
        ({"kernel": np.ones((3, 2)), "bias": np.ones(2, complex)}, {}, "dtype complex128, expected float32"),
        ({"kernel": np.ones((2, 3))}, {"transform": {"kernel": lambda a: a.reshape(7)}}, "its transform raises"),
        ({"kernel": np.ones((3, 2)), "bias": np.array(["a", "b"])}, {}, "dtype <U1, expected float32"),
        ({"a.kernel": np.ones((3, 2))}, {"prefix": "b."}, "None of its names is known, such as 'a.kernel'"),
    ],
)
def test_other_misfits(weights, options, message):
    with pytest.raises(LeafError) as caught:
        saving.assign(*dense(), weights, **options)
    assert message in str(caught.value)


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="`weights` must be a mapping"):
        saving.assign(*dense(), "model.safetensors")
    with pytest.raises(ArgumentError, match="`rename` must give a path"):
        saving.assign(*dense(), {"kernel": np.ones((3, 2))}, rename=lambda name: 3)
    with pytest.raises(ArgumentError, match="`rename` must be a function"):
        saving.assign(*dense(), {"kernel": np.ones((3, 2))}, rename=3)
    with pytest.raises(LeafError, match="not fit the declarations"):
        layer, variables = dense()
        saving.assign(layer, (variables.trainable, {"a": 1}), {})


def test_skip_mismatch_takes_what_fits_with_a_warning():
    layer, variables = dense()
    with pytest.warns(UserWarning, match="'bias' is missing; 'x' is unexpected"):
        loaded = saving.assign(layer, variables, {"kernel": np.ones((3, 2)), "x": np.ones(1)}, skip_mismatch=True)
    assert loaded.trainable["kernel"].sum() == 6 and loaded.trainable["bias"] is variables.trainable["bias"]


def test_leaves_keep_dtype_and_place():
    layer, variables = dense(dtype="bfloat16")
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    spec = jax.ShapeDtypeStruct((3, 2), "float16", sharding=place)
    trees = ({"kernel": spec, "bias": jax.device_put(variables.trainable["bias"], place)}, {})
    loaded = saving.assign(layer, trees, {"kernel": np.ones((3, 2)), "bias": np.ones(2)})
    assert loaded.trainable["kernel"].dtype == "float16" and loaded.trainable["kernel"].sharding == place
    assert loaded.trainable["bias"].dtype == jnp.bfloat16 and loaded.trainable["bias"].committed
    assert (
        not saving.assign(layer, variables, {"kernel": np.ones((3, 2)), "bias": np.ones(2)}).trainable["bias"].committed
    )


def test_random_states_and_pairs_of_lora_may_be_missing():
    model, variables = model_of(layers.Dense(2, lora_rank=1), layers.Dropout(0.5))
    loaded = saving.assign(model, variables, {"dense.kernel": np.ones((6, 2)), "dense.bias": np.zeros(2)})
    assert jax.tree.structure(loaded) == jax.tree.structure(variables)
    assert {**loaded.trainable["dense"], **loaded.non_trainable["dense"]}["kernel"].sum() == 12


def test_equal_names_in_two_files_stay_apart(tmp_path):
    for index in range(2):
        np.savez(tmp_path / f"{index}.npz", w=np.full(2, float(index)))
    model, variables = model_of(layers.LayerNormalization(), shape=(2,))
    files = [saving.open_weights(tmp_path / f"{index}.npz") for index in range(2)]
    path = "layer_normalization/"
    loaded = saving.assign(model, variables, {f"{path}beta": files[0]["w"], f"{path}gamma": files[1]["w"]})
    assert [float(leaf.sum()) for leaf in jax.tree.leaves(loaded)] == [0.0, 2.0]


# -- sub-models


def autoencoder():
    inputs = Input((6,))
    hidden = layers.Dense(2, activation="tanh")(inputs)
    return jkeras.Model(inputs, layers.Dense(6)(hidden)), jkeras.Model(inputs, hidden)


X = np.linspace(-1, 1, 12, dtype="float32").reshape(2, 6)


def test_an_encoder_selects_its_weights():
    whole, encoder = autoencoder()
    variables = whole.init(KEY)
    for options in ({}, {"of": whole}):
        selected = encoder.select(variables, **options)
        assert selected.trainable["dense"]["kernel"] is variables.trainable["dense"]["kernel"]
        codes, _ = encoder.stateless_call(*selected, X)
        expected = whole.stateless_call(*variables, X, capture="^dense$")[-1]["dense"]
        np.testing.assert_array_equal(codes, expected)


def test_a_nested_model_whose_names_are_those_of_others_is_found_by_its_layers():
    code = Input((6,))
    decoder = jkeras.Model(code, layers.Dense(6)(code))  # dense
    inputs = Input((6,))
    whole = jkeras.Model(inputs, decoder(layers.Dense(6)(inputs)))  # dense, of the same shape, and functional/dense
    variables = whole.init(KEY)
    for options in ({}, {"of": whole}):
        selected = decoder.select(variables, **options)
        assert selected.trainable["dense"]["kernel"] is variables.trainable["functional"]["dense"]["kernel"]


def test_a_part_of_a_subclass_and_a_frozen_one():
    class Pair(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = jkeras.Sequential([layers.Dense(3), layers.BatchNormalization()])
            self.decoder = layers.Dense(6)

        def call(self, x):
            return self.decoder(self.encoder(x))

    pair = Pair()
    variables = pair.init(KEY, X)
    assert pair.encoder.select(variables).trainable == variables.trainable["encoder"]
    assert pair.select(variables) == variables
    pair.trainable = False
    frozen = pair.repartition(variables)
    pair.encoder.trainable = True  # below a frozen whole
    selected = pair.encoder.select(frozen, of=pair)
    assert set(selected.trainable) == {"dense", "batch_normalization"}


def test_weights_that_are_not_in_the_whole():
    whole, encoder = autoencoder()
    variables = whole.init(KEY)
    other, _ = model_of(layers.Dense(2))
    with pytest.raises(LeafError) as caught:
        other.select(variables, of=whole)
    assert "'dense/kernel' is not in the whole" in str(caught.value)
    wide, _ = model_of(layers.Dense(3))
    with pytest.raises(LeafError, match=r"'dense/kernel' has shape \(6, 2\), expected \(6, 3\)"):
        wide.select(variables)
    with pytest.raises(LeafError, match="at 'dense/kernel'"):
        encoder.select(({}, {}))
