"""Hooks of custom layers: weights in a form of their own, and files of their own, in Keras's form."""

import json
import os
import zipfile

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers, registry
from jkeras.errors import FileWriteError, LeafError, UnsafeFileError
from tests.oracle import asking_keras, keras

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


@registry.register_keras_serializable("hooks")
class Halved(layers.Layer):
    """Keeps its kernel as half of it, under a name, and nothing of its counter."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.note = units, "none"

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, inputs):
        return inputs @ self.kernel

    def save_own_variables(self, store):
        store["half"] = self.kernel / 2

    def load_own_variables(self, store):
        self.kernel.assign(store["half"] * 2)

    def save_assets(self, dir_path):
        os.makedirs(os.path.join(dir_path, "inner"))
        with open(os.path.join(dir_path, "inner", "note.txt"), "w") as file:
            file.write(self.note)

    def load_assets(self, dir_path):
        with open(os.path.join(dir_path, "inner", "note.txt")) as file:
            self.note = file.read()

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("hooks", "Halved")
class HalvedOfKeras(keras.layers.Layer):
    """The same for Keras."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.note = units, "none"

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, inputs):
        return inputs @ self.kernel

    def save_own_variables(self, store):
        store["half"] = np.asarray(self.kernel.value) / 2

    def load_own_variables(self, store):
        self.kernel.assign(np.asarray(store["half"]) * 2)

    save_assets, load_assets = Halved.save_assets, Halved.load_assets

    def get_config(self):
        return {**super().get_config(), "units": self.units}


HalvedOfKeras.__name__ = "Halved"  # by which Keras names its group


def model_with_a_note(note="ours"):
    model = jkeras.Sequential([Input((3,)), layers.Dense(3), Halved(name="halved")])
    model.get_layer("halved").note = note
    return model, model.init(jax.random.key(0))


def outputs(model, variables):
    return np.asarray(model.stateless_call(*variables, X)[0])


def test_hooks_go_both_ways(tmp_path):
    model, variables = model_with_a_note()
    model.save(tmp_path / "ours.keras", variables)
    with zipfile.ZipFile(tmp_path / "ours.keras") as file:
        assert "assets/layers/halved/inner/note.txt" in file.namelist()
    again, values = jkeras.models.load_model(tmp_path / "ours.keras")
    assert again.get_layer("halved").note == "ours"
    np.testing.assert_array_equal(outputs(again, values), outputs(model, variables))
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "ours.keras", {"hooks>Halved": HalvedOfKeras})
        assert theirs.layers[-1].note == "ours"
        np.testing.assert_allclose(theirs.predict(X, verbose=0), outputs(model, variables), atol=1e-6)
        theirs.layers[-1].note = "theirs"
        theirs.save(tmp_path / "theirs.keras")
    again, values = jkeras.models.load_model(tmp_path / "theirs.keras")
    assert again.get_layer("halved").note == "theirs"
    np.testing.assert_allclose(outputs(again, values), outputs(model, variables), atol=1e-6)


def test_assets_in_a_folder_are_read_and_links_refused(tmp_path):
    model, variables = model_with_a_note("in a folder")
    model.save(tmp_path / "a", variables, zipped=False)
    assert sorted(os.listdir(tmp_path / "a")) == ["assets", "config.json", "metadata.json", "model.weights.h5"]
    again, values = jkeras.models.load_model(tmp_path / "a")
    assert again.get_layer("halved").note == "in a folder"
    with asking_keras():
        theirs = keras.models.load_model(tmp_path / "a", {"hooks>Halved": HalvedOfKeras})
        np.testing.assert_allclose(theirs.predict(X, verbose=0), outputs(again, values), atol=1e-6)
    with pytest.raises(FileWriteError, match="must be a new one"):
        model.save(tmp_path / "a", variables, zipped=False)
    assert os.listdir(tmp_path) == ["a"]
    note = tmp_path / "a" / "assets" / "layers" / "halved" / "inner" / "note.txt"
    note.unlink()
    note.symlink_to("/etc/hostname")
    with pytest.raises(UnsafeFileError, match="must not be links"):
        jkeras.models.load_model(tmp_path / "a")


