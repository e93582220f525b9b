"""Weights alone in every form: sharded, safetensors, npz, Keras's older HDF5; written here and read there, and back."""

import json
import os

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jkeras
from jkeras import Input, layers, lora, saving
from jkeras.errors import ArgumentError, DamagedFileError, LeafError, MissingExtraError
from jkeras.saving.weights import READ
from tests.oracle import asking_keras, assert_close, keras
from tests.saving.test_keras_files import KEY, MODELS, X, input_of, keras_outputs, model_of, outputs_of, randomized

FORMS = (".weights.h5", ".weights.json", ".safetensors", ".npz")
KILOBYTE = 2**-20  # in gigabytes


def same(ours, others):
    assert jax.tree.structure(ours) == jax.tree.structure(others)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(others), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), strict=True)


def twin(model, path):
    """The model for Keras, with the values of a file."""
    with asking_keras():
        model.save(path, model.init(KEY))
        return keras.models.load_model(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_weights_come_back_to_the_bit(name, form, tmp_path):
    model = MODELS[name]()
    variables = randomized(model.init(KEY))
    options = {"max_shard_size": KILOBYTE} if form == ".weights.json" else {}
    model.save_weights(tmp_path / f"a{form}", variables, **options)
    same(model.load_weights(tmp_path / f"a{form}", model.init(jax.random.key(7))), variables)


@pytest.mark.parametrize("form", FORMS)
def test_random_states_and_pairs_of_lora_come_back(form, tmp_path):
    model, variables = model_of(layers.Dense(4), layers.Dropout(0.5), layers.Dense(2, dtype="bfloat16"))
    variables = randomized(lora.enable(model, 2, variables, KEY))
    counted = jax.tree.map(lambda leaf: leaf + 3, variables.non_trainable["dropout"])
    variables.non_trainable["dropout"] = counted
    model.save_weights(tmp_path / f"a{form}", variables)
    same(model.load_weights(tmp_path / f"a{form}", jax.tree.map(jnp.zeros_like, variables)), variables)


@pytest.mark.parametrize("name", MODELS)
def test_sharded_files_both_ways(name, tmp_path):
    model = MODELS[name]()
    variables, x = randomized(model.init(KEY)), input_of(model)
    theirs = twin(model, tmp_path / "a.keras")
    model.save_weights(tmp_path / "ours.weights.json", variables, max_shard_size=KILOBYTE / 6)
    with asking_keras():
        theirs.load_weights(tmp_path / "ours.weights.json")
        ulps = 2**18 if name == "mixed precision" else 64
        for ours, other in zip(outputs_of(model, variables, x), keras_outputs(theirs, x), strict=True):
            assert_close(ours.astype("float32"), other, ulps=ulps)
        theirs.save_weights(tmp_path / "theirs.weights.json", max_shard_size=KILOBYTE / 6)
    assert len(list(tmp_path.glob("theirs_*.weights.h5"))) > 1 or name in ("mixed precision", "low rank")
    back = model.load_weights(tmp_path / "theirs.weights.json", model.init(jax.random.key(1)))
    for ours, other in zip(outputs_of(model, variables, x), outputs_of(model, back, x), strict=True):
        assert_close(other.astype("float32"), ours.astype("float32"), ulps=ulps)


def shards_of(folder):
    return sorted(path.name for path in folder.glob("*.weights.h5"))


def test_a_layer_in_several_shards_and_an_array_that_is_too_large(tmp_path):
    model, variables = model_of(layers.Dense(16))  # a kernel of 384 bytes, a bias of 64
    model.save_weights(tmp_path / "a.weights.json", variables, max_shard_size=400 / 2**30)
    assert shards_of(tmp_path) == ["a_00000.weights.h5", "a_00001.weights.h5"]
    index = json.loads((tmp_path / "a.weights.json").read_text())
    assert index["weight_map"] == {"/layers/dense/vars": shards_of(tmp_path)}
    assert index["metadata"]["total_size"] == 448
    same(model.load_weights(tmp_path / "a.weights.json", model.init(jax.random.key(1))), variables)
    theirs = twin(model, tmp_path / "a.keras")
    with asking_keras():
        theirs.load_weights(tmp_path / "a.weights.json")
        np.testing.assert_array_equal(theirs.get_weights()[0], variables.trainable["dense"]["kernel"])
    with pytest.raises(ArgumentError, match="at least the size of the largest array"):
        model.save_weights(tmp_path / "b.weights.json", variables, max_shard_size=300 / 2**30)


def test_saving_again_leaves_the_old_shards_or_the_new_ones(tmp_path, monkeypatch):
    model, variables = model_of(layers.Dense(16), layers.Dense(16))
    path, size = tmp_path / "a.weights.json", {"max_shard_size": 1100 / 2**30}
    model.save_weights(path, variables, **size)
    assert shards_of(tmp_path) == ["a_00000.weights.h5", "a_00001.weights.h5"]
    others = randomized(variables)

    def die(source, target, replace=os.replace):
        if str(target).endswith(".json"):
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", die)
        model.save_weights(path, others, **size)
    same(model.load_weights(path, variables), variables)
    theirs = twin(model, tmp_path / "a.keras")
    for values in (others, variables, others):
        model.save_weights(path, values, **size)
        same(model.load_weights(path, variables), values)
        with asking_keras():
            theirs.load_weights(path)
            np.testing.assert_array_equal(theirs.get_weights()[2], values.trainable["dense_1"]["kernel"])
        assert len(shards_of(tmp_path)) <= 3  # two, and the empty one that Keras opens first


def test_safetensors_have_our_paths_with_dots(tmp_path):
    model, variables = model_of(layers.Dense(4, dtype="bfloat16"), layers.BatchNormalization())
    variables = randomized(variables)
    model.save_weights(tmp_path / "a.safetensors", variables)
    found = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert set(found) == {
        *("dense.kernel", "dense.bias", "batch_normalization.gamma", "batch_normalization.beta"),
        *("batch_normalization.moving_mean", "batch_normalization.moving_variance"),
    }
    assert found["dense.kernel"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(found["dense.kernel"], variables.trainable["dense"]["kernel"])
    found["dense.kernel"] = found["dense.kernel"] * 2  # written by the library, without digests
    safetensors.numpy.save_file(found, tmp_path / "b.safetensors")
    back = model.load_weights(tmp_path / "b.safetensors", variables)
    np.testing.assert_array_equal(back.trainable["dense"]["kernel"], 2 * variables.trainable["dense"]["kernel"])


def test_npz_opens_in_numpy(tmp_path):
    model, variables = model_of(layers.Dense(4))
    model.save_weights(tmp_path / "a.npz", variables)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert sorted(found) == ["dense/bias", "dense/kernel"]
        np.testing.assert_array_equal(found["dense/kernel"], variables.trainable["dense"]["kernel"])


DTYPES = (
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e5m2",
    "int8",
    "uint32",
    "int64",
    "bool",
    "float64",
)


@pytest.mark.parametrize("form", (".safetensors", ".npz"))
def test_every_dtype_and_order_is_kept(form, tmp_path):
    from jkeras.saving.npz_files import write_npz
    from jkeras.saving.safetensors_files import write_safetensors

    arrays = {name: np.arange(6).reshape(2, 3).astype(np.dtype(name)) for name in DTYPES}
    arrays |= {"scalar": np.array(3.0), "empty": np.zeros((0, 3)), "turned": np.arange(6.0).reshape(2, 3).T}
    (write_npz if form == ".npz" else write_safetensors)(tmp_path / f"a{form}", arrays)
    with saving.open_weights(tmp_path / f"a{form}") as weights:
        assert {*weights} == {*arrays}
        for name, array in arrays.items():
            assert (weights[name].shape, weights[name].dtype) == (array.shape, array.dtype)
            np.testing.assert_array_equal(weights[name].read(), array, strict=True)


def test_arrays_of_numpy_in_any_order_of_bytes_and_axes(tmp_path):
    arrays = {"big": np.arange(3, dtype=">f4"), "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    with saving.open_weights(tmp_path / "a.npz") as weights:
        assert weights["big"].dtype == np.dtype("float32")
        for name, array in arrays.items():
            np.testing.assert_array_equal(weights[name].read(), array)


# -- Keras's older form

OLDER = ["chain", "graph", "recurrent", "attention"]


@pytest.mark.parametrize("name", OLDER)
def test_older_files_of_keras_by_order_and_by_name(name, tmp_path):
    model = MODELS[name]()
    variables, x = randomized(model.init(KEY)), input_of(model)
    model.save(tmp_path / "a.keras", variables)
    with asking_keras():
        keras.models.load_model(tmp_path / "a.keras").save(tmp_path / "a.h5")
    for options in ({}, {"by_name": True}):
        back = model.load_weights(tmp_path / "a.h5", model.init(jax.random.key(1)), **options)
        for ours, other in zip(outputs_of(model, variables, x), outputs_of(model, back, x), strict=True):
            assert_close(other, ours)
    if name in (
        "chain",
        "recurrent",
    ):  # operators of graphs have no module in such a config, so nobody finds them again
        whole, values = jkeras.models.load_model(tmp_path / "a.h5")
        for ours, other in zip(outputs_of(model, variables, x), outputs_of(whole, values, x), strict=True):
            assert_close(other, ours)
    with saving.open_weights(tmp_path / "a.h5") as weights:
        assert len(weights) == len(model.weights)
        assert all("model_weights" not in entry and ":" not in entry for entry in weights)


def older(path, groups, whole=False):
    """Writes weights alone, as older versions did."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = [name.encode() for name in groups]
        for layer, weights in groups.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in weights]
            for name, value in weights.items():
                group[f"{layer}/{name}:0"] = value
    return path


def test_older_files_of_weights_alone(tmp_path):
    model, variables = model_of(layers.Dense(4, name="first"), layers.Dense(2))
    kernels = {"first": {"kernel": np.ones((6, 4)), "bias": np.ones(4)}}
    rest = {"other": {"kernel": np.full((4, 2), 2.0), "bias": np.ones(2)}, "relu": {}}
    path = older(tmp_path / "a.h5", {**kernels, **rest})
    back = model.load_weights(path, variables)
    assert back.trainable["dense"]["kernel"].sum() == 16 and back.trainable["first"]["bias"].sum() == 4
    named = model.load_weights(path, variables, by_name=True)
    np.testing.assert_array_equal(named.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])
    assert named.trainable["first"]["kernel"].sum() == 24
    assert list(saving.open_weights(path)) == ["first/kernel", "first/bias", "other/kernel", "other/bias"]
    with pytest.raises(LeafError, match="has 2 layers with weights, the file has 1: first"):
        model.load_weights(older(tmp_path / "b.h5", kernels), variables)
    path = older(tmp_path / "c.h5", {"first": {"kernel": np.ones((6, 5)), "bias": np.ones(5)}, **rest})
    with pytest.raises(LeafError, match=r"'first' has 'kernel:0' of shape \(6, 5\), expected \(6, 4\)"):
        model.load_weights(path, variables)
    with pytest.warns(UserWarning, match="first"):
        partly = model.load_weights(path, variables, skip_mismatch=True)
    assert partly.trainable["dense"]["kernel"].sum() == 16
    with pytest.raises(LeafError, match="is not in the file"):
        model.load_weights(older(tmp_path / "d.h5", {"x": {"kernel": np.ones(1)}}), variables, by_name=True)


def test_a_model_that_was_frozen_when_it_was_saved(tmp_path):
    inner = jkeras.Sequential([layers.BatchNormalization(), layers.BatchNormalization()], name="inner")
    model, variables = model_of(inner, layers.Dense(2))
    variables = randomized(variables)
    model.save(tmp_path / "a.keras", variables)
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "a.keras")
        theirs.layers[0].trainable = False
        theirs.save(tmp_path / "a.h5")
    same(model.load_weights(tmp_path / "a.h5", model.init(KEY)), variables)


# -- arguments, damage


def test_the_end_of_a_path_says_the_form(tmp_path):
    model, variables = model_of(layers.Dense(4))
    for path in ("a.h5", "a.ckpt"):
        with pytest.raises(ArgumentError, match=r"must end in '\.weights\.h5', .*'\.npz', got"):
            model.save_weights(path, variables)
    with pytest.raises(ArgumentError, match=r"must end in .*'\.hdf5', got"):
        model.load_weights("a.bin", variables)
    with pytest.raises(ArgumentError, match=r"must end in one of"):
        saving.open_weights("pytorch_model.bin")
    with pytest.raises(ArgumentError, match="`max_shard_size` must"):
        model.save_weights("a.safetensors", variables, max_shard_size=1)
    with pytest.raises(ArgumentError, match="`by_name` must"):
        model.load_weights("a.npz", variables, by_name=True)
    for form in READ:
        with pytest.raises(FileNotFoundError):
            model.load_weights(tmp_path / f"none{form}", variables)
        with pytest.raises(FileNotFoundError):
            saving.open_weights(tmp_path / f"none{form}")


@pytest.mark.parametrize("form", FORMS)
def test_weights_that_do_not_fit_are_one_error(form, tmp_path):
    model, variables = model_of(layers.Dense(4), layers.Dense(2))
    model.save_weights(tmp_path / f"a{form}", variables)
    other, values = model_of(layers.Dense(4), layers.Dense(3), layers.Dense(1))
    with pytest.raises(LeafError) as caught:
        other.load_weights(tmp_path / f"a{form}", values)
    message = str(caught.value)
    assert "(4, 2)" in message and "dense_2" in message and len(message.splitlines()) <= 6
    with pytest.warns(UserWarning):
        partly = other.load_weights(tmp_path / f"a{form}", values, skip_mismatch=True)
    np.testing.assert_array_equal(partly.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])


@pytest.mark.parametrize("form", FORMS)
def test_flipped_bits_and_lost_ends_are_seen(form, tmp_path):
    model, variables = model_of(layers.Dense(8), layers.Dropout(0.5))
    model.save_weights(tmp_path / f"a{form}", variables)
    path = tmp_path / ("a_00000.weights.h5" if form == ".weights.json" else f"a{form}")
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    values = np.asarray(variables.trainable["dense"]["kernel"]).tobytes()
    begin = content.index(values)
    for position in [*generator.integers(begin, begin + len(values), 16), *generator.integers(0, len(content), 64)]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        try:
            back = model.load_weights(tmp_path / f"a{form}", model.init(jax.random.key(1)))
        except jkeras.errors.JKerasError:
            continue
        assert not begin <= position < begin + len(values)
        same(back.trainable, variables.trainable)
    for length in (0, 1, 9, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedFileError):
            model.load_weights(tmp_path / f"a{form}", variables)


def test_a_shard_of_another_file_is_seen(tmp_path):
    model, variables = model_of(layers.Dense(16), layers.Dense(16))
    for name, values in (("a", variables), ("b", randomized(variables))):
        model.save_weights(tmp_path / f"{name}.weights.json", values, max_shard_size=1100 / 2**30)
    os.replace(tmp_path / "b_00001.weights.h5", tmp_path / "a_00001.weights.h5")
    with pytest.raises(DamagedFileError, match="of another file"):
        model.load_weights(tmp_path / "a.weights.json", variables)
    os.remove(tmp_path / "a_00001.weights.h5")
    with pytest.raises(DamagedFileError, match="no shard 'a_00001"):
        model.load_weights(tmp_path / "a.weights.json", variables)


def test_entries_are_read_while_the_file_is_open(tmp_path):
    model, variables = model_of(layers.Dense(4))
    for form in (*FORMS, ".h5"):
        if form == ".h5":
            older(tmp_path / "a.h5", {"dense": {"kernel": np.ones((6, 4))}})
        else:
            model.save_weights(tmp_path / f"a{form}", variables)
        name = next(name for name in saving.open_weights(tmp_path / f"a{form}"))
        entry = saving.open_weights(tmp_path / f"a{form}")[name]  # nobody else holds the file
        assert entry.read().shape == entry.shape
        with saving.open_weights(tmp_path / f"a{form}") as weights:
            entry = weights[name]
        with pytest.raises(ArgumentError, match="must be open"):
            entry.read()
        with pytest.raises(KeyError, match="no array 'kernal'"):
            weights["kernal"]
        assert "kernal" not in weights and weights.get("kernal") is None


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    model, variables = model_of(layers.Dense(4))
    model.save_weights(tmp_path / "a.safetensors", variables)
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(MissingExtraError, match=r"jkeras\[safetensors\]"):
        model.save_weights(tmp_path / "b.safetensors", variables)
    same(model.load_weights(tmp_path / "a.safetensors", variables), variables)  # reading needs nothing


def test_names_with_dots_stay_distinct():
    inner = jkeras.Sequential([Input((6,)), layers.Dense(6, name="b", use_bias=False)], name="a")
    model, variables = model_of(inner, layers.Dense(6, name="a.b", use_bias=False))
    with pytest.raises(ArgumentError, match="must stay distinct"):
        model.save_weights("a.safetensors", variables)


def test_weights_of_a_layer(tmp_path):
    layer = layers.Dense(4)
    variables = layer.init(KEY, X)
    saving.save_weights(layer, tmp_path / "a.safetensors", variables)
    same(saving.load_weights(layer, tmp_path / "a.safetensors", layer.init(jax.random.key(1), X)), variables)
    with pytest.raises(ArgumentError, match="must go into a model, got Dense"):
        saving.load_weights(layer, older(tmp_path / "a.h5", {"dense": {"kernel": np.ones(1)}}), variables)
