"""What `auto` places trains as on one device, and communicates no more than it must: on eight virtual devices."""

import re

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import jkeras
from jkeras import layers
from jkeras.distribution import auto
from tests.distribution.auto_networks import BLOCKS, LENGTH, VOCABULARY, Gpt, Llama, Subclassed, experts, language_model
from tests.distribution.networks import assert_close, convnet, mesh_of, mlp, specs
from tests.training.networks import data, images, trainer

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


def tokens(count):
    rows = np.random.default_rng(0).integers(0, VOCABULARY, (count, LENGTH + 1)).astype("int32")
    return rows[:, :-1], rows[:, 1:]


def vectors(count):
    x = np.random.default_rng(0).normal(size=(count, LENGTH, 16)).astype("float32")
    return x, np.abs(x).astype("float32")


def sequence_model(vocabulary=VOCABULARY):
    inputs = jkeras.Input((LENGTH,), dtype="int32")
    x = layers.LSTM(16, return_sequences=True)(layers.Embedding(vocabulary, 16, mask_zero=True)(inputs))
    return jkeras.Model(inputs, layers.Dense(vocabulary)(x))


def shardings(values):
    return jax.tree.map(lambda leaf: leaf.sharding, values)


NETWORKS = {
    "mlp": (mlp, data, LOSS),
    "convnet": (convnet, images, LOSS),
    "llama": (lambda: language_model(Llama, stacked=True, remat=True), tokens, LOSS),
    "shared keys": (lambda: language_model(lambda name: Llama(8, 2, name=name), n=1), tokens, LOSS),
    "subclassed": (lambda: Subclassed(Gpt), tokens, LOSS),
    "experts": (experts, vectors, "mse"),
    "sequence": (sequence_model, tokens, LOSS),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_as_one_device(name):
    make, load, loss = NETWORKS[name]
    x, y = load(32)

    def worked(placement):
        t = trainer(make(), "sgd", loss=loss, metrics=None, placement=placement)
        state = t.init(jax.random.key(0), x[:1])
        began = shardings(state.trainable)
        state, history = t.fit(state, x, y, batch_size=16, epochs=2, verbose=0)
        found = history.history, t.predict(state, x[:16], verbose=0), state.trainable
        assert shardings(state.trainable) == began
        return found

    placement = auto(make(), mesh_of(2, 4), x[:1], min_size=32)
    assert_close(worked(placement), worked(None))


def compiled(model, mesh):
    t = jkeras.Trainer(model, "sgd", LOSS, placement=auto(model, mesh))
    x = jax.ShapeDtypeStruct((16, LENGTH), "int32")
    return t.lower(x, x).compile().as_text()


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("rows", (1, 2))
def test_a_block_sums_over_devices_twice_forward_and_twice_backward(name, rows):
    mesh = jax.make_mesh((rows, 4), ("data", "model"), devices=jax.devices()[: 4 * rows])
    texts = [compiled(language_model(BLOCKS[name], n=n), mesh) for n in (1, 2)]
    one, two = (
        re.findall(r" (all-\S+|reduce-scatter\S*|collective-permute\S*)\(.*op_name=\"(.*?)\"", t) for t in texts
    )
    assert {kind for kind, _ in one + two} == {"all-reduce"}
    assert len(two) - len(one) == 4
    of_block = [path for _, path in two if "block_1" in path and "scatter-add" not in path]
    assert [("transpose" in path) for path in of_block] == [False, False, True, True]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_stack_sums_in_its_loop_alone(name):
    text = compiled(language_model(BLOCKS[name], n=3, stacked=True), mesh_of(1, 4))
    paths = re.findall(r" all-reduce\(.*op_name=\"(.*?)\"", text)
    assert sum("blocks/while/body" in path for path in paths) == 4
    assert not re.search(r"all-gather|all-to-all|collective-permute|reduce-scatter", text)


def test_weights_are_split_twice():
    model = language_model(Gpt, stacked=True)
    t = jkeras.Trainer(model, "adam", LOSS, placement=auto(model, mesh_of(2, 4), fsdp="data", min_size=32))
    state = t.init(jax.random.key(0))
    block = specs(state.trainable)["blocks"]["block"]
    assert block["up"]["kernel"] == P(None, "data", "model")
    assert block["down"]["kernel"] == P(None, "model", "data")
    assert block["attention"]["query"]["kernel"] == P(None, "data", "model")
    assert block["attention"]["attention_output"]["kernel"] == P(None, "model", None, "data")
    assert specs(state.trainable)["embedding"]["embeddings"] == P("model", "data")
    x, y = tokens(32)
    alone = jkeras.Trainer(model, "adam", LOSS)
    found, expected = (each.fit(each.init(jax.random.key(0)), x, y, verbose=0)[1].history for each in (t, alone))
    assert_close(found, expected)


def test_what_is_not_split_is_fully_sharded():
    placement = auto(convnet(), mesh_of(2, 4), min_size=32)
    assert placement.batch == placement.fsdp == ("data", "model")
    assert placement.weights(convnet())["dense/kernel"].spec == P(("data", "model"))