def test_a_hook_decides_what_is_kept(tmp_path):
    model, variables = model_with_a_note()
    counted = jkeras.core.Variables(variables.trainable, {"halved": {"count": jnp.float32(7)}})
    model.save_weights(tmp_path / "a.weights.h5", counted)
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert list(file["layers/halved/vars"]) == ["half"]
        assert "jkeras" not in file
    fresh = model.init(jax.random.key(1))
    loaded = model.load_weights(tmp_path / "a.weights.h5", fresh)
    np.testing.assert_array_equal(loaded.trainable["halved"]["kernel"], variables.trainable["halved"]["kernel"])
    assert float(loaded.non_trainable["halved"]["count"]) == 0


def test_what_a_hook_misses_is_named(tmp_path):
    model, variables = model_with_a_note()
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.ones((3, 3)), np.ones(3)
        file["layers/halved/vars/0"] = np.ones((3, 2))
    with pytest.raises(LeafError, match=r"'layers/halved/vars' has \['0'\], and `load_own_variables` raises: KeyError"):
        model.load_weights(tmp_path / "a.weights.h5", variables)
    with pytest.warns(UserWarning, match="halved"):
        kept = model.load_weights(tmp_path / "a.weights.h5", variables, skip_mismatch=True)
    np.testing.assert_array_equal(kept.trainable["halved"]["kernel"], variables.trainable["halved"]["kernel"])


def test_the_base_hooks_are_those_of_every_layer(tmp_path):
    class Doubled(Halved):
        def save_own_variables(self, store):
            layers.Layer.save_own_variables(self, store)
            store["more"] = jnp.ones(2)

        def load_own_variables(self, store):
            assert np.asarray(store["more"]).tolist() == [1, 1]
            layers.Layer.load_own_variables(self, store)

    layer = Doubled()
    variables = layer.init(jax.random.key(0), (1, 3))
    jkeras.saving.save_weights(layer, tmp_path / "a.weights.h5", variables)
    loaded = jkeras.saving.load_weights(layer, tmp_path / "a.weights.h5", layer.init(jax.random.key(1), (1, 3)))
    np.testing.assert_array_equal(loaded.trainable["kernel"], variables.trainable["kernel"])


def test_a_vocabulary_that_keras_keeps_in_a_file_is_read(tmp_path):
    # Keras has these layers with TensorFlow only, so its file is made here: no vocabulary in the config, but a file.
    def made(**arguments):
        lookup = layers.IntegerLookup(output_mode="tf_idf", name="lookup", **arguments)
        inner = jkeras.Sequential([Input((2,), dtype="int32"), lookup, layers.Dense(2)], name="inner")
        return jkeras.Sequential([Input((2,), dtype="int32"), inner])

    model = made(vocabulary=[7, 3], idf_weights=[0.5, 0.25])
    variables = model.init(jax.random.key(0))
    model.save(tmp_path / "a.keras", variables)
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        members = {name: file.read(name) for name in file.namelist() if name != "metadata.json"}
    config = json.loads(members["config.json"])
    inner = config["config"]["layers"][1]["config"]["layers"][1]["config"]
    assert inner["vocabulary"] == [7, 3]
    inner.update(vocabulary=None, idf_weights=None)
    place = "assets/layers/sequential/layers/integer_lookup/vocabulary.txt"
    members |= {"config.json": json.dumps(config), place: "-1\n7\n3"}
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    again, values = jkeras.models.load_model(tmp_path / "b.keras")
    x = np.array([[7, 9], [3, 3]])
    np.testing.assert_array_equal(again.stateless_call(*values, x)[0], model.stateless_call(*variables, x)[0])
